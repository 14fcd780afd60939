import argparse
import dataclasses
from pathlib import Path

import pytest

from hub_models.config import PreprocessConfig
from hub_models.errors import ConfigError
from training.command_line import recipe_arguments
from training.config import Recipe, read_recipe
from training.recipe_rules import CHOICES

RECIPES = sorted(Path("training/recipes").glob("*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_shipped_recipe_is_valid(path: Path) -> None:
    assert read_recipe(path, {}).epochs >= 1


def test_the_head_recipe_is_what_runs_with_no_arguments() -> None:
    assert read_recipe(Path("training/recipes/resnet18_head.toml"), {}) == Recipe()


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text("epochs = 7\nseed = 3\n")
    recipe = read_recipe(path, {"epochs": 9})
    assert (recipe.epochs, recipe.seed) == (9, 3)


def test_a_rendered_recipe_reads_back_as_itself(tmp_path: Path) -> None:
    recipe = Recipe(note='zwei\nZeilen "quoted"', learning_rate=1.5e-4, flip=0.25)
    path = tmp_path / "config.toml"
    path.write_text(recipe.render(), encoding="utf-8")
    assert read_recipe(path, {}) == recipe


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 3", "unknown key 'epoch'; did you mean 'epochs'"),
        ("zzz = 3", "unknown key 'zzz'; there are data,"),
        ("epochs = 'three'", "epochs must be of type int, not 'three'"),
        ("compile = 1", "compile must be of type bool, not 1"),
        ("epochs = 0", "epochs must be from 1"),
        ("channels = 2", "channels must be 3, 1 or 0 (as the weights), not 2"),
        ("learning_rate = nan", "learning_rate must be from 0"),
        ("freeze = 'all'", "freeze must be one of head, last_stage, none, not 'all'"),
        ("optimizer = 'lion'", "optimizer must be one of adam, adamw, sgd, rmsprop, not 'lion'"),
        ("random_sizes = [1.5]", "random_sizes must be a list of whole numbers, not [1.5]"),
        ("freeze_epochs = 9", "freeze_epochs must be under epochs"),
        ("freeze = 'none'\nfreeze_epochs = 2", "freeze_epochs needs freeze = 'head' or"),
        ("random_sizes = [256]", "random_sizes needs crop = 'random'"),
        ("crop = 'random'\nrandom_sizes = [100]", "random_sizes must be at least image_size"),
        ("image_size_start = 300", "image_size_start must be at most image_size"),
        ("warmup_epochs = 5", "warmup_epochs must be under epochs"),
        (
            "cache_features = true\nviews = 1\nfreeze = 'none'",
            "cache_features needs freeze = 'head'",
        ),
        ("cache_features = true", "cache_features needs views of at least 1"),
        ("cache_features = true\nviews = 1\nmixup = 0.1", "mixup and cutmix must be 0"),
        (
            "cache_features = true\nviews = 1\npixel_cache_gib = 1",
            "cache_features decodes each picture once a view: pixel_cache_gib must be 0",
        ),
        ("pixel_cache_gib = -1", "pixel_cache_gib must be from 0"),
        ("views = 2\nimage_size_start = 96", "image_size_start must be 0"),
        ("micro_batches = 33", "batch_size must be at least 4 images per micro-batch"),
        ("weights = 'none'", "would freeze random numbers"),
        ("normalisation = 'measured'", "normalisation = 'measured' needs a backbone that trains"),
        ("tracker = 'tensorbord'", "tracker must be one of"),
        ("streaming = true", "streaming and steps_per_epoch belong together"),
        ("steps_per_epoch = 9", "streaming and steps_per_epoch belong together"),
        ("streaming = true\nsteps_per_epoch = 9\nviews = 1", "views must be 0 and split_file"),
        ("streaming = true\nsteps_per_epoch = 9\nteacher = 'x'", "teacher must be empty"),
        ("streaming = true\nsteps_per_epoch = 9\npixel_cache_gib = 1", "pixel_cache_gib must be 0"),
        (
            "streaming = true\nsteps_per_epoch = 9\nclass_weights = 'balanced'",
            "class_weights must be 'none'",
        ),
        ("eval_size = 4", "eval_size must be 0 or at least 8"),
        ("teacher_size = 7", "teacher_size must be 0 or at least 8"),
        ("teacher_weight = 1.5", "teacher_weight must be from 0 to 1"),
        ("teacher_view = 'side'", "teacher_view must be one of centre, student, not 'side'"),
        ("teacher = 'x'\nteacher_weight = 0", "teacher would teach nothing: teacher_weight or"),
        ("hint_weight = 1", "hint_weight needs a teacher"),
        ("teacher = 'x'\nhint_weight = 1", "hint_weight needs a backbone that trains"),
        ("teacher = 'x'\nmixup = 0.1", "teacher_view = 'centre' knows no mixed images"),
        ("teacher = 'x'\ncutmix = 0.1", "teacher_view = 'centre' knows no mixed images"),
        (
            "teacher = 'x'\nteacher_view = 'student'\ncache_features = true\nviews = 1",
            "teacher_view = 'student' needs the images, which cache_features leaves out",
        ),
        ("epochs = ", "not a readable recipe"),
    ],
)
def test_a_wrong_recipe_is_named_with_its_file(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"wrong\.toml") as raised:
        read_recipe(path, {})
    assert message in str(raised.value)


def test_a_missing_recipe_is_named() -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: not a readable recipe"):
        read_recipe(Path("nowhere.toml"), {})


def test_every_key_can_be_typed() -> None:
    parser = argparse.ArgumentParser()
    recipe_arguments(parser)
    for field in dataclasses.fields(Recipe):
        words = {bool: str(field.default).lower(), tuple: "160,192"}
        word = words.get(type(field.default), str(field.default))
        value = [160, 192] if isinstance(field.default, tuple) else field.default
        assert vars(parser.parse_args([f"--{field.name}", word])) == {field.name: value}


def test_a_flag_that_is_neither_true_nor_false_is_wrong_usage() -> None:
    parser = argparse.ArgumentParser()
    recipe_arguments(parser)
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(["--compile", "maybe"])


def test_evaluation_keeps_the_statistics_of_the_weights() -> None:
    weights = PreprocessConfig(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    preprocess = Recipe(image_size=160, eval_size=192, crop_pct=1.0).preprocess(weights)
    assert (preprocess.mean, preprocess.crop, preprocess.resize) == ((0.5, 0.5, 0.5), 192, 192)


def test_every_choice_of_every_key_is_taken() -> None:
    for key, choices in CHOICES.items():
        for choice in choices:
            recipe = Recipe(**{"freeze": "none", key: choice})
            assert getattr(recipe, key) == choice


def test_progressive_resizing_rises_in_multiples_of_32_and_ends_full() -> None:
    recipe = Recipe(image_size=224, image_size_start=96, epochs=10)
    sizes = [recipe.size_in(epoch) for epoch in range(10)]
    assert sizes[0] == 96
    assert sizes == sorted(sizes)
    assert all(size % 32 == 0 for size in sizes)
    assert sizes[6:] == [224] * 4
    assert len(set(sizes)) > 2
