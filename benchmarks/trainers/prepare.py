"""Pictures and start weights that every trainer shares, and one run of a trainer, watched."""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.apart import watch
from benchmarks.interop import lived_in
from benchmarks.photographs import write_split
from benchmarks.results import Results
from benchmarks.trainers.order import Order
from hub_models import ImageClassifier, PreprocessConfig
from hub_models.atomic import hash_file
from hub_models.timing import usable_cores

ARCHITECTURES = ("resnet18", "mobilenetv2_100")


def training_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the rows about training take."""
    parser.add_argument("--architecture", action="append", help="(resnet18, mobilenetv2_100)")
    parser.add_argument("--images", type=int, default=3575, help="half of each class")
    parser.add_argument("--side", type=int, default=224, help="px")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3, help="the median counts")
    parser.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="ARCHITECTURE=FOLDER",
        help="where all start (random numbers)",
    )
    parser.add_argument("--work", type=Path, default=Path("runs/bench"), help="pictures, weights")


def first_orders(options: argparse.Namespace) -> list[Order]:
    """Prepare pictures and weights.

    Args:
        options: What was typed.

    Returns:
        One order per architecture, ours; `out` is empty.
    """
    given = dict(pair.split("=", 1) for pair in options.weights)
    source = options.data.name if options.data else "drawn"
    first = 1789 if options.images == 3575 else (options.images + 1) // 2  # 1,786 dogs then
    pictures = options.work / f"{source}-{options.images}"
    write_split(options.data, pictures, (first, options.images - first))
    labels = sorted(path.name for path in Path(pictures, "train").iterdir())
    orders = []
    for architecture in options.architecture or ARCHITECTURES:
        start = options.work / f"{architecture}-{options.side}-{architecture in given}"
        if not start.is_dir():
            _save_start(architecture, labels, given.get(architecture), start, options.side)
        cores = usable_cores()
        orders.append(
            Order(
                "ours",
                str(pictures),
                str(start),
                "",
                architecture,
                batch=options.batch,
                side=options.side,
                workers=cores,
                threads=cores,
            )
        )
    return orders


def run(results: Results, order: Order, number: int) -> dict[str, Any]:
    """Train in a process of its own, unless that was done before.

    Args:
        results: Where it would stand.
        order: `out` is chosen here.
        number: Of the round.

    Returns:
        `seconds` and `peak_bytes` of the whole process, and what the trainer said.
    """

    def measure() -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as out:
            told = replace(order, out=str(Path(out, "run")))
            words = [sys.executable, "-m", "benchmarks.trainers", "--row", json.dumps(asdict(told))]
            found = watch(words, threads=order.threads)
        said = {"seconds": found.seconds, "peak_bytes": found.peak_bytes, **found.answer}
        print(f"{order.architecture}, {order.way}, round {number + 1}: {said}", flush=True)
        return said

    weights = hash_file(Path(order.start, "model.safetensors"))
    key = asdict(order) | {"data": Path(order.data).name, "start": weights, "round": number}
    found: dict[str, Any] = results.once(key, measure)
    return found


def _save_start(
    architecture: str, labels: list[str], weights: str | None, folder: Path, side: int
) -> None:
    """Save a backbone with a new head, small and the same for everyone."""
    torch.manual_seed(0)
    rule = PreprocessConfig(resize=int(side / 0.875), crop=side)
    model = ImageClassifier.create(architecture, labels, weights=weights, preprocess=rule)
    if weights is None:
        lived_in(model)  # else its features fade, and nobody learns anything
    torch.nn.init.normal_(model.head.weight, std=0.01)
    torch.nn.init.zeros_(model.head.bias)
    model.save_pretrained(folder)
