import csv
import json
import sys
from pathlib import Path

import pyarrow.parquet
import pytest

from hub_models import ConfigError
from hub_models.table import check_table, write_table

COLUMNS = {"picture": str, "probability": float}
ROWS = [["a.jpg", 0.25], ['=HYPERLINK("http://evil.example")', 1e-09], ["猫.jpg", None]]


def test_parquet_holds_text_and_numbers_and_nulls(tmp_path: Path) -> None:
    write_table(tmp_path / "t", COLUMNS, iter(ROWS * 3000), ".parquet")  # several row groups
    table = pyarrow.parquet.read_table(tmp_path / "t")
    assert [str(field.type) for field in table.schema] == ["string", "float"]
    assert table.num_rows == 9000
    assert table.to_pylist()[-3:] == [
        {"picture": "a.jpg", "probability": 0.25},
        {"picture": ROWS[1][0], "probability": pytest.approx(1e-09)},
        {"picture": "猫.jpg", "probability": None},
    ]


def test_json_lines_hold_the_same(tmp_path: Path) -> None:
    write_table(tmp_path / "t", COLUMNS, iter(ROWS), ".jsonl")
    lines = (tmp_path / "t").read_text(encoding="utf-8").splitlines()
    assert [list(json.loads(line).values()) for line in lines] == ROWS


def test_csv_holds_the_same_but_no_formulas(tmp_path: Path) -> None:
    write_table(tmp_path / "t", COLUMNS, iter(ROWS), ".csv")
    with open(tmp_path / "t", encoding="utf-8-sig", newline="") as stream:
        heads, *rows = csv.reader(stream)
    assert heads == list(COLUMNS)
    assert rows == [["a.jpg", "0.25"], ["'" + ROWS[1][0], "1e-09"], ["猫.jpg", ""]]


def test_another_suffix_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"t\.xls: its name must end in \.csv, \.jsonl, \.par"):
        check_table(tmp_path / "t.xls")


def test_a_folder_of_that_name_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(ConfigError, match=r"t\.csv: a folder, and a file is to be written"):
        check_table(tmp_path / "t.csv")


def test_without_pyarrow_parquet_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # as Python itself marks what is not there
    with pytest.raises(ConfigError, match=r"parquet needs pyarrow: pip install 'hub-models\[tra"):
        check_table(Path("t.parquet"))
    check_table(Path("t.csv"))
