"""An uploaded file to bytes, their sha256 and, once somebody needs it, an image."""

import hashlib
import threading
import time
from functools import cached_property
from pathlib import Path
from typing import Final

from PIL import Image

from hub_models import load_image
from hub_models.image_file import ImageLimits

# Stricter than the library: visitors send these. One picture is decoded at a time.
LIMITS: Final = ImageLimits(max_bytes=16 * 2**20, max_pixels=25_000_000)
_decoding = threading.Lock()


class Picture:
    """One picture to ask models about; decoded at most once, by whoever needs it first.

    Args:
        content: The encoded bytes, not yet looked at.
        name: What messages call it.

    Attributes:
        sha256: Of the bytes.
        decode_ms: How long decoding took; 0 before.
    """

    def __init__(self, content: bytes, name: str) -> None:
        self._content, self._name = content, name
        self._image: Image.Image | None = None
        self.decode_ms = 0.0

    @classmethod
    def open(cls, path: Path) -> "Picture":
        """Read a file.

        Args:
            path: Of an uploaded file.

        Returns:
            The picture.

        Raises:
            ImageError: If it is missing or larger than the limit.
        """
        try:
            is_small = path.stat().st_size <= LIMITS.max_bytes
            content = path.read_bytes() if is_small else None
        except OSError:
            content = None
        if content is None:
            load_image(path, limits=LIMITS)  # says why it cannot be
            raise AssertionError(path)
        return cls(content, path.name)

    @cached_property
    def sha256(self) -> str:  # noqa: D102  # an attribute, described above
        return hashlib.sha256(self._content).hexdigest()

    def decode(self) -> Image.Image:
        """Decode it, or give what was decoded before.

        Returns:
            Upright RGB image.

        Raises:
            ImageError: If it is no picture, damaged or over a limit.
        """
        with _decoding:
            if self._image is None:
                started = time.perf_counter()
                self._image = load_image(self._content, limits=LIMITS, name=self._name)
                self.decode_ms = (time.perf_counter() - started) * 1000
            return self._image
