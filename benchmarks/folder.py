"""A folder of JPEGs to probabilities: ours against peers' batched scripts; and our memory.

    python -m benchmarks.folder [--data FOLDER] [--images 480] [--threads N ...] [--results FILE]
    python -m benchmarks.folder --memory [--data FOLDER]

Six minutes; `--images 2000 --threads 1 2` an hour. The folder is cut into slices, and for each all
ways take their turn, so that a machine that slows down slows all of them; before that their answers
are compared. Peers read with a DataLoader of so many worker processes (none, and one per core).
"limit" is what the cores could do if each did nothing but decode, preprocess and run the network.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.apart import run_apart
from benchmarks.limit import Rates, rates
from benchmarks.results import Results, finish, parser
from benchmarks.row import Kind, Row, against, cores
from hub_models.bulk import PASS
from hub_models.machine import usable_cores

SLICES = 4
DIFFERENT = 400  # pictures; the others are hard links to them
CHECKED = 40
GOAL = 1.7
_MEMORY = """
import sys
from hub_models.cli import main
from hub_models.profile_worker import peak_bytes
code = main(sys.argv[1:])
print(peak_bytes())
sys.exit(code)
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one table."""
    found = parser(__doc__)
    found.add_argument("--images", type=int, default=480)
    found.add_argument("--threads", type=int, nargs="+", default=[usable_cores()])
    found.add_argument("--workers", type=int, nargs="+", help="(none, and one per core)")
    found.add_argument("--memory", action="store_true", help="of 1,000 and 10,000 pictures")
    options = found.parse_args(arguments)
    if options.row:
        print(json.dumps(measure(options.row)))
        return
    if options.memory:
        print_memory(options)
        return
    results = Results(options.results)
    rows: list[Row] = []
    print("| model | cores | way | images/s | ours : it |\n|---|---|---|---|---|")
    for architecture in options.architecture:
        for threads in options.threads:
            order = {"architecture": architecture, "threads": threads, "images": options.images}
            order |= {"data": str(options.data or ""), "workers": options.workers or [0, threads]}
            key = order | {"family": "folder"}
            made = results.once(key, lambda order=order: run_apart(__spec__.name, order))
            for way, rate in made["rates"].items():
                ratio = made["rates"]["ours"] / rate
                cells = f"{architecture} | {threads} | {way} | {rate:.1f} | {ratio:.2f}"
                print(f"| {cells} |", flush=True)
            machine = rates(results, threads, options.data)
            title = f"{options.images} pictures, {architecture}, {cores(threads)}"
            rows.append(compare(title, made, machine))
    finish(results, "folder", rows)


def compare(model: str, found: dict[str, Any], machine: Rates) -> Row:
    """Turn what `measure` gave into a row; our own second way is no peer, nor is the limit."""
    macs, weight_bytes = found["network"]
    each_s = machine.decode_s / machine.threads + machine.pass_s(macs, weight_bytes // PASS)
    peers = {w: rate for w, rate in found["rates"].items() if w != "limit" and "ours" not in w}
    title, ours = f"folder, {model}", found["rates"]["ours"]
    return against(title, ours, peers, Kind("images/s", GOAL, is_rate=True), limit=1 / each_s)


def measure(order: dict[str, Any]) -> dict[str, Any]:
    """Measure every way with one model in this process.

    Returns:
        `rates`, name -> images per second; `network`, its multiply-adds and bytes.
    """
    import torch

    from benchmarks.interop import save
    from benchmarks.limit import network
    from benchmarks.photographs import link_photographs, read_photographs
    from hub_models import PreprocessConfig

    torch.set_num_threads(order["threads"])
    torch.manual_seed(0)
    photographs = read_photographs(Path(order["data"]) if order["data"] else None, DIFFERENT)
    with tempfile.TemporaryDirectory() as parent:
        save(order["architecture"], Path(parent, "model"), preprocess=PreprocessConfig())
        paths = link_photographs(photographs, Path(parent, "pictures"), order["images"])
        found = ways(Path(parent, "model"), order["workers"], paths[:CHECKED])
        times_s = dict.fromkeys(found, 0.0)
        for start in range(SLICES):
            for name, way in found.items():
                began = time.perf_counter()
                way(paths[start::SLICES])
                times_s[name] += time.perf_counter() - began
        speeds = {name: len(paths) / time_s for name, time_s in times_s.items()}
        speeds["limit"] = limit(Path(parent, "model"), paths[:128], order["threads"])
        return {"rates": speeds, "network": network(Path(parent, "model"))}


def ways(folder: Path, workers: list[int], some: list[Path]) -> dict[str, Callable[..., Any]]:
    """Load ours and the peers, and see that they give equal answers."""
    from benchmarks import peers
    from hub_models import load_runtime
    from hub_models.bulk import Scorer, score

    scorer = Scorer("ours", load_runtime(folder, threads=1))
    server = load_runtime(folder)

    def ours(paths: list[Path]) -> list[peers.Probabilities]:
        chunks = [(0, [path.name for path in paths])]
        (_, rows), *_ = score(chunks, paths[0].parent, [scorer], threads=usable_cores())
        return [
            dict(zip(scorer.label_names, row[-len(scorer.label_names) :], strict=True))
            for row in rows
        ]  # type: ignore[arg-type]

    def classify(paths: list[Path]) -> list[peers.Probabilities]:
        return [{p.label: p.probability for p in row} for row in server.classify(paths)]

    many = {
        "transformers' pipeline": peers.pipeline_many(folder),
        "timm": peers.eager_many(peers.timm_parts(folder)),
        "torchvision": peers.eager_many(peers.torchvision_parts(folder)),
    }
    found: dict[str, Callable[..., Any]] = {"ours": ours, "ours, Runtime.classify": classify}
    for name, way in many.items():
        for count in workers:
            found[f"{name}, {count} workers"] = lambda paths, way=way, count=count: way(
                paths, count
            )
    expected = ours(some)
    for name, way in found.items():
        peers.check_equal(expected, way(some), name)
    return found


def limit(folder: Path, paths: list[Path], cores: int) -> float:
    """Time the bare steps on one core, and multiply: images per second."""
    import numpy as np

    from hub_models import load_image
    from hub_models.export_cache import cached_export
    from hub_models.preprocess import preprocess
    from hub_models.session import Session

    session = Session(cached_export(folder), threads=1)
    began = time.perf_counter()
    for start in range(0, len(paths), PASS):
        images = [load_image(path) for path in paths[start : start + PASS]]
        session.run(np.stack([preprocess(image, session.config.preprocess) for image in images]))
    return cores * len(paths) / (time.perf_counter() - began)


def print_memory(options: argparse.Namespace) -> None:
    """Score 1,000 and 10,000 pictures in processes of their own."""
    from benchmarks.interop import save
    from benchmarks.photographs import link_photographs, read_photographs
    from hub_models import PreprocessConfig
    from hub_models.export import export_onnx

    photographs = read_photographs(options.data, DIFFERENT)
    print("| model | pictures | peak MB | : of the fewest |\n|---|---|---|---|")
    for architecture in options.architecture:
        with tempfile.TemporaryDirectory() as parent:
            save(architecture, Path(parent, "model"), preprocess=PreprocessConfig())
            export_onnx(Path(parent, "model"), Path(parent, "model.onnx"))
            first = 0
            for count in (1000, 10_000):
                folder = Path(parent, f"{count}")
                link_photographs(photographs, folder, count)
                command = ["classify", str(folder), "--model", f"{parent}/model.onnx"]
                done = subprocess.run(
                    [sys.executable, "-c", _MEMORY, *command, "--to", f"{folder}.jsonl"],
                    stdout=subprocess.PIPE,
                    check=True,
                )
                peak = int(done.stdout.splitlines()[-1])
                first = first or peak
                cells = f"{architecture} | {count:,} | {peak / 1e6:.0f} | {peak / first:.3f}"
                print(f"| {cells} |", flush=True)


if __name__ == "__main__":
    main()
