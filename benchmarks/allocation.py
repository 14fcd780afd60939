"""Steps and passes with freed memory given back, and kept (`training.memory`).

    python -m benchmarks.allocation [--rounds 3] [--seconds 8]

Random weights and pixels, channels-last, 2 threads or as many cores as there are; each measurement
in a process of its own, the two ways in turn. Training is forward, backward and update; a pass is
that of the folded copy which evaluation and features use. Faults are pages that the system had to
clear. The same answer either way: nothing but where memory comes from differs.
"""

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any, Final

from benchmarks.apart import run_apart
from hub_models.timing import usable_cores

SETTINGS: Final = (  # architecture, px, images of a batch
    ("resnet18", 128, 64),
    ("resnet18", 224, 32),
    ("mobilenetv2_100", 64, 64),
    ("mobilenetv2_100", 224, 32),
)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    parser.add_argument("--row", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        print(json.dumps(_measure(options.row)))
        return
    print("| model, px, batch | | images/s, back | kept | ratio | faults | kept | MB | kept |")
    print("|---|---|---|---|---|---|---|---|---|")
    for architecture, side, images in SETTINGS:
        for is_training in (True, False):
            order = {"architecture": architecture, "side": side, "images": images}
            order |= {"is_training": is_training, "seconds": options.seconds}
            _print_row(order, options.rounds)


def _print_row(order: dict[str, Any], rounds: int) -> None:
    runs: list[list[dict[str, float]]] = [
        [
            run_apart("benchmarks.allocation", order | {"threads": usable_cores(), "keeps": keeps})
            for keeps in (False, True)
        ]
        for _ in range(rounds)
    ]

    def middle(key: str, way: int) -> float:
        return statistics.median(pair[way][key] for pair in runs)

    ratio = statistics.median(kept["rate"] / back["rate"] for back, kept in runs)
    cells = [f"{middle('rate', way):.1f}" for way in (0, 1)] + [f"{ratio:.2f}"]
    cells += [f"{middle(key, way):,.0f}" for key in ("faults", "peak_mb") for way in (0, 1)]
    what = "training" if order["is_training"] else "pass"
    name = f"{order['architecture']}, {order['side']}, {order['images']}"
    print(f"| {name} | {what} | {' | '.join(cells)} |", flush=True)


def _measure(order: dict[str, Any]) -> dict[str, float]:
    """Give images a second, pages asked for per step, and peak memory of this process."""
    from training.memory import keep_freed_memory

    if order["keeps"]:
        keep_freed_memory()
    step = _step(order)
    for _ in range(2):
        step()
    faults = _faults()
    times_s: list[float] = []
    while sum(times_s) < order["seconds"] or len(times_s) < 3:
        began = time.perf_counter()
        step()
        times_s.append(time.perf_counter() - began)
    return {
        "rate": order["images"] / statistics.median(times_s),
        "faults": (_faults() - faults) / len(times_s),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
    }


def _step(order: dict[str, Any]) -> Callable[[], None]:
    import torch
    from torch import nn

    from hub_models import ImageClassifier
    from hub_models.fold import folded

    torch.manual_seed(0)
    model = ImageClassifier.create(order["architecture"], ["cat", "dog"], weights=None)
    pixels = torch.randn(order["images"], 3, order["side"], order["side"])
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    if not order["is_training"]:
        network = folded(model.eval())

        def answer() -> None:
            with torch.inference_mode():
                network(pixels)

        return answer
    model.train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)
    targets = torch.arange(order["images"]) % 2

    def train() -> None:
        nn.functional.cross_entropy(model(pixels), targets).backward()
        optimizer.step()
        optimizer.zero_grad()

    return train


def _faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


if __name__ == "__main__":
    main()
