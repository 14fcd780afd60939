import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

from hub_models.errors import ConfigError
from tests import pictures
from tests.training.conftest import draw
from training.audit import audit
from training.data import Data, load_data
from training.split import render_split


def names(data: Data) -> dict[str, list[str]]:
    return {
        name: [Path(row["image"]["path"]).name for row in split]
        for name, split in data.splits.items()
    }


@pytest.fixture
def saved(class_folders: Path, tmp_path: Path) -> Path:
    data = load_data(str(class_folders), validation_fraction=0.25, seed=7)
    path = tmp_path / "split.json"
    path.write_text(render_split(data.parts), encoding="utf-8")
    return path


def test_another_run_uses_exactly_a_saved_split(class_folders: Path, saved: Path) -> None:
    first = load_data(str(class_folders), validation_fraction=0.25, seed=7)
    assert names(load_data(str(class_folders), seed=1)) != names(first)
    assert names(load_data(str(class_folders), seed=1, split_file=saved)) == names(first)


def test_a_saved_split_fits_a_copy_of_the_data_elsewhere(
    class_folders: Path, saved: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(class_folders, tmp_path / "elsewhere")  # other folder, other times
    first = load_data(str(class_folders), validation_fraction=0.25, seed=7)
    assert names(load_data(str(copy), split_file=saved)) == names(first)


def test_splits_of_their_own_are_saved_without_their_rows(
    class_folders: Path, tmp_path: Path
) -> None:
    for split in ("train", "validation", "test"):
        shutil.copytree(class_folders, tmp_path / "own" / split)
    data = load_data(str(tmp_path / "own"))
    text = render_split(data.parts)
    assert json.loads(text)["splits"] == {
        name: {"source": name} for name in ("train", "validation", "test")
    }
    (tmp_path / "split.json").write_text(text)
    assert names(load_data(str(tmp_path / "own"), split_file=tmp_path / "split.json")) == names(
        data
    )


def test_a_split_without_its_unreadable_pictures_can_be_saved_too(
    class_folders: Path, tmp_path: Path
) -> None:
    (class_folders / "red" / "bad.jpg").write_bytes(b"bad")
    whole = load_data(str(class_folders), validation_fraction=0.25)
    data = whole.without(audit(whole, quiet=True).unreadable)
    (tmp_path / "split.json").write_text(render_split(data.parts))
    again = load_data(str(class_folders), split_file=tmp_path / "split.json")
    assert names(again) == names(data)
    assert not any("bad.jpg" in files for files in names(again).values())
    assert audit(again, quiet=True).unreadable == ()


def add_a_picture(folder: Path) -> None:
    draw("red", 999).save(folder / "red" / "zzz.jpg")


def rename_a_picture(folder: Path) -> None:
    (folder / "red" / "red-03.jpg").rename(folder / "red" / "other.jpg")


def move_a_picture(folder: Path) -> None:
    (folder / "red" / "red-03.jpg").rename(folder / "green" / "red-03.jpg")


def rename_a_class(folder: Path) -> None:
    (folder / "red").rename(folder / "scarlet")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (add_a_picture, r"'train' had 60 rows there, it has 61 here"),
        (rename_a_picture, r"the pictures or classes of 'train' are others"),
        (move_a_picture, r"the pictures or classes of 'train' are others"),
        (rename_a_class, r"the pictures or classes of 'train' are others"),
    ],
)
def test_a_saved_split_of_other_data_is_one_sentence(
    change: Callable[[Path], None], message: str, class_folders: Path, saved: Path
) -> None:
    change(class_folders)
    with pytest.raises(ConfigError, match=r"split\.json: made from other data: .*" + message):
        load_data(str(class_folders), split_file=saved)


def test_pictures_without_names_are_told_apart_by_their_size(tmp_path: Path) -> None:
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])}
    )

    def save(folder: Path, seeds: list[int]) -> str:
        folder.mkdir()
        cells = [
            {"bytes": pictures.encode(draw("red", seed), "PNG"), "path": None} for seed in seeds
        ]
        rows = {"image": cells, "label": [0, 1] * 4}
        table = datasets.Dataset.from_dict(rows, features=features)
        table.to_parquet(folder / "train-00000-of-00001.parquet")
        return str(folder)

    data = load_data(save(tmp_path / "first", list(range(8))), validation_fraction=0.25)
    (tmp_path / "split.json").write_text(render_split(data.parts))
    same = save(tmp_path / "same", list(range(8)))
    assert len(load_data(same, split_file=tmp_path / "split.json").splits["train"]) == 6
    other = save(tmp_path / "other", list(range(10, 18)))
    with pytest.raises(ConfigError, match="the pictures or classes of 'train' are others"):
        load_data(other, split_file=tmp_path / "split.json")


def change(path: Path, *keys: str, to: object) -> None:
    content: Any = json.loads(path.read_text())
    place = content
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = to
    path.write_text(json.dumps(content))


ROWS = ("splits", "validation", "rows")


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (ROWS, [1, 1], "row 1 of 'train' is used twice"),
        (ROWS, [0, 60], "rows must be from 0 to 59"),
        (ROWS, [-1, 2], "rows must be from 0 to 59"),
        (ROWS, ["1"], "rows must be a list of whole numbers"),
        (ROWS, [], "rows must be a list of whole numbers, one at least"),
        (ROWS, {"a": 1}, "rows must be a list of whole numbers"),
        (ROWS, [True], "rows must be a list of whole numbers"),
        (("format",), 2, r"no split that a run saved \(format 2, 1 is known\)"),
        (("splits",), {"train": {"source": "train"}}, "no split that a run saved"),
        (("splits",), [1], "no split that a run saved"),
        (("splits", "validation", "source"), "other", "a split from an unknown source"),
        (("splits", "validation", "source"), [], "no split that a run saved"),
        (("sources", "extra"), {"rows": 1, "fingerprint": ""}, "has no split 'extra'"),
        (("sources", "train", "rows"), 59, "'train' had 59 rows there, it has 60 here"),
        (("sources", "train", "rows"), "many", "no split that a run saved"),
    ],
)
def test_a_split_file_that_cannot_be_right_is_one_sentence(
    keys: tuple[str, ...], value: object, message: str, class_folders: Path, saved: Path
) -> None:
    change(saved, *keys, to=value)
    with pytest.raises(ConfigError, match=message) as caught:
        load_data(str(class_folders), split_file=saved)
    assert "\n" not in str(caught.value)


def test_rows_of_validation_in_train_are_refused(class_folders: Path, saved: Path) -> None:
    train = json.loads(saved.read_text())["splits"]["train"]["rows"]
    change(saved, *ROWS, to=[train[5]])
    with pytest.raises(ConfigError, match=f"row {train[5]} of 'train' is used twice"):
        load_data(str(class_folders), split_file=saved)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00"])
def test_a_file_that_is_no_split_is_one_sentence(
    text: str, class_folders: Path, saved: Path
) -> None:
    saved.write_text(text)
    with pytest.raises(ConfigError, match="no split that a run saved"):
        load_data(str(class_folders), split_file=saved)
    saved.unlink()
    with pytest.raises(ConfigError, match="no split that a run saved"):
        load_data(str(class_folders), split_file=saved)
