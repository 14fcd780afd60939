import argparse
import dataclasses
from pathlib import Path

import pytest

from hub_models.config import PreprocessConfig
from hub_models.errors import ConfigError
from training.config import Recipe, read_recipe, recipe_arguments, typed_command

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
        ("learning_rate = nan", "learning_rate must be from 0"),
        ("freeze = 'all'", "freeze must be one of head, last_stage, none, not 'all'"),
        ("optimizer = 'adam'", "optimizer must be one of adamw, sgd"),
        ("weights = 'none'", "would freeze random numbers"),
        ("eval_size = 4", "eval_size must be 0 or at least 8"),
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
        value = str(field.default).lower() if isinstance(field.default, bool) else field.default
        typed = vars(parser.parse_args([f"--{field.name}", str(value)]))
        assert typed == {field.name: field.default}


def test_a_flag_that_is_neither_true_nor_false_is_wrong_usage() -> None:
    parser = argparse.ArgumentParser()
    recipe_arguments(parser)
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(["--compile", "maybe"])


def test_evaluation_keeps_the_statistics_of_the_weights() -> None:
    weights = PreprocessConfig(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    preprocess = Recipe(image_size=160, eval_size=192, crop_pct=1.0).preprocess(weights)
    assert (preprocess.mean, preprocess.crop, preprocess.resize) == ((0.5, 0.5, 0.5), 192, 192)


def test_the_card_s_command_names_no_place_on_this_machine() -> None:
    typed = ["--data", "/home/me/pets", "--weights", "none", "--epochs", "3", "--out", "x"]
    assert typed_command(typed) == (
        "accelerate launch training/finetune.py --data DATA --weights none --epochs 3 --out OUT"
    )
