"""Which rows of the data set's own splits a run trains, validates and tests on; split.json."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import datasets
import numpy as np
from datasets.utils.stratify import stratified_shuffle_split_generate_indices
from numpy.typing import NDArray

from hub_models.errors import ConfigError

SPLITS: Final[tuple[str, ...]] = ("train", "validation", "test")
_FORMAT: Final = 1
_LISTED: Final = 10  # classes in a sentence


class SplitFileError(ConfigError):
    """Raised when a saved split is none, or is of other data."""


@dataclass(frozen=True)
class Part:
    """Where the rows of a split come from.

    Attributes:
        source: Name of the data set's own split.
        table: All its rows, `image` and `target`.
        rows: Those of this split, in its order; None for all of them.
    """

    source: str
    table: datasets.Dataset
    rows: NDArray[np.int64] | None = None

    def indices(self) -> NDArray[np.int64]:
        """Give the rows as numbers, also where they are all."""
        return np.arange(len(self.table)) if self.rows is None else self.rows

    def select(self) -> datasets.Dataset:
        """Give the split itself."""
        return self.table if self.rows is None else self.table.select(self.rows)

    def keep(self, positions: NDArray[np.int64]) -> "Part":
        """Narrow the split down.

        Args:
            positions: Of the rows to keep, counted in this split.

        Returns:
            The part with those alone.
        """
        return Part(self.source, self.table, self.indices()[positions])


def cut(tables: Mapping[str, datasets.Dataset], fraction: float, seed: int) -> dict[str, Part]:
    """Take the data set's own splits, and validation from train where there is none.

    Args:
        tables: The data set's own splits.
        fraction: Share of train that becomes validation, of every class alike.
        seed: Of that choice.

    Returns:
        "train", "validation", and "test" if there is one; test is never cut from, and where there
        is no train, nothing is.

    Raises:
        ConfigError: If train is too small for the fraction.
    """
    parts = {name: Part(name, tables[name]) for name in SPLITS if name in tables}
    if "validation" in parts or "train" not in parts:
        return parts
    column = tables["train"].select_columns("target").with_format("arrow")[:]["target"]
    targets = column.fill_null(-1).to_numpy()
    rows = np.flatnonzero(targets >= 0)
    _check_divisible(targets[rows], tables["train"].features["target"], fraction)
    held_out = math.ceil(len(rows) * fraction)
    # What `Dataset.train_test_split` calls, row by row where this takes an array
    divided = stratified_shuffle_split_generate_indices(
        targets[rows], len(rows) - held_out, held_out, rng=np.random.default_rng(seed)
    )
    for name, chosen in zip(("train", "validation"), next(divided), strict=True):
        parts[name] = Part("train", tables["train"], rows[chosen])
    return {name: parts[name] for name in SPLITS if name in parts}


def _check_divisible(
    targets: NDArray[np.int64], labels: datasets.ClassLabel, fraction: float
) -> None:
    """Refuse to cut what stratification could not divide, naming the class and the remedy."""
    counts = np.bincount(targets, minlength=labels.num_classes)
    single = [labels.int2str(int(i)) for i in np.flatnonzero(counts == 1)]
    if single:
        more = f" and {len(single) - _LISTED:,} more" if len(single) > _LISTED else ""
        raise ConfigError(
            f"data: one picture only of {', '.join(map(repr, single[:_LISTED]))}{more}, and a "
            "validation split needs one too: add pictures, take the class out, or make a folder "
            "or table called validation"
        )
    classes, rows = int((counts > 0).sum()), len(targets)
    held_out = math.ceil(rows * fraction)
    if not classes or min(held_out, rows - held_out) < classes:
        raise ConfigError(
            f"data: no validation split of {fraction:g} can be cut from train: train and "
            f"validation need one of each of {classes} classes, and {rows:,} pictures there are; "
            "another --validation_fraction, more pictures, or a folder or table called validation"
        )


def render_split(parts: Mapping[str, Part]) -> str:
    """Write down which rows every split has, so that another run can use exactly them.

    Args:
        parts: By split.

    Returns:
        JSON text, for RUN/split.json; splits the data set came with are named without their rows.
    """
    tables = {part.source: part.table for part in parts.values()}
    content = {
        "format": _FORMAT,
        "sources": {
            name: {"rows": len(table), "fingerprint": fingerprint(table)}
            for name, table in tables.items()
        },
        "splits": {
            name: {"source": part.source}
            | ({} if part.rows is None else {"rows": part.rows.tolist()})
            for name, part in parts.items()
        },
    }
    return json.dumps(content) + "\n"


def read_split(path: Path, tables: Mapping[str, datasets.Dataset]) -> dict[str, Part]:
    """Take the rows that `render_split` wrote down.

    Args:
        path: RUN/split.json of any run on this data set, in whatever folder it was.
        tables: The data set's own splits.

    Returns:
        The same splits as in that run.

    Raises:
        SplitFileError: If the file is no split, or was made from other data.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise ValueError(f"format {content['format']!r}, {_FORMAT} is known")
        sources = {
            str(n): (int(s["rows"]), s["fingerprint"]) for n, s in content["sources"].items()
        }
        splits = {str(n): (s["source"], s.get("rows")) for n, s in content["splits"].items()}
        if not {"train", "validation"} <= set(splits) <= set(SPLITS):
            raise ValueError(f"splits {', '.join(splits)}")
        if not {source for source, _ in splits.values()} <= set(sources):
            raise ValueError("a split from an unknown source")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SplitFileError(f"split file {path}: no split that a run saved ({error})") from error
    for name, (rows, expected) in sources.items():
        _check_source(path, name, tables.get(name), rows, expected)
    parts = {
        name: Part(source, tables[source], _checked_rows(path, rows, len(tables[source])))
        for name, (source, rows) in splits.items()
    }
    _check_apart(path, parts)
    if "test" not in parts and "test" in tables and "test" not in sources:  # it came later
        parts["test"] = Part("test", tables["test"])
    return {name: parts[name] for name in SPLITS if name in parts}


def fingerprint(table: datasets.Dataset) -> str:
    """Identify a data set's split wherever it lies.

    The class names, and every row's class and file name (its size where it has no name), in their
    order: what a saved split needs to mean the same. `datasets`' own fingerprint would not do, it
    changes with the folder and with the files' times.

    Args:
        table: All rows of the split, `image` and `target`.

    Returns:
        16 hex digits.
    """
    digest = hashlib.blake2b(repr(table.features["target"].names).encode(), digest_size=8)
    for batch in table.data.to_batches():
        image, targets = batch.column("image"), batch.column("target").to_pylist()
        contents, paths = image.field("bytes"), image.field("path").to_pylist()
        for row, (path, target) in enumerate(zip(paths, targets, strict=True)):
            name = path.replace("\\", "/").rpartition("/")[2] if path else _size(contents[row])
            digest.update(f"{name!r}{target!r};".encode())
    return str(digest.hexdigest())


def _size(content: Any) -> int:
    buffer = content.as_buffer()  # not copied out of the file
    return 0 if buffer is None else buffer.size


def _check_source(
    path: Path, name: str, table: datasets.Dataset | None, rows: int, expected: str
) -> None:
    if table is None:
        raise SplitFileError(f"split file {path}: this data set has no split {name!r}")
    if rows != len(table):
        raise SplitFileError(
            f"split file {path}: made from other data: {name!r} had {rows:,} rows there, "
            f"it has {len(table):,} here"
        )
    if fingerprint(table) != expected:
        raise SplitFileError(
            f"split file {path}: made from other data: the pictures or classes of {name!r} are "
            "others, or in another order"
        )


def _checked_rows(path: Path, rows: Any, length: int) -> NDArray[np.int64] | None:
    if rows is None:
        return None
    if not isinstance(rows, list) or not rows or not all(type(row) is int for row in rows):
        raise SplitFileError(
            f"split file {path}: rows must be a list of whole numbers, one at least"
        )
    if min(rows) < 0 or max(rows) >= length:
        raise SplitFileError(f"split file {path}: rows must be from 0 to {length - 1:,}")
    return np.asarray(rows, np.int64)


def _check_apart(path: Path, parts: Mapping[str, Part]) -> None:
    """Refuse a row that is used twice: it would be trained on and measured on."""
    for source in {part.source for part in parts.values()}:
        rows = np.concatenate([p.indices() for p in parts.values() if p.source == source])
        values, counts = np.unique(rows, return_counts=True)
        if counts.max() > 1:
            raise SplitFileError(
                f"split file {path}: row {values[counts.argmax()]} of {source!r} is used twice"
            )
