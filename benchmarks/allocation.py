"""Steps and passes with freed memory given back and kept, and with a ReLU6 that keeps less.

    python -m benchmarks.allocation [--rounds 3] [--seconds 5]

What `training.memory` and `training.relu6` are worth. Random weights and pixels, channels-last, all
cores; each measurement in a process of its own, the ways in turn. Training is forward, backward and
update; a pass is that of the folded copy which evaluation and features use. Faults are pages that
the system had to clear.
"""

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any, Final

from benchmarks.apart import run_apart
from hub_models.machine import usable_cores

SETTINGS: Final = (  # architecture, px, images of a batch
    ("resnet18", 128, 64),
    ("resnet18", 224, 32),
    ("mobilenetv2_100", 64, 64),
    ("mobilenetv2_100", 224, 32),
)
GIVEN_BACK, KEPT, LEAN = WAYS = ("given back", "kept", "kept, lean ReLU6")


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--row", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        print(json.dumps(_measure(options.row)))
        return
    print("| model, px, batch | | freed memory | images/s | ratio | faults a step | peak MB |")
    print("|---|---|---|---|---|---|---|")
    for architecture, side, images in SETTINGS:
        for what in ("training", "pass"):
            order = {"architecture": architecture, "side": side, "images": images, "what": what}
            has_lean = what == "training" and architecture.startswith("mobilenet")
            ways = WAYS if has_lean else WAYS[:2]
            _print_rows(order | {"seconds": options.seconds}, ways, options.rounds)


def _print_rows(order: dict[str, Any], ways: tuple[str, ...], rounds: int) -> None:
    cores = usable_cores()
    runs: list[dict[str, dict[str, float]]] = [
        {
            way: run_apart("benchmarks.allocation", order | {"threads": cores, "way": way})
            for way in ways
        }
        for _ in range(rounds)
    ]
    name = f"{order['architecture']}, {order['side']}, {order['images']}"
    for way in ways:
        rate, faults, peak = (
            statistics.median(run[way][key] for run in runs) for key in ("rate", "faults", "peak")
        )
        ratio = statistics.median(run[way]["rate"] / run[GIVEN_BACK]["rate"] for run in runs)
        cells = f"{rate:.1f} | {ratio:.2f} | {faults:,.0f} | {peak / 1e6:,.0f}"
        print(f"| {name} | {order['what']} | {way} | {cells} |", flush=True)


def _measure(order: dict[str, Any]) -> dict[str, float]:
    """Give images a second, pages asked for per step, and peak bytes of this process."""
    from training.memory import keep_freed_memory

    if order["way"] != GIVEN_BACK:
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
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def _step(order: dict[str, Any]) -> Callable[[], None]:
    import torch
    from torch import nn

    from hub_models import ImageClassifier
    from hub_models.fold import folded
    from training.relu6 import use_lean_relu6

    torch.manual_seed(0)
    model = ImageClassifier.create(order["architecture"], ["cat", "dog"], weights=None)
    pixels = torch.randn(order["images"], 3, order["side"], order["side"])
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    if order["what"] == "pass":
        network = folded(model.eval())

        def answer() -> None:
            with torch.inference_mode():
                network(pixels)

        return answer
    model.train().to(memory_format=torch.channels_last)
    if order["way"] == LEAN:
        use_lean_relu6(model)
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
