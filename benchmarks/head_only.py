"""Head-only training from cached features against the same script without the cache.

    python -m benchmarks.head_only [--data FOLDER] [--images 300] [--epochs 10] [--rounds 3]

ResNet-18 at 224 px, batch 32, one view. In every round, one after the other: one pass of pure
inference over all pictures, the cached run, the run that is not cached. The two runs must end with
the same accuracies and losses. About 6 minutes on 2 CPU cores as it stands.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from benchmarks.drawn import draw_class_folders
from hub_models import ImageClassifier
from training.augment import CentreView
from training.data import Pictures, as_it_is, load_data
from training.finetune import main as finetune


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="class folders; drawn pictures if left out")
    parser.add_argument("--images", type=int, default=300, help="drawn pictures")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = options.data or draw_class_folders(folder / "data", options.images)
        os.environ["HUB_MODELS_CACHE"] = str(folder / "cache")
        labels = load_data(str(data)).label_names
        backbone = folder / "resnet18"  # its speed does not depend on its weights
        ImageClassifier.create("resnet18", labels, weights=None).save_pretrained(backbone)
        _print_table(_measure(folder, data, backbone, options), options)


def _measure(
    folder: Path, data: Path, backbone: Path, options: argparse.Namespace
) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {"inference": [], "cached": [], "not cached": []}
    _train(folder / "warm", data, backbone, 1, cached=False)  # the audit is then remembered
    for number in range(options.rounds):
        seconds["inference"].append(_timed(lambda: _infer(data, backbone)))
        ends = []
        for name in ("cached", "not cached"):
            out = folder / f"{name}-{number}"
            run = _Run(out, data, backbone, options.epochs, folder / f"cache-{number}")
            seconds[name].append(_timed(run.cached if name == "cached" else run.plain))
            ends.append(_numbers(out))
        assert ends[0] == ends[1], "the two runs differ: there is nothing to compare"
        said = ", ".join(f"{name} {values[-1]:.1f} s" for name, values in seconds.items())
        print(f"round {number + 1}: {said}", flush=True)
    return seconds


class _Run:
    """One run, cached or not, with a cache of its own that is empty at first."""

    def __init__(self, out: Path, data: Path, backbone: Path, epochs: int, cache: Path) -> None:
        self.keys = (out, data, backbone, epochs)
        self.cache = cache

    def cached(self) -> None:
        before = os.environ["HUB_MODELS_CACHE"]
        _train(*self.keys, cached=True)
        (Path(before) / "features").rename(self.cache)

    def plain(self) -> None:
        _train(*self.keys, cached=False)


def _train(out: Path, data: Path, backbone: Path, epochs: int, *, cached: bool) -> None:
    keys = {
        "data": data, "weights": backbone, "out": out, "architecture": "resnet18",
        "epochs": epochs, "batch_size": 32, "image_size": 224, "views": 1, "crop": "center",
        "flip": 0.0, "colour_jitter": 0.0, "warmup_epochs": 0.5 * (epochs > 1),
        "cache_features": str(cached).lower(), "tracker": "",
    }  # fmt: skip
    status = finetune([word for k, v in keys.items() for word in (f"--{k}", str(v))])
    assert status == 0


@torch.inference_mode()
def _infer(data: Path, backbone: Path) -> None:
    """Decode, preprocess and compute once for every picture: what no head can do without."""
    model = ImageClassifier.from_pretrained(backbone).eval()
    for split in load_data(str(data)).splits.values():
        view = CentreView(model.config.preprocess)
        keys = [(0, index) for index in range(len(split))]
        batches: DataLoader[Any] = DataLoader(
            Pictures(split, view),
            batch_size=64,
            sampler=keys,
            num_workers=2,
            collate_fn=as_it_is,
        )
        for batch, _ in batches:
            model(batch)


def _numbers(out: Path) -> list[tuple[float, float]]:
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [(row["validation_accuracy"], round(row["validation_loss"], 4)) for row in rows]


def _timed(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def _print_table(seconds: dict[str, list[float]], options: argparse.Namespace) -> None:
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print(
        f"\n| {options.epochs} epochs | seconds, median of {options.rounds} | all |\n|---|---|---|"
    )
    for name, median in medians.items():
        print(f"| {name} | {median:.1f} | {', '.join(f'{s:.1f}' for s in seconds[name])} |")
    print(f"\nnot cached : cached = {medians['not cached'] / medians['cached']:.1f}")
    print(f"cached : one inference pass = {medians['cached'] / medians['inference']:.2f}")


if __name__ == "__main__":
    main()
