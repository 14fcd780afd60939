"""Files and file objects: every kind, large ones, and those with more metadata than picture."""

import importlib.util
import io
import os
import random
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from hub_models import load_image
from tests import pictures
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


def _kind(kind: str, off: int, **options: Any) -> Situation:
    once = "not a picture of a known kind"
    return same(f"a {kind} file", once, lambda: encode(PHOTO, kind, **options), off=off)


def _heic() -> str:
    if importlib.util.find_spec("pillow_heif") is None:
        return refused(lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40))
    heif = importlib.import_module("pillow_heif")
    stream = io.BytesIO()
    heif.from_pillow(PHOTO).save(stream, quality=-1, chroma=444)
    return compare(lambda: stream.getvalue(), PHOTO, 4) + ' (or pip install "hub-models[heic]")'


def _icon() -> bytes:
    sides = [(16, 16), (32, 32), (64, 64)]
    return encode(PHOTO.resize((64, 64)), "ICO", sizes=sides, bitmap_format="bmp")


def _icon_bomb() -> bytes:
    bomb = pictures.png_bomb(12_000)
    header = struct.pack("<3H4B2H2I", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(bomb), 22)
    return header + bomb


def _icon_claiming() -> bytes:
    return (
        struct.pack("<3H", 0, 1, 1)
        + struct.pack("<4B2H2I", 48, 48, 0, 0, 1, 32, 40, 22)
        + struct.pack("<IiiHHIIiiII", 40, 30_000, 60_000, 1, 32, 0, 0, 0, 0, 0, 0)
    )


def _large_jpeg(width: int, height: int) -> str:
    content = encode(Image.new("L", (width, height), 90), "JPEG", quality=20)
    image = load_image(content)
    return f"{image.size[0]} × {image.size[1]}"


def _lazy_large_jpeg() -> str:
    content = encode(PHOTO.resize((6000, 4500)), "JPEG")
    image = Image.open(io.BytesIO(content))
    equal = np.array_equal(load_image(image), load_image(content))
    return f"equal: {equal}, its own size still {image.size}"


def _progressive_claiming(width: int, height: int) -> bytes:
    content = bytearray(encode(PHOTO, "JPEG", progressive=True, subsampling=0))
    at = content.index(b"\xff\xc2\0\x11\x08") + 5
    content[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(content)


def _tiff_tile(side: int) -> bytes:
    tags = {256: 64, 257: 48, 258: 8, 259: 8, 262: 1, 277: 1, 322: side, 323: side, 324: 8, 325: 99}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4)


def _raw() -> bytes:
    tags = {254: 1}
    return encode(PHOTO, "TIFF", tiffinfo=tags)


SITUATIONS = (
    same("BytesIO at its end, as after image.save", "AttributeError", lambda: _at(len(_PNG))),
    same("BytesIO in the middle", "", lambda: _at(99)),
    same("BytesIO at a second picture", "", lambda: _at(len(_OTHER), _OTHER + _PNG)),
    Situation("BytesIO, its position afterwards", "", lambda _: _twice(), ("at 7",)),
    same("a stream that cannot seek", "", lambda: _Stream(_PNG)),
    same("an upload of Starlette's, on disk", "", lambda: _Upload(_PNG)),
    same("bytearray", "", lambda: bytearray(_PNG)),
    same("memoryview", "", lambda: memoryview(_PNG)),
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
    no("a closed file", "", _closed, "closed"),
    no("StringIO", "", lambda: io.StringIO("a"), "opened as text"),
    no(
        "a URL", "no such file", lambda: "https://example.com/cat.jpg?size=1", "cat.jpg", "download"
    ),
    Situation(
        "a data: URL of 4 MB",
        "all of it in the sentence",
        lambda _: f"{refused(lambda: 'data:image/png;base64,' + 'A' * 2**22)[:600]}",
        ("a URL", "download"),
    ),
    no(
        "base64 without a mark",
        "all of it in the sentence",
        lambda: "A" * 9999,
        "AAA…: cannot be read",
    ),
    no("an empty path", "", lambda: "", "no such file"),
    no("None", "TypeError", lambda: None, "NoneType is no picture: give a path"),
    no("a number", "TypeError", lambda: 7, "int is no picture"),
    no("a dict", "", lambda: {"bytes": _PNG}, "dict is no picture"),
    Situation(
        "PNG with 2 MB of packed text",
        "damaged",
        lambda _: _texts(1),
        ("the same picture", "kept: True"),
    ),
    Situation(
        "PNG with 2 MB of text, turned by EXIF",
        "damaged",
        lambda _: _texts(6),
        ("the same picture",),
    ),
    same("PNG with 2 MB of text after the pixels", "damaged", lambda: _with_texts(1, late=True)),
    same("PNG with 80 MB of texts", "damaged", lambda: _with_texts(40)),
    same("PNG with 3 MB of ICC profile", "damaged", _with_profile),
    same(
        "lazy PIL image of a PNG with 2 MB of text at its end",
        "",
        lambda: Image.open(io.BytesIO(_with_texts(1, late=True))),
    ),
    _kind("BMP", 0),
    _kind("DIB", 0),
    _kind("TIFF", 0),
    _kind("PPM", 0),
    _kind("AVIF", 4, quality=100, subsampling="4:4:4"),
    _kind("JPEG2000", 0),
    same("a JPEG 2000 codestream", "", lambda: encode(PHOTO, "JPEG2000", no_jp2=True)),
    same(
        "a TIFF of two pages",
        "",
        lambda: encode(PHOTO, "TIFF", save_all=True, append_images=[PHOTO.rotate(180)]),
    ),
    same(
        "an MPO of two pictures",
        "",
        lambda: encode(
            PHOTO,
            "MPO",
            save_all=True,
            append_images=[PHOTO.rotate(180)],
            quality=100,
            subsampling=0,
        ),
        off=4,
    ),
    same("an icon of three sizes", "", _icon, PHOTO.resize((64, 64))),
    Situation(
        "a HEIC file", "not a picture of a known kind", lambda _: _heic(), ('"hub-models[heic]"',)
    ),
    Situation(
        "JPEG of 108 megapixels", "refused", lambda _: _large_jpeg(12_000, 9_000), ("1500 × 1125",)
    ),
    Situation(
        "lazy PIL image of a large JPEG",
        "other pixels than as bytes",
        lambda _: _lazy_large_jpeg(),
        ("equal: True", "(6000, 4500)"),
    ),
    no(
        "PNG of 108 megapixels",
        "",
        lambda: pictures.png_bomb(10_400),
        "10,400 × 10,400",
        "50,000,000",
        "save it as",
    ),
    no(
        "JPEG that claims 65,000 × 65,000",
        "",
        lambda: pictures.jpeg_claiming(65_000, 65_000),
        "200,000,000",
        "make it smaller",
    ),
    no(
        "progressive JPEG of 108 megapixels, full colour",
        "",
        lambda: _progressive_claiming(12_000, 9_000),
        "the limit is 100,000,000",
        "ordinary JPEG",
    ),
    no("icon that holds a PNG bomb", "gigabytes", _icon_bomb, "12,000 × 12,000"),
    no("icon that claims a huge bitmap", "gigabytes", _icon_claiming, "30,000 × 30,000"),
    no(
        "TIFF with one huge tile",
        "gigabytes",
        lambda: _tiff_tile(40_000),
        "a tile: 40,000 × 40,000",
    ),
    no("a camera's raw file, TIFF with a preview", "the preview", _raw, "preview", "convert"),
)
