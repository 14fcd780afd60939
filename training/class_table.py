"""What of each class trains and measures and what is left out: the table before training."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from hub_models.errors import ConfigError
from training.class_folder_data import untrained
from training.data import Data, Unreadable

_PRINTED: Final = 60  # rows and sentences; the audit has all


@dataclass(frozen=True)
class ClassRow:
    """A class of a split.

    Attributes:
        split: "train", "validation" or "test".
        label: The class.
        pictures: How many are used.
        left_out: Reason -> how many are not.
    """

    split: str
    label: str
    pictures: int
    left_out: dict[str, int]

    def reasons(self) -> str:
        """Say how many are left out for which reason."""
        return ", ".join(f"{count:,} {reason}" for reason, count in self.left_out.items())

    def problem(self) -> str:
        """Say what is wrong with it in one line; "" if nothing is."""
        if self.pictures:
            return ""
        why = f" ({self.reasons()})" if self.left_out else ""
        return f"{self.split}: no picture of {self.label!r} can be used{why}"


def class_rows(data: Data, unreadable: Sequence[Unreadable]) -> tuple[ClassRow, ...]:
    """Count the pictures of every class in every split.

    Args:
        data: Nothing dropped yet.
        unreadable: What the audit found.

    Returns:
        A row per split and class, in their order.
    """
    rows = []
    for split, table in data.splits.items():
        values = table.with_format("arrow")["target"][:]
        targets = values.fill_null(-1).to_numpy()
        bad = np.zeros(len(targets), np.bool_)
        bad[[each.index for each in unreadable if each.split == split]] = True
        used, lost = (
            np.bincount(targets[(targets >= 0) & which], minlength=len(data.label_names)).tolist()
            for which in (~bad, bad)
        )
        for label, pictures, dropped in zip(data.label_names, used, lost, strict=True):
            left_out = {"unreadable": dropped} if dropped else {}
            if data.layout and (split, label) in data.layout.left_out:
                left_out |= data.layout.left_out[split, label].counts
            rows.append(ClassRow(split, label, pictures, left_out))
    return tuple(rows)


def check_trained(data: Data, rows: Sequence[ClassRow]) -> None:
    """Refuse to train a class without any picture of it.

    Args:
        data: A folder without pictures is a class all the same; a name that a table declares and
            no row has is not.
        rows: From `class_rows`.

    Raises:
        ConfigError: If there is one.
    """
    if len(data.label_names) < 2:
        raise ConfigError(
            f"data: at least two classes are needed, and {data.label_names[0]!r} is the only one: "
            "a folder of pictures needs a sub-folder per class"
        )
    seen = {row.label for row in rows if row.pictures or row.left_out or data.layout}
    empty = [row for row in rows if row.split == "train" and not row.pictures and row.label in seen]
    if empty:
        raise untrained([row.label for row in empty], empty[0].reasons())


def table_lines(rows: Sequence[ClassRow]) -> Iterator[str]:
    """Write the table for a terminal, and a line for every class without pictures.

    Args:
        rows: From `class_rows`; of more than 60, those with something to say come first.

    Yields:
        Lines.
    """
    told = sorted(rows, key=lambda row: bool(row.pictures) and not row.left_out)[:_PRINTED]
    shown = [row for row in rows if row in told] if len(rows) > len(told) else list(rows)
    width = max([5, *(len(row.label) for row in shown)])
    yield f"{'split':10}  {'class':{width}}  pictures  left out"
    for row in shown:
        yield f"{row.split:10}  {row.label:{width}}  {row.pictures:8,}  {row.reasons()}".rstrip()
    if len(shown) < len(rows):
        yield f"{len(rows) - len(shown):,} more rows are in audit.md"
    yield from problems(rows)


def problems(rows: Sequence[ClassRow]) -> list[str]:
    """Say what is wrong with classes, a line for each, of the first 60.

    Args:
        rows: From `class_rows`.

    Returns:
        Lines.
    """
    return [problem for row in rows if (problem := row.problem())][:_PRINTED]
