import numpy as np
import torch

from hub_models.config import PreprocessConfig
from hub_models.preprocess import preprocess
from tests.training.conftest import draw
from training.augment import CentreView, RandomView
from training.config import Recipe

RECIPE = Recipe(image_size=24, seed=5)
CONFIG = PreprocessConfig(resize=36, crop=32)


def test_a_view_is_the_same_for_the_same_epoch_and_index() -> None:
    image, view = draw("red", 0), RandomView(RECIPE, CONFIG)
    first = view(image, (1, 7))
    torch.rand(10)  # whatever else used the generator
    assert np.array_equal(first, view(image, (1, 7)))
    assert not np.array_equal(first, view(image, (2, 7)))
    assert not np.array_equal(first, view(image, (1, 8)))
    assert (first.shape, first.dtype) == ((3, 24, 24), np.float32)


def test_a_view_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    RandomView(RECIPE, CONFIG)(draw("red", 0), (0, 0))
    assert torch.equal(torch.rand(3), expected)


def test_a_view_that_changes_nothing_is_the_evaluation_view() -> None:
    still = Recipe(image_size=32, crop_scale_min=1, crop_ratio_max=1, flip=0, colour_jitter=0)
    image = draw("green", 3, size=(32, 32))
    config = PreprocessConfig(resize=32, crop=32)
    assert np.array_equal(RandomView(still, config)(image, (0, 0)), preprocess(image, config))


def test_the_evaluation_view_is_the_library_s() -> None:
    image = draw("blue", 2)
    assert np.array_equal(CentreView(CONFIG)(image, (9, 9)), preprocess(image, CONFIG))


def test_flips_and_crops_happen() -> None:
    flips = Recipe(image_size=16, crop_scale_min=1, crop_ratio_max=1, flip=1, colour_jitter=0)
    image = draw("red", 4, size=(16, 16))
    mirrored = RandomView(flips, CONFIG)(image, (0, 0))[:, :, ::-1]
    straight = preprocess(image, PreprocessConfig(resize=16, crop=16))
    assert np.array_equal(mirrored, straight)
