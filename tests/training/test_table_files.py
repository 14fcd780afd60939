"""Which files are tables, and of which split: rows of tests/situations/tables.py say the rest."""

import pytest

from hub_models.errors import ConfigError
from training.table_files import find_tables


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("data/train-00000-of-00002.parquet", "train"),
        ("default/validation/0000.parquet", "validation"),
        ("cifar_test.parquet", "test"),
        ("TRAINING.parquet", "train"),
        ("my-dev-set.parquet", "validation"),
        ("test/train/0.parquet", "train"),
        ("Evaluation/part-3.arrow", "validation"),
        ("testset.csv", "test"),
    ],
)
def test_the_nearest_name_of_a_split_counts(name: str, split: str) -> None:
    tables = find_tables([name], None, "data")
    assert tables is not None
    assert tables.splits == {split: [name]}


def test_files_without_a_name_of_a_split_are_all_train() -> None:
    tables = find_tables(["a.parquet", "deep/b.parquet"], None, "data")
    assert tables is not None
    assert tables.splits == {"train": ["a.parquet", "deep/b.parquet"]}


def test_a_name_of_two_splits_is_asked_about() -> None:
    with pytest.raises(ConfigError, match=r"is train_test\.csv of the split 'train' or 'test'\?"):
        find_tables(["train_test.csv"], None, "data")


@pytest.mark.parametrize(
    "names",
    [
        ["cat/1.jpg", "dog/1.jpg", "dog/1.json", "cat/1.txt"],
        ["train/cat/1.jpg", "train/cat/labels.csv"],
        ["pictures.zip"],
        ["cat/1.jpg", "dog/1.jpg", "backup.tar"],
    ],
)
def test_text_beside_pictures_of_a_class_is_no_table(names: list[str]) -> None:
    assert find_tables(names, None, "data") is None


def test_only_unknown_splits_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="has no split 'train', only full"):
        find_tables(["full/state.json", "full/dataset_info.json"], None, "data")


def test_two_lists_of_the_same_pictures_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"metadata\.csv, metadata\.jsonl list the same pictures"):
        find_tables(["metadata.csv", "metadata.jsonl"], None, "data")
