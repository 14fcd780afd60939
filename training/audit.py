"""What a data set really holds: unreadable pictures, classes, sizes, copies across splits."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hub_models.image_kinds import FORMATS
from training.class_table import ClassRow, class_rows
from training.data import Data, Unreadable
from training.duplicates import find_pairs
from training.listing import counted
from training.scan import Scan, scan

_MAX_PAIRS: Final = 10_000  # listed, of all that are counted


@dataclass(frozen=True)
class Picture:
    """A picture of a pair.

    Attributes:
        split: The split it is in.
        index: Its row there.
        name: Its file's; empty if it has none.
        label: Its class.
    """

    split: str
    index: int
    name: str
    label: str

    def __str__(self) -> str:
        name = f" ({self.name})" if self.name else ""
        return f"{self.split}[{self.index}]{name}, {self.label}"


@dataclass(frozen=True)
class Pair:
    """Two pictures of different splits that look the same.

    Attributes:
        picture: In the earlier split, of train, validation, test.
        other: In the later one.
        distance: Between their perceptual hashes, in bits of 64.
        same_file: Byte for byte.
    """

    picture: Picture
    other: Picture
    distance: int
    same_file: bool


@dataclass(frozen=True)
class SplitFacts:
    """What the readable pictures of a split are.

    Attributes:
        pictures: Their number.
        classes: Pictures of each class, in the order of the targets.
        formats: Pictures of each file format, most frequent first.
        turned: Pictures that are stored turned or mirrored and say so in their EXIF data.
        dim: Pictures of 16 bits whose values all lie in the lowest quarter, as those of 12 bits.
        shorter_side: Smallest, median and largest, px.
        longer_side: Smallest, median and largest, px.
    """

    pictures: int
    classes: dict[str, int]
    formats: dict[str, int]
    turned: int
    dim: int
    shorter_side: tuple[int, int, int]
    longer_side: tuple[int, int, int]


@dataclass(frozen=True)
class Audit:
    """What was found in a data set; `training.audit_report` writes it down.

    Attributes:
        unreadable: Pictures that cannot be decoded, and rows without a label.
        splits: The readable pictures of each split.
        pairs: Near-duplicates across splits, the closest first.
        pairs_found: Their number; `pairs` lists at most 10,000.
        digests: Of the file of every readable picture, by split, in its order.
        classes: What of every class of every split is used and left out.
        left_out: Sentences about files, rows and splits that are not used.
    """

    unreadable: tuple[Unreadable, ...]
    splits: dict[str, SplitFacts]
    pairs: tuple[Pair, ...]
    pairs_found: int
    digests: dict[str, NDArray[np.uint64]] = field(default_factory=dict, compare=False, repr=False)
    classes: tuple[ClassRow, ...] = ()
    left_out: tuple[str, ...] = ()

    def warnings(self) -> list[str]:
        """Say what is probably not as its owner means it."""
        return [
            f"{name!r} has {counted(facts.dim, 'picture')} of 16 bits with no value over a quarter "
            "of the range: almost black; if they hold 12 bits, multiply the values by 16 and save "
            "again"
            for name, facts in self.splits.items()
            if facts.dim
        ]

    def as_json(self) -> dict[str, Any]:
        """Give it as plain JSON values."""
        return {key: value for key, value in asdict(self).items() if key != "digests"}


def audit(data: Data, *, quiet: bool = False) -> Audit:
    """Decode every picture once, in full, and say what there is.

    The pass is remembered in the cache of `datasets`, until a picture changes.

    Args:
        data: All its splits are read.
        quiet: Show no progress bar.

    Returns:
        The findings; nothing is dropped.
    """
    columns = {name: _read(data, name, quiet=quiet) for name in data.splits}
    unreadable = [bad for split in columns.values() for bad in split.unreadable]
    facts = {
        name: _summarise(split, data.label_names)
        for name, split in columns.items()
        if split.readable.any()
    }
    pairs, pairs_found = _find_pairs(data, columns)
    digests = {name: each.facts["digest"][each.readable] for name, each in columns.items()}
    rows = class_rows(data, unreadable)
    return Audit(tuple(unreadable), facts, pairs, pairs_found, digests, rows, data.left_out)


@dataclass(frozen=True)
class _Columns:
    """The facts of a split, row by row, in its own order."""

    targets: NDArray[np.int64]  # -1: no label
    facts: dict[str, NDArray[Any]]
    readable: NDArray[np.bool_]
    unreadable: list[Unreadable]


def _read(data: Data, name: str, *, quiet: bool) -> _Columns:
    part = data.parts[name]
    rows = part.indices()
    found: Scan = scan(part.table, rows, title=f"reading {name}", quiet=quiet)
    labels = np.array([-1 if t is None else t for t in data.splits[name]["target"]], np.int64)
    problems = {index: found.problems.get(row) for index, row in enumerate(rows.tolist())}
    problems |= {int(i): "no label" for i in np.flatnonzero(labels < 0)}
    unreadable = [
        Unreadable(name, index, f"{name}[{index}]: {reason}")
        for index, reason in problems.items()
        if reason
    ]
    readable = np.ones(len(rows), np.bool_)
    readable[[bad.index for bad in unreadable]] = False
    facts = {key: values[rows] for key, values in found.facts.items()}
    return _Columns(labels, facts, readable, unreadable)


def _summarise(columns: _Columns, label_names: tuple[str, ...]) -> SplitFacts:
    facts = {key: values[columns.readable] for key, values in columns.facts.items()}
    classes = np.bincount(columns.targets[columns.readable], minlength=len(label_names))
    formats = np.bincount(facts["format"], minlength=len(FORMATS))
    return SplitFacts(
        pictures=int(columns.readable.sum()),
        classes=dict(zip(label_names, classes.tolist(), strict=True)),
        formats={FORMATS[i]: int(formats[i]) for i in np.argsort(-formats) if formats[i]},
        turned=int(facts["turned"].sum()),
        dim=int(facts["dim"].sum()),
        shorter_side=_spread(np.minimum(facts["width"], facts["height"])),
        longer_side=_spread(np.maximum(facts["width"], facts["height"])),
    )


def _spread(sides: NDArray[np.int32]) -> tuple[int, int, int]:
    return int(sides.min()), int(np.median(sides)), int(sides.max())


def _find_pairs(data: Data, columns: Mapping[str, _Columns]) -> tuple[tuple[Pair, ...], int]:
    pairs: list[Pair] = []
    count = 0
    for left, right in combinations(columns, 2):
        ours, theirs = (np.flatnonzero(columns[name].readable) for name in (left, right))
        hashes = (columns[left].facts["hash"][ours], columns[right].facts["hash"][theirs])
        found, number = find_pairs(*hashes, limit=_MAX_PAIRS)
        count += number
        for i, j, distance in found.tolist():
            ends = (left, int(ours[i])), (right, int(theirs[j]))
            digests = [columns[name].facts["digest"][index] for name, index in ends]
            first, second = (_name_picture(data, name, index) for name, index in ends)
            pairs.append(Pair(first, second, distance, bool(digests[0] == digests[1])))
    pairs.sort(key=lambda pair: (not pair.same_file, pair.distance))
    return tuple(pairs[:_MAX_PAIRS]), count


def _name_picture(data: Data, split: str, index: int) -> Picture:
    row = data.splits[split][index]
    name = (row["image"]["path"] or "").replace("\\", "/").rpartition("/")[2]
    return Picture(split, index, name, data.label_names[row["target"]])
