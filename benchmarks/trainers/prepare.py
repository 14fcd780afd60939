"""Pictures and start weights that every trainer shares, and one run of a trainer, watched."""

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from benchmarks.apart import watch
from benchmarks.photographs import write_split
from benchmarks.results import Results
from benchmarks.trainers.order import Order
from hub_models import ImageClassifier, PreprocessConfig
from hub_models.atomic import hash_file
from hub_models.machine import usable_cores

_CARDS = Path(__file__).resolve().parents[2] / "model_cards"


def training_arguments(parser: argparse.ArgumentParser, *, trained: int, tested: int) -> None:
    """Add what the rows about training take.

    Args:
        parser: Of the row.
        trained: Pictures that a measured epoch trains on.
        tested: And is validated on.
    """
    parser.add_argument("--images", type=int, default=3575, help="half of each class, 8:2")
    parser.add_argument("--trained", type=int, default=trained, help="of them, to measure with")
    parser.add_argument("--tested", type=int, default=tested, help="and in validation")
    parser.add_argument("--whole", action="store_true", help="measure with all, in all epochs")
    parser.add_argument("--side", type=int, default=224, help="px")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=1, help="the median counts")
    parser.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="ARCHITECTURE=FOLDER",
        help="where all start (the model of model_cards/)",
    )


def prepare(options: argparse.Namespace, work: Path) -> list[tuple[Order, Order]]:
    """Write pictures and weights.

    Args:
        options: What was typed.
        work: Empty folder for them.

    Returns:
        Two orders per architecture, ours: all pictures, and those that are measured with. `out` is
        empty.

    Raises:
        SystemExit: If pictures are too few, or weights are missing.
    """
    first = 1789 if options.images == 3575 else (options.images + 1) // 2  # 1,786 dogs then
    write_split(options.data, work / "all", (first, options.images - first))
    wanted = {} if options.whole else {"train": options.trained, "validation": options.tested}
    counts = {part: _link_some(work, part, wanted.get(part)) for part in ("train", "validation")}
    if counts["train"][1] < 2 * options.batch:
        raise SystemExit(f"--trained {counts['train'][1]}: two batches of {options.batch} or more")
    given = dict(pair.split("=", 1) for pair in options.weights)
    pairs = []
    for architecture in options.architecture:
        start = work / architecture
        _save_start(architecture, given.get(architecture), start, options.side)
        cores = usable_cores()
        whole, short = (
            Order("ours", str(work / name), str(start), "", architecture,
                  source=str(options.data or "drawn"), trained=counts["train"][number],
                  tested=counts["validation"][number], batch=options.batch, side=options.side,
                  workers=cores, threads=cores)
            for number, name in enumerate(("all", "some"))
        )  # fmt: skip
        pairs.append((whole, short))
    return pairs


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
    key = asdict(order) | {"data": "", "start": weights, "round": number}
    found: dict[str, Any] = results.once(key, measure)
    return found


def _link_some(work: Path, part: str, wanted: int | None) -> tuple[int, int]:
    """Link the first pictures of each class; give how many there are, and were linked."""
    labels = sorted(path for path in (work / "all" / part).iterdir())
    found = linked = 0
    for label in labels:
        target = work / "some" / part / label.name
        target.mkdir(parents=True)
        paths = sorted(label.iterdir())
        found += len(paths)
        for path in islice(paths, None if wanted is None else wanted // len(labels)):
            os.link(path, target / path.name)
            linked += 1
    return found, linked


def _save_start(architecture: str, weights: str | None, folder: Path, side: int) -> None:
    """Save a backbone with a new head, small and the same for everyone."""
    source = Path(weights or _CARDS / f"{architecture.replace('_', '-')}-cats-vs-dogs")
    if not source.is_dir():
        raise SystemExit(f"{source}: no such folder; --weights {architecture}=FOLDER")
    labels = sorted(path.name for path in (folder.parent / "all" / "train").iterdir())
    torch.manual_seed(0)
    rule = PreprocessConfig(resize=int(side / 0.875), crop=side)
    model = ImageClassifier.create(architecture, labels, weights=str(source), preprocess=rule)
    torch.nn.init.normal_(model.head.weight, std=0.01)
    torch.nn.init.zeros_(model.head.bias)
    model.save_pretrained(folder)
