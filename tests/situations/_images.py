"""A model, a photograph in every form, and what is said when a picture is given in some form."""

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from hub_models import HubModelsError, ImageClassifier, PreprocessConfig, load_image, load_runtime
from hub_models.drawn import draw
from hub_models.runtime import Runtime
from tests import pictures
from tests.situations import Situation

PHOTO = pictures.photo(64, 48)
GREY = PHOTO.convert("L")
LABELS = ["cat", "dog", "owl"]
_kept = tempfile.TemporaryDirectory(prefix="hub-models-situations-")


@functools.cache
def models() -> tuple[ImageClassifier, Runtime]:
    """A tiny model whose answers differ by picture, and the same one for servers."""
    torch.manual_seed(0)
    config = PreprocessConfig(resize=36, crop=32)
    model = ImageClassifier.create("mobilenetv2_025", LABELS, preprocess=config).train()
    batch = torch.stack([model.pixels(draw(seed)) for seed in range(16)])
    for norm in (m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        norm.momentum = None  # the statistics of the batch itself
        norm.reset_running_stats()
    torch.nn.init.normal_(model.head.weight)
    with torch.no_grad():
        model(batch)
    model.save_pretrained(_kept.name)
    return ImageClassifier.from_pretrained(_kept.name), load_runtime(_kept.name, engine="torch")


def probabilities(answer: list[Any]) -> list[float]:
    return [p.probability for p in sorted(answer, key=lambda p: str(p.label))]


def compare(held: Callable[[], Any], right: Image.Image, off: int = 0) -> str:
    """Say whether a picture in some form is the same picture for everybody.

    Args:
        held: Makes the picture as a user holds it: once for each who reads it.
        right: What it must be.
        off: Levels that it may differ by, where a form cannot hold all of them.
    """
    try:
        image = load_image(held())
        difference = np.asarray(image).astype(int) - np.asarray(right)
        if image.size != right.size or np.abs(difference).max() > off:
            return f"another picture, {image.size}, off by {np.abs(difference).max()}"
        for model in models():
            said, wanted = model.classify(held()), model.classify(image)
            if not np.allclose(probabilities(said), probabilities(wanted), atol=1e-3):
                return f"{type(model).__name__}: another answer"
    except HubModelsError as error:
        return f"{type(error).__name__}: {error}"
    return "the same picture"


def refused(held: Callable[[], Any]) -> str:
    """Give the sentence that all who read pictures must agree on."""
    said = set()
    readers: list[Callable[[Any], Any]] = [load_image, *(m.classify for m in models())]
    for read in readers:
        try:
            return f"read: {read(held())}"
        except HubModelsError as error:
            said.add(f"{type(error).__name__}: {error}")
    return " / ".join(sorted(said))


def same(
    given: str, held: Callable[[], Any], right: Image.Image = PHOTO, off: int = 0
) -> Situation:
    return Situation(given, "", lambda _: compare(held, right, off), ("the same picture",))


def no(given: str, held: Callable[[], Any], *right: str) -> Situation:
    return Situation(given, "", lambda _: refused(held), ("ImageError: ", *right))


def error_of(call: Callable[[], Any]) -> str:
    try:
        return f"went through: {call()!r:.100}"
    except HubModelsError as error:
        return f"{type(error).__name__}: {error}"


def in_file(content: bytes, folder: Path, name: str) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path
