"""Do time and memory stay in proportion at 1, 4, 16 times as many pictures?

    python -m benchmarks.growth [--images 160] [--side 96] [--rounds 2] [--figure growth.png]

Each measurement is a command of ours in a process of its own: training a head from cached features,
training every layer, `training.evaluate`, `hub-models classify FOLDER --to TABLE`. Time is held
against the line through all sizes (a start and so much per picture), memory, of the process and
its children, against that of the fewest pictures. All pictures are distinct. Eight minutes.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.apart import watch
from benchmarks.photographs import link_photographs, read_photographs
from benchmarks.results import Results, finish, middle, parser
from benchmarks.row import Row, at_most
from hub_models import ImageClassifier, PreprocessConfig
from hub_models.export_cache import cached_export
from hub_models.machine import usable_cores

SIZES = (1, 4, 16)
WAYS = ("head training", "full training", "evaluation", "scoring")
MOST = 0.05


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the rows, draw the figure."""
    found = parser(__doc__)
    found.add_argument("--images", type=int, default=160, help="of the smallest size")
    found.add_argument("--side", type=int, default=96, help="px")
    found.add_argument("--rounds", type=int, default=2, help="the median counts")
    found.add_argument("--figure", type=Path, default=Path("benchmarks/growth.png"))
    options = found.parse_args(arguments)
    results = Results(options.results)
    with tempfile.TemporaryDirectory() as work:
        runs = _measure(results, _prepare(options, Path(work)), options)
    costs: dict[str, list[tuple[float, int]]] = {way: [] for way in WAYS}
    for (way, _), own in runs.items():
        seconds, peaks = zip(*own, strict=True)
        costs[way].append((middle(seconds), middle(peaks)))
    images = [options.images * size for size in SIZES]
    rows = [row for way in WAYS for row in judge(way, images, costs[way])]
    finish(results, "growth", rows)
    options.figure.parent.mkdir(parents=True, exist_ok=True)
    _draw(images, costs, options.figure)
    print(f"{options.figure}: drawn")


def judge(way: str, images: Sequence[int], costs: Sequence[tuple[float, int]]) -> list[Row]:
    """Hold the costs of one way against a line, and against the least memory.

    Args:
        way: Name of the rows.
        images: Of each size, rising.
        costs: Seconds and peak bytes of each size.

    Returns:
        Two rows.
    """
    seconds, peaks = (np.array(column, dtype=float) for column in zip(*costs, strict=True))
    start_s, each_s = line(np.array(images, dtype=float), seconds)
    off = float(np.abs(1 - (start_s + each_s * np.array(images)) / seconds).max())
    said = f"{start_s:.1f} s + {each_s * 1000:.2f} ms a picture; " + ", ".join(
        f"{count:,}: {time_s:.1f} s, {peak / 1e6:.0f} MB"
        for count, time_s, peak in zip(images, seconds, peaks, strict=True)
    )
    return [
        at_most(f"growth, {way}: time off the line", off, MOST, note=said),
        at_most(f"growth, {way}: memory", float(peaks.max() / peaks[0] - 1), MOST),
    ]


def line(images: np.ndarray, seconds: np.ndarray) -> tuple[float, float]:
    """Fit a start and a time per picture, by least squares of the shares missed.

    Args:
        images: (S,).
        seconds: (S,).

    Returns:
        Seconds of the start, not below 0, and per picture.
    """
    terms = np.stack([1 / seconds, images / seconds], axis=1)  # (S, 2)
    start_s, each_s = np.linalg.lstsq(terms, np.ones(len(seconds)), rcond=None)[0]
    if start_s < 0:
        shares = images / seconds
        start_s, each_s = 0.0, shares.sum() / (shares @ shares)
    return float(start_s), float(each_s)


def _prepare(options: argparse.Namespace, work: Path) -> list[Path]:
    """Write the pictures of each size in two classes and three splits, and the model."""
    folders = [work / f"{size:02}" for size in SIZES]
    most = options.images * SIZES[-1]
    pools = {"train": most, "validation": most // 5, "test": most}
    photographs = read_photographs(options.data, sum(pools.values()))
    if len(photographs) < sum(pools.values()):
        raise SystemExit(f"{options.data}: {len(photographs)} JPEGs; fewer --images")
    for split, pool in pools.items():
        own, photographs = photographs[:pool], photographs[pool:]
        for size, folder in zip(SIZES, folders, strict=True):
            count = pool * size // SIZES[-1]
            for number, label in enumerate(("one", "two")):
                half = own[number:count:2]
                link_photographs(half, folder / split / label, len(half))
    rule = PreprocessConfig(resize=int(options.side / 0.875), crop=options.side)
    model = ImageClassifier.create(options.architecture[0], ["one", "two"], preprocess=rule)
    model.save_pretrained(work / "model")
    return folders


def _measure(
    results: Results, folders: Sequence[Path], options: argparse.Namespace
) -> dict[tuple[str, str], list[list[float]]]:
    """Run every way on every size in turn, so that a slow minute hits no one."""
    turns = [(way, folder) for folder in folders for way in WAYS]
    runs: dict[tuple[str, str], list[list[float]]] = {(way, f.name): [] for way, f in turns}
    for number in range(options.rounds):
        for way, folder in turns:
            runs[way, folder.name].append(_run(results, way, folder, options, number))
    return runs


def _run(
    results: Results, way: str, folder: Path, options: argparse.Namespace, number: int
) -> list[float]:
    keys = ("architecture", "images", "side")
    key = {name: getattr(options, name) for name in keys} | {"round": number, "size": folder.name}
    key |= {"family": "growth", "way": way, "data": str(options.data or "")}

    def measure() -> list[float]:
        with tempfile.TemporaryDirectory() as out:
            command = _command(way, folder, Path(out), options)
            cost = watch([sys.executable, *command], threads=usable_cores())
        print(f"{way}, {folder.name} ×: {cost.seconds:.1f} s", flush=True)
        return [cost.seconds, cost.peak_bytes]

    measured: list[float] = results.once(key, measure)
    return measured


def _command(way: str, folder: Path, out: Path, options: argparse.Namespace) -> list[str]:
    model = folder.parent / "model"
    if way == "scoring":
        source = cached_export(model)  # once, so that no size has to make it
        command = ["classify", str(folder / "test"), "--model", str(source)]
        return ["-m", "hub_models.cli", *command, "--to", str(out / "table.jsonl")]
    if way == "evaluation":
        return ["-m", "training.evaluate", "--model", str(model), "--data", str(folder), "--json"]
    is_head = way == "head training"
    keys = {
        "data": folder, "out": out / "run", "architecture": options.architecture[0],
        "weights": model, "freeze": "head" if is_head else "none", "views": int(is_head),
        "cache_features": json.dumps(is_head), "epochs": 1, "image_size": options.side,
        "warmup_epochs": 0, "tracker": "", "save_every": 0,
    }  # fmt: skip
    words = [word for key, value in keys.items() for word in (f"--{key}", str(value))]
    return ["-m", "training.finetune", *words]


def _draw(images: Sequence[int], costs: dict[str, list[tuple[float, int]]], path: Path) -> None:
    """Draw seconds and memory over pictures, and the straight line of the former."""
    from matplotlib.figure import Figure

    from training.figures import COLOURS, GREY, save_figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    times, memory = figure.subplots(1, 2)
    for (way, own), colour in zip(costs.items(), COLOURS, strict=False):
        seconds, peaks = zip(*own, strict=True)
        start_s, each_s = line(np.array(images, dtype=float), np.array(seconds))
        ends = (0, images[-1])
        times.plot(images, seconds, "o", color=colour, label=way)
        times.plot(ends, [start_s + each_s * n for n in ends], color=colour, linewidth=1)
        memory.plot(images, [peak / 1e6 for peak in peaks], "o-", color=colour, label=way)
    times.set_title("time: measured, and its straight line", color=GREY)
    memory.set_title("peak memory", color=GREY)
    times.set_ylabel("s")
    memory.set_ylabel("MB")
    for axes in (times, memory):
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("pictures")
        axes.set_xticks(images, [f"{count:,}" for count in images])
    figure.legend(*times.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    save_figure(figure, path)


if __name__ == "__main__":
    main()
