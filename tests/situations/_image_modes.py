"""Images of Pillow's: each mode, and those that still carry an EXIF turn."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from hub_models import load_image
from tests.pictures import STORED, encode
from tests.situations import Situation
from tests.situations._images import GREY, PHOTO, compare, models, no, probabilities, same

_GREY = GREY.convert("RGB")
_LEVELS = np.asarray(GREY)
_CLEAR = Image.merge("RGBA", (*PHOTO.split(), Image.linear_gradient("L").resize(PHOTO.size)))
_OVER_WHITE = Image.alpha_composite(Image.new("RGBA", PHOTO.size, "white"), _CLEAR).convert("RGB")
_GREY_CLEAR = _CLEAR.convert("LA")
_GREY_OVER_WHITE = Image.alpha_composite(
    Image.new("RGBA", PHOTO.size, "white"), _GREY_CLEAR.convert("RGBA")
).convert("RGB")


def turned(kind: str, orientation: int) -> bytes:
    """The photograph as a camera stores it that was held in some way."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    method = STORED[orientation]
    stored = PHOTO if method is None else PHOTO.transpose(method)
    options: dict[str, Any] = {"quality": 95} if kind == "JPEG" else {}
    options |= {"lossless": True} if kind == "WEBP" else {}
    return encode(stored, kind, exif=exif, **options)


def _all_orientations(kind: str) -> str:
    equal = 0
    for orientation in STORED:
        content = turned(kind, orientation)
        upright = load_image(content)
        for model in models():
            right, said = model.classify(content), model.classify(Image.open(io.BytesIO(content)))
            equal += probabilities(right) == probabilities(said) and upright.size == PHOTO.size
    return f"{equal} of 16 equal"


def _after(change: Any) -> str:
    content = turned("JPEG", 6)
    image = change(Image.open(io.BytesIO(content)))
    return compare(lambda: image, load_image(content))


def _left_alone() -> str:
    image = Image.open(io.BytesIO(turned("JPEG", 6)))
    models()[0].classify(image)
    return f"{image.size}, orientation {image.getexif()[0x0112]}"


def _mode(mode: str) -> Image.Image:
    return PHOTO.convert(mode)


def _of(levels: Any) -> Image.Image:
    return Image.fromarray(levels)


def _orientations(kind: str) -> Situation:
    return Situation(
        f"PIL image of a {kind} that carries an EXIF turn, all eight",
        "",
        lambda _: _all_orientations(kind),
        ("16 of 16 equal",),
    )


def _16_big_endian() -> Image.Image:
    return Image.frombytes("I;16B", GREY.size, (_LEVELS.astype(">u2") * 257).tobytes())


def _clear_palette() -> Image.Image:
    image = _CLEAR.quantize(200)
    assert image.mode == "P"
    return image


def _closed(folder: Path) -> str:
    path = folder / "photo.png"
    PHOTO.save(path)
    with Image.open(path) as image:
        pass
    return compare(lambda: image, PHOTO)


SITUATIONS = (
    *(_orientations(kind) for kind in ("JPEG", "PNG", "WEBP", "TIFF")),
    Situation(
        "PIL image after ImageOps.exif_transpose",
        "",
        lambda _: _after(ImageOps.exif_transpose),
        ("the same",),
    ),
    Situation(
        "PIL image with an EXIF turn, copied",
        "",
        lambda _: _after(Image.Image.copy),
        ("the same",),
    ),
    Situation(
        "PIL image with an EXIF turn, its own state afterwards",
        "",
        lambda _: _left_alone(),
        ("(48, 64), orientation 6",),
    ),
    same("PIL mode I, levels 0 to 255", lambda: GREY.convert("I"), _GREY),
    same("PIL mode I, 0 to 65,535", lambda: _of(_LEVELS.astype(np.int32) * 257), _GREY),
    same("PIL mode I;16, levels 0 to 255", lambda: GREY.convert("I;16"), _GREY),
    same("PIL mode I;16, 0 to 65,535", lambda: _of(_LEVELS.astype(np.uint16) * 257), _GREY),
    same("PIL mode I;16B, 0 to 65,535", _16_big_endian, _GREY),
    same("PIL mode F, levels 0 to 255", lambda: GREY.convert("F"), _GREY),
    same("PIL mode F, 0 to 1", lambda: _of(_LEVELS.astype(np.float32) / 255), _GREY),
    same("PIL mode La", lambda: _GREY_CLEAR.convert("La"), _GREY_OVER_WHITE, 2),
    same("PIL mode LA", lambda: _GREY_CLEAR, _GREY_OVER_WHITE, 1),
    same("PIL mode RGBa", lambda: _CLEAR.convert("RGBa"), _OVER_WHITE, 2),
    same("PIL mode RGBA", lambda: _CLEAR, _OVER_WHITE, 1),
    same("PIL mode PA", lambda: GREY.convert("PA"), _GREY),
    same(
        "PIL mode P, each colour with its own transparency",
        _clear_palette,
        Image.alpha_composite(
            Image.new("RGBA", PHOTO.size, "white"), _clear_palette().convert("RGBA")
        ).convert("RGB"),
        1,
    ),
    same("PIL mode LAB", lambda: _mode("LAB"), _mode("LAB").convert("RGB")),
    same("PIL mode HSV", lambda: _mode("HSV"), PHOTO, 8),
    same("PIL mode YCbCr", lambda: _mode("YCbCr"), PHOTO, 3),
    same("PIL mode CMYK", lambda: _mode("CMYK")),
    same("PIL mode RGBX", lambda: _mode("RGBX")),
    same("PIL mode 1", lambda: _mode("1"), _mode("1").convert("RGB")),
    no("PIL mode I, a level below 0", lambda: _of(_LEVELS.astype(np.int32) - 99), "mode I"),
    no(
        "PIL mode I, levels of 32 bits",
        lambda: _of(_LEVELS.astype(np.int32) << 20),
        "mode I",
    ),
    no("PIL mode F, -1 to 1", lambda: _of(_LEVELS.astype(np.float32) / 127 - 1), "mode F"),
    no("PIL mode F, over 255", lambda: _of(_LEVELS.astype(np.float32) * 257), "mode F"),
    no(
        "PIL mode F, one level NaN",
        lambda: _of(np.where(_LEVELS[9, 9] == _LEVELS, np.nan, _LEVELS).astype(np.float32)),
        "mode F",
    ),
    no(
        "PIL image of a JPEG cut in half, not decoded yet",
        lambda: Image.open(io.BytesIO(turned("JPEG", 1)[:1500])),
        "damaged or truncated",
    ),
    Situation("PIL image, closed", "", _closed, ("ImageError: photo.png: ", "closed")),
    no(
        "PIL image without pixels",
        lambda: Image.new("RGB", (0, 5)),
        "no picture",
    ),
    no("PIL image, a thin strip", lambda: Image.new("L", (9000, 2)), "50 times"),
)
