"""Training steps under torch.compile and in channels-last order against plain eager steps.

    python -m benchmarks.compiled [--rounds 5] [--steps 4]

A step is forward, backward and update of one batch of random numbers; no data loading. Every round
times each way once, one after the other; the ratio is the median over the rounds.
"""

import argparse
import statistics
import time
from typing import Final

import torch
from torch import nn

from hub_models import ImageClassifier

SETTINGS: Final = (("resnet18", 64, 64), ("resnet18", 128, 64), ("mobilenetv2_100", 160, 32))
WAYS: Final = ("eager", "eager, channels last", "compiled", "compiled, channels last")


class Stepper:
    """One model with its optimiser, stepped in one way."""

    def __init__(self, architecture: str, side: int, images: int, way: str) -> None:
        torch.manual_seed(0)
        self.model = ImageClassifier.create(architecture, ["cat", "dog"], weights=None).train()
        self.layout = (
            torch.channels_last if way.endswith("channels last") else torch.contiguous_format
        )
        self.model.to(memory_format=self.layout)
        if way.startswith("compiled"):
            self.model.compile()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-4, momentum=0.9)
        self.batch = torch.randn(images, 3, side, side).contiguous(memory_format=self.layout)
        self.targets = torch.arange(images) % 2

    def seconds(self, steps: int) -> float:
        """Time some steps."""
        start = time.perf_counter()
        for _ in range(steps):
            nn.functional.cross_entropy(self.model(self.batch), self.targets).backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
        return time.perf_counter() - start


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4)
    options = parser.parse_args()
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads\n")
    print("| model, px, batch | way | images/s | : eager |\n|---|---|---|---|")
    for architecture, side, images in SETTINGS:
        steppers = {way: Stepper(architecture, side, images, way) for way in WAYS}
        for stepper in steppers.values():
            stepper.seconds(2)  # compiles
        seconds = {way: [] for way in WAYS}
        for _ in range(options.rounds):
            for way, stepper in steppers.items():
                seconds[way].append(stepper.seconds(options.steps))
        for way in WAYS:
            ratios = [e / s for e, s in zip(seconds["eager"], seconds[way], strict=True)]
            speed = images * options.steps / statistics.median(seconds[way])
            print(
                f"| {architecture}, {side}, {images} | {way} | {speed:.1f} | "
                f"{statistics.median(ratios):.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
