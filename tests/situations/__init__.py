"""Situations out of public bug reports: what is tried, what was wrong once, what must happen now.

Each module here holds the `SITUATIONS` of one door. `python -m tests.situations [WORD ...]` prints
the table; `tests/situations/test_situations.py` runs the same rows as tests.
"""

import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Situation(NamedTuple):
    """One row of the table.

    Attributes:
        given: The input, in a few words.
        once: What happened before it was fixed, as reported.
        happens: Makes the input in an empty folder and gives what happens now, in one line.
        right: Pieces that the line must hold.
    """

    given: str
    once: str
    happens: Callable[[Path], str]
    right: tuple[str, ...]


def all_situations() -> dict[str, tuple[Situation, ...]]:
    """Collect the situations of every door, by the name of its module."""
    modules = (m.name for m in pkgutil.iter_modules(__path__))
    doors = (name for name in modules if not name.startswith(("_", "test_")))
    return {
        door: tuple(importlib.import_module(f"{__name__}.{door}").SITUATIONS)
        for door in sorted(doors)
    }
