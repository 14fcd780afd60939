import shutil
from pathlib import Path

import datasets
import pytest

from hub_models.errors import ConfigError
from hub_models.picture_tree import ClassFolders, find_classes, walk_tree
from training.class_folder_data import read_paths
from training.config import Recipe
from training.data import load_data
from training.split import fingerprint, read_split, render_split
from training.stream import stream_data


def read(root: Path, *names: str) -> ClassFolders:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return find_classes(walk_tree(root))


def test_a_split_holds_paths_and_nothing_of_the_files(tmp_path: Path) -> None:
    names = ("train/cat/b.jpg", "train/cat/a.jpg", "train/dog/c.jpg", "test/dog/d.jpg")
    splits, label_names, layout = read_paths(read(tmp_path, *names))
    assert label_names == ("cat", "dog")
    assert splits["train"].to_list() == [
        {"image": {"bytes": None, "path": str(tmp_path / name)}, "target": target}
        for name, target in (("train/cat/a.jpg", 0), ("train/cat/b.jpg", 0), ("train/dog/c.jpg", 1))
    ]
    assert splits["test"]["target"][:] == [1]
    assert splits["train"].features["image"] == datasets.Image(decode=False)
    assert layout.sentences() == ()


def test_rows_are_in_the_order_that_datasets_gave_them(tmp_path: Path) -> None:
    labels = ("cat", "cat 2", "Dog", "äh", "b.c")
    files = ("10", "2", "a b", "_x", "Z", "é", "img-1", "img.1")
    splits, label_names, _ = read_paths(
        read(tmp_path, *(f"{label}/{file}.jpg" for label in labels for file in files))
    )
    assert label_names == tuple(sorted(labels))
    paths = [row["image"]["path"] for row in splits["train"]]
    assert paths == sorted(paths)
    # What `datasets.load_dataset` made of the same folder: split.json of older runs stays valid
    assert fingerprint(splits["train"]) == "d53933997f44dd48"


def test_a_saved_split_fits_wherever_the_folder_lies(class_folders: Path, tmp_path: Path) -> None:
    data = load_data(str(class_folders), validation_fraction=0.2, seed=3)
    saved = tmp_path / "split.json"
    saved.write_text(render_split(data.parts))
    moved = shutil.move(class_folders, tmp_path / "elsewhere")
    (moved / "red" / "notes.txt").touch()  # left out before and now
    again = load_data(str(moved), split_file=saved)
    assert [p.indices().tolist() for p in again.parts.values()] == [
        p.indices().tolist() for p in data.parts.values()
    ]
    (moved / "red" / "another.jpg").touch()
    with pytest.raises(ConfigError, match="made from other data"):
        read_split(saved, read_paths(find_classes(walk_tree(moved)))[0])


def test_the_same_paths_have_one_fingerprint_and_others_another(tmp_path: Path) -> None:
    made = [read_paths(read(tmp_path, "cat/a.jpg", "dog/b.jpg"))[0]["train"] for _ in range(2)]
    more = read_paths(read(tmp_path, "dog/c.jpg"))[0]["train"]
    assert made[0]._fingerprint == made[1]._fingerprint != more._fingerprint


def test_class_folders_have_no_other_columns(class_folders: Path) -> None:
    load_data(str(class_folders), image_column="image", label_column="label")
    with pytest.raises(ConfigError, match="label_column: class folders have no column 'species'"):
        load_data(str(class_folders), label_column="species")


def test_class_folders_can_be_streamed(class_folders: Path) -> None:
    for split in ("train", "validation"):
        shutil.copytree(class_folders, class_folders.parent / "both" / split)
    recipe = Recipe(data=str(class_folders.parent / "both"), streaming=True, steps_per_epoch=1)
    data = stream_data(recipe)
    assert data.stream is not None
    assert list(data.splits) == ["validation"]
    row = next(iter(data.stream))
    assert Path(row["image"]["path"]).parent.name == data.label_names[row["target"]]
    shutil.rmtree(class_folders.parent / "both" / "train" / "red")
    with pytest.raises(ConfigError, match="train has no usable picture of 'red'"):
        stream_data(recipe)


def test_a_folder_whose_path_is_no_utf8_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"caf\\udce9: the path is not UTF-8"):
        read_paths(read(tmp_path / "caf\udce9", "cat/a.jpg", "dog/b.jpg"))


def test_a_table_beside_class_folders_is_asked_about(class_folders: Path) -> None:
    data = load_data(str(class_folders))
    data.splits["train"].to_parquet(class_folders / "results.parquet")
    with pytest.raises(ConfigError, match=r"table results\.parquet and pictures in the folders"):
        load_data(str(class_folders))
