"""Pictures in memory and of every kind, and the arguments beside them."""

from typing import Any

import numpy as np
import pandas as pd
import torch

from hub_models import ImageClassifier, load_runtime
from tests.situations import Situation, _image_files, _image_kinds, _image_levels, _image_modes
from tests.situations._image_once import ONCE
from tests.situations._images import PHOTO, _kept, error_of, models


def _labels(labels: Any) -> str:
    def make() -> tuple[str, ...]:
        return ImageClassifier.create("mobilenetv2_025", labels).config.label_names

    return error_of(make)


def _made(given: str, labels: Any) -> Situation:
    right = "went through: ('0', '1', '2')"
    return Situation(f"create with labels: {given}", "", lambda _: _labels(labels()), (right,))


def _not_made(given: str, labels: Any, *right: str) -> Situation:
    name = f"create with labels: {given}"
    return Situation(name, "", lambda _: _labels(labels), ("ConfigError: label", *right))


def _top(top: Any) -> Situation:
    def happens(_: Any) -> str:
        said = {error_of(lambda m=m: m.classify([PHOTO], top=top)) for m in models()}
        return " / ".join(said)

    right = ("ConfigError: top must be a whole number of at least 1", repr(top))
    return Situation(f"classify with top={top!r}", "", happens, right)


def _threads(threads: Any) -> Situation:
    def happens(_: Any) -> str:
        models()
        return error_of(lambda: load_runtime(_kept.name, engine="torch", threads=threads))

    right = ("ConfigError: threads must be 1 to 1,024", repr(threads))
    return Situation(f"load_runtime with threads={threads!r}", "", happens, right)


def _dtype(dtype: Any) -> Situation:
    def happens(_: Any) -> str:
        models()
        return error_of(lambda: ImageClassifier.from_pretrained(_kept.name, dtype=dtype))

    right = ("ConfigError: dtype must be one of torch.float32", repr(dtype))
    return Situation(f"from_pretrained with dtype={dtype!r}", "", happens, right)


_ROWS = (
    *_image_modes.SITUATIONS,
    *_image_levels.SITUATIONS,
    *_image_files.SITUATIONS,
    *_image_kinds.SITUATIONS,
    _made("map", lambda: map(str, range(3))),
    _made("a generator", lambda: (str(i) for i in range(3))),
    _made("a numpy array", lambda: np.array(["0", "1", "2"])),
    _made("a pandas Series", lambda: pd.Series(["0", "1", "2"])),
    _made("keys of a dict", lambda: dict.fromkeys("012").keys()),
    _not_made("none", []),
    _not_made("none in a generator", iter(()), "at least one"),
    _not_made("one that is empty", ["cat", " "], "is not a class name"),
    _not_made("one twice", np.array(["cat", "cat"]), "'cat' stands there twice"),
    _not_made("a string", "cat", "at least one"),
    _not_made("a set, which has no order", {"cat", "dog"}, "in the order of the targets"),
    _not_made("a dict", {"cat": 0}, "in the order of the targets"),
    _not_made("numbers", range(3), "0 is not a class name"),
    _not_made("None", None, "not None"),
    _not_made("an array of no dimension", np.array("cat"), "at least one"),
    *(_top(top) for top in (-1, 0, "1", 1.5, True, np.int64(-1))),
    *(_threads(threads) for threads in (-1, 0, "2", True, 1.5, 10**6)),
    *(_dtype(d) for d in (torch.float8_e4m3fn, torch.int8, "float16", np.float16)),
)
SITUATIONS = tuple(row._replace(once=ONCE.get(row.given, "the same")) for row in _ROWS)
