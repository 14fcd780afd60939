"""Whatever a user holds to an upright RGB image within limits: the project's one decoder.

Files are read by `image_file`, arrays and tensors by `image_array`; `image_modes` makes RGB.
"""

import inspect
import io
import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, Protocol, TypeAlias, TypeGuard, TypeVar

from PIL import Image

from hub_models.config import UNSAFE_CHARACTER
from hub_models.errors import ImageError
from hub_models.image_array import from_array, is_array
from hub_models.image_file import ImageLimits, decode, first_line
from hub_models.image_kinds import FIRST_BYTES, kind_of
from hub_models.image_modes import read_orientation, to_rgb, upright


class Levels(Protocol):
    """A numpy array, a torch tensor, or whatever else gives itself as an array."""

    def __array__(self) -> Any: ...


ImageSource: TypeAlias = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Image.Image | Levels
)
_Item = TypeVar("_Item")
DEFAULT_LIMITS: Final = ImageLimits()
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]+://|data:", re.IGNORECASE)
_ARRAY_OF_OBJECTS: Final = "OSUT"  # numpy's kinds of dtypes: paths or the like, no levels
_MAX_NAME_CHARS: Final = 100
# Two threads may be given one lazy picture or one file: whoever reads it holds its lock.
_locks: Final = tuple(threading.Lock() for _ in range(64))


def load_image(
    source: ImageSource, *, limits: ImageLimits = DEFAULT_LIMITS, name: str | None = None
) -> Image.Image:
    """Turn one picture into an upright RGB image, however it is held.

    The kinds of `image_kinds.FORMATS` are read, by content and not by file name: the first picture
    of a file, an icon's largest. The EXIF orientation is applied, of an image in memory too;
    transparency is laid over white; grey, palette, CMYK and 16-bit pictures become 8-bit RGB.

    Args:
        source: Path of a file; the encoded bytes themselves; a file object, read from its position
            if a picture begins there, else from its start, and put back; an image of Pillow's; a
            uint8 array (H, W), (H, W, 3) or (H, W, 4) in RGB order; or a uint8 tensor (3, H, W).
        limits: Checked against the header, before any pixel is decoded.
        name: What error messages call the picture; the file's name if None.

    Returns:
        RGB image, the given one if it is upright RGB; of a file, its shorter side is at least
        1,024 px unless the file's was smaller.

    Raises:
        ImageError: If the file is missing, empty, damaged, not a picture, or over a limit, or the
            levels in memory have another dtype or shape.
    """
    name = name or name_of(source)
    if isinstance(source, Image.Image):
        return _from_pillow(source, limits, name)
    if isinstance(source, str) or not is_array(source):  # numpy's str_ is both
        return decode(_read(source, limits, name), limits, name)
    image = from_array(source, name)
    limits.check_sides(*image.size, name)
    return to_rgb(image, name)


def is_single(images: object) -> TypeGuard[ImageSource]:
    """Tell whether something is to be one picture, and not an iterable of pictures.

    Args:
        images: What a user gave.

    Returns:
        True for whatever can be one, and for what can be neither.
    """
    if isinstance(
        images, str | os.PathLike | bytes | bytearray | memoryview | Image.Image | Mapping
    ):
        return True
    if hasattr(images, "read") or hasattr(images, "read_bytes"):
        return True
    if is_array(images):
        kind = getattr(getattr(images, "dtype", None), "kind", "")
        dimensions = getattr(images, "ndim", 0)
        return dimensions == 0 or (dimensions <= 3 and kind not in set(_ARRAY_OF_OBJECTS))
    return not isinstance(images, Iterable)


def name_of(source: object, unnamed: str = "image") -> str:
    """Name a picture in a message.

    Args:
        source: What a user gave.
        unnamed: What to call it if it has no file name.

    Returns:
        The file's name, without its folders, fit to be printed.
    """
    named: object = source
    if hasattr(source, "read") or isinstance(source, Image.Image):
        named = getattr(source, "filename", None) or getattr(source, "name", None)
    if not isinstance(named, str | os.PathLike):
        return unnamed
    text = os.fsdecode(named)
    name = UNSAFE_CHARACTER.sub("?", Path(text).name or text) or unnamed
    return name if len(name) <= _MAX_NAME_CHARS else name[:_MAX_NAME_CHARS] + "…"


def batched(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """Give items a batch at a time, none taken before it is needed.

    Args:
        items: Of any number.
        size: Of a batch.

    Returns:
        Lists of `size` items, the last one perhaps shorter.
    """
    left = iter(items)
    while batch := list(islice(left, size)):
        yield batch


def _read(source: Any, limits: ImageLimits, name: str) -> bytes:
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    try:
        if isinstance(source, str | os.PathLike):
            return _read_path(os.fsdecode(source), limits, name)
        if hasattr(source, "read"):
            with _lock_of(source):
                return _read_file(source, limits.max_bytes, name)
        if hasattr(source, "read_bytes"):  # a path inside an archive
            return bytes(source.read_bytes())
    except ImageError:
        raise
    except Exception as error:  # a file object may be anybody's
        reason = getattr(error, "strerror", None) or first_line(error)
        raise ImageError(f"{name}: cannot be read ({reason})") from error
    raise ImageError(
        f"{name}: {type(source).__name__} is no picture: give a path, bytes, a file object, "
        "an image of Pillow's, a uint8 array or tensor, or an iterable of those"
    )


def _read_path(path: str, limits: ImageLimits, name: str) -> bytes:
    if _URL.match(path):
        raise ImageError(
            f"{name}: a URL is not fetched: download it and give the file or its bytes"
        )
    file = Path(path)
    if not path or not file.is_file():
        problem = "not a file" if path and file.exists() else "no such file"
        raise ImageError(f"{name}: {problem}")
    limits.check_bytes(file.stat().st_size, name)
    return file.read_bytes()


def _read_file(file: Any, most: int, name: str) -> bytes:
    if inspect.iscoroutinefunction(file.read):  # an upload of Starlette's, or FastAPI's
        file = file.file
    if isinstance(file, io.TextIOBase):
        raise ImageError(f'{name}: a file opened as text: open it with mode "rb"')
    can_seek = file.seekable() if hasattr(file, "seekable") else hasattr(file, "seek")
    if not can_seek:
        return _read_on(file, most, name)
    position = file.tell()
    try:
        content = _read_on(file, most, name)
        if position and kind_of(content[:FIRST_BYTES]) is None:
            file.seek(0)
            content = _read_on(file, most, name)
    finally:
        file.seek(position)
    return content


def _read_on(file: Any, most: int, name: str) -> bytes:
    content = b""
    while len(content) <= most and (part := file.read(most + 1 - len(content))):
        if not isinstance(part, bytes | bytearray | memoryview):
            raise ImageError(f"{name}: read() gives {type(part).__name__}, not bytes")
        content = content + part if content else bytes(part)
    return content


def _from_pillow(image: Image.Image, limits: ImageLimits, name: str) -> Image.Image:
    try:
        with _lock_of(image):
            file = _undecoded_file(image)
            content = None if file is None else _read_file(file, limits.max_bytes, name)
            if content is None:
                limits.check_sides(*image.size, name)
                image.load()
        if content is not None:
            return decode(content, limits, name)
        return upright(to_rgb(image, name), read_orientation(image))
    except ImageError:
        raise
    except Exception as error:
        reason = f"damaged, or its file was closed before it was decoded ({first_line(error)})"
        raise ImageError(f"{name}: {reason}") from error


def _undecoded_file(image: Any) -> Any:
    """Give the file of an image that is open but not decoded: read as such, it is the same picture.

    Decoded here it would take the limits, and the smaller size of a large JPEG, from Pillow.
    """
    if getattr(image, "format", None) not in ("JPEG", "MPO", "PNG") or not getattr(
        image, "tile", 0
    ):
        return None
    is_untouched = image.tell() == 0 and not image.decoderconfig  # no other frame, no `draft`
    return image.fp if is_untouched else None


def _lock_of(held: object) -> threading.Lock:
    return _locks[id(held) // 16 % len(_locks)]
