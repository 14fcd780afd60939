"""What the time of a training step goes into: data, forward, backward, update."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final

import torch

from training.run_folder import write_text

PROFILE_FILE: Final = "profile.json"
PARTS: Final = ("data", "forward", "backward", "update")


class StepClock:
    """Measures the parts of this process's optimiser steps.

    Where a device works ahead of Python, every part waits for it, which costs some speed: so
    nothing is measured unless it was asked for.

    Args:
        device: Where the model is.
        is_on: Measure; else nothing is kept, and no device is waited for.
    """

    def __init__(self, device: torch.device, *, is_on: bool) -> None:
        self.device = device
        self.is_on = is_on
        self.steps: list[dict[str, float]] = []  # of this epoch: seconds of each part, and "step"
        self._begin()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count a block's time to a part of the step.

        Args:
            name: One of PARTS; a part may have several blocks, one per micro-batch.
        """
        since = self._now()
        yield
        self._seconds[name] += self._now() - since

    def start_epoch(self) -> None:
        """Begin the first step of an epoch."""
        self.steps = []
        self._begin()

    def end_step(self) -> None:
        """End a step and begin the next."""
        if self.is_on:
            self.steps.append({**self._seconds, "step": self._now() - self._since})
            self._begin()

    def report(self, epoch: int) -> dict[str, Any]:
        """Sum up the steps since the start of the epoch.

        Args:
            epoch: Counted from 1.

        Returns:
            Plain JSON values: of each part its share of all time (0 to 1) and its milliseconds in
            the median step; "other" is all that is no part, such as saving states.
        """
        total = sum(step["step"] for step in self.steps)
        others = [step["step"] - sum(step[name] for name in PARTS) for step in self.steps]
        seconds = {name: [step[name] for step in self.steps] for name in PARTS} | {"other": others}
        return {
            "epoch": epoch,
            "steps": len(self.steps),
            "step_ms": 1000 * median(step["step"] for step in self.steps),
            "parts": {
                name: {"share": sum(values) / total, "ms": 1000 * median(values)}
                for name, values in seconds.items()
            },
        }

    def _begin(self) -> None:
        self._seconds = dict.fromkeys(PARTS, 0.0)
        self._since = self._now()

    def _now(self) -> float:
        if self.is_on and self.device.type != "cpu":
            torch.accelerator.synchronize()
        return time.perf_counter()


def report_epoch(clock: StepClock, folder: Path, epoch: int) -> None:
    """Print where an epoch's time went, and put it into profile.json; nothing if the clock is off.

    Args:
        clock: Of this process.
        folder: RUN; a resumed run keeps the reports of the epochs before.
        epoch: Counted from 1.
    """
    if not clock.is_on:
        return
    report = clock.report(epoch)
    parts = ", ".join(
        f"{name} {part['share']:.1%} ({part['ms']:.1f} ms)"
        for name, part in report["parts"].items()
    )
    print(f"step {report['step_ms']:.1f} ms: {parts}", flush=True)
    path = folder / PROFILE_FILE
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none yet
        before = []
    kept = [other for other in before if other["epoch"] < epoch]
    write_text(path, json.dumps([*kept, report], indent=2) + "\n")
