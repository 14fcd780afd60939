import shlex
from pathlib import Path

import pytest

from training.public import hide_places, public_name, typed_command


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("microsoft/cats_vs_dogs", "microsoft/cats_vs_dogs"),
        ("https://example.org/a/b.zip", "https://example.org/a/b.zip"),
        ("/home/me/pets", "pets"),
        ("/home/me/pets/", "pets"),
        ("~/pets", "pets"),
        ("./a/pets", "pets"),
        ("../pets", "pets"),
        ("file:///home/me/pets", "pets"),
        ("/home/me/pets/*.parquet", "*.parquet"),
        ("C:\\Users\\me\\pets", "pets"),
        ("training/recipes", "recipes"),  # there is such a folder
        ("/", "DATA"),
    ],
)
def test_a_place_is_named_by_its_last_part_and_a_hub_id_stays(source: str, name: str) -> None:
    assert public_name(source) == name


def test_a_link_is_named_as_it_was_typed(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "pets").symlink_to(tmp_path / "secret")
    assert public_name(str(tmp_path / "pets")) == "pets"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("of /home/me/pets, once", "of PATH, once"),
        ("(see ~/pets)", "(see PATH)"),
        ("file:///home/me", "PATH"),
        ("in ../pets and C:\\Users\\me", "in PATH and PATH"),
        ("cats and/or dogs, 1 / 2, ~5 %, 3/4", "cats and/or dogs, 1 / 2, ~5 %, 3/4"),
        ("https://example.org/a and owner/name", "https://example.org/a and owner/name"),
        ("training/recipes/x.toml", "training/recipes/x.toml"),
    ],
)
def test_a_text_keeps_all_but_places_on_this_machine(text: str, shown: str) -> None:
    assert hide_places(text) == shown


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        (["--data", "/home/me/pets", "--out", "x"], "--data DATA --out OUT"),
        (["--data=pets", "--weights", "none", "--epochs", "3"], "--data=DATA --weights none --epo"),
        (["--weights=imagenet"], "--weights=imagenet"),
        (["--split_file", "a/split.json", "--resume"], "--split_file SPLIT_FILE --resume"),
        (["--split-file=a/split.json"], "--split-file=SPLIT_FILE"),
        (["--recipe", "mine.toml", "--teacher", "~/t"], "--recipe RECIPE --teacher TEACHER"),
        (["--recipe", "training/recipes/resnet18_head.toml"], "training/recipes/resnet18_head.tom"),
        (["--dataset_name=/home/me/x", "--seed", "-1"], "--dataset_name=DATASET_NAME --seed -1"),
        (["--note", "see /home/me"], "--note 'see PATH'"),
    ],
)
def test_the_card_s_command_names_no_place_on_this_machine(typed: list[str], shown: str) -> None:
    command = typed_command(typed)
    assert command.startswith("accelerate launch training/finetune.py --")
    assert shown in command
    assert "/home" not in command


def test_the_card_s_command_can_be_typed_again() -> None:
    typed = ["--tracker", "", "--note", "two words", "--data", "/home/me/pets"]
    assert shlex.split(typed_command(typed))[3:] == [*typed[:-1], "DATA"]
