"""A data source to splits of readable pictures with targets and label names.

A source is a hub data set id, a data set folder (parquet), or a folder of class folders.
"""

import os
from collections.abc import Callable, Iterator, Sequence, Sized
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import datasets
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, Sampler
from tqdm import tqdm

from hub_models.config import check_labels
from hub_models.errors import ConfigError, ImageError
from hub_models.image import load_image
from hub_models.preprocess import Pixels

_SPLITS: Final[tuple[str, ...]] = ("train", "validation", "test")


@dataclass(frozen=True)
class Unreadable:
    """A picture that was left out.

    Attributes:
        split: The split it was in.
        index: Its row there.
        reason: One sentence that names it.
    """

    split: str
    index: int
    reason: str


@dataclass(frozen=True)
class Data:
    """Splits of one data set, each with the columns `image` (undecoded) and `target`.

    Attributes:
        splits: "train", "validation", and "test" if there is one.
        label_names: Class names in the order of the targets.
        unreadable: Pictures dropped by `without`, over all splits.
    """

    splits: dict[str, datasets.Dataset]
    label_names: tuple[str, ...]
    unreadable: tuple[Unreadable, ...] = ()

    def only(self, names: Sequence[str]) -> "Data":
        """Keep some of the splits.

        Args:
            names: Of the splits.

        Returns:
            The same data with those alone.

        Raises:
            ConfigError: If there is no such split.
        """
        for name in names:
            if name not in self.splits:
                raise ConfigError(f"data: no split {name!r}; there are {', '.join(self.splits)}")
        return replace(self, splits={name: self.splits[name] for name in names})

    def aligned(self, label_names: tuple[str, ...]) -> "Data":
        """Count the targets in a model's order of class names.

        Args:
            label_names: The model's.

        Returns:
            The same data with targets that index `label_names`.

        Raises:
            ConfigError: If the two have not the same class names.
        """
        if label_names == self.label_names:
            return self
        if set(label_names) != set(self.label_names):
            raise ConfigError(
                f"data: its classes are {_listed(self.label_names)}, "
                f"the model's {_listed(label_names)}"
            )
        order = [label_names.index(label) for label in self.label_names]
        names = datasets.ClassLabel(names=list(label_names))
        splits = {
            name: split.map(
                lambda target: {"target": order[target]}, input_columns="target"
            ).cast_column("target", names)
            for name, split in self.splits.items()
        }
        return replace(self, splits=splits, label_names=label_names)

    def without(self, unreadable: list[Unreadable]) -> "Data":
        """Drop pictures that cannot be read.

        Args:
            unreadable: What `find_unreadable` found.

        Returns:
            The same data without them.

        Raises:
            ConfigError: If a split has no picture left.
        """
        splits = dict(self.splits)
        for name, split in splits.items():
            bad = {u.index for u in unreadable if u.split == name}
            splits[name] = split.select([i for i in range(len(split)) if i not in bad])
            if not len(splits[name]):
                raise ConfigError(f"data: no readable picture in the split {name!r}")
        return replace(self, splits=splits, unreadable=tuple(unreadable))


def load_data(
    source: str,
    *,
    image_column: str = "",
    label_column: str = "",
    validation_fraction: float = 0.1,
    seed: int = 0,
) -> Data:
    """Load a data set's splits, finding its columns by their types.

    Where there is no validation split, a stratified one is cut from train with the seed; a test
    split is never touched for that.

    Args:
        source: Hub data set id, data set folder, or folder of class folders.
        image_column: Its name; the only column of type Image if empty.
        label_column: Its name; the only column of type ClassLabel, or of strings, if empty.
        validation_fraction: Share of train, 0 to 1.
        seed: Of the split.

    Returns:
        The splits, nothing decoded yet.

    Raises:
        ConfigError: If the source cannot be had, or a column cannot be told.
    """
    try:
        loaded = datasets.load_dataset(source)
    # `datasets` meets a missing folder, an empty one, a dead network and a broken file with errors
    # of four libraries; each means that there is no data.
    except Exception as error:
        first_line = str(error).strip().split("\n", 1)[0]
        raise ConfigError(
            f"data set {source!r} cannot be loaded ({first_line}); --data FOLDER takes a folder "
            "of class folders, or one with parquet files"
        ) from error
    splits = {str(name): split for name, split in loaded.items()}
    if "train" not in splits:
        raise ConfigError(f"data set {source!r} has no split 'train', only {', '.join(splits)}")
    image, label = _columns(splits["train"].features, image_column, label_column)
    label_names = _label_names(splits["train"], label)
    splits = {n: _prepared(split, image, label, label_names) for n, split in splits.items()}
    if "validation" not in splits:
        splits |= _split_off(splits["train"], validation_fraction, seed)
    wanted = {name: splits[name] for name in _SPLITS if name in splits}
    return Data(wanted, label_names)


def find_unreadable(data: Data, *, quiet: bool = False) -> list[Unreadable]:
    """Decode every picture once, in full, and list those that cannot be used.

    `Image.verify` would not do: it finds nothing wrong with a JPEG cut in half.

    Args:
        data: All its splits are read.
        quiet: Show no progress bar.

    Returns:
        Pictures that cannot be decoded, and rows without a label.
    """
    found: list[Unreadable] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, split in data.splits.items():
            outcomes = pool.map(_problem_in(split, name, len(data.label_names)), range(len(split)))
            bar = tqdm(outcomes, f"reading {name}", len(split), disable=quiet, unit="img")
            found += [Unreadable(name, i, reason) for i, reason in enumerate(bar) if reason]
    return found


class Pictures(Dataset[tuple[Tensor, int]]):
    """A split as a torch data set of pixels and targets.

    Args:
        split: With the columns `image` and `target`.
        transform: Image and a key, (epoch, index), to pixels; the key seeds an augmentation.
    """

    def __init__(
        self,
        split: datasets.Dataset,
        transform: Callable[[Image.Image, tuple[int, int]], Pixels],
    ) -> None:
        self.split = split
        self.transform = transform

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, int]:
        row = self.split[key[1]]
        pixels = self.transform(decode(row["image"]), key)
        return torch.from_numpy(pixels), row["target"]


class EpochSampler(Sampler[tuple[int, int]]):
    """Yields (epoch, index): shuffled by (seed, epoch) alone, or in order.

    The order and every augmentation then depend on the epoch and not on how often an iterator was
    made, by how many workers, or in how many processes: what resuming exactly needs.
    """

    def __init__(self, rows: Sized, *, seed: int, shuffle: bool) -> None:
        self.length = len(rows)
        self.seed = seed
        self.shuffle = shuffle
        self.epoch = 0

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = torch.arange(self.length)
        if self.shuffle:
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
            order = torch.randperm(self.length, generator=generator)
        for index in order.tolist():
            yield self.epoch, index


def decode(cell: dict[str, Any]) -> Image.Image:
    """Decode a cell of an image column by the project's one decoder.

    Args:
        cell: `bytes` and `path`, as `datasets` gives it with decode=False.

    Returns:
        Upright RGB image.

    Raises:
        ImageError: If it cannot be read.
    """
    path = cell["path"]
    if cell["bytes"] is None:
        return load_image(Path(path))
    return load_image(cell["bytes"], name=path)


def _listed(label_names: tuple[str, ...]) -> str:
    return ", ".join(label_names[:5]) + (", …" if len(label_names) > 5 else "")


def _problem_in(
    split: datasets.Dataset, name: str, num_classes: int
) -> Callable[[int], str | None]:
    def problem(index: int) -> str | None:
        row = split[index]
        if row["target"] is None or not 0 <= row["target"] < num_classes:
            return f"{name}[{index}]: no label"
        try:
            decode(row["image"])
        except ImageError as error:
            return f"{name}[{index}]: {error}"
        return None

    return problem


def _columns(features: datasets.Features, image: str, label: str) -> tuple[str, str]:
    images = [n for n, f in features.items() if isinstance(f, datasets.Image)]
    labels = [n for n, f in features.items() if isinstance(f, datasets.ClassLabel)]
    if not labels:
        labels = [n for n, f in features.items() if getattr(f, "dtype", "") == "string"]
    return (
        _column(features, image, images, "image_column", "an Image"),
        _column(features, label, labels, "label_column", "a ClassLabel, or strings"),
    )


def _column(
    features: datasets.Features, asked: str, found: list[str], option: str, kind: str
) -> str:
    if asked:
        if asked not in features:
            raise ConfigError(f"{option}: no column {asked!r}; there are {', '.join(features)}")
        return asked
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(found)
        raise ConfigError(f"data: {len(found)} columns hold {kind} ({names}); use --{option} NAME")
    raise ConfigError(
        f"data: no column holds {kind}; there are {', '.join(features)} "
        "(a folder of pictures needs a sub-folder per class, two at least)"
    )


def _label_names(train: datasets.Dataset, label: str) -> tuple[str, ...]:
    feature = train.features[label]
    if isinstance(feature, datasets.ClassLabel):
        names = tuple(feature.names)
    else:
        names = tuple(sorted(str(value) for value in train.unique(label) if value is not None))
    check_labels(names)
    if len(names) < 2:
        raise ConfigError(f"data: at least two classes are needed, {label!r} has {len(names)}")
    return names


def _prepared(
    split: datasets.Dataset, image: str, label: str, label_names: tuple[str, ...]
) -> datasets.Dataset:
    split = split.select_columns([image, label]).cast_column(image, datasets.Image(decode=False))
    feature = split.features[label]
    if not isinstance(feature, datasets.ClassLabel):
        if feature.dtype != "string":
            split = split.cast_column(label, datasets.Value("string"))
        split = split.cast_column(label, datasets.ClassLabel(names=list(label_names)))
    elif tuple(feature.names) != label_names:
        raise ConfigError(f"data: the splits name their classes differently in {label!r}")
    names = {image: "image", label: "target"}
    return split.rename_columns({old: new for old, new in names.items() if old != new})


def _split_off(train: datasets.Dataset, fraction: float, seed: int) -> dict[str, datasets.Dataset]:
    try:
        parts = train.train_test_split(fraction, stratify_by_column="target", seed=seed)
    except ValueError as error:
        raise ConfigError(
            f"data: no validation split of {fraction:g} can be cut from train ({error})"
        ) from error
    return {"train": parts["train"], "validation": parts["test"]}
