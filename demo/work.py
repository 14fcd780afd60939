"""What the demo is doing right now, so that it can close when it is done."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

SETTLED_S: Final = 1.0  # an answer is still on its way to the visitor when the work is done


class Work:
    """Counts the pieces of work under way.

    Attributes:
        is_closing: Nothing new may begin.
        running: How many pieces are under way.
    """

    def __init__(self) -> None:
        self.is_closing = False
        self.running = 0
        self._lock = threading.Lock()

    @contextmanager
    def piece(self) -> Iterator[None]:
        """Count one piece of work for as long as it lasts."""
        with self._lock:
            self.running += 1
        try:
            yield
        finally:
            with self._lock:
                self.running -= 1

    def finish(self, seconds: float) -> None:
        """Let nothing new begin, and wait for what is under way.

        Args:
            seconds: At most so long.
        """
        self.is_closing = True
        deadline = time.monotonic() + seconds
        quiet_since = time.monotonic()
        while time.monotonic() < deadline:
            if self.running:
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since > SETTLED_S:
                return
            time.sleep(0.05)
