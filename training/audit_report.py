"""An audit to audit.json, audit.md and the lines of a model card."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from training.audit import Audit, Pair, SplitFacts
from training.class_table import ClassRow
from training.data import Data
from training.duplicates import MAX_DISTANCE
from training.run_folder import SPLIT_FILE, write_text
from training.split import render_split

_LISTED: Final = 50  # of each kind, in audit.md; audit.json has all
_CLASSES: Final = 10  # listed by name on a card


def write_audit(folder: Path, data: Data, audit: Audit) -> None:
    """Write split.json, audit.json and audit.md into a run's folder.

    Args:
        folder: RUN; made if missing.
        data: As it was audited, nothing dropped yet: the indices of the audit count in it.
        audit: Of that data.
    """
    write_text(folder / SPLIT_FILE, render_split(data.parts))
    write_text(folder / "audit.json", render_json(audit))
    write_text(folder / "audit.md", render_markdown(audit))


def render_json(audit: Audit) -> str:
    """Write an audit for programs.

    Args:
        audit: Of the data a run uses.

    Returns:
        JSON text, for RUN/audit.json.
    """
    return json.dumps(audit.as_json(), indent=1, ensure_ascii=False) + "\n"


def render_markdown(audit: Audit) -> str:
    """Write an audit for people.

    Args:
        audit: Of the data a run uses.

    Returns:
        Markdown text, for RUN/audit.md.
    """
    sections = [
        "# Audit of the data",
        _table(audit.splits),
        _listed(audit.warnings()),
        "## What is used of each class",
        _classes(audit.classes),
        _listed(audit.left_out),
        f"## Unreadable pictures: {len(audit.unreadable):,}",
        _listed(bad.reason for bad in audit.unreadable),
        f"## The same in two splits: {_count(audit.pairs_found, 'pair')}",
        f"Perceptual hashes at most {MAX_DISTANCE} of 64 bits apart; nothing was dropped for it.",
        _listed(map(_said, audit.pairs)),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def as_origin(audit: Audit) -> dict[str, str]:
    """Say what a model card says of an audit.

    Args:
        audit: Of the data a run used.

    Returns:
        Sentences by key, for a config's origin.
    """
    said = {
        "class_counts": "; ".join(
            f"{name}: {_said_classes(facts.classes)}" for name, facts in audit.splits.items()
        ),
        "picture_sides": "; ".join(
            f"{name}: {facts.shorter_side[0]:,} to {facts.longer_side[2]:,}"
            f" (median {facts.shorter_side[1]:,} × {facts.longer_side[1]:,})"
            for name, facts in audit.splits.items()
        ),
    }
    if len(audit.splits) > 1:
        same = sum(pair.same_file for pair in audit.pairs)
        said["near_duplicates"] = (
            f"{_count(audit.pairs_found, 'pair')}, {same:,} of the same file"
            if audit.pairs_found
            else "none found"
        )
    return said


def _table(splits: Mapping[str, SplitFacts]) -> str:
    rows = {
        "pictures": [f"{facts.pictures:,}" for facts in splits.values()],
        "shorter side, px": [_said_spread(facts.shorter_side) for facts in splits.values()],
        "longer side, px": [_said_spread(facts.longer_side) for facts in splits.values()],
        "formats": [_said_counts(facts.formats) for facts in splits.values()],
        "turned by EXIF": [f"{facts.turned:,}" for facts in splits.values()],
        "16 bits, a quarter used": [f"{facts.dim:,}" for facts in splits.values()],
    }
    for label in next(iter(splits.values())).classes if splits else ():
        rows[f"class {label}"] = [f"{facts.classes[label]:,}" for facts in splits.values()]
    return "\n".join(
        _row(cells) for cells in [["", *splits], ["---"] * (1 + len(splits))]
    ) + "".join("\n" + _row([title, *cells]) for title, cells in rows.items())


def _classes(rows: Sequence[ClassRow]) -> str:
    head = [["split", "class", "pictures", "left out"], ["---"] * 4]
    body = [[row.split, row.label, f"{row.pictures:,}", row.reasons()] for row in rows]
    return "\n".join(map(_row, head + body))


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _listed(lines: Iterable[str]) -> str:
    texts = [f"- {line}" for line in lines]
    more = f"- … and {len(texts) - _LISTED:,} more in audit.json"
    return "\n".join(texts if len(texts) <= _LISTED else [*texts[:_LISTED], more])


def _said(pair: Pair) -> str:
    how = "the same file" if pair.same_file else f"{_count(pair.distance, 'bit')} apart"
    warning = ", LABELS DIFFER" if pair.picture.label != pair.other.label else ""
    return f"{pair.picture} and {pair.other}: {how}{warning}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _said_spread(spread: tuple[int, int, int]) -> str:
    return f"{spread[0]:,} to {spread[2]:,}, median {spread[1]:,}"


def _said_counts(counts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in counts.items())


def _said_classes(classes: Mapping[str, int]) -> str:
    if len(classes) <= _CLASSES:
        return _said_counts(classes)
    numbers = classes.values()
    return f"{min(numbers):,} to {max(numbers):,} in each of {len(classes):,} classes"
