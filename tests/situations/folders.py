"""Folders of class folders: what are the classes, which pictures train, which are measured."""

import os
import re
from pathlib import Path

from hub_models import ImageClassifier, image_kinds
from hub_models.cli import main as hub_models
from tests.situations import Situation
from tests.situations._folder_names import CLASSES, SPLIT_ROWS, SPLITS, TWO
from tests.situations._folder_paths import BESIDE, PATHS
from tests.situations._folders import (
    make,
    of_reading,
    of_training,
    reads,
    said,
)
from tests.situations._scripts import typed
from training.compare import main as compare
from training.evaluate import main as evaluate
from training.finetune import main as finetune


def _not_utf8(root: Path) -> str:
    data = make(root, *TWO)
    (data / "cat" / "0.png").rename(data / "cat" / os.fsdecode(b"caf\xe9.png"))
    return reads(root)


def _after_reports(root: Path) -> str:
    figures = [f"{name}.png" for name in ("confusion", "reliability", "mistakes")]
    places = ("report", "reports/a/test", "reports/a/validation", "cat/report")
    data = make(root, *TWO, *(f"{place}/{name}" for place in places for name in figures))
    for place in places:
        (data / place / "report.json").write_text("{}")
    return reads(root)


def _after_a_run(root: Path) -> str:
    data = make(root, *TWO)
    first = said(finetune, *typed(root, validation_fraction=0.5))
    (root / "run").rename(data / "mine")
    return f"{first[:4]}; {reads(root)}"


def _report_inside(root: Path) -> str:
    data = make(root, *SPLITS)
    words = ("--model", root / "model", "--data", data)
    first = said(evaluate, *words, "--report", data / "report")
    return f"{first} | {said(compare, *words, '--out', data / 'new' / 'comparison.json')}"


def _one_is_broken(root: Path, *broken: str) -> str:
    data = make(root, *SPLITS, "val/cat/2", "val/dog/2")
    for place in broken:
        for path in (data / place).iterdir():
            path.write_bytes(path.read_bytes()[:40])
    return said(finetune, *typed(root))


def _calibrated(root: Path) -> str:
    data = make(root, "cat/in/2", "dog/1", "dog/a.jfif", "dog/b.json", "stray.png")
    return said(hub_models, *_export(data, root / "onnx"))


def _export(data: Path, to: Path) -> tuple[object, ...]:
    model = ImageClassifier.create("mobilenetv2_025", ["cat", "dog"])
    model.save_pretrained(data.parent / "model")
    return ("export", data.parent / "model", "--to", to, "--calibrate", data, "--json")


def _in_bulk(root: Path) -> str:
    data = make(root, "cat/in/2", "dog/photo", "dog/b.json", "dog/up -> ..", "label/c.txt")
    model = ImageClassifier.create("mobilenetv2_025", ["cat", "dog"])
    model.save_pretrained(root / "model")
    words = ("classify", data, "--model", root / "model", "--to", root / "table.csv")
    return said(hub_models, *words)


def _heic(root: Path) -> str:
    data = make(root, *TWO, "dog/a.heic", "dog/b.heic")
    for name in ("a.heic", "b.heic"):  # their beginning alone
        (data / "dog" / name).write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    remedy = image_kinds.prepare("HEIF")  # None where pillow-heif is there
    text = reads(root)
    return f"{text}; {(f'.heic ({remedy})' if remedy else 'unreadable') in text}"


def _kept_in_the_audit(root: Path) -> str:
    make(root, *SPLITS, "train/cat/a.json", "val/cat/2", "val/dog/2", "stray.png")
    end = said(finetune, *typed(root))
    text = (root / "run" / "audit.md").read_text()
    kept = re.findall(r"\| \w+ \| \w+ \| \d+ \| .*\|", text)
    return f"{end[:4]} {' '.join(kept)} {'stray.png' in text}"


LEFT_OUT = (
    (
        "a class of .avif, files without suffix, .jfif, .tif",
        "left out, unsaid",
        of_reading("cat/a.avif", "cat/b.avif", "dog/photo", "dog/c.jfif", "owl/d.tif", "owl/e.JPG"),
        ("train cat 1; train dog 1; train owl 1; validation cat 1",),
    ),
    (
        ".heic, read or named",
        "left out, unsaid",
        _heic,
        ("train cat 2; train dog", "True"),
    ),
    (
        "LabelMe .json, .txt and .xml beside the pictures",
        "An error occurred while generating the dataset",
        of_reading(*TWO, *(f"cat/{i}.json" for i in range(11)), "cat/a.txt", "dog/a.xml"),
        (
            "left out 11 .json, 1 .txt, 1 .xml: cat/0.json, cat/a.txt, dog/a.xml, cat/1.json",
            "…; split",
            "train cat 2 11 .json, 1 .txt; train dog 2 1 .xml",
        ),
    ),
    (
        "a stray picture beside the class folders",
        "no column holds a ClassLabel, or strings",
        of_reading(*TWO, "stray.jpg", "Thumbs.db", ".DS_Store"),
        ("left out 1 outside of the class folders: stray.jpg;", "train cat 2; train dog 2"),
    ),
    (
        "a file name that is not UTF-8",
        "An error occurred while generating the dataset",
        _not_utf8,
        ("1 with a name that is not UTF-8", "caf\\udce9"),
    ),
    (
        "reports that evaluate wrote into the data",
        "a class 'report' of three figures; no split 'train'",
        _after_reports,
        ("left out 4 our report folder: cat/report/, report/", "train cat 2 1 our report folder;"),
    ),
    (
        "a run folder in the data",
        "passed over, unsaid",
        _after_a_run,
        ("rc 0", "1 our run folder: mine/", "train dog 2"),
    ),
    (
        "a report, a comparison inside the data",
        "written there",
        _report_inside,
        ("rc 1", "report: lies inside the data", "comparison.json: lies inside the data"),
    ),
    (
        "--out inside the data",
        "written there, rc 0",
        lambda root: said(finetune, *typed(root, data=make(root, *TWO), out=root / "data" / "run")),
        ("rc 1", "run: lies inside the data"),
    ),
    (
        "no pictures at all",
        "no column holds an Image; there are text",
        of_training("notes.txt"),
        ("rc 1", "a sub-folder per class is needed"),
    ),
    (
        "pictures without folders",
        "no column holds a ClassLabel, or strings",
        of_training("4"),
        ("rc 1", "4 outside of the class folders"),
    ),
    (
        "calibration reads as training does",
        "one of four pictures, unsaid",
        _calibrated,
        ("rc 0", "left out 1 outside of the class folders, 1 .json: stray.png, dog/b.json"),
    ),
    (
        "an export into the calibration data",
        "written there",
        lambda root: said(hub_models, *_export(make(root, *TWO), root / "data" / "onnx")),
        ("rc 1", "data/onnx: lies inside the data"),
    ),
    (
        "bulk scoring counts what it leaves out",
        "two of three pictures, unsaid",
        _in_bulk,
        ("rc 0", "left out 1 .json, 1 link to a folder it lies in, 1 .txt", "3 rows of 3 pictures"),
    ),
)
COUNTS = (
    (
        "a class without a picture in train",
        "trained, unsaid, rc 0",
        of_training(*SPLITS, "train/owl/", "val/cat/2", "val/dog/2", "val/owl/2"),
        ("rc 1", "train has no usable picture of 'owl'"),
    ),
    (
        "a class folder with texts alone",
        "passed over, unsaid, rc 0",
        of_training(*TWO, "notes/a.txt"),
        ("rc 1", "no usable picture of 'notes' (1 .txt)", "take it out of the data"),
    ),
    (
        "a class without a picture in validation",
        "unsaid, rc 0",
        of_training(*SPLITS, "val/cat/2"),
        ("rc 0", "validation: no picture of 'dog' can be used"),
    ),
    (
        "a class all unreadable in validation",
        "each picture named, the class not",
        lambda root: _one_is_broken(root, "val/dog"),
        ("rc 0", "validation: no picture of 'dog' can be used (2 unreadable)"),
    ),
    (
        "a class all unreadable in train",
        "trained, rc 0",
        lambda root: _one_is_broken(root, "train/dog"),
        ("rc 1", "train has no usable picture of 'dog' (4 unreadable)"),
    ),
    (
        "one picture in a class",
        "The least populated class in target column has only 1 member",
        of_training("cat/4", "dog/1"),
        ("rc 1", "only of 'dog'", "add pic"),
    ),
    (
        "one class",
        "no column holds a ClassLabel, or strings",
        of_training("cat/4"),
        ("rc 1", "'cat' is the only one"),
    ),
    (
        "the table of classes is kept",
        "no such table",
        _kept_in_the_audit,
        ("rc 0", "| train | cat | 4 | 1 .json |", "| validation | dog | 2 |  |", "True"),
    ),
)
SITUATIONS = tuple(
    Situation(*row) for row in (*CLASSES, *SPLIT_ROWS, *LEFT_OUT, *COUNTS, *BESIDE, *PATHS)
)
