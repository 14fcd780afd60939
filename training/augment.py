"""Random views of a training image, ending in the library's own normalisation."""

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode, v2

from hub_models.config import PreprocessConfig
from hub_models.preprocess import Pixels, normalise
from hub_models.preprocess import preprocess as evaluation_pixels
from training.config import Recipe

Transform = Callable[[Image.Image, tuple[int, int]], Pixels]


class RandomView:
    """A random crop, flip and colour change, the same for the same (seed, epoch, index).

    Args:
        recipe: Sizes and strengths.
        preprocess: Its mean and std end every view.
    """

    def __init__(self, recipe: Recipe, preprocess: PreprocessConfig) -> None:
        strength = recipe.colour_jitter
        self.seed = recipe.seed
        self.mean, self.std = preprocess.mean, preprocess.std
        self.view = v2.Compose(
            [
                v2.RandomResizedCrop(
                    recipe.image_size,
                    scale=(recipe.crop_scale_min, 1.0),
                    ratio=(1 / recipe.crop_ratio_max, recipe.crop_ratio_max),
                    interpolation=InterpolationMode(recipe.interpolation),
                ),
                v2.RandomHorizontalFlip(recipe.flip),
                *([v2.ColorJitter(strength, strength, strength)] if strength else []),
            ]
        )

    def __call__(self, image: Image.Image, key: tuple[int, int]) -> Pixels:
        """Make one view.

        Args:
            image: Upright RGB image.
            key: (epoch, index).

        Returns:
            float32 (3, S, S), S the recipe's image_size.
        """
        seed = np.random.SeedSequence((self.seed, *key)).generate_state(1).item()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return normalise(self.view(image), self.mean, self.std)


class CentreView:
    """The evaluation view: the library's `preprocess`, whatever the key.

    Args:
        preprocess: Of the model.
    """

    def __init__(self, preprocess: PreprocessConfig) -> None:
        self.preprocess = preprocess

    def __call__(self, image: Image.Image, key: tuple[int, int]) -> Pixels:
        """Make the view.

        Args:
            image: Upright RGB image.
            key: Not used.

        Returns:
            float32 (3, S, S).
        """
        return evaluation_pixels(image, self.preprocess)
