"""Whether one model is better than another on the same images: McNemar's test, the difference."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from hub_models.comparison import Pair

Z_95: Final = 1.959963984540054


def compare_pair(
    names: tuple[str, str], first: NDArray[np.bool_], second: NDArray[np.bool_]
) -> Pair:
    """Compare two models image by image.

    Args:
        names: Of the models.
        first: Which images the first got right, shape (N,), N at least 1.
        second: The same of the second.

    Returns:
        Counts of the images on which only one was right, p-value, difference with its interval.
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    images = len(first)
    low, high = difference_interval(only_first, only_second, images)
    difference = (only_first - only_second) / images
    p_value = mcnemar(only_first, only_second)
    return Pair(*names, only_first, only_second, p_value, difference, low, high)


def mcnemar(only_first: int, only_second: int) -> float:
    """Test whether two models are right equally often (McNemar 1947, doi:10.1007/BF02295996).

    Exact at any number of images: if neither is better, each image on which one of them is right
    is as likely to be the one's as the other's.

    Args:
        only_first: Images that only the first got right.
        only_second: Images that only the second got right.

    Returns:
        Two-sided p-value, 0 to 1; 1 if there are no such images.
    """
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second, 0.5).pvalue)


def difference_interval(only_first: int, only_second: int, images: int) -> tuple[float, float]:
    """Give the 95 % interval of the difference of two accuracies on the same images.

    Wald's, with half an image added to each of the four counts (Agresti and Min 2005, Statistics
    in Medicine 24, 729-740): it has a width even where no image tells the two apart.

    Args:
        only_first: Images that only the first got right.
        only_second: Images that only the second got right.
        images: In all, at least 1.

    Returns:
        Lower and upper bound, -1 to 1, around the first's accuracy less the second's.
    """
    gap, total = only_first - only_second, images + 2
    spread = Z_95 * math.sqrt(only_first + only_second + 1 - gap * gap / total) / total
    low, high = gap / total - spread, gap / total + spread
    measured = gap / images  # at one image of one, outside the interval around the shrunk gap
    return max(-1.0, min(low, measured)), min(1.0, max(high, measured))
