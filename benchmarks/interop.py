"""One folder, three readers: how far timm and transformers are from hub_models, per architecture.

`python -m benchmarks.interop` prints a Markdown table; every difference in it should be 0. Each
library reads the same saved folder, prepares the same picture itself and computes its logits.
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from PIL import Image
from torch import Tensor, nn
from transformers import AutoImageProcessor, AutoModelForImageClassification

from hub_models import ARCHITECTURES, ImageClassifier, PreprocessConfig

LABELS = ("cat", "dog", "owl")
SMALL = PreprocessConfig(resize=73, crop=64)
TWINS = tuple(name for name in ARCHITECTURES if name in timm.list_models())


@dataclass(frozen=True)
class Row:
    """The largest differences from hub_models over one picture.

    Attributes:
        timm: Of a logit.
        transformers: Of a logit.
        labels_equal: Whether both know the same names in the same order.
        pixels: Of a normalised pixel, in either.
    """

    timm: float
    transformers: float
    labels_equal: bool
    pixels: float


@dataclass(frozen=True)
class Answer:
    """What one library makes of a folder and a picture: (3, S, S), (C,), C names."""

    pixels: Tensor
    logits: Tensor
    label_names: tuple[str, ...]


def lived_in(model: nn.Module, channels: int = 3) -> nn.Module:
    """Give a fresh model running statistics, so that its output neither fades nor explodes."""
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.momentum = 1.0
    with torch.no_grad():
        model.train()(torch.randn(4, channels, 64, 64))
    return model.eval()


def picture(width: int, height: int) -> Image.Image:
    """Draw a picture with detail at every scale."""
    noise = np.random.default_rng(0).normal(size=(height, width, 3)).cumsum(0).cumsum(1)
    return Image.fromarray((noise % 256).astype(np.uint8))


def read_with_ours(folder: Path, image: Image.Image) -> Answer:
    """Load and run as our users do."""
    model = ImageClassifier.from_pretrained(folder)
    pixels = model.pixels(image)
    return Answer(pixels, model(pixels[None])[0], model.config.label_names)


def read_with_timm(source: str, image: Image.Image) -> Answer:
    """Load and run as timm's README does; `source` is local-dir:FOLDER or hf-hub:REPO_ID."""
    model = timm.create_model(source, pretrained=True).eval()
    pixels = timm_transform(model.pretrained_cfg)(image)
    return Answer(pixels, model(pixels[None])[0], tuple(model.pretrained_cfg["label_names"]))


def timm_transform(pretrained_cfg: dict[str, Any]) -> Any:
    """Build timm's evaluation transform."""
    data_config = timm.data.resolve_data_config(pretrained_cfg=pretrained_cfg)
    return timm.data.create_transform(**data_config, is_training=False)


def read_with_transformers(source: Path | str, image: Image.Image) -> Answer:
    """Load and run as transformers' documentation does; `source` is a folder or a repo_id."""
    model = AutoModelForImageClassification.from_pretrained(source).eval()
    pixels = AutoImageProcessor.from_pretrained(source)(image, return_tensors="pt")["pixel_values"]
    names = tuple(model.config.id2label[i] for i in range(model.config.num_labels))
    return Answer(pixels[0], model(pixels).logits[0], names)


@torch.inference_mode()
def compare(folder: Path, image: Image.Image) -> Row:
    """Read one folder with all three libraries."""
    ours = read_with_ours(folder, image)
    theirs = read_with_timm(f"local-dir:{folder}", image), read_with_transformers(folder, image)
    return Row(
        *(_largest(ours.logits, answer.logits) for answer in theirs),
        all(answer.label_names == ours.label_names for answer in theirs),
        max(_largest(ours.pixels, answer.pixels) for answer in theirs),
    )


def save(name: str, folder: Path, *, preprocess: PreprocessConfig = SMALL) -> None:
    """Save a classifier of one architecture, as training would."""
    model = ImageClassifier.create(name, LABELS, preprocess=preprocess)
    nn.init.normal_(model.head.weight, std=0.1)
    lived_in(model, preprocess.channels)
    model.save_pretrained(folder)


def _largest(first: Tensor, second: Tensor) -> float:
    return (first - second).abs().max().item()


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("architectures", nargs="*", default=TWINS)
    print("| architecture | timm: largest logit difference |", end=" ")
    print(
        "transformers: the same | labels equal | largest pixel difference |\n|---|---|---|---|---|"
    )
    for name in parser.parse_args(arguments).architectures:
        torch.manual_seed(0)
        with tempfile.TemporaryDirectory() as folder:
            save(name, Path(folder, name))
            row = compare(Path(folder, name), picture(150, 100))
        equal = "yes" if row.labels_equal else "no"
        print(f"| {name} | {row.timm:g} | {row.transformers:g} | {equal} | {row.pixels:g} |")


if __name__ == "__main__":
    main()
