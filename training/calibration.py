"""How sure a model is against how often it is right: bins, their error, the temperature."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from hub_models.config import MAX_TEMPERATURE, MIN_TEMPERATURE
from hub_models.prediction import softmax

BINS: Final = 15  # as Guo et al. 2017 (arXiv:1706.04599) have it, so that numbers compare


@dataclass(frozen=True)
class Bins:
    """Images grouped by the probability of the class that was said, in B bins of equal width.

    Attributes:
        images: How many, shape (B,).
        confidence: Their mean probability, shape (B,), 0 to 1; NaN in an empty bin.
        accuracy: Their share of right answers, shape (B,), 0 to 1; NaN in an empty bin.
    """

    images: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]

    @property
    def error(self) -> float:
        """Expected calibration error, 0 to 1: the mean gap between the two, over images."""
        gaps = np.abs(self.confidence - self.accuracy)
        return float(np.nansum(gaps * self.images) / self.images.sum())


def make_bins(
    probabilities: NDArray[np.floating], targets: NDArray[np.integer], *, count: int = BINS
) -> Bins:
    """Group images by how sure the model was.

    Args:
        probabilities: Shape (N, C), 0 to 1, N at least 1.
        targets: Shape (N,), class indices.
        count: B, of bins; each holds its upper edge.

    Returns:
        The bins, the least sure first.
    """
    confidence = probabilities.max(axis=1)
    is_right = probabilities.argmax(axis=1) == targets
    place = np.clip(np.ceil(confidence * count).astype(int) - 1, 0, count - 1)  # (N,)
    images = np.bincount(place, minlength=count)
    filled = np.where(images > 0, images, np.nan)
    return Bins(
        images=images,
        confidence=np.bincount(place, weights=confidence, minlength=count) / filled,
        accuracy=np.bincount(place, weights=is_right, minlength=count) / filled,
    )


def fit_temperature(logits: NDArray[np.floating], targets: NDArray[np.integer]) -> float:
    """Find the temperature T whose softmax(logits / T) has the least cross-entropy.

    It changes how sure the model is and never which class it says (arXiv:1706.04599, 4.2).

    Args:
        logits: Shape (N, C), of a split that was neither trained nor tested on.
        targets: Shape (N,), class indices.

    Returns:
        Above 1 for a model that is too sure; within what a config may hold.
    """
    wide = logits.astype(np.float64)
    bounds = tuple(
        np.log([MIN_TEMPERATURE, MAX_TEMPERATURE])
    )  # convex in 1 / T: one valley on any monotone scale
    found = minimize_scalar(
        lambda log_t: cross_entropy(wide / np.exp(log_t), targets), bounds=bounds, method="bounded"
    )
    return float(np.clip(np.exp(found.x), MIN_TEMPERATURE, MAX_TEMPERATURE))


def cross_entropy(logits: NDArray[np.floating], targets: NDArray[np.integer]) -> float:
    """Give the mean cross-entropy in nats.

    Args:
        logits: Shape (N, C).
        targets: Shape (N,), class indices.

    Returns:
        0 or more.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)  # not log(softmax): that can be log(0)
    chosen = shifted[np.arange(len(targets)), targets]
    return float((np.log(np.exp(shifted).sum(axis=1)) - chosen).mean())


def calibrated(logits: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """Turn logits into probabilities at a temperature.

    Args:
        logits: Shape (N, C).
        temperature: Above 0; 1 changes nothing.

    Returns:
        Shape (N, C), 0 to 1.
    """
    return softmax(logits.astype(np.float64) / temperature)
