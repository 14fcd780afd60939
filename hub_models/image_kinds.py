"""Which kinds of picture files are read: one list for class folders, bulk, calibration and page."""

from typing import Final

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"})
