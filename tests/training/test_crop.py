from dataclasses import replace

import numpy as np
import pytest

from training.config import Recipe
from training.crop import Box, crop_box, draw_sides

RECIPE = Recipe(image_size=100, crop_scale_min=0.3)


def boxes(recipe: Recipe, picture: tuple[int, int], size: int = 100) -> np.ndarray:
    def one(seed: int) -> Box:
        return crop_box(recipe, size, picture, np.random.default_rng(seed))

    return np.array([one(seed) for seed in range(300)])


@pytest.mark.parametrize("picture", [(500, 375), (180, 180), (30, 400), (100, 100), (1, 1)])
@pytest.mark.parametrize("crop", ["random_resized", "random"])
def test_a_box_lies_within_the_picture(picture: tuple[int, int], crop: str) -> None:
    left, top, right, bottom = boxes(replace(RECIPE, crop=crop), picture).T
    assert (left >= 0).all()
    assert (top >= 0).all()
    assert (left < right).all()
    assert (top < bottom).all()
    assert (right <= picture[0]).all()
    assert (bottom <= picture[1]).all()


def test_a_resized_crop_keeps_the_shares_and_ratios_of_the_recipe() -> None:
    left, top, right, bottom = boxes(RECIPE, (400, 300)).T
    shares = (right - left) * (bottom - top) / (400 * 300)
    ratios = (right - left) / (bottom - top)
    assert 0.3 <= shares.min() < 0.35
    assert 0.9 < shares.max() <= 1
    assert 1 / 1.3333 <= ratios.min() < 0.8
    assert 1.2 < ratios.max() <= 1.3334


def test_the_same_draws_show_the_same_part_at_any_resolution() -> None:
    np.testing.assert_allclose(boxes(RECIPE, (400, 300)), 10 * boxes(RECIPE, (40, 30)))


def test_a_strip_in_which_no_crop_fits_is_cut_as_widely_as_allowed() -> None:
    left, top, right, bottom = boxes(replace(RECIPE, crop_scale_min=0.9), (1000, 10)).T
    assert (bottom - top == 10).all()
    np.testing.assert_allclose(right - left, 13.333)


def test_a_random_crop_is_the_size_s_share_of_the_resized_shorter_side() -> None:
    recipe = Recipe(image_size=100, crop="random", crop_pct=0.5)
    left, top, right, bottom = boxes(recipe, (400, 300)).T
    np.testing.assert_allclose(right - left, 150)
    np.testing.assert_allclose(bottom - top, 150)
    assert left.max() > 230
    assert top.max() > 140


def test_random_sizes_are_all_drawn_and_shrink_with_the_epoch_s_size() -> None:
    recipe = Recipe(image_size=100, crop="random", random_sizes=(100, 200))
    for size in (100, 50):
        left, _, right, _ = boxes(recipe, (400, 300), size).T
        assert sorted(set((right - left).round(6))) == [150, 300]


def test_sides_that_cannot_fit_are_none() -> None:
    generator = np.random.default_rng(0)
    assert draw_sides((1000, 10), (0.9, 1.0), (1.0, 1.0), generator) is None
