"""Pictures drawn by seed, with detail at every scale, for measuring without photographs."""

from typing import Final

import numpy as np
from PIL import Image

SIZE: Final = (500, 375)  # pixels: the commonest size in microsoft/cats_vs_dogs
_GRIDS: Final = (3, 9, 27, 81, 243)  # noise of so many cells a side, the coarsest the strongest


def draw(seed: int) -> Image.Image:
    """Draw one picture whose detail falls off with its fineness, as in photographs.

    Args:
        seed: The same one gives the same picture.

    Returns:
        RGB image of SIZE.
    """
    random = np.random.default_rng(seed)
    levels = np.full((SIZE[1], SIZE[0], 3), 127.0)
    for cells in _GRIDS:
        noise = random.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        layer = Image.fromarray(noise).resize(SIZE, Image.Resampling.BICUBIC)
        levels += (np.asarray(layer, np.float64) - 127) * (_GRIDS[0] / cells) ** 0.5
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8))
