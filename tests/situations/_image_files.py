"""File objects, what is no file, and PNG with more metadata than picture."""

import io
import os
import random
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from tests.pictures import encode
from tests.situations import Situation
from tests.situations._image_modes import turned
from tests.situations._images import (
    PHOTO,
    compare,
    in_file,
    models,
    no,
    refused,
    same,
)

_PNG = encode(PHOTO, "PNG")
_OTHER = encode(PHOTO.rotate(180), "PNG")


class _Stream(io.RawIOBase):
    """A stream that cannot seek and gives a little at a time, as sockets do."""

    def __init__(self, content: bytes) -> None:
        self._left = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self._left.read(min(len(buffer), 1000))
        buffer[: len(part)] = part
        return len(part)


class _Upload:
    """An upload as Starlette has it: `read` is a coroutine, the file lies behind it."""

    filename = "cat.png"

    def __init__(self, content: bytes) -> None:
        self.file = tempfile.SpooledTemporaryFile(max_size=100)  # noqa: SIM115  # as there
        self.file.write(content)

    def __del__(self) -> None:
        self.file.close()

    async def read(self, size: int = -1) -> bytes:
        return self.file.read(size)


class _BytesPath:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> bytes:
        return os.fsencode(self.path)


class _Text(str):
    """A string of somebody's own class."""


def _at(position: int, content: bytes = _PNG) -> io.BytesIO:
    stream = io.BytesIO(content)
    stream.seek(position)
    return stream


def _twice() -> str:
    stream = _at(7)
    for model in models():
        model.classify(stream)
    return f"at {stream.tell()}"


def _opened(folder: Path, mode: str, read: Any) -> str:
    path = in_file(_PNG, folder, "a.png")
    with path.open(mode) as file:
        return str(read(lambda: file))


def _member(folder: Path, as_path: bool) -> str:
    path = folder / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", _PNG)
    with zipfile.ZipFile(path) as archive:
        if as_path:
            return compare(lambda: zipfile.Path(archive, "a.png"), PHOTO)
        return compare(lambda: archive.open("a.png"), PHOTO)


def _closed() -> io.BytesIO:
    stream = io.BytesIO(_PNG)
    stream.close()
    return stream


def _with_texts(count: int, *, late: bool = False, orientation: int = 1) -> bytes:
    """A PNG with texts that are 2 MB each once unpacked."""
    info = PngImagePlugin.PngInfo()
    for number in range(count):
        info.add_text(f"parameters {number}", "a cat, oil on canvas, " * 100_000, zip=True)
    plain = Image.open(io.BytesIO(turned("PNG", orientation)))
    content = encode(plain, "PNG", pnginfo=info, exif=plain.getexif())
    if late:  # the texts after the pixels
        texts = content[33 : content.index(b"IDAT") - 4]
        content = content[:33] + content[33 + len(texts) : -12] + texts + content[-12:]
    return content


def _with_profile() -> bytes:
    noise = random.Random(0).randbytes(1000) * 3000
    data = b"icc\0\0" + zlib.compress(noise)
    chunk = struct.pack(">I", len(data)) + b"iCCP" + data
    chunk += struct.pack(">I", zlib.crc32(b"iCCP" + data))
    return _PNG[:33] + chunk + _PNG[33:]


def _texts(orientation: int) -> str:
    before = (PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY)
    said = compare(lambda: _with_texts(1, orientation=orientation), PHOTO)
    is_kept = before == (PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY)
    return f"{said}, Pillow's limits kept: {is_kept}"


SITUATIONS = (
    same("BytesIO at its end, as after image.save", lambda: _at(len(_PNG))),
    same("BytesIO in the middle", lambda: _at(99)),
    same("BytesIO at a second picture", lambda: _at(len(_OTHER), _OTHER + _PNG)),
    Situation("BytesIO, its position afterwards", "", lambda _: _twice(), ("at 7",)),
    same("a stream that cannot seek", lambda: _Stream(_PNG)),
    same("an upload of Starlette's, on disk", lambda: _Upload(_PNG)),
    same("bytearray", lambda: bytearray(_PNG)),
    same("memoryview", lambda: memoryview(_PNG)),
    Situation(
        "open(path, 'rb')",
        "",
        lambda f: _opened(f, "rb", lambda h: compare(h, PHOTO)),
        ("the same",),
    ),
    Situation(
        "open(path), as text", "", lambda f: _opened(f, "r", refused), ("a.png: ", 'mode "rb"')
    ),
    Situation(
        "open(path, 'ab'), for writing",
        "",
        lambda f: _opened(f, "ab", refused),
        ("a.png: ", "read"),
    ),
    Situation("a file in a ZIP", "", lambda f: _member(f, False), ("the same picture",)),
    Situation("a zipfile.Path", "", lambda f: _member(f, True), ("the same picture",)),
    Situation(
        "os.PathLike of bytes",
        "",
        lambda f: compare(lambda: _BytesPath(in_file(_PNG, f, "a.png")), PHOTO),
        ("the same",),
    ),
    Situation(
        "a string of another class",
        "",
        lambda f: compare(lambda: _Text(in_file(_PNG, f, "a.png")), PHOTO),
        ("the same",),
    ),
    no("a closed file", _closed, "closed"),
    no("StringIO", lambda: io.StringIO("a"), "opened as text"),
    no("a URL", lambda: "https://example.com/cat.jpg?size=1", "cat.jpg", "download"),
    Situation(
        "a data: URL of 4 MB",
        "",
        lambda _: f"{refused(lambda: 'data:image/png;base64,' + 'A' * 2**22)[:600]}",
        ("a URL", "download"),
    ),
    no(
        "base64 without a mark",
        lambda: "A" * 9999,
        "AAA…: cannot be read",
    ),
    no("an empty path", lambda: "", "no such file"),
    no("None", lambda: None, "NoneType is no picture: give a path"),
    no("a number", lambda: 7, "int is no picture"),
    no("a dict", lambda: {"bytes": _PNG}, "dict is no picture"),
    Situation(
        "PNG with 2 MB of packed text",
        "",
        lambda _: _texts(1),
        ("the same picture", "kept: True"),
    ),
    Situation(
        "PNG with 2 MB of text, turned by EXIF",
        "",
        lambda _: _texts(6),
        ("the same picture",),
    ),
    same("PNG with 2 MB of text after the pixels", lambda: _with_texts(1, late=True)),
    same("PNG with 80 MB of texts", lambda: _with_texts(40)),
    same("PNG with 3 MB of ICC profile", _with_profile),
    same(
        "lazy PIL image of a PNG with 2 MB of text at its end",
        lambda: Image.open(io.BytesIO(_with_texts(1, late=True))),
    ),
)
