"""One picture from JPEG bytes to probabilities: ours against peers, and against its own parts.

    python -m benchmarks.one_picture [--data FOLDER] [--seconds 25] [--results FILE]

About two minutes. For each model and number of cores a process takes turns among all ways, once it
has seen that their answers are equal. "parts" is the sum of the medians of decoding, preprocessing
and a bare `session.run`, timed in the same turns: what no code of ours around them could undercut.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from typing import Any

from benchmarks.apart import run_apart
from benchmarks.limit import Rates, rates
from benchmarks.results import Results, finish, parser
from benchmarks.row import Kind, Row, against, cores

CHECKED = 8  # pictures
GOAL = 1.9
NO_PEERS = ("ours", "decode", "preprocess", "session.run", "parts")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one table."""
    found = parser(__doc__)
    found.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    found.add_argument("--seconds", type=float, default=25.0, help="of each table part")
    options = found.parse_args(arguments)
    if options.row:
        print(json.dumps(measure(options.row)))
        return
    results = Results(options.results)
    rows: list[Row] = []
    print("| model | cores | way | ms, p50 | p95 | : ours |\n|---|---|---|---|---|---|")
    for architecture in options.architecture:
        for threads in options.threads:
            order = {"architecture": architecture, "threads": threads}
            order |= {"seconds": options.seconds, "data": str(options.data or "")}
            key = order | {"family": "one_picture"}
            made = results.once(key, lambda order=order: run_apart(__spec__.name, order))
            for way, (p50, p95) in made["ms"].items():
                ratio = p50 / made["ms"]["ours"][0]
                cells = f"{architecture} | {threads} | {way} | {p50:.1f} | {p95:.1f} | {ratio:.2f}"
                print(f"| {cells} |", flush=True)
            machine = rates(results, threads, options.data)
            rows += compare(f"{architecture}, {cores(threads)}", made, machine)
    finish(results, "one_picture", rows)


def compare(model: str, found: dict[str, Any], machine: Rates) -> list[Row]:
    """Turn what `measure` gave into rows of p50 and p95."""
    floor_ms = 1000 * (machine.decode_s + machine.pass_s(*found["network"]))
    rows = []
    for number, name in enumerate(("p50", "p95")):
        values = {way: times[number] for way, times in found["ms"].items()}
        peers = {way: value for way, value in values.items() if way not in NO_PEERS}
        title = f"one picture, {model}: {name}"
        limit = floor_ms if name == "p50" else None
        rows.append(against(title, values["ours"], peers, Kind("ms", GOAL), limit=limit))
    return rows


def measure(order: dict[str, Any]) -> dict[str, Any]:
    """Measure every way with one model in this process.

    Returns:
        `ms`, name -> p50 and p95; `network`, its multiply-adds and bytes.
    """
    import torch

    from benchmarks.interop import save
    from benchmarks.limit import network
    from benchmarks.photographs import read_photographs
    from hub_models import PreprocessConfig
    from hub_models.timing import time_together

    torch.set_num_threads(order["threads"])
    torch.manual_seed(0)
    photographs = read_photographs(Path(order["data"]) if order["data"] else None, 64)
    with tempfile.TemporaryDirectory() as folder:
        save(order["architecture"], Path(folder), preprocess=PreprocessConfig())
        calls = {
            name: turn(way, photographs)
            for name, way in (ways(Path(folder), photographs) | parts(Path(folder))).items()
        }
        latencies = time_together(list(calls.values()), seconds=order["seconds"])
        counted = network(Path(folder))
    times = {n: (each.p50, each.p95) for n, each in zip(calls, latencies, strict=True)}
    whole = [times[name] for name in ("decode", "preprocess", "session.run")]
    parts_ms = (sum(p50 for p50, _ in whole), sum(p95 for _, p95 in whole))
    return {"ms": times | {"parts": parts_ms}, "network": counted}


def turn(way: Callable[[bytes], Any], photographs: list[bytes]) -> Callable[[], Any]:
    """Give each call the next picture."""
    following: Iterator[bytes] = cycle(photographs)
    return lambda: way(next(following))


def ways(folder: Path, photographs: list[bytes]) -> dict[str, Callable[[bytes], Any]]:
    """Load ours and the peers, and see that they give equal answers."""
    from benchmarks import peers
    from hub_models import load_runtime

    runtime = load_runtime(folder)

    def ours(content: bytes) -> peers.Probabilities:
        return {found.label: found.probability for found in runtime.classify(content)}

    found: dict[str, Callable[[bytes], Any]] = {
        "ours": ours,
        "transformers' pipeline": peers.pipeline_one(folder),
        "torchvision, eager": peers.eager_one(peers.torchvision_parts(folder)),
        "timm, eager": peers.eager_one(peers.timm_parts(folder)),
    }
    if find_spec("fastai"):  # only the extra `bench` has it
        found["fastai's predict"] = peers.fastai_one(folder)
    some = photographs[:CHECKED]
    expected = [ours(content) for content in some]
    for name, way in found.items():
        peers.check_equal(expected, [way(content) for content in some], name)
    return found


def parts(folder: Path) -> dict[str, Callable[[bytes], Any]]:
    """Give the three steps of ours, bare; each works on what the one before it last made."""
    import numpy as np
    import onnxruntime

    from hub_models import load_image
    from hub_models.export_cache import cached_export
    from hub_models.machine import usable_cores
    from hub_models.preprocess import preprocess
    from hub_models.session import INPUT, Session

    path = cached_export(folder)
    rule = Session(path).config.preprocess
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = usable_cores()
    # As ours: threads that spin after a call would take the cores from the next way in turn.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    state: dict[str, Any] = {}

    def decode(content: bytes) -> None:
        state["image"] = load_image(content)

    def prepare(_: bytes) -> None:
        state["batch"] = preprocess(state["image"], rule)[np.newaxis]

    def run(_: bytes) -> None:
        session.run(None, {INPUT: state["batch"]})

    return {"decode": decode, "preprocess": prepare, "session.run": run}


if __name__ == "__main__":
    main()
