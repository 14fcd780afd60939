"""Counts to numbers: accuracy with its interval."""

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Evaluation:
    """How a model did on one split.

    Attributes:
        correct: Images whose most probable class was right.
        images: Images in all.
        loss: Mean cross-entropy in nats, without label smoothing.
    """

    correct: int
    images: int
    loss: float

    @property
    def accuracy(self) -> float:
        """Share of right answers, 0 to 1."""
        return self.correct / self.images

    def as_results(self) -> dict[str, Any]:
        """Give what a config's `results` holds for one split."""
        low, high = wilson_interval(self.correct, self.images)
        return {
            "accuracy": self.accuracy,
            "accuracy_low": low,
            "accuracy_high": high,
            "correct": self.correct,
            "images": self.images,
            "loss": self.loss,
        }


def wilson_interval(correct: int, images: int) -> tuple[float, float]:
    """Give the 95 % interval of a share (Wilson 1927, doi:10.1080/01621459.1927.10502953).

    Args:
        correct: Successes.
        images: Trials, at least 1.

    Returns:
        Lower and upper bound, 0 to 1.
    """
    z = 1.959963984540054
    share = correct / images
    centre = share + z * z / (2 * images)
    spread = z * math.sqrt(share * (1 - share) / images + z * z / (4 * images * images))
    scale = 1 + z * z / images
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
