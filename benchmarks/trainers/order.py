"""What every trainer is told: data, start weights, and how long."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Order:
    """One training run.

    Attributes:
        way: Who trains: a module of this package.
        data: Folder with `train` and `validation`, each of class folders.
        start: Checkpoint folder, backbone and head, where everyone starts.
        out: Folder for what a run leaves behind.
        frozen: Train the head alone, the backbone in evaluation mode.
        steps: Stop after so many, without validation; 0: go on for all epochs.
        side: Of the pictures, px: resized to 256/224 of that, centre kept, nothing random.
        channels_last: Memory layout of whoever has a flag for it.
    """

    way: str
    data: str
    start: str
    out: str
    architecture: str
    frozen: bool = True
    epochs: int = 10
    batch: int = 32
    side: int = 224
    steps: int = 0
    workers: int = 2
    threads: int = 2
    learning_rate: float = 1e-3
    channels_last: bool = False

    @property
    def resize(self) -> int:
        """The shorter side before the centre is cut out, as our recipes have it."""
        return int(self.side / 0.875)

    @property
    def train(self) -> Path:
        """Class folders of the training pictures."""
        return Path(self.data, "train")


class Clock:
    """Notes when each optimiser step ended.

    Args:
        limit: Steps after which to stop; 0: none.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.ends_s: list[float] = []

    def step(self) -> bool:
        """Note the end of a step; tell whether to stop."""
        self.ends_s.append(time.perf_counter())
        return 0 < self.limit <= len(self.ends_s)

    def images_per_second(self, batch: int) -> float:
        """Give the rate of the steps after the first quarter: workers and kernels are warm then."""
        first = len(self.ends_s) // 4
        steps = len(self.ends_s) - 1 - first
        return batch * steps / (self.ends_s[-1] - self.ends_s[first])


def answer(order: Order, clock: Clock, accuracy: float | None) -> dict[str, Any]:
    """Put together what a trainer's process prints."""
    said: dict[str, Any] = {"accuracy": accuracy, "steps": len(clock.ends_s)}
    if order.steps:
        said["images_per_second"] = clock.images_per_second(order.batch)
    return said
