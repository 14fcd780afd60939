"""Pictures that look the same: a perceptual hash, and pairs of hashes that are close."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn

# Of 64 bits: the copies that tests make (re-encoded, resized, squashed) are within it; on real
# photographs the first pairs that only look alike came soon after (DECISIONS.md).
MAX_DISTANCE: Final = 6
_BLOCK: Final = 2**22  # pairs compared at once, 33 MB
_BITS: Final = 1 << np.arange(64, dtype=np.uint64)


def perceptual_hash(image: Image.Image) -> int | None:
    """Summarise what a picture looks like, whatever its size, quality or proportions.

    The signs, against their median, of the 8 × 8 lowest frequencies of its brightness (pHash).

    Args:
        image: RGB.

    Returns:
        64 bits; None for a picture without any detail, of which there is nothing to compare.
    """
    grey = np.asarray(image.convert("L").resize((32, 32), Image.Resampling.BOX), np.float32)
    if np.ptp(grey) < 4:  # of 255: what is left is the encoder's noise
        return None
    frequencies = dctn(grey)[:8, :8].ravel()
    frequencies[0] = 0  # the mean brightness
    return int(_BITS[frequencies > np.median(frequencies)].sum())


def find_pairs(
    left: NDArray[np.uint64], right: NDArray[np.uint64], *, limit: int
) -> tuple[NDArray[np.int64], int]:
    """Find pairs of hashes at most `MAX_DISTANCE` bits apart.

    Every hash meets every other in blocks: 100 million pairs take about half a second, far less
    than decoding the pictures does up to a million of them; memory does not grow.

    Args:
        left: Hashes of one split.
        right: Hashes of another.
        limit: Pairs to give at most, the closest.

    Returns:
        Rows of (index in left, index in right, distance in bits), closest first, and the number of
        pairs in all.
    """
    pairs, count = np.empty((0, 3), np.int64), 0
    step = max(1, _BLOCK // max(1, len(right)))
    for start in range(0, len(left), step):
        distances = np.bitwise_count(left[start : start + step, None] ^ right)
        rows, columns = np.nonzero(distances <= MAX_DISTANCE)
        count += len(rows)
        found = np.stack([rows + start, columns, distances[rows, columns]], axis=1)
        pairs = np.concatenate([pairs, found])
        pairs = pairs[np.argsort(pairs[:, 2], kind="stable")][:limit]
    return pairs, count
