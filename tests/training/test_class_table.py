from pathlib import Path

import datasets
import pytest

from hub_models.errors import ConfigError
from tests.training.conftest import draw
from training.audit import audit
from training.audit_report import render_markdown
from training.class_table import ClassRow, check_trained, class_rows, table_lines
from training.data import Data, load_data
from training.split import Part


def test_every_class_of_every_split_has_a_row_with_what_is_left_out(class_folders: Path) -> None:
    (class_folders / "red" / "red-00.jpg").write_bytes(b"broken")
    for name in ("red/a.json", "red/b.json", "blue/c.txt", "stray.jpg"):
        (class_folders / name).touch()
    data = load_data(str(class_folders), validation_fraction=0.2)
    found = audit(data, quiet=True)
    rows = {(row.split, row.label): row for row in found.classes}
    assert len(rows) == 6
    assert rows["train", "blue"] == ClassRow("train", "blue", 16, {".txt": 1})
    red = [rows[split, "red"] for split in ("train", "validation")]
    assert sum(row.pictures for row in red) == 19
    assert sum(row.left_out.get("unreadable", 0) for row in red) == 1
    assert red[0].left_out[".json"] == 2
    text = render_markdown(found)
    assert "| train | blue | 16 | 1 .txt |" in text
    assert "- left out 1 outside of the class folders, 1 .txt, 2 .json: stray.jpg," in text


def test_of_many_classes_those_with_something_to_say_are_printed() -> None:
    rows = [ClassRow("train", f"class {i}", 5, {}) for i in range(100)]
    rows[90] = ClassRow("train", "class 90", 5, {".json": 2})
    rows[95] = ClassRow("train", "class 95", 0, {})
    lines = list(table_lines(rows))
    assert len(lines) == 63
    assert "train       class 90         5  2 .json" in lines
    assert lines[-2:] == [
        "40 more rows are in audit.md",
        "train: no picture of 'class 95' can be used",
    ]


def test_a_name_that_a_table_declares_and_never_uses_may_stay() -> None:
    def data(targets: dict[str, list[int]]) -> Data:
        names = datasets.ClassLabel(names=["a", "b", "c"])
        splits = {
            split: datasets.Dataset.from_dict(
                {"target": rows}, features=datasets.Features({"target": names})
            )
            for split, rows in targets.items()
        }
        parts = {split: Part(split, rows) for split, rows in splits.items()}
        return Data(splits, ("a", "b", "c"), parts)

    unused = data({"train": [0, 1], "validation": [1]})
    check_trained(unused, class_rows(unused, ()))
    elsewhere = data({"train": [0, 1], "validation": [2]})
    with pytest.raises(ConfigError, match="train has no usable picture of 'c'"):
        check_trained(elsewhere, class_rows(elsewhere, ()))


def test_a_class_without_any_readable_picture_is_not_trained(class_folders: Path) -> None:
    (class_folders / "owl").mkdir()
    for i in range(4):
        draw("red", i).save(class_folders / "owl" / f"{i}.jpg")
    data = load_data(str(class_folders), validation_fraction=0.25)
    check_trained(data, class_rows(data, ()))
    for path in (class_folders / "owl").iterdir():
        path.write_bytes(b"broken")
    found = audit(data, quiet=True)
    with pytest.raises(ConfigError, match=r"no usable picture of 'owl' \(3 unreadable\)"):
        check_trained(data, found.classes)
