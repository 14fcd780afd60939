"""How many pictures a second the demo answers, beside a plain gr.Interface, and does it hold out?

    python -m benchmarks.demo_load [--seconds 120] [--clients 1 8 32] [--folders A B]

Two processes on this machine, asked in turn by as many clients, over the same protocol (upload,
call, events), about the same pictures: the demo, and a `gr.Interface` that runs the two eager
models one after the other. A third row is the demo asked in one request, by POST /classify. Each
request is one picture and both models. Pictures are distinct, so that nothing is remembered, except
in the last row. `polite` counts 503 and 429, after which a client waits; any other failure is an
`error`. `CPU ms` is the server's time of all cores ÷ requests, which other work on the machine
changes little. `growth` is of the server's memory, from the end of the first quarter to the end.
Each row takes `--seconds`, and a few to warm up.
"""

import argparse
import asyncio
import io
import itertools
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from hub_models.drawn import draw
from hub_models.machine import describe_machine

ROOT = Path(__file__).resolve().parent.parent
CARDS = ROOT / "model_cards"
PICTURES = 32  # drawn; a few bytes behind the end make each request's another file
POLITE = (429, 503)
PAUSE_S = 0.5  # of a client that was asked to come back later
START_S = 300
WARM_UP_S = 5.0


@dataclass
class Row:
    """What came of some seconds of asking."""

    times_s: list[float] = field(default_factory=list)
    polite: int = 0
    errors: list[str] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cpu_s: float = 0.0

    @property
    def rate(self) -> float:
        """Requests answered a second."""
        return len(self.times_s) / self.seconds

    @property
    def growth(self) -> float:
        """Memory at the end ÷ memory after the first quarter, less one."""
        quarter = self.memory_mb[len(self.memory_mb) // 4 :]
        return max(quarter[-3:]) / quarter[0] - 1


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--folders", type=Path, nargs=2, default=sorted(CARDS.glob("*-*"))[:2])
    parser.add_argument("--plain", type=int, metavar="PORT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.plain:
        serve_plain(options.plain, options.folders)
        return
    print(json.dumps(describe_machine()))
    print(f"{'':36} clients   req/s   p50 ms   p95 ms  CPU ms  polite  errors  peak MB  growth")
    with serving(options.folders, is_plain=True) as plain, serving(options.folders) as demo:
        for clients in options.clients:
            rates = []
            for title, server in (
                ("plain gr.Interface", plain),
                ("demo", demo),
                ("demo, POST /classify", demo | {"ask": compare_at_once}),
            ):
                row = asyncio.run(ask(server, clients, options))
                rates.append(row.rate)
                show(title, clients, row)
            ratios = " and ".join(f"{rate / rates[0]:.2f}" for rate in rates[1:])
            print(f"{ratios:>52} times the plain one's requests a second")
        show("demo, pictures it has seen", clients, asyncio.run(ask(demo, clients, options, True)))


def show(title: str, clients: int, row: Row) -> None:
    """Print one row, and what went wrong in it."""
    p50, p95 = np.percentile(row.times_s, [50, 95]) * 1000
    cpu_ms = row.cpu_s / len(row.times_s) * 1000
    print(
        f"{title:36} {clients:7}  {row.rate:6.1f}  {p50:7.0f}  {p95:7.0f}  {cpu_ms:6.0f}  "
        f"{row.polite:6}  {len(row.errors):6}  {max(row.memory_mb):7.0f}  {row.growth:+6.1%}",
        flush=True,
    )
    for error in sorted(set(row.errors)):
        print(f"    {row.errors.count(error)} × {error}")


@contextmanager
def serving(folders: Sequence[Path], *, is_plain: bool = False) -> Iterator[dict[str, Any]]:
    """Start one of the two servers, and wait until its models are there and exported."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as cards:
        for folder in folders:
            Path(cards, folder.name).symlink_to(folder.resolve())
        demo = [sys.executable, str(ROOT / "app.py")]
        module = [sys.executable, "-m", "benchmarks.demo_load", "--plain", str(port)]
        command = [*module, "--folders", *map(str, folders)] if is_plain else demo
        environment = os.environ | {
            "HUB_MODELS_DEMO_PORT": str(port),
            "HUB_MODELS_DEMO_CARDS": cards,
            "HUB_MODELS_DEMO_RATE": "0",  # all clients have one address here
            "GRADIO_ANALYTICS_ENABLED": "False",
            "GRADIO_TEMP_DIR": cards,
        }
        log = Path(cards, "log.txt")
        with log.open("wb") as file:
            process = subprocess.Popen(command, env=environment, stdout=file, stderr=file, cwd=ROOT)
        try:
            wait(process, log, port, "" if is_plain else "runs on ONNX Runtime", len(folders))
            names = [folder.name for folder in folders]
            yield {"url": f"http://127.0.0.1:{port}", "process": process, "models": names,
                   "data": [] if is_plain else names, "ask": compare}  # fmt: skip
        finally:
            process.terminate()
            process.wait(60)


def wait(process: subprocess.Popen[bytes], log: Path, port: int, words: str, times: int) -> None:
    """Wait until a server answers and its log says some words so many times."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(f"http://127.0.0.1:{port}/").raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.2)
            continue
        if not words or log.read_text().count(words) >= times:
            return
        time.sleep(0.2)
    sys.exit(f"a server did not start:\n{log.read_text()}")


async def ask(
    server: dict[str, Any], clients: int, options: argparse.Namespace, again: bool = False
) -> Row:
    """Let clients ask a server, each one request after the other, for some seconds."""
    photos = [encode(seed) for seed in range(PICTURES)]
    numbers = itertools.count(time.time_ns())

    def picture() -> bytes:
        number = next(numbers)
        return photos[number % PICTURES] + (b"" if again else number.to_bytes(16, "big"))

    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=server["url"], timeout=120, limits=limits) as client:
        for seconds in (WARM_UP_S, options.seconds):  # the first do not count
            row, begun, spent = Row(), time.monotonic(), cpu_s(server["process"].pid)
            visits = [visit(client, server, picture, row, seconds) for _ in range(clients)]
            await asyncio.gather(weigh(server, row, seconds), *visits)
            row.seconds = time.monotonic() - begun
            row.cpu_s = cpu_s(server["process"].pid) - spent
    return row


async def visit(
    client: httpx.AsyncClient,
    server: dict[str, Any],
    picture: Callable[[], bytes],
    row: Row,
    seconds: float,
) -> None:
    """Be one client."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        begun = time.monotonic()
        try:
            await server["ask"](client, picture(), server["data"])
        except Busy:
            row.polite += 1
            await asyncio.sleep(PAUSE_S)
        except Exception as error:  # whatever it is, it is a finding
            row.errors.append(f"{type(error).__name__}: {error}"[:200])
        else:
            row.times_s.append(time.monotonic() - begun)


async def weigh(server: dict[str, Any], row: Row, seconds: float) -> None:
    """Write down how much memory a server has resident, ten times or more."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        row.memory_mb.append(resident_mb(server["process"].pid))
        await asyncio.sleep(min(1.0, seconds / 10))


class Busy(Exception):
    """The server asked politely to come back later."""


async def compare(client: httpx.AsyncClient, photo: bytes, data: list[str]) -> Any:
    """Ask what the two models make of a picture, as a program does; give the JSON answer."""
    answer = await client.post("/gradio_api/upload", files={"files": ("a.jpg", photo)})
    check(answer)
    file = {"path": answer.json()[0], "meta": {"_type": "gradio.FileData"}}
    answer = await client.post("/gradio_api/call/compare", json={"data": [file, *data]})
    check(answer)
    events = await client.get(f"/gradio_api/call/compare/{answer.json()['event_id']}")
    check(events)
    if "event: complete" not in events.text:
        if "Queue is full" in events.text:
            raise Busy
        raise ValueError(events.text[-150:])
    return json.loads(events.text.rpartition("data: ")[2])


async def compare_at_once(client: httpx.AsyncClient, photo: bytes, data: list[str]) -> Any:
    """Ask the same in one request; give the JSON answer."""
    answer = await client.post("/classify", params={"model": data}, content=photo)
    check(answer)
    return answer.json()


def check(answer: httpx.Response) -> None:
    """Tell a polite refusal from a failure."""
    if answer.status_code in POLITE:
        raise Busy
    answer.raise_for_status()


def resident_mb(pid: int) -> float:
    """Read how much memory a process has resident."""
    status = Path(f"/proc/{pid}/status").read_text()
    lines = dict(line.split(":", 1) for line in status.splitlines())
    return int(lines["VmRSS"].split()[0]) / 1024


def cpu_s(pid: int) -> float:
    """Read how long a process has kept cores busy."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def encode(seed: int) -> bytes:
    """Draw a JPEG."""
    stream = io.BytesIO()
    draw(seed).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def serve_plain(port: int, folders: Sequence[Path]) -> None:
    """Serve what one would write in ten lines."""
    import gradio as gr
    from PIL import Image

    from hub_models import ImageClassifier

    models = [ImageClassifier.from_pretrained(folder) for folder in folders]

    def compare(image: Image.Image) -> list[dict[str, float]]:
        return [{p.label: p.probability for p in model.classify(image)} for model in models]

    page = gr.Interface(compare, gr.Image(type="pil"), [gr.Label() for _ in models])
    page.launch(server_port=port, quiet=True)


if __name__ == "__main__":
    main()
