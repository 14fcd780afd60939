"""Photograph-like JPEGs of natural size in class folders, for benchmarks that need no download."""

from pathlib import Path

import numpy as np
from PIL import Image


def draw_class_folders(
    folder: Path, images: int, *, classes: int = 2, size: tuple[int, int] = (500, 375)
) -> Path:
    """Write pictures with the detail, and so the file size, of photographs, a tint per class.

    Args:
        folder: Gets one folder per class.
        images: In all, dealt out evenly.
        classes: How many.
        size: Width and height, px.

    Returns:
        The folder.
    """
    for index in range(images):
        levels = np.random.default_rng(index)
        layers = [
            Image.fromarray(levels.integers(0, 256, (side * 3 // 4, side, 3), dtype=np.uint8))
            for side in (8, 32, 128)
        ]
        picture = layers[0].resize(size, Image.Resampling.BICUBIC)
        for layer, share in zip(layers[1:], (0.3, 0.15), strict=True):
            picture = Image.blend(picture, layer.resize(size, Image.Resampling.BICUBIC), share)
        tint = Image.new("HSV", size, (256 * (index % classes) // classes, 255, 160))
        picture = Image.blend(picture, tint.convert("RGB"), 0.5)
        place = folder / f"class-{index % classes}"
        place.mkdir(parents=True, exist_ok=True)
        picture.save(place / f"{index:06}.jpg", quality=90)
    return folder
