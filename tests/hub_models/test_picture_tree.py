"""Which folders are splits and which are classes; what is refused, and by which names."""

import os
from pathlib import Path

import pytest

from hub_models.errors import ConfigError
from hub_models.picture_tree import ClassFolders, find_classes, walk_tree


def make(root: Path, *names: str) -> Path:
    """Files, folders ("cat/") and links ("cat -> dog") in a folder."""
    root.mkdir(parents=True, exist_ok=True)
    for name in names:
        link, _, target = name.partition(" -> ")
        path = root / link
        path.parent.mkdir(parents=True, exist_ok=True)
        if target:
            path.symlink_to(target)
        elif name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.touch()
    return root


def read(root: Path, *names: str) -> ClassFolders:
    return find_classes(walk_tree(make(root, *names)))


def counts(found: ClassFolders) -> dict[str, dict[str, int]]:
    return {s: {c: len(names) for c, names in each.items()} for s, each in found.splits.items()}


TWO = ("cat/1.jpg", "dog/1.jpg")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            ("bus/1.jpg", "bullet train/1.jpg", "freight train/1.jpg"),
            {"train": {"bullet train": 1, "bus": 1, "freight train": 1}},
        ),
        (("cat/train_1.jpg", "dog/test-1.jpg"), {"train": {"cat": 1, "dog": 1}}),
        (("bus/1.jpg", "train/1.jpg"), {"train": {"bus": 1, "train": 1}}),
        (
            ("Training/cat/1.jpg", "Training/dog/1.jpg", "TESTSET/dog/a/b/1.jpg"),
            {"train": {"cat": 1, "dog": 1}, "test": {"cat": 0, "dog": 1}},
        ),
        (("train/test/1.jpg", "train/train/1.jpg"), {"train": {"test": 1, "train": 1}}),
        (("test/cat/1.jpg", "test/dog/1.jpg"), {"test": {"cat": 1, "dog": 1}}),
        (("cat/in/1.jpg", "cat/out/1.jpg", "dog/in/1.jpg"), {"train": {"cat": 2, "dog": 1}}),
        ((*TWO, "__none__/1.jpg"), {"train": {"__none__": 1, "cat": 1, "dog": 1}}),
        ((*TWO, "bird/"), {"train": {"bird": 0, "cat": 1, "dog": 1}}),
        ((*TWO, "__MACOSX/cat/._1.jpg", ".git/x.jpg"), {"train": {"cat": 1, "dog": 1}}),
        ((*TWO, "../far/1.jpg", "owl -> ../far"), {"train": {"cat": 1, "dog": 1, "owl": 1}}),
    ],
)
def test_folders_are_classes_and_those_named_so_are_splits(
    names: tuple[str, ...], expected: dict[str, dict[str, int]], tmp_path: Path
) -> None:
    assert counts(read(tmp_path / "data", *names)) == expected


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (("train/a/1.jpg", "extra/a/1.jpg"), "extra holds pictures and is no split, as train"),
        (("train/a/1.jpg", "bus/1.jpg"), "bus holds pictures and is no split, as train"),
        (("val/a/1.jpg", "validation/a/1.jpg"), "val and validation both mean validation"),
        (("test/a/1.jpg", "train/1.jpg"), "train holds pictures, but no class folders as test"),
        (("train/1.jpg", "test/1.jpg"), "test, train: named like splits, but without class"),
        (("train/1.jpg",), "train: named like splits, but without class folders"),
        (("seg_train/a/1.jpg", "seg_test/a/1.jpg"), "seg_test and seg_train look like splits"),
        (("cats-train/1.jpg", "cats-val/1.jpg"), "cats-train and cats-val look like splits"),
        (("train/Cat/1.jpg", "val/cat/1.jpg"), "'train/Cat/' and 'val/cat/' differ only in case"),
        (("caf\u00e9/1.jpg", "cafe\u0301/1.jpg"), r"'cafe\\u0301/' and 'caf\\xe9/' differ only"),
        (("cat/1.jpg", "cat /1.jpg"), "'cat /' and 'cat/' differ only in case, spaces"),
        (("cat/1.jpg", "dog -> cat"), "cat/ and dog/ are one and the same folder"),
        (("train/a/1.jpg", "val -> train"), "train/a/ and val/a/ are one and the same folder"),
        (("PetImages/a/1.jpg", "PetImages/b/1.jpg"), "below the one class folder PetImages; if"),
        (
            ("train/images/a/1.jpg", "val/images/b/1.jpg"),
            "folder images; if train/images/a are the classes, move them up, out of images",
        ),
        (("1.jpg", "notes.txt"), "a sub-folder per class is needed; left out 1 outside of"),
        ((), "no pictures in class folders: a sub-folder per class is needed$"),
        (("c\udce9t/1.jpg",), r"the folder c\\udce9t/ is not UTF-8"),
    ],
)
def test_what_is_not_certain_is_refused_by_name(
    names: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        read(tmp_path / "data", *names)


def test_what_is_left_out_is_counted_where_it_lies(tmp_path: Path) -> None:
    names = ("train/cat/1.jpg", "train/cat/1.json", "train/cat/sub/2.json", "train/stray.jpg")
    found = read(tmp_path, *names, "stray.jpg", "test/1.jpg", "notes/a.txt", "train/dog/x")
    assert {place: left_out.reasons() for place, left_out in found.left_out.items()} == {
        ("", ""): "1 outside of the class folders, 1 without a class folder in test, "
        "1 without a class folder in train, 1 .txt",
        ("train", "cat"): "2 .json",
        ("train", "dog"): "1 without suffix",
    }


def test_our_own_output_is_no_class(tmp_path: Path) -> None:
    report = ("report.json", "confusion.png", "mistakes.png")
    found = read(
        tmp_path,
        *TWO,
        *(f"report/{name}" for name in report),
        *(f"reports/{split}/{name}" for split in ("test", "validation") for name in report),
        *(f"cat/report/{name}" for name in report),
        *("runs/mine/split.json", "runs/mine/audit.json", "runs/mine/checkpoint/config.json"),
        *("model/config.json", "model/model.safetensors"),
    )
    assert counts(found) == {"train": {"cat": 1, "dog": 1}}
    assert found.left_out["train", "cat"].names == {"our report folder": ["cat/report/"]}
    assert found.left_out["", ""].names == {
        "our model folder": ["model/"],
        "our report folder": ["report/", "reports/test/", "reports/validation/"],
        "our run folder": ["runs/mine/"],
    }


def test_the_order_is_that_of_full_names(tmp_path: Path) -> None:
    names = ("cat/b.jpg", "cat/a/z.jpg", "cat/a.jpg", "cat/10.jpg", "cat/2.jpg", "cat/B.jpg")
    found = read(tmp_path, *names, "dog/1.jpg")
    assert found.splits["train"]["cat"] == sorted(names)
    assert found.deeper == ("cat/a",)


def test_a_file_whose_name_is_no_utf8_is_a_picture(tmp_path: Path) -> None:
    name = os.fsdecode(b"cat/caf\xe9.jpg")
    assert read(tmp_path, *TWO, name).splits["train"]["cat"] == ["cat/1.jpg", name]
