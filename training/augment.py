"""Random views of a training image, ending in the library's own normalisation."""

from collections.abc import Callable

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2

from hub_models.config import PreprocessConfig
from hub_models.preprocess import Pixels, normalise
from hub_models.preprocess import preprocess as evaluation_pixels
from training.config import Recipe
from training.sampler import Key, seed_of

Transform = Callable[[Image.Image, Key], Pixels]
Mix = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class RandomView:
    """A random view of an image, the same for the same (seed, epoch, index).

    Args:
        recipe: Which changes, how strong, and the size in every epoch.
        preprocess: Its mean and std end every view.
    """

    def __init__(self, recipe: Recipe, preprocess: PreprocessConfig) -> None:
        self.recipe = recipe
        self.mean, self.std = preprocess.mean, preprocess.std
        self.views = {
            size: v2.Compose([*_crop(recipe, size), *_changes(recipe)])
            for size in {recipe.size_in(epoch) for epoch in range(recipe.epochs)}
        }
        self.erase = v2.RandomErasing(recipe.random_erasing) if recipe.random_erasing else None

    def __call__(self, image: Image.Image, key: Key) -> Pixels:
        """Make one view.

        Args:
            image: Upright RGB image.
            key: (epoch, index).

        Returns:
            float32 (3, S, S), S the recipe's size in that epoch.
        """
        with torch.random.fork_rng(devices=[]):
            view_number = key[0] % self.recipe.views if self.recipe.views else key[0]
            torch.manual_seed(seed_of(self.recipe.seed, view_number, key[1]))
            view = self.views[self.recipe.size_in(key[0])](image)
            pixels = normalise(view, self.mean, self.std)
            return pixels if self.erase is None else self.erase(torch.from_numpy(pixels)).numpy()


class CentreView:
    """The evaluation view: the library's `preprocess`, whatever the key.

    Args:
        preprocess: Of the model.
    """

    def __init__(self, preprocess: PreprocessConfig) -> None:
        self.preprocess = preprocess

    def __call__(self, image: Image.Image, key: Key) -> Pixels:
        """Make the view.

        Args:
            image: Upright RGB image.
            key: Not used.

        Returns:
            float32 (3, S, S).
        """
        return evaluation_pixels(image, self.preprocess)


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


def _crop(recipe: Recipe, size: int) -> list[v2.Transform]:
    interpolation = InterpolationMode(recipe.interpolation)
    if recipe.crop == "random_resized":
        return [
            v2.RandomResizedCrop(
                size,
                scale=(recipe.crop_scale_min, 1.0),
                ratio=(1 / recipe.crop_ratio_max, recipe.crop_ratio_max),
                interpolation=interpolation,
            )
        ]
    shorter = [int(size / recipe.crop_pct)]
    if recipe.random_sizes:  # given for image_size; smaller in the early, smaller epochs
        shorter = [side * size // recipe.image_size for side in recipe.random_sizes]
    resize = v2.RandomShortestSize(shorter, interpolation=interpolation)
    return [resize, v2.RandomCrop(size) if recipe.crop == "random" else v2.CenterCrop(size)]


def _changes(recipe: Recipe) -> list[v2.Transform]:
    strength = recipe.colour_jitter
    changes: list[v2.Transform] = [v2.RandomHorizontalFlip(recipe.flip)]
    if recipe.rotation:
        changes.append(v2.RandomRotation(recipe.rotation, InterpolationMode.BILINEAR))
    if recipe.rand_augment:
        changes.append(v2.RandAugment(num_ops=2, magnitude=recipe.rand_augment))
    if strength:
        changes.append(v2.ColorJitter(strength, strength, strength))
    return changes
