"""The bytes of a picture file to an upright RGB image, within limits checked before decoding."""

import io
import struct
from dataclasses import dataclass
from typing import Any, Final

from PIL import Image

from hub_models.errors import ImageError
from hub_models.image_kinds import FIRST_BYTES, FORMATS, kind_of, open_kind, prepare
from hub_models.image_modes import read_orientation, to_rgb, upright

# Large photographs are decoded by libjpeg at 1/2, 1/4 or 1/8, never below this shorter side.
# It is one fixed number so that a picture gives the same pixels whatever model reads it.
DRAFT_SIDE: Final = 1024
_COST: Final = {  # memory of a pixel beside that of other kinds, measured
    ("JPEG2000", "LA"): 1.2,
    ("JPEG2000", "RGB"): 1.6,
    ("JPEG2000", "RGBA"): 2.0,
    ("WEBP", "RGB"): 1.25,
    ("WEBP", "RGBA"): 1.5,
    ("AVIF", "RGBA"): 1.2,
}
_COEFFICIENTS: Final = 6  # of a progressive JPEG in the memory of one decoded pixel
_ICON_START: Final = 22  # of the picture in an icon file of one
_TIFF_SUBFILE, _TIFF_TILE_WIDTH, _TIFF_TILE_LENGTH = 254, 322, 323
_PNG_START: Final = b"\x89PNG\r\n\x1a\n"
# PNG's chunks that pixels and their orientation depend on, and the texts that may hold the latter
_PNG_CHUNKS: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf"})
_PNG_TEXTS: Final = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")
_MAX_TEXT_BYTES: Final = 2**16


@dataclass(frozen=True)
class ImageLimits:
    """What a picture may be before its pixels are decoded.

    Attributes:
        max_bytes: Size of the encoded file in bytes.
        max_pixels: Width × height as decoded; a large JPEG is decoded at 1/2, 1/4 or 1/8. A pixel
            takes up to 13 bytes here, so the largest picture takes 620 MB for a moment.
        max_side: Longer side in pixels, as decoded.
        max_aspect_ratio: Longer side ÷ shorter side: resizing the shorter side of a 1 × 10,000
            strip would otherwise make an image of 600 million pixels.
        max_jpeg_pixels: Width × height of a JPEG before that, for the time it takes: a phone's
            largest.
    """

    max_bytes: int = 32 * 2**20
    max_pixels: int = 50_000_000
    max_side: int = 16_000
    max_aspect_ratio: float = 50.0
    max_jpeg_pixels: int = 200_000_000

    def check_bytes(self, size: int, name: str) -> None:
        """Refuse an empty file, and one that is too large.

        Args:
            size: Of the file in bytes.
            name: What messages call it.

        Raises:
            ImageError: If it is outside the limits.
        """
        if size == 0:
            raise ImageError(f"{name}: the file is empty (0 bytes)")
        if size > self.max_bytes:
            raise ImageError(
                f"{name}: {size:,} bytes, the limit is {self.max_bytes:,} bytes: "
                "make the picture smaller, or save it as JPEG"
            )

    def check_sides(self, width: int, height: int, name: str) -> None:
        """Refuse a picture without pixels, and one too long and thin.

        Args:
            width: In pixels.
            height: In pixels.
            name: What messages call it.

        Raises:
            ImageError: If it is outside the limits.
        """
        longer, shorter = max(width, height), min(width, height)
        size = f"{name}: {width:,} × {height:,} pixels"
        if shorter < 1:
            raise ImageError(f"{size}: there is no picture")
        if longer > shorter * self.max_aspect_ratio:
            raise ImageError(f"{size}, one side over {self.max_aspect_ratio:g} times the other")


def decode(content: bytes, limits: ImageLimits, name: str) -> Image.Image:
    """Decode a picture file.

    Args:
        content: All its bytes.
        limits: Checked against the header, before any pixel is decoded.
        name: What error messages call the picture.

    Returns:
        Upright RGB image; its shorter side is at least DRAFT_SIDE unless the file's was smaller.

    Raises:
        ImageError: If it is empty, damaged, not a picture, or over a limit.
    """
    limits.check_bytes(len(content), name)
    try:
        with open_picture(content, limits, name) as image:
            image.load()
            limits.check_sides(*image.size, name)  # HEIF may hold another size than its header
            return upright(to_rgb(image, name), read_orientation(image))
    except ImageError:
        raise
    # Pillow's parsers meet damaged files with OSError, SyntaxError, ValueError, struct.error,
    # IndexError, zlib.error and more; each means the same to the caller.
    except Exception as error:
        if lean := without_metadata(content):
            return decode(lean, limits, name)
        raise ImageError(f"{name}: damaged or truncated ({first_line(error)})") from error


def open_picture(content: bytes, limits: ImageLimits, name: str) -> Image.Image:
    """Read the header of a picture file, set to be decoded as small as `decode` has it.

    Args:
        content: All its bytes.
        limits: Checked here.
        name: What error messages call the picture.

    Returns:
        Pillow's image, not decoded yet; the largest picture of an icon file.

    Raises:
        ImageError: If it is not a picture of a known kind, or over a limit.
        Exception: Of any type, if it is damaged.
    """
    kind = kind_of(content[:FIRST_BYTES])
    if kind is None:
        known = ", ".join(FORMATS)
        raise ImageError(f"{name}: not a picture of a known kind ({known}): convert it to JPEG")
    if remedy := prepare(kind):
        raise ImageError(f"{name}: a {kind} picture, which is not read here: {remedy}")
    if kind == "ICO":
        content = _largest_icon(content)
        if content.startswith(_PNG_START):
            return open_picture(content, limits, name)
        width, height = struct.unpack_from("<ii", content, _ICON_START + 4)
        _check_pixels(width * height // 2, (width, height // 2), limits.max_pixels, name)
    image = open_kind(kind, io.BytesIO(content))
    limits.check_sides(*image.size, name)
    if kind == "JPEG":
        _reduce_jpeg(image, content, limits, name)
    elif kind == "TIFF":
        _check_tiff(image, limits, name)
    pixels = image.width * image.height * _COST.get((kind, image.mode), 1)
    _check_pixels(pixels, image.size, limits.max_pixels, name)
    if max(image.size) > limits.max_side:
        size = f"{name}: {image.width:,} × {image.height:,} pixels"
        raise ImageError(f"{size}, the limit for a side is {limits.max_side:,} pixels")
    return image


def _check_pixels(counted: float, size: tuple[int, int], limit: int, name: str) -> None:
    if counted > limit:
        most = int(limit * size[0] * size[1] / counted)  # where pixels of this kind count more
        raise ImageError(
            f"{name}: {size[0]:,} × {size[1]:,} pixels, the limit is {most:,} pixels: "
            "make it smaller, or save it as an ordinary JPEG"
        )


def _reduce_jpeg(image: Any, content: bytes, limits: ImageLimits, name: str) -> None:
    """Have a large JPEG decoded smaller, if what libjpeg holds for that stays within limits."""
    size, stored = image.size, image.width * image.height
    _check_pixels(stored, size, limits.max_jpeg_pixels, name)
    scan = content.rfind(b"\xff\xda", 0, image.fp.tell())  # the header ends with the first scan's
    if content[scan + 4] < len(image.layer) or image.info.get("progressive"):
        # Several scans: all coefficients of the whole picture are held, whatever is made of them.
        blocks = [across * down for _, across, down, _ in image.layer]
        coefficients = stored * sum(blocks) / max(blocks)
        _check_pixels(coefficients / _COEFFICIENTS, size, limits.max_pixels, name)
    image.draft(None, (DRAFT_SIDE, DRAFT_SIDE))


def _check_tiff(image: Any, limits: ImageLimits, name: str) -> None:
    if image.tag_v2.get(_TIFF_SUBFILE, 0) & 1:
        raise ImageError(
            f"{name}: its first page is a preview only, as in a camera's raw file: "
            "convert it to JPEG"
        )
    tile = image.tag_v2.get(_TIFF_TILE_WIDTH, 0), image.tag_v2.get(_TIFF_TILE_LENGTH, 0)
    _check_pixels(tile[0] * tile[1], tile, limits.max_pixels, f"{name}, a tile")


def _largest_icon(content: bytes) -> bytes:
    """Give an icon file of the largest picture alone, or that picture if it is a PNG."""
    entries = struct.iter_unpack(
        "<4B2H2I", content[6 : 6 + 16 * int.from_bytes(content[4:6], "little")]
    )
    best = max(entries, key=lambda entry: ((entry[0] or 256) * (entry[1] or 256), entry[5]))
    picture = content[best[7] : best[7] + best[6]]
    if picture.startswith(_PNG_START):
        return picture
    return content[:4] + struct.pack("<H4B2H2I", 1, *best[:7], _ICON_START) + picture


def without_metadata(content: bytes) -> bytes | None:
    """Leave texts and profiles out of a PNG: Pillow refuses those of over 1 MB.

    Its limits hold for the whole process, so they stay as they are.

    Args:
        content: Of a picture file.

    Returns:
        A PNG with the same pixels and orientation; None if there is nothing to leave out.
    """
    if not content.startswith(_PNG_START):
        return None
    lean, at = [_PNG_START], len(_PNG_START)
    while at < len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4], "big")
        chunk = memoryview(content)[at:end]
        text = bytes(chunk[8 : 8 + _MAX_TEXT_BYTES]) if len(chunk) < _MAX_TEXT_BYTES else b""
        if bytes(chunk[4:8]) in _PNG_CHUNKS or text.startswith(_PNG_TEXTS):
            lean.append(bytes(chunk))
        at = end
    made = b"".join(lean)
    return made if len(made) < len(content) else None


def first_line(error: Exception) -> str:
    """Give the first line of what an error says, its type if it says nothing."""
    text = str(error).split("\n", 1)[0].strip()
    return text or type(error).__name__
