"""Logits to ranked, labelled probabilities: the one softmax of the project."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub_models.errors import CheckpointError, ConfigError


@dataclass(frozen=True)
class Prediction:
    """One class and how likely the model holds it to be.

    Attributes:
        label: Class name, as in the folder's `label_names`.
        probability: Softmax probability, 0 to 1; over all classes they add up to 1.
    """

    label: str
    probability: float


def rank(
    logits: NDArray[np.floating],
    label_names: Sequence[str],
    *,
    top: int | None = None,
    temperature: float = 1.0,
) -> list[Prediction]:
    """Turn one image's logits into predictions, the most probable first.

    Args:
        logits: Shape (C,), any scale.
        label_names: C class names, in the order of the logits.
        top: How many predictions to return, at least 1; all C of them if None.
        temperature: What the logits are divided by, above 0: how sure they are, not which is
            first (Guo et al. 2017, arXiv:1706.04599).

    Returns:
        At most `top` predictions in falling probability; equal ones keep class order.

    Raises:
        CheckpointError: If a logit is NaN or infinite, as damaged weights give.
        ConfigError: If `top` is no whole number of at least 1.
    """
    check_top(top)
    assert logits.shape == (len(label_names),), (logits.shape, len(label_names))
    probabilities = softmax(logits.astype(np.float64) / temperature)  # (C,)
    order = np.argsort(-probabilities, kind="stable")[:top]
    return [Prediction(label_names[i], float(probabilities[i])) for i in order]


def check_top(top: object) -> None:
    """Refuse a number of predictions that is none.

    Args:
        top: What a caller gave; None stands for all classes.

    Raises:
        ConfigError: If it is no whole number of at least 1.
    """
    is_whole = isinstance(top, int | np.integer) and not isinstance(top, bool)
    if top is not None and not (is_whole and top >= 1):  # type: ignore[operator]
        raise ConfigError(f"top must be a whole number of at least 1, or None, not {top!r:.60}")


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Turn logits into probabilities.

    Args:
        logits: Shape (..., C), any scale.

    Returns:
        The same shape, 0 to 1; over the last axis they add up to 1.

    Raises:
        CheckpointError: If a logit is NaN or infinite, as damaged weights give.
    """
    if not np.isfinite(logits).all():
        raise CheckpointError("the model's logits hold NaN or infinity: its weights are damaged")
    exponentials = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    probabilities: NDArray[np.float64] = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return probabilities
