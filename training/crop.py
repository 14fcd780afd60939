"""Which part of a picture a training view shows: a box, drawn from a generator."""

from math import log
from typing import Final

import numpy as np

from training.config import Recipe

Box = tuple[float, float, float, float]  # left, top, right, bottom, in pixels of the picture
_TRIES: Final = 10  # as torchvision's RandomResizedCrop and RandomErasing


def crop_box(
    recipe: Recipe, size: int, picture: tuple[int, int], generator: np.random.Generator
) -> Box:
    """Draw the part of a picture that becomes a square of `size` px.

    The box has fractions of pixels: the same draws show the same part of a picture at any
    resolution, so also of a picture that is cached smaller.

    Args:
        recipe: Its `crop` is "random_resized" (arXiv:1409.4842) or "random".
        size: Of the square.
        picture: Width and height in pixels.
        generator: Drawn from.

    Returns:
        The box, within the picture.
    """
    width, height = picture
    if recipe.crop == "random_resized":
        most = recipe.crop_ratio_max
        sides = draw_sides(picture, (recipe.crop_scale_min, 1.0), (1 / most, most), generator)
        # None fits: the largest in the middle whose ratio is allowed, as torchvision does.
        sides = sides or (min(width, height * most), min(height, width * most))
    else:
        sizes = recipe.random_sizes or (int(recipe.image_size / recipe.crop_pct),)
        shorter = generator.choice(sizes) * size // recipe.image_size  # given for image_size
        sides = (min(picture) * size / max(shorter, size),) * 2
    left, top = generator.random(2) * (np.asarray(picture) - sides)
    return left, top, min(left + sides[0], width), min(top + sides[1], height)


def draw_sides(
    picture: tuple[int, int],
    shares: tuple[float, float],
    ratios: tuple[float, float],
    generator: np.random.Generator,
) -> tuple[float, float] | None:
    """Draw the width and height of a rectangle that fits into a picture.

    Args:
        picture: Width and height in pixels.
        shares: Least and most of the picture's area.
        ratios: Least and most of width ÷ height; drawn evenly on a logarithmic scale.
        generator: Drawn from.

    Returns:
        Width and height in pixels, with fractions; None if none of ten fits.
    """
    width, height = picture
    areas = generator.uniform(*shares, _TRIES) * width * height
    roots = np.exp(generator.uniform(log(ratios[0]), log(ratios[1]), _TRIES) / 2)
    sides = np.stack([np.sqrt(areas) * roots, np.sqrt(areas) / roots], axis=1)
    fitting = sides[(sides <= (width, height)).all(axis=1)]
    return (float(fitting[0, 0]), float(fitting[0, 1])) if len(fitting) else None
