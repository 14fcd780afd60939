"""A fastai `Learner` over torchvision's model of one of our folders, to ask by `predict`."""

import tempfile
from pathlib import Path
from typing import Any

import torch
from fastai.vision.all import (
    CrossEntropyLossFlat,
    ImageDataLoaders,
    Learner,
    Normalize,
    Transform,
)
from torchvision import transforms

from benchmarks.drawn import draw_class_folders
from benchmarks.twin import torchvision_twin
from hub_models.config import PreprocessConfig


class Centre(Transform):
    """Everyone's view of a picture: the shorter side resized, the centre kept.

    Args:
        resize: Shorter side, px.
        crop: Side of what is kept, px.
    """

    def __init__(self, resize: int, crop: int) -> None:
        super().__init__()
        self.view = transforms.Compose([transforms.Resize(resize), transforms.CenterCrop(crop)])

    def encodes(self, image: Any) -> Any:
        """Turn a picture of any size into a square; targets stay as they are."""
        return self.view(image) if hasattr(image, "convert") else image


def centred_loaders(folder: Path, rule: PreprocessConfig, **options: Any) -> Any:
    """Read class folders as fastai's users do, with everyone's pixels.

    Args:
        folder: With `train` and `validation`.
        rule: Sizes, mean and std.
        **options: Of `ImageDataLoaders.from_folder`.
    """
    return ImageDataLoaders.from_folder(
        folder,
        train="train",
        valid="validation",
        item_tfms=Centre(rule.resize, rule.crop),
        batch_tfms=Normalize.from_stats(rule.mean, rule.std, cuda=False),
        device=torch.device("cpu"),
        **options,
    )


def read_with_fastai(folder: Path) -> Any:
    """Make a learner that gives our classes' probabilities by `predict`.

    Args:
        folder: A checkpoint folder of a ResNet or MobileNetV2.
    """
    model, config = torchvision_twin(folder)
    with tempfile.TemporaryDirectory() as name:
        for part in ("train", "validation"):  # it wants data to make its transforms from
            drawn = draw_class_folders(Path(name, part), 3, classes=len(config.label_names))
            for number, label in enumerate(config.label_names):
                Path(drawn, f"class-{number}").rename(Path(drawn, label))
        loaders = centred_loaders(Path(name), config.preprocess, bs=2, num_workers=0)
    return Learner(loaders, model.eval(), loss_func=CrossEntropyLossFlat())
