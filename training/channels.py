"""Measured mean and standard deviation of a data set's channels, for the preprocessing."""

from dataclasses import replace

import datasets
import numpy as np
from numpy.typing import NDArray

from hub_models.config import PreprocessConfig
from hub_models.errors import ConfigError
from hub_models.preprocess import preprocess as evaluation_pixels
from training.data import decode
from training.scan import in_threads

Triple = tuple[float, float, float]


def measure_statistics(
    split: datasets.Dataset, preprocess: PreprocessConfig, *, quiet: bool = False
) -> tuple[Triple, Triple]:
    """Measure what a data set's pixels are normalised by.

    Every pixel of every picture at evaluation preprocessing counts once, in double precision.

    Args:
        split: The training split, without unreadable pictures.
        preprocess: Its mean and std are left aside.
        quiet: Show no progress bar.

    Returns:
        Mean and standard deviation per channel, on the 0-1 scale, in RGB order.

    Raises:
        ConfigError: If a channel is the same everywhere: nothing can be divided by 0.
    """
    raw = replace(preprocess, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))

    def sums_of(index: int) -> NDArray[np.float64]:
        pixels = evaluation_pixels(decode(split[index]["image"]), raw).astype(np.float64)
        return np.stack([pixels.mean((1, 2)), np.square(pixels).mean((1, 2))])  # (2, 3)

    outcomes = in_threads(sums_of, range(len(split)), title="measuring mean and std", quiet=quiet)
    mean, square = sum(outcomes, start=np.zeros((2, 3))) / len(split)
    std = np.sqrt(np.maximum(square - mean**2, 0))
    if std.min() < 1e-3:
        raise ConfigError(f"mean and std: a channel hardly varies (std {std.min():.1g})")
    return _triple(mean), _triple(std)


def _triple(values: NDArray[np.float64]) -> Triple:
    red, green, blue = (round(float(value), 4) for value in values)
    return red, green, blue
