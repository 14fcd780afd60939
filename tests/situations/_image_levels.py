"""Levels in memory: numpy arrays, torch tensors, pandas, and iterables of pictures."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageSequence

from hub_models import load_image
from tests.pictures import encode
from tests.situations import Situation
from tests.situations._images import (
    GREY,
    PHOTO,
    error_of,
    in_file,
    models,
    no,
    probabilities,
    same,
)

_RGB, _GREY = np.asarray(PHOTO), np.asarray(GREY)
_GREY_RGB = GREY.convert("RGB")
_RGBA = np.dstack([_RGB, np.full(_GREY.shape, 255, np.uint8)])
_CHW = torch.tensor(_RGB).permute(2, 0, 1)
_COLOURS = ("red", "green", "blue", "white", "black")


def _many(pictures: Any, count: int) -> str:
    """Classify some flat colours, however they come, and compare with one by one."""
    singles = [Image.new("RGB", (40, 40), _COLOURS[i % 5]) for i in range(count)]
    for model in models():
        wanted = [probabilities(model.classify(single)) for single in singles]
        said = [probabilities(answer) for answer in model.classify(pictures())]
        if not np.allclose(said, wanted, atol=1e-4):
            return "other answers"
    return f"{count} answers in order"


def _arrays(count: int) -> Iterator[np.ndarray]:
    for colour in itertools.islice(itertools.cycle(_COLOURS), count):
        yield np.asarray(Image.new("RGB", (40, 40), colour))


def _one_buffer(count: int) -> Iterator[np.ndarray]:
    buffer = np.empty((40, 40, 3), np.uint8)
    for array in _arrays(count):
        buffer[:] = array
        yield buffer


def _animation(folder: Path) -> str:
    frames = [Image.new("RGB", (40, 40), colour) for colour in _COLOURS]
    path = in_file(
        encode(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True),
        folder,
        "a.webp",
    )
    with Image.open(path) as image:
        return _many(lambda: iter(ImageSequence.Iterator(image)), 5)


def _paths(folder: Path, make: Any) -> str:
    for number, array in enumerate(_arrays(5)):
        in_file(encode(Image.fromarray(array), "PNG"), folder, f"{number}.png")
    return _many(lambda: make(sorted(str(path) for path in folder.iterdir())), 5)


def _taken_first() -> str:
    """Count how many pictures of an endless generator are taken before the first answer."""
    said = []
    for model in models():
        taken = itertools.count()
        answers = model.classify(array for array in _arrays(10**9) if next(taken) >= 0)
        is_lazy = next(taken) == 0
        next(answers)
        said.append(is_lazy and next(taken) <= 66)
    return f"lazy: {said}"


def _one_bad(pictures: Any) -> str:
    return " / ".join(error_of(lambda m=m: list(m.classify(pictures()))) for m in models())


def _many_row(given: str, pictures: Any, count: int = 5) -> Situation:
    return Situation(given, "", lambda _: _many(pictures, count), (f"{count} answers in order",))


SITUATIONS = (
    same("numpy (H, W, 3)", lambda: _RGB),
    same("numpy (H, W)", lambda: _GREY, _GREY_RGB),
    same("numpy (H, W, 1)", lambda: _GREY[:, :, None], _GREY_RGB),
    same("numpy (H, W, 4)", lambda: _RGBA),
    same("numpy, reversed BGR view", lambda: _RGB[:, :, ::-1].copy()[:, :, ::-1]),
    same("numpy, read-only", lambda: np.frombuffer(_RGB.tobytes(), np.uint8).reshape(_RGB.shape)),
    no(
        "numpy float 0 to 1",
        lambda: _RGB / 255,
        "float64 array of shape (48, 64, 3)",
        "(x * 255).round().astype('uint8')",
    ),
    no(
        "numpy float 0 to 255",
        lambda: _RGB.astype(np.float32),
        "float32",
        "x.round().astype('uint8')",
    ),
    no("numpy, normalised", lambda: (_RGB - 128.0) / 60, "before it was normalised"),
    no("numpy, NaN", lambda: np.where(_RGB > 9, _RGB, np.nan), "float64", "nan"),
    no("numpy bool", lambda: _GREY > 99, "bool array", "* 255"),
    no("numpy int64", lambda: _RGB.astype(np.int64), "int64", "x.astype('uint8')"),
    no(
        "numpy uint16",
        lambda: _RGB.astype(np.uint16) * 257,
        "uint16",
        "(x // 257).astype('uint8')",
    ),
    no(
        "numpy (3, H, W)",
        lambda: np.moveaxis(_RGB, -1, 0),
        "(3, 48, 64)",
        "np.moveaxis(x, 0, -1)",
    ),
    no(
        "numpy float (3, H, W)",
        lambda: np.moveaxis(_RGB, -1, 0) / 255.0,
        "float64",
        "np.moveaxis",
        "* 255",
    ),
    no("numpy (H, W, 2)", lambda: _RGB[:, :, :2], "(48, 64, 2)"),
    no("numpy of one dimension", lambda: _GREY[0], "(64,)"),
    no("numpy of no dimension", lambda: np.array("a.jpg"), "shape ()"),
    no("numpy, empty", lambda: _RGB[:0], "(0, 64, 3)", "empty"),
    same("torch (3, H, W)", lambda: _CHW),
    same("torch (4, H, W)", lambda: torch.tensor(_RGBA).permute(2, 0, 1)),
    same("torch (1, H, W)", lambda: torch.tensor(_GREY)[None], _GREY_RGB),
    same("torch (H, W)", lambda: torch.tensor(_GREY), _GREY_RGB),
    no("torch (H, W, 3)", lambda: torch.tensor(_RGB), "(48, 64, 3)", "x.permute(2, 0, 1)"),
    no(
        "torch float 0 to 1",
        lambda: _CHW / 255,
        "float32 tensor",
        "(x * 255).round().to(torch.uint8)",
    ),
    no("torch bfloat16", lambda: _CHW.bfloat16(), "bfloat16 tensor"),
    no(
        "torch, normalised, with gradient",
        lambda: (_CHW / 60 - 2).requires_grad_(),
        "normalised",
    ),
    no("torch on the device meta", lambda: _CHW.to("meta"), "without readable levels"),
    _many_row("numpy (N, H, W, 3)", lambda: np.stack(list(_arrays(5)))),
    _many_row(
        "torch (N, 3, H, W)",
        lambda: torch.tensor(np.stack(list(_arrays(5)))).permute(0, 3, 1, 2),
    ),
    _many_row("a generator, 70 pictures", lambda: _arrays(70), 70),
    _many_row("a generator that fills one buffer again and again", lambda: _one_buffer(40), 40),
    _many_row("map", lambda: map(Image.fromarray, _arrays(5))),
    _many_row("values of a dict", lambda: dict(enumerate(_arrays(5))).values()),
    _many_row(
        "a tuple of mixed forms",
        lambda: (next(_arrays(1)), Image.new("L", (40, 40), 0).convert("RGB"))[:1],
        1,
    ),
    Situation("frames of an animation, one PIL image", "", _animation, ("5 answers in order",)),
    Situation(
        "pandas Series of paths",
        "",
        lambda f: _paths(f, pd.Series),
        ("5 answers in order",),
    ),
    Situation("numpy array of paths", "", lambda f: _paths(f, np.array), ("5 answers in order",)),
    Situation("an endless generator", "", lambda _: _taken_first(), ("lazy: [True, True]",)),
    Situation("a list, one lazy PIL image four times", "", lambda f: _same_lazy(f), ("equal",)),
    Situation(
        "an empty generator",
        "",
        lambda _: str([list(m.classify(iter(()))) for m in models()]),
        ("[[], []]",),
    ),
    Situation(
        "a list whose second array is wrong",
        "",
        lambda _: _one_bad(lambda: [_RGB, _RGB / 255]),
        ("image 1: float64",),
    ),
    no("an array in a list", lambda: [[1, 2, 3]], "list is no picture"),
)


def _same_lazy(folder: Path) -> str:
    path = in_file(encode(PHOTO.resize((640, 480)), "PNG"), folder, "a.png")
    right = load_image(path)
    for model in models():
        wanted = probabilities(model.classify(right))
        with Image.open(path) as lazy:
            said = [probabilities(a) for a in model.classify([lazy] * 4)]
        if not np.allclose(said, [wanted] * 4, atol=1e-4):
            return "differs"
    return "equal"
