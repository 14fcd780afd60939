"""Readings remembered by what was read and what read it, shared by all visitors."""

import threading
from collections import OrderedDict
from typing import Final

from demo.outcome import Reading

MAX_REMEMBERED: Final = 2000  # a reading of two classes takes a few kilobytes
Key = tuple[str, str]  # sha256 of the picture's bytes, identity of the model


class Answers:
    """A bounded memory; the least recently used reading leaves. It holds no picture."""

    def __init__(self) -> None:
        self._readings: OrderedDict[Key, Reading] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, key: Key) -> Reading | None:
        """Find what was read before.

        Args:
            key: The picture and the model.

        Returns:
            The reading; None if it is not remembered.
        """
        with self._lock:
            if key not in self._readings:
                return None
            self._readings.move_to_end(key)
            return self._readings[key]

    def remember(self, key: Key, reading: Reading) -> None:
        """Remember a reading.

        Args:
            key: The picture and the model.
            reading: What the model made of it.
        """
        with self._lock:
            self._readings[key] = reading
            while len(self._readings) > MAX_REMEMBERED:
                self._readings.popitem(last=False)
