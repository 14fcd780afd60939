"""A folder of class folders to data sets of paths by split; nothing is decoded or copied."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import datasets
import pyarrow as pa

from hub_models.config import check_labels
from hub_models.errors import ConfigError
from hub_models.picture_tree import ClassFolders, Place
from hub_models.picture_walk import Found, LeftOut, is_utf8, printable
from hub_models.split_names import split_of

_LISTED: Final = 10  # folders in a sentence
_BLOCK: Final = 10_000  # paths of a record batch: the lists of Python behind it are short-lived


@dataclass(frozen=True)
class Layout:
    """What class folders hold beside the pictures that are used.

    Attributes:
        left_out: By split and class.
        deeper: Folders below class folders, whose pictures belong to the class above.
    """

    left_out: dict[Place, LeftOut]
    deeper: tuple[str, ...]

    def sentences(self) -> tuple[str, ...]:
        """Say what was left out, and which folders were taken together."""
        total = LeftOut()
        for each in self.left_out.values():
            total.add(each)
        said = (str(total),) if total.counts else ()
        if not self.deeper:
            return said
        more = ", …" if len(self.deeper) > _LISTED else ""
        few = ", ".join(self.deeper[:_LISTED])
        are_splits = any(split_of(name.rpartition("/")[2]) for name in self.deeper)
        warning = "; no splits: these lie above the classes (train/cat)" if are_splits else ""
        return (
            *said,
            f"pictures in deeper folders belong to the class above{warning}: {few}{more}",
        )


def read_paths(found: ClassFolders) -> tuple[dict[str, datasets.Dataset], tuple[str, ...], Layout]:
    """Make data sets of class folders.

    Args:
        found: From `find_classes`.

    Returns:
        By split, data sets with the columns `image`, a path not to be decoded by `datasets`, and
        `target`, a ClassLabel, in the order of the paths; the class names; and what is left out.
        That includes names that are not UTF-8: no table can hold them.

    Raises:
        ConfigError: If the path of the folder is not UTF-8, or a name cannot be a label.
    """
    if not is_utf8(found.root):
        raise ConfigError(f"{printable(found.root)}: the path is not UTF-8: rename the folder")
    for split, classes in found.splits.items():
        for label, names in classes.items():
            for name in [name for name in names if not is_utf8(name)]:
                names.remove(name)
                left_out = found.left_out.setdefault((split, label), LeftOut())
                left_out.see(Found(name, "with a name that is not UTF-8 (rename it)"))
    tables = {split: _table(found.root, classes) for split, classes in found.splits.items()}
    label_names = tuple(next(iter(found.splits.values())))
    check_labels(label_names)
    return tables, label_names, Layout(found.left_out, found.deeper)


def untrained(labels: Sequence[str], why: str = "") -> ConfigError:
    """Make the error for classes that no training picture shows.

    Args:
        labels: The classes.
        why: What is there instead of pictures.

    Returns:
        The error.
    """
    more = f" and {len(labels) - _LISTED:,} more" if len(labels) > _LISTED else ""
    return ConfigError(
        f"data: train has no usable picture of {', '.join(map(repr, labels[:_LISTED]))}{more}"
        f"{why and f' ({why})'}: add pictures of it or, if it is no class, take it out of the data"
    )


def _table(root: str, classes: Mapping[str, Sequence[str]]) -> datasets.Dataset:
    labels = list(classes)
    features = datasets.Features(
        {"image": datasets.Image(decode=False), "target": datasets.ClassLabel(names=labels)}
    )
    digest = hashlib.blake2b(repr(labels).encode(), digest_size=8)
    batches = []
    for label in sorted(labels, key=lambda label: f"{label}/"):  # the order of full names
        for block in _blocks(classes[label]):
            paths = [os.path.join(root, name) for name in block]
            digest.update(repr((label, paths)).encode())
            cells = pa.StructArray.from_arrays(
                [pa.nulls(len(paths), pa.binary()), pa.array(paths, pa.string())],
                names=["bytes", "path"],
            )
            targets = pa.array([labels.index(label)] * len(paths), pa.int64())
            batches.append(pa.RecordBatch.from_arrays([cells, targets], names=["image", "target"]))
    table = pa.Table.from_batches(batches, features.arrow_schema).combine_chunks()
    info = datasets.DatasetInfo(features=features)
    return datasets.Dataset(table, info, fingerprint=digest.hexdigest())


def _blocks(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[start : start + _BLOCK] for start in range(0, len(names), _BLOCK))
