"""One row of the table: ours, the best peer, their ratio, the goal, and how far the limit is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Row:
    """A measurement as the table shows it.

    Attributes:
        name: What was measured.
        ours: With its unit.
        peer: The best peer's, with its unit and name; empty where there is none to compare.
        ratio: How many times better ours is than the best peer; None without one.
        goal: In words.
        reached: Whether the goal is; None if that cannot be said.
        limit: Ours as a multiple of what the machine itself needs, 1 at best; None if not known.
        note: What a reader must know, such as a peer that was left out.
    """

    name: str
    ours: str
    peer: str = ""
    ratio: float | None = None
    goal: str = ""
    reached: bool | None = None
    limit: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Kind:
    """What a row's numbers are.

    Attributes:
        unit: Of all of them.
        goal: Times better than the best peer.
        is_rate: Whether more is better.
    """

    unit: str
    goal: float
    is_rate: bool = False


def against(
    name: str,
    ours: float,
    peers: Mapping[str, float],
    kind: Kind,
    *,
    limit: float | None = None,
    note: str = "",
) -> Row:
    """Compare ours with the best peer.

    Args:
        name: Of the row.
        ours: A time, a size, or a rate.
        peers: The same of each peer.
        kind: Of number.
        limit: What the machine itself would need or give, in the same unit.
        note: For the reader.

    Returns:
        The row; without ratio if there is no peer.
    """
    multiple = None if limit is None else _times(limit, ours, is_rate=kind.is_rate)
    goal = f"{kind.goal:.3g} ×"
    row = Row(name, f"{ours:.4g} {kind.unit}", goal=goal, limit=multiple, note=note)
    if not peers:
        return row
    best = (max if kind.is_rate else min)(peers, key=lambda peer: peers[peer])
    ratio = _times(ours, peers[best], is_rate=kind.is_rate)
    peer = f"{peers[best]:.4g} {kind.unit} ({best})"
    return replace(row, peer=peer, ratio=ratio, reached=ratio >= kind.goal)


def at_most(name: str, value: float, most: float, *, note: str = "") -> Row:
    """Hold a share against the most it may be.

    Args:
        name: Of the row.
        value: 0.05 is 5 %.
        most: Likewise.
        note: For the reader.

    Returns:
        The row.
    """
    return Row(name, f"{value:.1%}", goal=f"at most {most:.0%}", reached=value <= most, note=note)


def cores(count: int) -> str:
    """Say a number of cores."""
    return f"{count} core" if count == 1 else f"{count} cores"


def render(rows: Iterable[Row]) -> str:
    """Write rows as a Markdown table, the notes below it."""
    lines = [
        "| row | ours | best peer | ratio | goal | reached | ours : limit |",
        "|---|---|---|---|---|---|---|",
    ]
    notes = []
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        limit = "" if row.limit is None else f"{row.limit:.2f}"
        said = {True: "yes", False: "no", None: "cannot be said"}[row.reached]
        cells = (row.name, row.ours, row.peer, ratio, row.goal, said, limit)
        lines.append(f"| {' | '.join(cells)} |")
        notes += [f"- {row.name}: {row.note}"] if row.note else []
    return "\n".join([*lines, *([""] if notes else []), *notes])


def _times(ours: float, theirs: float, *, is_rate: bool) -> float:
    return ours / theirs if is_rate else theirs / ours
