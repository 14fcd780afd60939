"""Numbers and names as sentences hold them."""

from collections.abc import Sequence
from typing import Final

_LISTED: Final = 10


def few(names: Sequence[str]) -> str:
    """Write names for a sentence, ten at most.

    Args:
        names: Of files, splits or columns.

    Returns:
        Them with commas between.
    """
    more = f", … ({len(names):,} in all)" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def counted(number: int, noun: str) -> str:
    """Write a number of things.

    Args:
        number: How many.
        noun: One of them.

    Returns:
        Such as "1 row", "2,000 rows".
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
