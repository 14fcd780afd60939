"""Rows about how a folder is named, and about files beside class folders that mean other things."""

import os
from pathlib import Path

from hub_models import ImageClassifier
from tests.situations._folder_names import SPLITS, TWO
from tests.situations._folders import (
    Happens,
    in_another_place,
    make,
    of_reading,
    of_training,
    reads,
    said,
)
from tests.situations._scripts import typed
from training.evaluate import main as evaluate
from training.finetune import main as finetune


def _from_inside(root: Path, source: str) -> str:
    here = os.getcwd()
    try:
        os.chdir(root / "data" / "cat" if source == ".." else root / "data")
        return reads(root, source)
    finally:
        os.chdir(here)


def _at_home(root: Path) -> str:
    home = os.environ.get("HOME", "")
    os.environ["HOME"] = str(make(root, *TWO).parent)
    try:
        return reads(root, "~/data")
    finally:
        os.environ["HOME"] = home


def _with_a_file(name: str, text: str) -> Happens:
    def happens(root: Path) -> str:
        (make(root, *TWO) / name).write_text(text)
        return reads(root)

    return happens


def _of_measuring(*names: str) -> Happens:
    def happens(root: Path) -> str:
        data = make(root, *names)
        ImageClassifier.create("mobilenetv2_025", ["cat", "dog"]).save_pretrained(root / "model")
        words = ("--model", root / "model", "--data", data, "--workers", 0)
        return said(evaluate, *words)

    return happens


def _odd_files(root: Path) -> str:
    data = make(root, *TWO, "cat/gone.png -> nowhere", "dog/folder.jpg/1")
    os.mkfifo(data / "cat" / "pipe.png")
    os.mkfifo(data / "cat" / "pipe")
    (data / "dog" / "empty.jpg").touch()
    return said(finetune, *typed(root, validation_fraction=0.5))


PATHS = (
    (
        "--data 'j [v2]'",
        "doesn't contain any data files",
        in_another_place(of_reading(*TWO)),
        ("train cat 2; train dog 2",),
    ),
    (
        "--data .",
        "dataset_name should be specified but got None",
        lambda r: _from_inside(make(r, *TWO).parent, "."),
        ("train cat 2",),
    ),
    (
        "--data ..",
        "as it should",
        lambda r: _from_inside(make(r, *TWO).parent, ".."),
        ("train cat 2",),
    ),
    (
        "--data ../data",
        "as it should",
        lambda r: _from_inside(make(r, *TWO).parent, "../data"),
        ("train cat 2",),
    ),
    (
        "--data ~/data",
        "Repo id must use alphanumeric chars",
        _at_home,
        ("train cat 2; train dog 2",),
    ),
    (
        "--data ./gone",
        "Repo id must use alphanumeric chars",
        lambda root: said(finetune, *typed(root, data="./gone")),
        ("rc 1", "'./gone' cannot be loaded (no such folder)"),
    ),
    (
        "--data PICTURE.png",
        "no column holds a ClassLabel, or strings",
        lambda root: said(finetune, *typed(root, data=make(root, *TWO) / "cat" / "0.png")),
        ("rc 1", "0.png': a file, but no table"),
    ),
)
BESIDE = (
    (
        "a metadata.csv about cameras",
        "no column holds pictures",
        _with_a_file("metadata.csv", "camera,iso\nx,100\n"),
        ("left out 1 .csv: metadata.csv", "train cat 2; train dog 2"),
    ),
    (
        "a metadata.csv in a class folder",
        "no column holds pictures",
        _with_a_file("cat/metadata.csv", "camera,iso\nx,100\n"),
        ("left out 1 .csv: cat/metadata.csv", "train dog 2"),
    ),
    (
        "a README.md between two rules",
        "its README.md is damaged",
        _with_a_file("README.md", "---\nmine: all: mine\n---\n"),
        ("left out 1 .md: README.md", "train cat 2; train dog 2"),
    ),
    (
        "an archive beside the class folders",
        "passed over, unsaid",
        _with_a_file("cat.zip", "PK"),
        ("left out 1 .zip: cat.zip", "train cat 2; train dog 2"),
    ),
    (
        "train/images/cat, val/images/cat",
        "as classes 'cat' and 'dog'",
        of_training(*(f"{split}/images/{c}/2" for split in ("train", "val") for c in ("a", "b"))),
        ("rc 1", "if train/images/a, train/images/b are the classes, move them up"),
    ),
    (
        "cat/train, cat/test",
        "classes 'test' and 'train', or splits of one class",
        of_reading(*(f"{c}/{split}/2" for split in ("train", "test") for c in ("cat", "dog"))),
        ("no splits: these lie above the classes", "cat/test, cat/train", "train cat 2"),
    ),
    (
        "pipes, broken links and empty files called .png",
        "each named",
        _odd_files,
        (
            "left out 1 special file: cat/pipe;",
            "pipe.png: not a file",
            "gone.png: no such file",
            "empty.jpg: the file is empty",
        ),
    ),
    (
        "measuring an unlabelled test folder",
        "no column holds a ClassLabel, or strings",
        _of_measuring(*SPLITS, "test/2"),
        ("rc 1", "no split 'test'; there are train; left out 2 without a class folder in test"),
    ),
    (
        "measuring a folder with test alone, a class empty",
        "no split 'train', only test",
        _of_measuring("test/cat/2", "test/dog/"),
        ("rc 0", "test: no picture of 'dog' can be used", "test 2"),
    ),
)
