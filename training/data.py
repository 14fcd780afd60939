"""A data source to splits of readable pictures with targets and label names.

A source is a hub data set id, a folder of tables, a table, or a folder of class folders.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import datasets
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from hub_models.errors import ConfigError, ImageError
from hub_models.image import load_image
from training.augment import View
from training.class_folder_data import Layout
from training.labelled import Labelled, read_labelled
from training.listing import few
from training.sampler import Key
from training.split import Part, cut, read_split


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
        parts: Of every split, which rows of the data set's own splits it has, in its order.
        unreadable: Pictures dropped by `without`, over all splits.
        stream: The training rows when they are read as they arrive; there is no split "train" then.
        left_out: Sentences about splits, files and rows that are not used.
        layout: What class folders hold beside the pictures; None of tables.
    """

    splits: dict[str, datasets.Dataset]
    label_names: tuple[str, ...]
    parts: dict[str, Part]
    unreadable: tuple[Unreadable, ...] = ()
    stream: datasets.IterableDataset | None = None
    left_out: tuple[str, ...] = ()
    layout: Layout | None = None

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
                why = "".join(f"; {each}" for each in self.left_out if name in each.casefold())
                raise ConfigError(
                    f"data: no split {name!r}; there are {', '.join(self.splits)}{why}"
                )
        return replace(
            self,
            splits={name: self.splits[name] for name in names},
            parts={name: self.parts[name] for name in names},
        )

    def aligned(self, label_names: tuple[str, ...], classes: Sequence[str] = ()) -> "Data":
        """Count the targets in a model's order of class names.

        Args:
            label_names: The model's.
            classes: Those that count, where data and model have not the same.

        Returns:
            The same data with targets that index `label_names`, classes the model does not know
            after them.

        Raises:
            ConfigError: If the two have not the same class names and no `classes` are given, or
                one of these is not a class of both.
        """
        _check_classes(self.label_names, label_names, classes)
        if label_names == self.label_names:
            return self
        label_names += tuple(label for label in self.label_names if label not in label_names)
        order = [label_names.index(label) for label in self.label_names]
        names = datasets.ClassLabel(names=list(label_names))
        splits = {
            name: split.map(
                lambda target: {"target": order[target]},
                input_columns="target",
                features=datasets.Features({**split.features, "target": names}),
            )
            for name, split in self.splits.items()
        }
        return replace(self, splits=splits, label_names=label_names)

    def without(self, unreadable: Sequence[Unreadable]) -> "Data":
        """Drop pictures that cannot be read.

        Args:
            unreadable: What the audit found.

        Returns:
            The same data without them.

        Raises:
            ConfigError: If a split has no picture left.
        """
        bad_rows = {name: [b.index for b in unreadable if b.split == name] for name in self.splits}
        kept = {
            name: np.delete(np.arange(len(self.splits[name])), rows)
            for name, rows in bad_rows.items()
            if rows
        }
        return replace(self._keep(kept, "readable picture"), unreadable=tuple(unreadable))

    def of_classes(self, classes: Sequence[str]) -> "Data":
        """Drop the pictures of all other classes.

        Args:
            classes: Names of those to keep.

        Returns:
            The same data without the others; the targets stay as they are.

        Raises:
            ConfigError: If a split has no picture left.
        """
        targets = [self.label_names.index(label) for label in classes]
        kept = {n: np.flatnonzero(np.isin(s["target"][:], targets)) for n, s in self.splits.items()}
        return self._keep(kept, f"picture of {few(classes)}")

    def _keep(self, rows: dict[str, NDArray[np.int64]], what: str) -> "Data":
        """Keep rows of some splits; the others stay whole."""
        splits, parts = dict(self.splits), dict(self.parts)
        for name, kept in rows.items():
            if not len(kept):
                raise ConfigError(f"data: no {what} in the split {name!r}")
            splits[name], parts[name] = splits[name].select(kept), parts[name].keep(kept)
        return replace(self, splits=splits, parts=parts)


def load_data(
    source: str,
    *,
    image_column: str = "",
    label_column: str = "",
    validation_fraction: float = 0.1,
    seed: int = 0,
    split_file: Path | None = None,
) -> Data:
    """Load a data set's splits, finding its columns by their types.

    Where there is no validation split, a stratified one is cut from train with the seed; a test
    split is never touched for that.

    Args:
        source: Hub data set id, data set folder, or folder of class folders.
        image_column: Its name; found by types and names if empty, see `training.columns`.
        label_column: Its name; found by types and names if empty.
        validation_fraction: Share of train, 0 to 1.
        seed: Of the split.
        split_file: RUN/split.json of another run: exactly its rows, whatever fraction and seed.

    Returns:
        The splits, nothing decoded yet.

    Raises:
        ConfigError: If the source cannot be had, a column cannot be told, or the saved split was
            made from other data.
    """
    labelled = read_labelled(source, image_column, label_column)
    tables = labelled.splits
    if "train" not in tables:
        raise ConfigError(f"data set {source!r} has no split 'train', only {', '.join(tables)}")
    if split_file is None:
        parts = cut(tables, validation_fraction, seed)
    else:
        parts = read_split(split_file, tables)
    return make_data(labelled, parts)


def make_data(labelled: Labelled, parts: dict[str, Part]) -> Data:
    """Give splits of a data set that was read.

    Args:
        labelled: From `read_labelled`.
        parts: By split, which rows of its tables it has.

    Returns:
        The splits, nothing decoded yet.
    """
    splits = {name: part.select() for name, part in parts.items()}
    return Data(
        splits,
        labelled.label_names,
        parts,
        left_out=labelled.left_out,
        layout=labelled.layout,
    )


class Images(Protocol):
    """Pictures that are decoded already."""

    def __getitem__(self, index: int) -> Image.Image:
        """Give one, upright and RGB."""
        ...


class Pictures(Dataset[tuple[Tensor, int]]):
    """A split as a torch data set of pixels and targets, made a batch at a time.

    Args:
        split: With the columns `image` and `target`.
        view: Turns images into pixels; the key, (epoch, index), seeds an augmentation.
        images: The split's pictures in its order, to be taken instead of decoding them.
    """

    def __init__(self, split: datasets.Dataset, view: View, images: Images | None = None) -> None:
        self.split = split
        self.view = view
        self.images = images
        self.targets = split["target"][:]

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, key: Key) -> tuple[Tensor, int]:
        pixels, targets = self.__getitems__([key])
        return pixels[0], int(targets[0])

    def __getitems__(self, keys: Sequence[Key]) -> tuple[Tensor, Tensor]:
        """Make a batch; torch's loader calls this, and `as_it_is` collates.

        Args:
            keys: (epoch, index) of each image, all of one epoch.

        Returns:
            Pixels (N, 3, S, S) and targets (N,).
        """
        squares = np.stack([self.view.take(self._image(key[1]), key) for key in keys])
        pixels = torch.from_numpy(self.view.finish(squares, keys))
        return pixels, torch.tensor([self.targets[index] for _, index in keys])

    def _image(self, index: int) -> Image.Image:
        return decode(self.split[index]["image"]) if self.images is None else self.images[index]


def as_it_is(batch: Any) -> Any:
    """Collate what is a batch already: the `collate_fn` of data sets with `__getitems__`."""
    return batch


def decode(cell: dict[str, Any] | None) -> Image.Image:
    """Decode a cell of an image column by the project's one decoder.

    Args:
        cell: `bytes` and `path`, as `datasets` gives it with decode=False.

    Returns:
        Upright RGB image.

    Raises:
        ImageError: If it cannot be read.
    """
    if cell is None or (cell["bytes"] is None and not cell["path"]):
        raise ImageError("the row has no picture")
    if cell["bytes"] is None:
        return load_image(Path(cell["path"]))
    return load_image(cell["bytes"], name=cell["path"])


def _check_classes(ours: Sequence[str], theirs: Sequence[str], classes: Sequence[str]) -> None:
    """Refuse a model of other classes, unless those that count are named, and known to both."""
    for label in classes:
        for whose, known in (("data", ours), ("model", theirs)):
            if label not in known:
                raise ConfigError(
                    f"--classes: the {whose} has no class {label!r}, only {few(known)}"
                )
    if not classes and set(ours) != set(theirs):
        shared = shlex.join(label for label in theirs if label in ours)
        raise ConfigError(
            f"data: its classes are {few(ours)}, the model's {few(theirs)}"
            + (f"; --classes {shared} measures the pictures of those both have" if shared else "")
        )
