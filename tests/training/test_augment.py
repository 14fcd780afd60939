from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional

from hub_models.config import PreprocessConfig
from hub_models.preprocess import Pixels, preprocess
from tests.training.conftest import draw, photo
from training.augment import CentreView, RandomView, StoredView, View
from training.config import Recipe

RECIPE = Recipe(image_size=24, seed=5)
CONFIG = PreprocessConfig(resize=36, crop=32)
STILL = Recipe(image_size=32, crop_scale_min=1, crop_ratio_max=1, flip=0, colour_jitter=0)
PLAIN = PreprocessConfig(resize=32, crop=32, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
THOROUGH = replace(RECIPE, rotation=20.0, rand_augment=5, random_erasing=0.5, colour_jitter=0.4)


def batch(view: View, images: list[Image.Image], keys: list[tuple[int, int]]) -> Pixels:
    pairs = zip(images, keys, strict=True)
    return view.finish(np.stack([view.take(image, key) for image, key in pairs]), keys)


def look(view: View, image: Image.Image, key: tuple[int, int] = (0, 0)) -> Pixels:
    return batch(view, [image], [key])[0]


def test_a_view_is_the_same_for_the_same_epoch_and_index() -> None:
    image, view = draw("red", 0), RandomView(THOROUGH, CONFIG)
    first = look(view, image, (1, 7))
    torch.rand(10)  # whatever else used the generator
    assert np.array_equal(first, look(view, image, (1, 7)))
    assert not np.array_equal(first, look(view, image, (2, 7)))
    assert not np.array_equal(first, look(view, image, (1, 8)))
    other_seed = RandomView(replace(THOROUGH, seed=6), CONFIG)
    assert not np.array_equal(first, look(other_seed, image, (1, 7)))
    assert (first.shape, first.dtype) == ((3, 24, 24), np.float32)


def test_a_view_does_not_depend_on_the_batch_it_is_in() -> None:
    images = [photo(seed, side=40) for seed in range(21)]
    keys = [(3, index) for index in range(21)]
    view = RandomView(THOROUGH, CONFIG)
    whole = batch(view, images, keys)
    for start, stop in ((0, 1), (1, 12), (12, 21)):
        part = batch(view, images[start:stop], keys[start:stop])
        assert np.array_equal(part, whole[start:stop])


def test_a_view_leaves_the_global_generators_alone() -> None:
    torch.manual_seed(0)
    np.random.seed(0)
    expected = torch.rand(3), np.random.rand(3)
    torch.manual_seed(0)
    np.random.seed(0)
    look(RandomView(THOROUGH, CONFIG), draw("red", 0))
    assert torch.equal(torch.rand(3), expected[0])
    assert np.array_equal(np.random.rand(3), expected[1])


def test_fixed_views_come_again() -> None:
    image, view = draw("red", 0), RandomView(replace(THOROUGH, views=2), CONFIG)
    assert np.array_equal(look(view, image, (1, 7)), look(view, image, (3, 7)))
    assert not np.array_equal(look(view, image, (1, 7)), look(view, image, (2, 7)))


def test_a_view_that_changes_nothing_is_the_evaluation_view() -> None:
    image = draw("green", 3, size=(32, 32))
    config = PreprocessConfig(resize=32, crop=32)
    assert np.array_equal(look(RandomView(STILL, config), image), preprocess(image, config))


def test_a_centre_crop_is_the_evaluation_view_at_the_training_size() -> None:
    recipe = replace(STILL, crop="center", crop_pct=0.8, interpolation="bicubic")
    config = PreprocessConfig(resize=40, crop=32, interpolation="bicubic")
    image = draw("green", 3, size=(75, 61))
    assert np.array_equal(look(RandomView(recipe, CONFIG), image), preprocess(image, config))


@pytest.mark.parametrize("mode", ["center", "squash"])
def test_the_evaluation_view_is_the_library_s_for_a_batch_too(mode: str) -> None:
    config = replace(CONFIG, crop_mode=mode, resize=36 if mode == "center" else 32)
    images = [draw("blue", seed, size=(50 + seed, 41)) for seed in range(9)]
    pixels = batch(CentreView(config), images, [(9, 9)] * 9)
    assert pixels.dtype == np.float32
    for image, one in zip(images, pixels, strict=True):
        assert np.array_equal(one, preprocess(image, config))


def test_a_stored_square_is_only_normalised() -> None:
    image = draw("red", 1, size=(32, 32))
    config = PreprocessConfig(resize=32, crop=32)
    assert np.array_equal(look(StoredView(CONFIG), image), preprocess(image, config))


def test_every_crop_of_a_progressive_run_has_the_size_of_its_epoch() -> None:
    recipe = Recipe(image_size=96, image_size_start=32, epochs=4)
    for crop in ("random_resized", "random", "center"):
        view = RandomView(replace(recipe, crop=crop), CONFIG)
        sides = [look(view, draw("red", 0), (epoch, 0)).shape[1:] for epoch in range(4)]
        assert sides == [(recipe.size_in(epoch),) * 2 for epoch in range(4)]
        assert len(set(sides)) > 1


def test_flips_mirror_the_images_whose_key_says_so() -> None:
    image = draw("red", 4, size=(32, 32))
    straight = preprocess(image, PreprocessConfig(resize=32, crop=32))
    always = RandomView(replace(STILL, flip=1), CONFIG)
    assert np.array_equal(look(always, image), straight[:, :, ::-1])
    sometimes = batch(
        RandomView(replace(STILL, flip=0.5), CONFIG), [image] * 200, [(0, i) for i in range(200)]
    )
    flipped = [np.array_equal(one, straight[:, :, ::-1]) for one in sometimes]
    assert all(np.array_equal(one, straight) for one in sometimes[~np.array(flipped)])
    assert 70 < sum(flipped) < 130


def test_colours_change_as_torchvision_changes_them_one_after_the_other() -> None:
    # Levels in the middle, where nothing is cut off: there the order makes no difference.
    levels = np.random.default_rng(0).integers(100, 150, (32, 32, 3), dtype=np.uint8)
    image = Image.fromarray(levels)
    view = RandomView(replace(STILL, colour_jitter=0.3), PLAIN)
    for index in range(5):
        _, _, *draws = view._generator((0, index), 2).random(5)
        brightness, contrast, saturation = (1 + 0.3 * (2 * draw - 1) for draw in draws)
        expected = torch.from_numpy(levels.transpose(2, 0, 1) / 255)
        expected = functional.adjust_saturation(expected, saturation)
        expected = functional.adjust_brightness(expected, brightness)
        expected = functional.adjust_contrast(expected, contrast)
        # torchvision's grey uses 0.2989 for red, Pillow's 0.299
        assert np.allclose(look(view, image, (0, index)), expected, atol=1e-3)


def test_colours_stay_between_black_and_white() -> None:
    view = RandomView(replace(STILL, colour_jitter=1), PLAIN)
    pixels = batch(view, [draw("red", 1, size=(32, 32))] * 32, [(0, i) for i in range(32)])
    assert (pixels.min(), pixels.max()) == (0, 1)


def test_erasing_takes_a_rectangle_out_of_the_share_of_images_it_should() -> None:
    view = RandomView(replace(STILL, random_erasing=0.5), CONFIG)
    white = Image.new("RGB", (32, 32), "white")
    holes = (batch(view, [white] * 200, [(0, i) for i in range(200)]) == 0).all(axis=1)
    erased = [hole for hole in holes if hole.any()]
    assert 70 < len(erased) < 130
    for hole in erased:
        rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
        assert hole[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert hole.sum() == len(rows) * len(columns)
        assert 0.01 < hole.mean() < 0.4


@pytest.mark.parametrize("key", ["blur", "shrink", "grey", "jpeg"])
def test_as_many_views_are_made_worse_as_the_recipe_says(key: str) -> None:
    image, keys = photo(3, side=32).resize((32, 32)), [(0, i) for i in range(200)]
    still = look(RandomView(STILL, CONFIG), image)
    views = batch(RandomView(replace(STILL, **{key: 0.5}), CONFIG), [image] * 200, keys)
    assert views[0].shape == still.shape
    assert 70 < sum(not np.array_equal(view, still) for view in views) < 130


@pytest.mark.parametrize("key", ["blur", "shrink"])
def test_blurred_and_shrunk_views_lose_their_details(key: str) -> None:
    image, keys = photo(3, side=32).resize((32, 32)), [(0, i) for i in range(50)]
    views = batch(RandomView(replace(STILL, **{key: 1.0}), CONFIG), [image] * 50, keys)
    steps = np.abs(np.diff(views, axis=-1)).mean(axis=(1, 2, 3))
    sharp = np.abs(np.diff(look(RandomView(STILL, CONFIG), image), axis=-1)).mean()
    assert (steps <= sharp).all()
    assert steps.min() < 0.65 * sharp


def test_a_view_without_colours_has_three_equal_channels() -> None:
    view = look(RandomView(replace(STILL, grey=1.0), PLAIN), Image.new("RGB", (32, 32), "red"))
    assert np.array_equal(view[0], view[1])
    assert np.array_equal(view[0], view[2])


def test_a_compressed_view_has_the_blocks_of_jpeg() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    image, view = Image.fromarray(noise), RandomView(replace(STILL, jpeg=1.0), PLAIN)
    views = batch(view, [image] * 20, [(0, index) for index in range(20)])
    still = look(RandomView(STILL, PLAIN), image)
    assert max(np.abs(view - still).mean() for view in views) > 0.1
    assert all(view.mean() == pytest.approx(still.mean(), abs=0.05) for view in views)


def test_views_of_grey_models_are_made_worse_too() -> None:
    worse = replace(STILL, blur=1.0, shrink=1.0, grey=1.0, jpeg=1.0)
    view = look(RandomView(worse, PLAIN.in_channels(1)), photo(3, side=32))
    assert view.shape == (1, 32, 32)


@pytest.mark.parametrize("change", [{"rotation": 30.0}, {"rand_augment": 9}])
def test_other_changes_happen_and_keep_the_size(change: dict[str, float]) -> None:
    image, key = photo(3, side=32).resize((32, 32)), (0, 1)
    still = look(RandomView(STILL, CONFIG), image, key)
    changed = look(RandomView(replace(STILL, **change), CONFIG), image, key)
    assert changed.shape == still.shape
    assert not np.array_equal(changed, still)


def test_a_picture_stored_smaller_gives_nearly_the_same_view() -> None:
    image, view = photo(1, side=640), RandomView(replace(RECIPE, image_size=64), PLAIN)
    smaller = image.resize((160, 120), Image.Resampling.BILINEAR)
    for index in range(8):
        difference = look(view, image, (0, index)) - look(view, smaller, (0, index))
        assert np.abs(difference).mean() < 0.01


ALIKE = replace(CONFIG, mean=(0.4,) * 3, std=(0.3,) * 3)  # the same for each colour


def test_a_grey_view_is_a_channel_of_the_view_of_a_grey_picture() -> None:
    recipe = replace(THOROUGH, rand_augment=0)
    rgb, grey = RandomView(recipe, ALIKE), RandomView(recipe, ALIKE.in_channels(1))
    images = [photo(seed, side=40) for seed in range(12)]
    keys = [(1, index) for index in range(12)]
    theirs = batch(rgb, [image.convert("L").convert("RGB") for image in images], keys)
    ours = batch(grey, images, keys)
    assert ours.shape == (12, 1, 24, 24)
    np.testing.assert_allclose(ours, theirs[:, :1], atol=1e-4)
    assert np.array_equal(ours, batch(grey, [image.convert("L") for image in images], keys))


@pytest.mark.parametrize("crop", ["random_resized", "random", "center"])
def test_every_operation_of_rand_augment_takes_grey_pictures(crop: str) -> None:
    view = RandomView(replace(THOROUGH, crop=crop), CONFIG.in_channels(1))
    views = np.stack([look(view, photo(1, side=40), (0, index)) for index in range(60)])
    assert views.shape == (60, 1, 24, 24)
    assert len({view.tobytes() for view in views}) == 60


def test_a_grey_centre_view_is_preprocess_to_the_bit() -> None:
    config = CONFIG.in_channels(1)
    image = photo(3)
    assert np.array_equal(look(CentreView(config), image), preprocess(image, config))
