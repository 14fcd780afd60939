"""Bytes or a path to an upright RGB image within limits: the project's one decoder."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, UnidentifiedImageError

from hub_models.errors import ImageError
from hub_models.image_kinds import FIRST_BYTES, FORMATS, kind_of, prepare

# Large photographs are decoded by libjpeg at 1/2, 1/4 or 1/8, never below this shorter side.
# It is one fixed number so that a picture gives the same pixels whatever model reads it.
DRAFT_SIDE: Final = 1024
_ORIENTATION_TAG: Final = 0x0112
_UPRIGHT: Final = {  # EXIF orientation -> what makes the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class ImageLimits:
    """What a picture may be before its pixels are decoded.

    Attributes:
        max_bytes: Size of the encoded file in bytes.
        max_pixels: Width × height, from the header. A decoded pixel takes up to 13 bytes here,
            so the largest picture (a phone's 48 megapixels) takes 620 MB for a moment.
        max_side: Longer side in pixels, from the header.
        max_aspect_ratio: Longer side ÷ shorter side: resizing the shorter side of a 1 × 10,000
            strip would otherwise make an image of 600 million pixels.
    """

    max_bytes: int = 32 * 2**20
    max_pixels: int = 50_000_000
    max_side: int = 16_000
    max_aspect_ratio: float = 50.0


DEFAULT_LIMITS: Final = ImageLimits()


def load_image(
    source: str | Path | bytes, *, limits: ImageLimits = DEFAULT_LIMITS, name: str | None = None
) -> Image.Image:
    """Read one picture as an upright RGB image.

    JPEG, PNG, WebP, BMP and the first frame of a GIF are read, by content and not by file name.
    The EXIF orientation is applied; transparency is laid over white; grey, palette, CMYK and
    16-bit pictures become 8-bit RGB.

    Args:
        source: Path of a file, or the encoded bytes themselves.
        limits: Checked against the header, before any pixel is decoded.
        name: What error messages call the picture; the file's name if None.

    Returns:
        RGB image; its shorter side is at least 1,024 px unless the file's was smaller.

    Raises:
        ImageError: If the file is missing, empty, damaged, not a picture, or over a limit.
    """
    if isinstance(source, bytes):
        name = name or "image"
        _check_bytes(len(source), limits, name)
        return _decode(io.BytesIO(source), limits, name)
    path = Path(source)
    name = name or path.name or str(path)
    try:
        if not path.is_file():
            raise ImageError(
                f"{name}: no such file" if not path.exists() else f"{name}: not a file"
            )
        _check_bytes(path.stat().st_size, limits, name)
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        raise ImageError(f"{name}: cannot be read ({error})") from error
    return _decode(io.BytesIO(content), limits, name)


def to_rgb(image: Image.Image) -> Image.Image:
    """Turn a decoded image of any mode into RGB, transparency over white.

    Args:
        image: Any mode Pillow decodes; orientation is left alone.

    Returns:
        RGB image of the same size.
    """
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):  # 16-bit grey: keep the high byte
        high_byte = (np.asarray(image) >> 8).clip(0, 255).astype(np.uint8)
        return Image.fromarray(high_byte).convert("RGB")
    if image.has_transparency_data:
        layer = image if image.mode == "RGBA" else image.convert("RGBA")
        white = Image.new("RGB", layer.size, "white")
        white.paste(layer, mask=layer.getchannel("A"))
        return white
    return image.convert("RGB")


def read_orientation(image: Image.Image) -> int:
    """Read the EXIF orientation of a file.

    A picture with one unreadable tag is still a picture: refusing it, or crashing on it, is what
    users of other tools complain about (huggingface/datasets#7668).

    Args:
        image: As Pillow opened it, decoded or not.

    Returns:
        2 to 8 if the picture is stored turned or mirrored; 1 if upright or the tags are broken;
        any other number means upright too.
    """
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:
        return 1


def _check_bytes(size: int, limits: ImageLimits, name: str) -> None:
    if size == 0:
        raise ImageError(f"{name}: the file is empty (0 bytes)")
    if size > limits.max_bytes:
        raise ImageError(f"{name}: {size:,} bytes, the limit is {limits.max_bytes:,} bytes")


def _decode(stream: io.BytesIO, limits: ImageLimits, name: str) -> Image.Image:
    kind = kind_of(stream.getbuffer()[:FIRST_BYTES].tobytes())
    if kind is None:
        raise ImageError(f"{name}: not a picture of a known kind ({', '.join(FORMATS)})")
    if remedy := prepare(kind):
        raise ImageError(f"{name}: a {kind} picture, which is not read here: {remedy}")
    try:
        with Image.open(stream, formats=(kind,)) as image:
            _check_sides(image.width, image.height, limits, name)
            image.draft(None, (DRAFT_SIDE, DRAFT_SIDE))  # JPEG only; a no-op for the others
            image.load()
            return _upright(to_rgb(image), read_orientation(image))
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(
            f"{name}: far too many pixels, the limit is {limits.max_pixels:,} pixels"
        ) from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{name}: damaged or truncated (no {kind} header)") from error
    # Pillow's parsers meet damaged files with OSError, SyntaxError, ValueError, struct.error,
    # IndexError, zlib.error and more; each means the same to the caller.
    except Exception as error:
        raise ImageError(f"{name}: damaged or truncated ({_sentence(error)})") from error


def _check_sides(width: int, height: int, limits: ImageLimits, name: str) -> None:
    longer, shorter = max(width, height), min(width, height)
    size = f"{name}: {width:,} × {height:,} pixels"
    if width * height > limits.max_pixels:
        raise ImageError(f"{size}, the limit is {limits.max_pixels:,} pixels")
    if longer > limits.max_side:
        raise ImageError(f"{size}, the limit for a side is {limits.max_side:,} pixels")
    if longer > shorter * limits.max_aspect_ratio:
        raise ImageError(f"{size}, one side over {limits.max_aspect_ratio:g} times the other")


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    method = _UPRIGHT.get(orientation)
    return image if method is None else image.transpose(method)


def _sentence(error: Exception) -> str:
    text = str(error).split("\n", 1)[0].strip()
    return text or type(error).__name__
