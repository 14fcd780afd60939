"""The machine's cores, divided between the passes of several models."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Final

from hub_models.machine import usable_cores

SIDE_BY_SIDE: Final = 2  # the page asks two models about one picture: both run at once


class Lanes:
    """Lets as many passes run at once as there are lanes, each on its own share of the cores.

    Args:
        cores: How many there are.

    Attributes:
        count: How many passes may run at once.
        threads: Cores of one pass.
    """

    def __init__(self, cores: int) -> None:
        self.count = min(SIDE_BY_SIDE, cores)
        self.threads = max(1, cores // SIDE_BY_SIDE)
        self._free = threading.BoundedSemaphore(self.count)
        self._readings = 0
        self._lock = threading.Lock()

    @contextmanager
    def lane(self) -> Iterator[None]:
        """Wait for a lane, and hold it for one pass."""
        with self._free:
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Count one model's reading of one picture for as long as it lasts."""
        with self._lock:
            self._readings += 1
        try:
            yield
        finally:
            with self._lock:
                self._readings -= 1

    @property
    def is_crowded(self) -> bool:
        """Tell whether more than one picture is being read: no moment to measure time."""
        return self._readings > SIDE_BY_SIDE


@cache
def shared_lanes() -> Lanes:
    """Give the lanes of this process: its cores are one thing, however many models there are."""
    return Lanes(usable_cores())
