"""The tables of a data set to the rows of its splits; nothing is decoded."""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hub_models.errors import ConfigError
from training.columns import is_text_type
from training.data_source import Source, root_cause
from training.listing import counted, few
from training.split import SPLITS
from training.table_files import TableFiles, is_picture, is_text
from training.text_tables import divide, is_split_column, known_splits, read_text_table


@dataclass(frozen=True)
class Piece:
    """Rows of one split, from files that have the same columns.

    Attributes:
        rows: A data set of `datasets`, iterable when streaming; targets as plain numbers.
        features: Of its columns, as the files themselves, or else the card, declare them.
        folder: The folder that paths in the rows start from.
        name: The first file, for sentences.
        is_trusted: Paths may lead out of the folder: the data set is the user's own.
    """

    rows: Any
    features: datasets.Features
    folder: Path
    name: str
    is_trusted: bool = True


def read_pieces(source: Source) -> dict[str, list[Piece]]:
    """Read the tables of a data set.

    Args:
        source: From `find_source`, with tables.

    Returns:
        Rows by split.

    Raises:
        ConfigError: If a table is damaged, or only some of its rows name a split.
    """
    tables = source.tables
    assert tables is not None
    if is_text(tables.kind):
        return _read_text(source, tables)
    pieces = {
        split: list(_read_pieces(source, tables, names)) for split, names in tables.splits.items()
    }
    return _divided(pieces["train"]) if list(pieces) == ["train"] else pieces


def stream_pieces(source: Source) -> dict[str, list[Piece]]:
    """Open parquet or arrow tables without reading their rows.

    Args:
        source: From `find_source(..., streaming=True)`.

    Returns:
        Iterable rows by split.

    Raises:
        ConfigError: If the tables are of another kind, or a file cannot be opened.
    """
    tables = source.tables
    if tables is None or tables.kind not in ("parquet", "arrow"):
        raise ConfigError("data: only parquet and arrow files can be streamed: streaming = false")
    return {
        split: list(_read_pieces(source, tables, names, streaming=True))
        for split, names in tables.splits.items()
    }


def unlisted(source: Source, listed: set[str]) -> str:
    """Say which pictures beside a list of pictures are not in it.

    Args:
        source: With tables of text.
        listed: Absolute paths that the tables name.

    Returns:
        A sentence; empty if there are none.
    """
    folder = os.path.abspath(source.folder)
    beside = [n for n in source.names if is_picture(n) and os.path.join(folder, n) not in listed]
    if not beside:
        return ""
    return f"left out {counted(len(beside), 'picture')} that no table lists: {few(beside)}"


def _divided(pieces: Sequence[Piece]) -> dict[str, list[Piece]]:
    """Divide rows by a column of splits; `datasets` copies them into its cache for that."""
    found: dict[str, list[Piece]] = {}
    for piece in pieces:
        columns = [n for n, f in piece.features.items() if is_split_column(n) and is_text_type(f)]
        words = piece.rows[columns[0]][:] if columns else []
        splits = np.array(known_splits(words, columns[0], piece.name) if columns else [])
        if len(set(splits)) < 2:
            found.setdefault(splits[0] if len(splits) else "train", []).append(piece)
            continue
        for split in sorted(set(splits)):
            rows = piece.rows.select(np.flatnonzero(splits == split)).flatten_indices()
            found.setdefault(split, []).append(replace(piece, rows=rows))
    return {split: found[split] for split in SPLITS if split in found}


def _read_text(source: Source, tables: TableFiles) -> dict[str, list[Piece]]:
    pieces: dict[str, list[Piece]] = {}
    for split, names in tables.splits.items():
        for name in names:
            table = read_text_table(source.folder / name)
            parts = divide(table, name) if list(tables.splits) == ["train"] else {split: table}
            for own, part in parts.items():
                rows = datasets.Dataset(part)
                features = _with_declared(rows.features, tables.declared)
                folder = (source.folder / name).parent
                piece = Piece(rows, features, folder, name, not source.address)
                pieces.setdefault(own, []).append(piece)
    return {split: pieces[split] for split in SPLITS if split in pieces}


def _read_pieces(
    source: Source, tables: TableFiles, names: Sequence[str], *, streaming: bool = False
) -> Iterator[Piece]:
    """Read files, those together that declare the same columns."""
    is_remote = streaming and bool(source.address)
    base = source.address if is_remote else str(source.folder)
    paths = [f"{base}/{name}" for name in names]
    if tables.kind in ("saved", "webdataset"):
        for path in paths:
            is_saved = tables.kind == "saved"
            rows = datasets.load_from_disk(path) if is_saved else _load(tables.kind, [path])
            yield Piece(rows, rows.features, Path(path), os.path.basename(path), is_saved)
        return
    heads = [_read_head(path, tables.kind) for path in paths]
    for features, group in groupby(zip(heads, paths, strict=True), key=lambda pair: pair[0][0]):
        members = list(group)
        first = members[0][1]
        files = [path for (_, has_rows), path in members if has_rows]
        raw = datasets.Features({name: _raw(feature) for name, feature in features.items()})
        if files:
            rows = _load(tables.kind, files, streaming=streaming, features=raw)
        else:  # `datasets` cannot read a parquet file without rows
            rows = datasets.Dataset(raw.arrow_schema.empty_table())
        declared = _with_declared(features, tables.declared)
        folder, name = Path(os.path.dirname(first)), os.path.basename(first)
        yield Piece(rows, declared, folder, name, not source.address)


def _load(kind: str, paths: Sequence[str], **options: Any) -> Any:
    files = [path if "://" in path else glob.escape(path) for path in paths]
    return datasets.load_dataset(kind, data_files={"train": files}, split="train", **options)


def _read_head(path: str, kind: str) -> tuple[datasets.Features, bool]:
    """Read what a file itself says of its columns, and whether it has rows.

    `load_dataset` asks the first file alone, and puts its class names on all.
    """
    try:
        with datasets.utils.file_utils.xopen(path, "rb") as file:
            if kind == "parquet":
                metadata = pq.read_metadata(file)
                schema, has_rows = metadata.schema.to_arrow_schema(), metadata.num_rows > 0
            else:
                schema, has_rows = _arrow_schema(file), True
            return datasets.Features.from_arrow_schema(schema), has_rows
    except (OSError, ValueError, pa.ArrowException) as error:
        raise ConfigError(
            f"data: {os.path.basename(path)} cannot be read ({root_cause(error)})"
        ) from error


def _arrow_schema(file: Any) -> pa.Schema:
    try:
        return pa.ipc.open_stream(file).schema
    except pa.ArrowInvalid:
        file.seek(0)
        return pa.ipc.open_file(file).schema


def _raw(feature: Any) -> Any:
    """Keep targets as numbers and pictures as bytes: both are looked at here, not in `datasets`."""
    if isinstance(feature, datasets.ClassLabel):
        return datasets.Value("int64")
    return datasets.Image(decode=False) if isinstance(feature, datasets.Image) else feature


def _with_declared(own: datasets.Features, declared: datasets.Features) -> datasets.Features:
    """Take class names from the card where the file has none."""
    named = {
        name: feature
        for name, feature in declared.items()
        if isinstance(feature, datasets.ClassLabel) and isinstance(own.get(name), datasets.Value)
    }
    return datasets.Features({**own, **named})
