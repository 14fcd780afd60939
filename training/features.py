"""A frozen backbone's pooled features, computed once and cached, so that a head trains in seconds.

The cache is one memory-mapped safetensors file per split, named by everything that decides its
content: weights, preprocessing, views and pictures.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import datasets
import torch
from accelerate import Accelerator
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from hub_models.atomic import staged
from hub_models.config import ModelConfig
from hub_models.fold import folded
from hub_models.machine import cache_folder
from hub_models.model import ImageClassifier
from training.augment import View
from training.cache import cache_name
from training.data import Pictures, as_it_is
from training.memory import give_back_freed_memory
from training.sampler import Key

# A CPU is as fast with few pictures at once, and then needs less memory.
_BATCH_SIZES: Final = {"cpu": 16}
_BATCH_SIZE: Final = 64  # of any other device
_FORMAT: Final = "3"  # part of every file's name: changes when the meaning of a file does


class Features(Dataset[tuple[Tensor, int]]):
    """A split as pooled features and targets, in the place of `training.data.Pictures`.

    Args:
        path: What `cached_features` gave.
        targets: Of the images, in their order.
    """

    def __init__(self, path: Path, targets: Sequence[int]) -> None:
        with safe_open(path, framework="pt") as file:
            self.values: Tensor = file.get_tensor("features")  # (V, N, K), a map of the file
        self.targets = torch.tensor(targets)

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, key: Key) -> tuple[Tensor, int]:
        features, targets = self.__getitems__([key])
        return features[0], int(targets[0])

    def __getitems__(self, keys: Sequence[Key]) -> tuple[Tensor, Tensor]:
        """Give a batch; torch's loader calls this, and `as_it_is` collates.

        Args:
            keys: (epoch, index) of each image.

        Returns:
            Features (N, K) and targets (N,).
        """
        epochs, indices = torch.tensor(keys).T
        return self.values[epochs % len(self.values), indices], self.targets[indices]


class Head(nn.Module):
    """The part of a classifier that comes after its features.

    Args:
        model: Its own dropout and head are used, not copies.
    """

    def __init__(self, model: ImageClassifier) -> None:
        super().__init__()
        self.dropout = model.dropout
        self.head = model.head

    def forward(self, features: Tensor) -> Tensor:
        """Compute logits.

        Args:
            features: float32 (N, K), pooled.

        Returns:
            (N, C) logits.
        """
        logits: Tensor = self.head(self.dropout(features))
        return logits


class Network(Protocol):
    """What features are made with: an `ImageClassifier`, or a teacher in evaluation mode."""

    config: ModelConfig

    @property
    def backbone(self) -> nn.Module:
        """Holds every weight that decides the features."""

    def feature_map(self, batch: Tensor) -> Tensor:
        """Turn pixels (N, 3, S, S) into features (N, K, h, w), not pooled yet."""


@dataclass(frozen=True)
class FeatureSource:
    """What decides the features of a split.

    Attributes:
        split: The pictures, with the columns `image` and `target`.
        name: Of the split, for the progress bar.
        view: Turns images into pixels, by (view, index).
        description: Everything that decides what `view` does, as plain JSON values.
        views: How many fixed views of each image there are.
    """

    split: datasets.Dataset
    name: str
    view: View
    description: dict[str, Any]
    views: int = 1


def cached_features(
    accelerator: Accelerator, model: Network, source: FeatureSource, *, workers: int
) -> Path:
    """Give the file with a split's features, computing them if they are not there.

    Args:
        accelerator: Its main process computes; the others wait and read.
        model: Its backbone is used, in evaluation mode.
        source: The pictures and their views.
        workers: Processes that decode.

    Returns:
        A safetensors file with `features`, float32 (V, N, K).
    """
    path = cache_folder("features") / f"{_name(model, source)}.safetensors"
    if accelerator.is_main_process and not _is_whole(path):
        with staged(path) as staging:
            save_file({"features": _compute(accelerator.device, model, source, workers)}, staging)
    accelerator.wait_for_everyone()
    return path


@torch.inference_mode()
def _compute(device: torch.device, model: Network, source: FeatureSource, workers: int) -> Tensor:
    keys = [(view, index) for view in range(source.views) for index in range(len(source.split))]
    batches: DataLoader[Any] = DataLoader(
        Pictures(source.split, source.view),
        batch_size=_BATCH_SIZES.get(device.type, _BATCH_SIZE),
        sampler=keys,
        num_workers=workers,
        collate_fn=as_it_is,
    )
    network = folded(model) if isinstance(model, ImageClassifier) else model
    give_back_freed_memory()  # workers start below
    rows = [
        network.feature_map(batch.to(device)).mean(dim=(2, 3)).cpu()
        for batch, _ in tqdm(batches, f"features of {source.name}")
    ]
    return torch.cat(rows).view(source.views, len(source.split), -1)


def _name(model: Network, source: FeatureSource) -> str:
    digest = hashlib.sha256(f"{_FORMAT} {model.config.architecture} {model.config.stem}".encode())
    for name, tensor in model.backbone.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    described = {**source.description, "views": source.views}
    digest.update(repr(sorted(described.items())).encode())
    digest.update(repr(asdict(model.config.preprocess)).encode())
    return cache_name(source.split, digest.digest())


def _is_whole(path: Path) -> bool:
    try:
        with safe_open(path, framework="pt") as file:
            return "features" in file.keys()  # noqa: SIM118
    except (OSError, SafetensorError):
        return False
