"""What is done to a picture once, before it is stored: how small it may become, and its square."""

from dataclasses import dataclass
from math import ceil, sqrt
from typing import Protocol

from PIL import Image

from hub_models.config import PreprocessConfig
from hub_models.preprocess import FILTERS, cut_square, scaled
from training.config import Recipe


class Reduction(Protocol):
    """What is done to a picture before it is stored; its repr is part of the file's name."""

    def __call__(self, image: Image.Image) -> Image.Image:
        """Reduce an upright RGB image."""
        ...

    def size(self, picture: tuple[int, int]) -> tuple[int, int]:
        """Give the reduced width and height of a picture of that width and height."""
        ...


@dataclass(frozen=True)
class ShorterSide:
    """Resizes pictures to a shorter side; smaller ones are kept as they are.

    Attributes:
        side: In pixels.
        interpolation: Pillow's filter, one of INTERPOLATIONS.
    """

    side: int
    interpolation: str

    def __call__(self, image: Image.Image) -> Image.Image:
        """Resize an image, or give it as it is."""
        return image.resize(self.size(image.size), FILTERS[self.interpolation])

    def size(self, picture: tuple[int, int]) -> tuple[int, int]:
        """Give the reduced width and height."""
        return scaled(picture, self.side) if min(picture) > self.side else picture


@dataclass(frozen=True)
class EvaluationSquare:
    """Cuts the square that `preprocess` normalises: evaluation has the same pixels to the bit.

    Attributes:
        preprocess: Of the model.
    """

    preprocess: PreprocessConfig

    def __call__(self, image: Image.Image) -> Image.Image:
        """Cut the square."""
        return cut_square(image, self.preprocess)

    def size(self, picture: tuple[int, int]) -> tuple[int, int]:
        """Give the square's width and height."""
        return self.preprocess.crop, self.preprocess.crop


def training_reduction(recipe: Recipe) -> ShorterSide:
    """Say how small training pictures may be stored.

    Small enough for speed, and large enough that the smallest crop `crop_scale_min` allows still
    has the pixels of the largest training size: it is never enlarged because of the cache. The
    price is resizing twice, which softens a little; benchmarks/data_loading.py says how much.

    Args:
        recipe: Its crop and sizes.

    Returns:
        The reduction to that shorter side, with the recipe's filter.
    """
    if recipe.crop == "random_resized":
        side = ceil(recipe.image_size / sqrt(recipe.crop_scale_min))
    else:
        side = max(recipe.random_sizes, default=int(recipe.image_size / recipe.crop_pct))
    return ShorterSide(side, recipe.interpolation)
