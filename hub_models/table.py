"""Rows to a file that other programs open: CSV, JSON lines or parquet, by its suffix."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final, TextIO

from hub_models.errors import ConfigError

Cell = str | float | None
Columns = Mapping[str, type]  # name -> str or float, in order

SUFFIXES: Final = (".csv", ".jsonl", ".parquet")
_ROW_GROUP: Final = 4096  # rows: bounds the memory of writing parquet
# What makes a spreadsheet run a cell; the last four are the full-width forms of the first four.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_BYTE_ORDER_MARK: Final = "\ufeff"  # without it Excel takes UTF-8 for the local code page


def check_table(path: Path) -> None:
    """Find out, before any work, that a table cannot be written.

    Args:
        path: The file to be.

    Raises:
        ConfigError: If its suffix is not one of SUFFIXES, or its library is not installed.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{path}: its name must end in {', '.join(SUFFIXES)}")
    try:
        if path.is_dir():
            raise ConfigError(f"{path}: a folder, and a file is to be written")
    except OSError as error:  # too long a name
        raise ConfigError(f"{path}: cannot be written ({error.strerror})") from error
    if path.suffix.lower() == ".parquet":
        _import_pyarrow(path)


def write_table(path: Path, columns: Columns, rows: Iterable[Sequence[Cell]], kind: str) -> None:
    """Write rows as they come, so that memory does not grow with them.

    Args:
        path: The file; written in place.
        columns: Of each column its name and whether it holds `str` or `float`; None fits both.
        rows: A cell per column.
        kind: One of SUFFIXES.

    Raises:
        ConfigError: If it is to be parquet and pyarrow is not installed.
    """
    match kind:
        case ".parquet":
            _write_parquet(path, columns, rows)
        case ".jsonl":
            with open(path, "w", encoding="utf-8") as stream:
                for row in rows:
                    line = dict(zip(columns, row, strict=True))
                    stream.write(json.dumps(line, ensure_ascii=False) + "\n")
        case _:
            with open(path, "w", encoding="utf-8", newline="") as stream:
                write_csv(stream, list(columns), rows)


def write_csv(stream: TextIO, heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write CSV that a spreadsheet takes for text and numbers, never for formulas.

    Args:
        stream: Gets a byte order mark first, as Excel needs it for UTF-8.
        heads: Names of the columns.
        rows: A cell per column; None is left empty.
    """
    stream.write(_BYTE_ORDER_MARK)
    writer = csv.writer(stream)
    writer.writerow([_inert(head) for head in heads])
    writer.writerows([_inert(cell) for cell in row] for row in rows)


def _inert(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _write_parquet(path: Path, columns: Columns, rows: Iterable[Sequence[Cell]]) -> None:
    arrow, parquet = _import_pyarrow(path)
    kinds = {str: arrow.string(), float: arrow.float32()}
    schema = arrow.schema([(name, kinds[kind]) for name, kind in columns.items()])
    with parquet.ParquetWriter(path, schema) as writer:
        for group in _groups(rows):
            cells = [
                arrow.array(column, field.type)
                for column, field in zip(zip(*group, strict=True), schema, strict=True)
            ]
            writer.write_table(arrow.table(cells, schema=schema))


def _groups(rows: Iterable[Sequence[Cell]]) -> Iterator[list[Sequence[Cell]]]:
    left = iter(rows)
    while group := list(islice(left, _ROW_GROUP)):
        yield group


def _import_pyarrow(path: Path) -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{path}: parquet needs pyarrow: pip install 'hub-models[train]', or name a .csv or "
            ".jsonl file"
        ) from error
    return pyarrow, pyarrow.parquet
