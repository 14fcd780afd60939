"""Which kinds of picture files are read: one list for class folders, bulk, calibration and page."""

import importlib
import importlib.util
import re
from pathlib import Path
from typing import BinaryIO, Final

from PIL import ImageFile, features

FIRST_BYTES: Final = 64  # how much of a file `kind_of` looks at

# Pillow's name of the kind -> suffixes, the class that reads it, what Pillow must be built with
_KINDS: Final = {
    "JPEG": (".jpg .jpeg .jpe .jfif .mpo", "PIL.JpegImagePlugin.JpegImageFile", ""),
    "PNG": (".png .apng", "PIL.PngImagePlugin.PngImageFile", ""),
    "WEBP": (".webp", "PIL.WebPImagePlugin.WebPImageFile", "webp"),
    "GIF": (".gif", "PIL.GifImagePlugin.GifImageFile", ""),
    "BMP": (".bmp", "PIL.BmpImagePlugin.BmpImageFile", ""),
    "DIB": (".dib", "PIL.BmpImagePlugin.DibImageFile", ""),
    "TIFF": (".tif .tiff", "PIL.TiffImagePlugin.TiffImageFile", ""),
    "ICO": (".ico", "PIL.IcoImagePlugin.IcoImageFile", ""),
    "PPM": (".ppm .pgm .pbm .pnm", "PIL.PpmImagePlugin.PpmImageFile", ""),
    "JPEG2000": (
        ".jp2 .j2k .jpx .jpf .jpc .j2c",
        "PIL.Jpeg2KImagePlugin.Jpeg2KImageFile",
        "jpg_2000",
    ),
    "AVIF": (".avif", "PIL.AvifImagePlugin.AvifImageFile", "avif"),
    "HEIF": (".heic .heif .hif", "pillow_heif.HeifImageFile", "pillow_heif"),
}
_REMEDIES: Final = {"HEIF": 'pip install "hub-models[heic]"'}


def _is_readable(needed: str) -> bool:
    if needed == "pillow_heif":
        return importlib.util.find_spec(needed) is not None
    return not needed or features.check(needed) is True


FORMATS: Final = tuple(kind for kind, (_, _, needed) in _KINDS.items() if _is_readable(needed))
SUFFIXES: Final = frozenset(suffix for kind in FORMATS for suffix in _KINDS[kind][0].split())
_STARTS: Final = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF8", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),  # larger than 4 GB can be
    (b"MM\0+", "TIFF"),
    (b"\0\0\1\0", "ICO"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
)
_AVIF_BRANDS: Final = {b"avif", b"avis"}
_HEIF_BRANDS: Final = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_PPM_START: Final = re.compile(rb"P[1-6]\s+[\d#]")
_DIB_HEADER_BYTES: Final = (12, 40, 52, 56, 64, 108, 124)


def kind_of(start: bytes) -> str | None:
    """Tell the kind of a picture file by its first bytes.

    Args:
        start: FIRST_BYTES of the file, or all of it.

    Returns:
        Pillow's name, such as "JPEG", in FORMATS if it can be read here ("HEIF" needs the extra
        `heic`); None if the file is no picture of a kind that is read.
    """
    for magic, kind in _STARTS:
        if start.startswith(magic):
            return kind
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WEBP"
    if _PPM_START.match(start):
        return "PPM"
    if start[4:8] == b"ftyp":
        end = min(int.from_bytes(start[:4], "big"), FIRST_BYTES)
        brands = {start[at : at + 4] for at in range(8, end, 4) if at != 12}  # 12: a version
        return "AVIF" if brands & _AVIF_BRANDS else "HEIF" if brands & _HEIF_BRANDS else None
    if start[:2] == b"BM" and _number(start[14:18]) in _DIB_HEADER_BYTES:
        return "BMP"
    is_dib = _number(start[:4]) in _DIB_HEADER_BYTES and b"\1\0" in start[8:14]  # its one plane
    return "DIB" if is_dib else None


def kind_of_file(path: str | Path) -> str | None:
    """Tell the kind of a picture file by its first bytes, whatever its name ends in.

    Args:
        path: The file.

    Returns:
        As `kind_of`; None if it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return kind_of(file.read(FIRST_BYTES))
    except (OSError, ValueError):  # ValueError: a NUL byte in the path
        return None


def prepare(kind: str) -> str | None:
    """Say what has to be done before a kind can be read.

    Args:
        kind: As `kind_of` gives it.

    Returns:
        None if it can be read now, else the remedy.
    """
    if kind in FORMATS:
        return None
    return _REMEDIES.get(kind, f"this Pillow is built without {kind}: convert it to JPEG")


def open_kind(kind: str, stream: BinaryIO) -> ImageFile.ImageFile:
    """Read the header of a picture file by the one class that reads its kind.

    `Image.open` would import all of Pillow's plug-ins, and warn of large pictures.

    Args:
        kind: One of FORMATS.
        stream: The file, at its start.

    Returns:
        Pillow's image, not decoded yet; of ICO, decoded.

    Raises:
        Exception: Of any type, if it is damaged.
    """
    module, _, name = _KINDS[kind][1].rpartition(".")
    image: ImageFile.ImageFile = getattr(importlib.import_module(module), name)(stream)
    return image


def _number(field: bytes) -> int:
    return int.from_bytes(field, "little")
