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

PerChannel = tuple[float, ...]


def measure_statistics(
    split: datasets.Dataset, preprocess: PreprocessConfig, *, quiet: bool = False
) -> tuple[PerChannel, PerChannel]:
    """Measure what a data set's pixels are normalised by.

    Every pixel of every picture at evaluation preprocessing counts once, in double precision.

    Args:
        split: The training split, without unreadable pictures.
        preprocess: Of its mean and std only the number of channels counts.
        quiet: Show no progress bar.

    Returns:
        Mean and standard deviation per channel, on the 0-1 scale, in RGB order or of grey.

    Raises:
        ConfigError: If a channel is the same everywhere: nothing can be divided by 0.
    """
    channels = preprocess.channels
    raw = replace(preprocess, mean=(0.0,) * channels, std=(1.0,) * channels)

    def sums_of(index: int) -> NDArray[np.float64]:
        pixels = evaluation_pixels(decode(split[index]["image"]), raw).astype(np.float64)
        return np.stack([pixels.mean((1, 2)), np.square(pixels).mean((1, 2))])  # (2, channels)

    outcomes = in_threads(sums_of, range(len(split)), title="measuring mean and std", quiet=quiet)
    mean, square = sum(outcomes, start=np.zeros((2, channels))) / len(split)
    std = np.sqrt(np.maximum(square - mean**2, 0))
    if std.min() < 1e-3:
        raise ConfigError(f"mean and std: a channel hardly varies (std {std.min():.1g})")
    return _rounded(mean), _rounded(std)


def _rounded(values: NDArray[np.float64]) -> PerChannel:
    return tuple(round(float(value), 4) for value in values)
