"""Every kind of picture file, large ones, and those that claim to be."""

import importlib
import importlib.util
import io
import struct
from typing import Any

import numpy as np
from PIL import Image

from hub_models import load_image
from tests import pictures
from tests.pictures import encode
from tests.situations import Situation
from tests.situations._images import PHOTO, no, same


def _kind(kind: str, off: int, **options: Any) -> Situation:
    return same(f"a file of {kind}", lambda: encode(PHOTO, kind, **options), off=off)


def _heic() -> Situation:
    if importlib.util.find_spec("pillow_heif") is None:
        start = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40)
        return no(
            "a file of HEIC, without the extra", lambda: start, 'pip install "hub-models[heic]"'
        )

    def made() -> bytes:
        stream = io.BytesIO()
        image = importlib.import_module("pillow_heif").from_pillow(PHOTO)
        image.save(stream, quality=-1, chroma=444)
        return stream.getvalue()

    return same("a file of HEIC", made, off=4)


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
    _kind("BMP", 0),
    _kind("DIB", 0),
    _kind("TIFF", 0),
    _kind("PPM", 0),
    _kind("AVIF", 4, quality=100, subsampling="4:4:4"),
    _kind("JPEG2000", 0),
    same("a JPEG 2000 codestream", lambda: encode(PHOTO, "JPEG2000", no_jp2=True)),
    same(
        "a TIFF of two pages",
        lambda: encode(PHOTO, "TIFF", save_all=True, append_images=[PHOTO.rotate(180)]),
    ),
    same(
        "an MPO of two pictures",
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
    same("an icon of three sizes", _icon, PHOTO.resize((64, 64))),
    _heic(),
    Situation("JPEG of 108 megapixels", "", lambda _: _large_jpeg(12_000, 9_000), ("1500 × 1125",)),
    Situation(
        "lazy PIL image of a large JPEG",
        "",
        lambda _: _lazy_large_jpeg(),
        ("equal: True", "(6000, 4500)"),
    ),
    no(
        "PNG of 108 megapixels",
        lambda: pictures.png_bomb(10_400),
        "10,400 × 10,400",
        "50,000,000",
        "save it as",
    ),
    no(
        "JPEG that claims 65,000 × 65,000",
        lambda: pictures.jpeg_claiming(65_000, 65_000),
        "200,000,000",
        "make it smaller",
    ),
    no(
        "progressive JPEG of 108 megapixels, full colour",
        lambda: _progressive_claiming(12_000, 9_000),
        "the limit is 100,000,000",
        "ordinary JPEG",
    ),
    no("icon that holds a PNG bomb", _icon_bomb, "12,000 × 12,000"),
    no("icon that claims a huge bitmap", _icon_claiming, "30,000 × 30,000"),
    no(
        "TIFF with one huge tile",
        lambda: _tiff_tile(40_000),
        "a tile: 40,000 × 40,000",
    ),
    no("a camera's raw file, TIFF with a preview", _raw, "preview", "convert"),
)
