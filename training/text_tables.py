"""CSV and JSON files to tables: text stays text, and a column of splits divides the rows."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from hub_models.errors import ConfigError
from hub_models.split_names import split_of
from training.table_files import is_picture

_NUMBER: Final = re.compile(r"-?(0|[1-9]\d*)(\.\d*)?")
_SPLIT_COLUMNS: Final = ("split", "subset", "partition")


def read_text_table(path: Path) -> pa.Table:
    """Read a whole CSV, TSV, JSON or JSON lines file, or the parquet file of a list of pictures.

    Every column of a CSV file is text: "001", "None" and "1e5" stay what they are.

    Args:
        path: The file; its suffix says what it is.

    Returns:
        Its rows. The column `file_name` of a "metadata" file is called `image`, as `datasets`
        calls it.

    Raises:
        ConfigError: If it cannot be read; the message names the file.
    """
    try:
        table = _read(path)
    # Three readers, each with errors of its own
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = str(error).strip().split("\n", 1)[0]
        remedy = "; save it as UTF-8" if isinstance(error, UnicodeError) else ""
        raise ConfigError(f"{path.name}: cannot be read ({reason}{remedy})") from error
    if path.stem == "metadata" and "image" not in table.column_names:
        names = ["image" if name == "file_name" else name for name in table.column_names]
        table = table.rename_columns(names)
    return table


def divide(table: pa.Table, name: str) -> dict[str, pa.Table]:
    """Divide rows by a column of splits, or by the folders of splits that the pictures lie in.

    Args:
        table: All rows of a data set without other splits.
        name: Its file, for sentences.

    Returns:
        Rows by split; all of them are "train" if nothing names a split.

    Raises:
        ConfigError: If only some rows name a known split.
    """
    for column in table.column_names:
        if not pa.types.is_string(table[column].type):
            continue
        words = table[column].to_pylist()
        if not is_split_column(column):
            paths = [(word or "").replace("\\", "/") for word in words]
            if not paths or not all(map(is_picture, paths)):
                continue
            words = [os.path.normpath(path).split(os.sep)[0] for path in paths]
        if splits := known_splits(words, column, name):
            mask = {split: [each == split for each in splits] for split in set(splits)}
            return {s: table.filter(pa.array(mask[s])) for s in sorted(mask)}
    return {"train": table}


def is_split_column(name: str) -> bool:
    """Tell whether a column's name says that it holds names of splits."""
    return name.lower() in _SPLIT_COLUMNS


def known_splits(words: Sequence[str | None], column: str, name: str) -> list[str]:
    """Read names of splits.

    Args:
        words: One for each row.
        column: Where they stand, for sentences.
        name: The file, for sentences.

    Returns:
        The split of each row; empty if no word is a known name.

    Raises:
        ConfigError: If only some are.
    """
    meant = {word: split_of(word or "") for word in dict.fromkeys(words)}
    known = [word for word, split in meant.items() if split]
    unknown = [word for word, split in meant.items() if not split]
    if not known:
        return []
    if unknown:
        raise ConfigError(
            f"{name}: the column {column!r} says {known[0]!r}, a split, and {unknown[0]!r}, which "
            "is none of train, validation and test; rename it, or remove its rows"
        )
    return [meant[word] or "" for word in words]


def _read(path: Path) -> pa.Table:
    match path.suffix.lower():
        case ".parquet":
            return _plain(pq.ParquetFile(path).read())
        case ".csv" | ".tsv":
            return _read_csv(path)
        case _:
            return _from_rows(_read_rows(path))


def _plain(table: pa.Table) -> pa.Table:
    """Give text one type: files of other libraries have four for it."""
    for index, column in enumerate(table.schema):
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
            table = table.set_column(index, column.name, table[column.name].cast(pa.string()))
    return table


def _read_csv(path: Path) -> pa.Table:
    with path.open(encoding="utf-8-sig") as file:
        header = file.readline()
    marks = ["\t"] if path.suffix.lower() == ".tsv" else [",", ";", "\t"]
    parse = pa_csv.ParseOptions(
        delimiter=next((mark for mark in marks if mark in header), marks[0]),
        newlines_in_values=True,
    )
    with pa_csv.open_csv(path, parse_options=parse) as reader:
        names = reader.schema.names
    convert = pa_csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
    )
    table = pa_csv.read_csv(path, parse_options=parse, convert_options=convert)
    for index, name in enumerate(names):
        table = table.set_column(index, name, _numbers(table[name]))
    return table


def _numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Read text that is all numbers, some with a point, as the numbers that were written so."""
    texts = [text for text in column.unique().to_pylist() if text]
    if all(map(_NUMBER.fullmatch, texts)) and any("." in text for text in texts):
        return pc.if_else(pc.equal(column, ""), None, column).cast(pa.float64())
    return column


def _read_rows(path: Path) -> list[dict[str, Any]]:
    text = path.read_text(encoding="utf-8-sig")
    try:
        rows = json.loads(text)
        if isinstance(rows, dict) and isinstance(rows.get("data"), list):
            rows = rows["data"]
    except json.JSONDecodeError:
        rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    rows = [rows] if isinstance(rows, dict) and path.suffix.lower() != ".json" else rows
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("not a list of rows with named columns")
    return rows


def _from_rows(rows: list[dict[str, Any]]) -> pa.Table:
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: _column([row.get(name) for row in rows]) for name in names})


def _column(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError):  # of mixed types: text says them all
        texts = [v if v is None or isinstance(v, str) else json.dumps(v) for v in values]
        return pa.array(texts, pa.string())
