"""Random views of a training image: the crop on the image, the rest on the batch.

A view is made in two steps: `take` gives a square of 8-bit levels from an image, `finish` turns a
batch of squares into pixels, ending in the library's own normalisation.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from torch import Tensor
from torchvision.transforms import v2

from hub_models.config import PreprocessConfig
from hub_models.preprocess import (
    FILTERS,
    Pixels,
    cut_square,
    in_channels,
    levels_of,
    normalise_levels,
)
from training.config import Recipe
from training.crop import crop_box, draw_sides
from training.sampler import Key

Square = NDArray[np.uint8]  # (3, S, S), or (1, S, S) of a grey model: levels from 0 to 255
Mix = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]

_TAKE, _FINISH = 1, 2  # the two steps draw from generators of their own
# Images finished at once: as many as stay in a core's cache while they are changed several times.
_CHUNK: Final = 8
_GREY: Final = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as Pillow's mode L
_BLUR_SIGMAS: Final = (0.1, 2.0)  # px, arXiv:2002.05709
_SHRUNK_SHARES: Final = (0.25, 1.0)  # of the square's side
_JPEG_QUALITIES: Final = (10, 75)
_ERASED_SHARES, _ERASED_RATIOS = (0.02, 0.33), (0.3, 3.3)  # arXiv:1708.04896


class View(Protocol):
    """What makes pixels of an image, in two steps."""

    def take(self, image: Image.Image, key: Key) -> Square:
        """Cut a square from an upright RGB image; key: (epoch, index)."""
        ...

    def finish(self, squares: Square, keys: Sequence[Key]) -> Pixels:
        """Turn squares (N, 3, S, S) into normalised pixels, float32 (N, 3, S, S)."""
        ...


class RandomView:
    """A random view of an image, the same for the same (seed, epoch, index).

    Args:
        recipe: Which changes, how strong, and the size in every epoch.
        preprocess: Its mean and std end every view.
    """

    def __init__(self, recipe: Recipe, preprocess: PreprocessConfig) -> None:
        self.recipe = recipe
        self.preprocess = replace(
            preprocess, interpolation=recipe.interpolation, crop_mode="center"
        )
        self.rand_augment = v2.RandAugment(num_ops=2, magnitude=recipe.rand_augment)

    def take(self, image: Image.Image, key: Key) -> Square:
        """Cut the view's square: crop, rotation, RandAugment, then what makes it worse.

        Args:
            image: Upright RGB image.
            key: (epoch, index).

        Returns:
            uint8 (3, S, S), S the recipe's size in that epoch.
        """
        recipe, generator = self.recipe, self._generator(key, _TAKE)
        size = recipe.size_in(key[0])
        image = in_channels(image, self.preprocess.channels)
        if recipe.crop == "center":
            resize = int(size / recipe.crop_pct)
            square = cut_square(image, replace(self.preprocess, resize=resize, crop=size))
        else:
            box = crop_box(recipe, size, image.size, generator)
            square = image.resize((size, size), FILTERS[recipe.interpolation], box=box)
        if recipe.rotation:
            angle = generator.uniform(-recipe.rotation, recipe.rotation)
            square = square.rotate(angle, Image.Resampling.BILINEAR)
        if recipe.rand_augment:  # torchvision's draws from torch's own generator
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(int(generator.integers(2**63)))
                square = self.rand_augment(square)
        return _levels(_worsen(square, recipe, generator), self.preprocess)

    def finish(self, squares: Square, keys: Sequence[Key]) -> Pixels:
        """Flip, change colours, normalise and erase, each image as its own key wants.

        Args:
            squares: uint8 (N, 3, S, S).
            keys: (epoch, index) of each.

        Returns:
            float32 (N, 3, S, S).
        """
        recipe = self.recipe
        generators = [self._generator(key, _FINISH) for key in keys]
        draws = np.stack([generator.random(5) for generator in generators])  # (N, 5)
        flipped, erased = draws[:, 0] < recipe.flip, draws[:, 1] < recipe.random_erasing
        factors = (1 + recipe.colour_jitter * (2 * draws[:, 2:] - 1)).astype(np.float32)
        pixels = np.empty(squares.shape, np.float32)
        for start in range(0, len(keys), _CHUNK):
            part = slice(start, start + _CHUNK)
            chunk, levels = squares[part], pixels[part]
            levels[...] = np.where(flipped[part, None, None, None], chunk[..., ::-1], chunk)
            if recipe.colour_jitter:
                _change_colours(levels, chunk, factors[part])
            normalise_levels(levels, self.preprocess.mean, self.preprocess.std)
        for number in np.flatnonzero(erased):
            _erase(pixels[number], generators[number])
        return pixels

    def _generator(self, key: Key, step: int) -> np.random.Generator:
        epoch, index = key
        view = epoch % self.recipe.views if self.recipe.views else epoch
        return np.random.default_rng((step, self.recipe.seed, view, index))


class StoredView:
    """The whole image as it is, normalised: for one that was cut before.

    Args:
        preprocess: Its mean and std.
    """

    def __init__(self, preprocess: PreprocessConfig) -> None:
        self.preprocess = preprocess

    def take(self, image: Image.Image, key: Key) -> Square:
        """Give the image's levels.

        Args:
            image: Square RGB image of S px.
            key: Not used.

        Returns:
            uint8 (3, S, S).
        """
        return _levels(image, self.preprocess)

    def finish(self, squares: Square, keys: Sequence[Key]) -> Pixels:
        """Normalise.

        Args:
            squares: uint8 (N, 3, S, S).
            keys: Not used.

        Returns:
            float32 (N, 3, S, S).
        """
        pixels = squares.astype(np.float32)
        normalise_levels(pixels, self.preprocess.mean, self.preprocess.std)
        return pixels


class CentreView(StoredView):
    """The evaluation view: the library's `preprocess`, whatever the key.

    Args:
        preprocess: Of the model.
    """

    def take(self, image: Image.Image, key: Key) -> Square:
        """Cut the square that the library cuts.

        Args:
            image: Upright RGB image.
            key: Not used.

        Returns:
            uint8 (3, S, S).
        """
        return super().take(cut_square(image, self.preprocess), key)


def make_mix(recipe: Recipe, num_classes: int) -> Mix | None:
    """Make what mixes the images of a batch with each other.

    Mixup (arXiv:1710.09412), CutMix (arXiv:1905.04899), or one of them at random.

    Args:
        recipe: `mixup` and `cutmix`, the alphas.
        num_classes: C.

    Returns:
        Batch (N, 3, S, S) and targets (N,) to a mixed batch and targets (N, C); None if both are
        off.
    """
    mixes: list[Mix] = []
    if recipe.mixup:
        mixes.append(v2.MixUp(alpha=recipe.mixup, num_classes=num_classes))
    if recipe.cutmix:
        mixes.append(v2.CutMix(alpha=recipe.cutmix, num_classes=num_classes))
    if len(mixes) < 2:
        return mixes[0] if mixes else None
    either: Mix = v2.RandomChoice(mixes)
    return either


def _worsen(square: Image.Image, recipe: Recipe, generator: np.random.Generator) -> Image.Image:
    """Blur, shrink, turn grey and compress a square, each with its own probability."""
    if recipe.blur and generator.random() < recipe.blur:
        square = square.filter(ImageFilter.GaussianBlur(generator.uniform(*_BLUR_SIGMAS)))
    if recipe.shrink and generator.random() < recipe.shrink:
        side = max(1, round(square.width * generator.uniform(*_SHRUNK_SHARES)))
        small = square.resize((side, side), Image.Resampling.BOX)
        square = small.resize(square.size, FILTERS[recipe.interpolation])
    if recipe.grey and generator.random() < recipe.grey:
        square = square.convert("L").convert(square.mode)
    if recipe.jpeg and generator.random() < recipe.jpeg:
        stream = io.BytesIO()
        square.save(stream, "JPEG", quality=int(generator.integers(*_JPEG_QUALITIES)))
        square = Image.open(stream).convert(square.mode)
    return square


def _levels(square: Image.Image, preprocess: PreprocessConfig) -> Square:
    return np.ascontiguousarray(levels_of(square, preprocess.channels))


def _change_colours(levels: Pixels, squares: Square, factors: NDArray[np.float32]) -> None:
    """Change brightness b, contrast c and saturation s of levels (N, 3, S, S) where they are.

    All three are linear: x becomes bcs·x + bc(1-s)·grey(x) + b(1-c)·mean grey, in any order, so
    values are cut off at 0 and 255 once, not after each as torchvision's ColorJitter does. Grey
    levels (N, 1, S, S) are their own grey, so their saturation changes nothing.
    """
    shares = _GREY if squares.shape[1] == 3 else np.ones(1, np.float32)
    brightness, contrast, saturation = factors.T[:, :, None, None, None]  # (N, 1, 1, 1) each
    sums = squares.sum(axis=(2, 3), dtype=np.uint32)  # (N, 3); whole: exact in any order
    mean_grey = (sums * shares).sum(axis=1, dtype=np.float32) / np.float32(squares[0, 0].size)
    mean_grey = mean_grey[:, None, None, None]
    grey = levels[:, :1] * shares[0]
    for channel, share in enumerate(shares[1:], start=1):
        grey += levels[:, channel : channel + 1] * share
    grey *= brightness * contrast * (1 - saturation)
    grey += brightness * (1 - contrast) * mean_grey
    levels *= brightness * contrast * saturation
    levels += grey
    np.clip(levels, 0, 255, out=levels)


def _erase(pixels: Pixels, generator: np.random.Generator) -> None:
    """Set a random rectangle of every channel to the mean colour, which is 0 when normalised."""
    side = pixels.shape[-1]
    sides = draw_sides((side, side), _ERASED_SHARES, _ERASED_RATIOS, generator)
    if sides is not None:
        width, height = (max(1, round(length)) for length in sides)
        left, top = generator.integers((side - width + 1, side - height + 1))
        pixels[:, top : top + height, left : left + width] = 0
