"""A folder of class folders to its pictures by split and class, and what is left out and why.

The one reader, for training, measuring and calibration. The class is the first folder below the
split, or below the root where there are no split folders; deeper folders belong to it.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final, NoReturn

from hub_models.errors import ConfigError
from hub_models.picture_walk import (
    OUR_FOLDERS,
    Found,
    LeftOut,
    is_utf8,
    list_folder,
    printable,
    walk,
)
from hub_models.split_names import SPLITS, same_name, split_of, split_word

_LISTED: Final = 5  # names in a sentence
_STRAY: Final = "outside of the class folders"

Place = tuple[str, str]  # split and class; "" where there is none
Pictures = dict[str, dict[str, list[str]]]  # names by split and class


@dataclass(frozen=True)
class ClassFolders:
    """What lies in a folder of class folders.

    Attributes:
        root: Its absolute path.
        splits: Pictures by split and class, named from `root`, in the order of their names. Each
            split has the classes of all, maybe without pictures. A folder without split folders is
            all "train".
        left_out: What is not used, by split and class.
        deeper: Folders below class folders whose pictures belong to the class above.
        folders: Split -> its folder, as it is written; none if there are no split folders.
    """

    root: str
    splits: Pictures
    left_out: dict[Place, LeftOut]
    deeper: tuple[str, ...]
    folders: dict[str, str]


@dataclass(frozen=True)
class PictureTree:
    """The files of a folder by the first two folders they lie in, nothing decided yet.

    Attributes:
        root: Its absolute path.
        pictures: Names of pictures from `root`, by first and second folder; "" where there is none.
        left_out: Everything else.
    """

    root: str
    pictures: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    left_out: list[Found] = field(default_factory=list)

    def folders(self, above: str = "") -> list[str]:
        """List the folders that may be splits or classes.

        Args:
            above: Folder that they lie in, such as "train/"; the root if empty.

        Returns:
            Their names, without our own output folders.
        """
        entries = list_folder(os.path.join(self.root, above))
        return [n for n, is_folder in entries if is_folder and f"{above}{n}/" not in self._passed]

    def files(self) -> list[str]:
        """List the names of all files, pictures or not, in their order."""
        names = [found.name for found in self.left_out if not found.name.endswith("/")]
        return sorted(names + [name for group in self.pictures.values() for name in group])

    def has_pictures(self, top: str) -> bool:
        """Tell whether pictures lie below a folder of the root."""
        return top in self._full

    @cached_property
    def _full(self) -> set[str]:
        return {first for first, _ in self.pictures}

    @cached_property
    def _passed(self) -> set[str]:
        """Folders that were left out, and those that hold nothing but our own output."""
        ours = {found.name for found in self.left_out if found.reason in OUR_FOLDERS}
        names = (found.name for found in self.left_out if found.name not in ours)
        used = {above for name in names for above in _above(name)}
        used |= {above for names in self.pictures.values() for above in _above(names[0])}
        holders = {above for name in ours for above in _above(name)}
        return {found.name for found in self.left_out if found.name.endswith("/")} | holders - used


def walk_tree(root: str | Path) -> PictureTree:
    """Walk a folder once.

    Args:
        root: The folder.

    Returns:
        The names of its files; none is opened but those with an unknown suffix.

    Raises:
        ConfigError: If there is no such folder, or one in it cannot be read.
    """
    if not os.path.isdir(root):
        raise ConfigError(f"{printable(str(root))}: no such folder")
    tree = PictureTree(os.path.abspath(root))
    for found in walk(tree.root):
        if found.reason:
            tree.left_out.append(found)
        else:
            tree.pictures.setdefault(folders_of(found.name), []).append(found.name)
    return tree


def find_classes(tree: PictureTree) -> ClassFolders:
    """Tell splits and classes by the names of folders; no file name means anything.

    Args:
        tree: From `walk_tree`.

    Returns:
        Its pictures by split and class.

    Raises:
        ConfigError: If there are no pictures in class folders, or it is not certain which folders
            are splits and which are classes.
    """
    folders = _split_folders(tree)
    places = {
        f"{above}{name}/": (split, name)
        for split, above in ({s: f"{f}/" for s, f in folders.items()} or {"train": ""}).items()
        for name in tree.folders(above)
    }
    _check_distinct(tree.root, places)
    labels = sorted({label for _, label in places.values()})
    splits: dict[str, dict[str, list[str]]] = {
        s: {n: [] for n in labels} for s in folders or ["train"]
    }
    left_out: dict[Place, LeftOut] = defaultdict(LeftOut)
    for (first, second), names in tree.pictures.items():
        split, label = _place(places, [f"{first}/", f"{first}/{second}/"])
        if label:
            splits[split][label] += names
            continue
        reason = f"without a class folder in {first}" if split_of(first) else _STRAY
        for name in names:
            left_out[split, ""].see(Found(name, reason))
    for left in tree.left_out:
        left_out[_place(places, _above(left.name))].see(left)
    for names in (names for classes in splits.values() for names in classes.values()):
        names.sort()
    deeper = sorted(f"{a}/{b}" for a, b in tree.pictures if b and f"{a}/" in places)
    found = ClassFolders(tree.root, splits, dict(left_out), tuple(deeper), folders)
    _check_classes(found)
    return found


def _split_folders(tree: PictureTree) -> dict[str, str]:
    """Give split -> its folder; none if the folders of the root are classes."""
    tops = tree.folders()
    inside = {top: tree.folders(f"{top}/") for top in tops}
    holders = [top for top in tops if split_of(top) and inside[top]]
    if not holders:
        _check_no_split_is_meant(tree, tops, inside)
        return {}
    found: dict[str, str] = {}
    for top in tops:
        split = split_of(top)
        if top in holders and split:
            other = found.setdefault(split, top)
            if other != top:
                _refuse(tree.root, f"{other} and {top} both mean {split}: put them together")
        elif split == "train" and tree.has_pictures(top):
            _refuse(tree.root, f"{top} holds pictures, but no class folders as {holders[0]} does")
        elif split is None and tree.has_pictures(top):
            _refuse(
                tree.root,
                f"{top} holds pictures and is no split, as {', '.join(holders)} by name: splits "
                f"are called train, validation and test. Rename {top}, or move it away; if all "
                "these folders are classes, put them into one folder train",
            )
    return {split: found[split] for split in SPLITS if split in found}


def _check_no_split_is_meant(
    tree: PictureTree, tops: Sequence[str], inside: dict[str, list[str]]
) -> None:
    """Refuse folders that can hardly be classes: train and test, or seg_train and seg_test."""
    full = [top for top in tops if tree.has_pictures(top)]
    flat = {top: split for top in full if (split := split_of(top))}
    if flat and (len(flat) == len(full) or len(set(flat.values())) > 1):
        _refuse(
            tree.root,
            f"{_few(list(flat))}: named like splits, but without class folders inside; put the "
            "pictures into a folder per class, or list them in metadata.csv (file_name, label)",
        )
    words = {top: found for top in full if (found := split_word(top))}
    for top, (split, rest) in words.items():
        for other, (other_split, other_rest) in words.items():
            if split != other_split and (rest == other_rest or (inside[top] and inside[other])):
                _refuse(
                    tree.root,
                    f"{top} and {other} look like splits: call them {split} and {other_split}, or "
                    "put all classes into one folder train",
                )


def _check_distinct(root: str, places: dict[str, Place]) -> None:
    """Refuse two class names that look the same, and one folder under two names."""
    names: dict[str, str] = {}
    identities: dict[tuple[int, int], str] = {}
    for folder, (_, label) in places.items():
        if not is_utf8(label):
            _refuse(root, f"the name of the folder {printable(folder)} is not UTF-8: rename it")
        twin = names.setdefault(same_name(label), folder)
        if places[twin][1] != label:
            _refuse(
                root,
                f"{twin!a} and {folder!a} differ only in case, spaces or how accents are written: "
                "give one class one name",
            )
        status = os.stat(os.path.join(root, folder))
        twin = identities.setdefault((status.st_dev, status.st_ino), folder)
        if twin != folder:
            _refuse(root, f"{twin} and {folder} are one and the same folder, by a link")


def _check_classes(found: ClassFolders) -> None:
    """Refuse a folder without pictures in class folders, or whose classes lie a folder deeper."""
    full = [(label, names) for s in found.splits.values() for label, names in s.items() if names]
    if not full:
        total = LeftOut()
        for each in found.left_out.values():
            total.add(each)
        said = f"; {total}" if total.counts else ""
        _refuse(found.root, f"no pictures in class folders: a sub-folder per class is needed{said}")
    label, names = full[0]
    depth = 2 if found.folders else 1  # slashes of a picture right in its class folder
    if all(other == label and min(n.count("/") for n in each) > depth for other, each in full):
        below = sorted({"/".join(name.split("/")[: depth + 1]) for name in names})
        remedy = f"name {os.path.join(found.root, label)}"
        if found.folders:
            remedy = f"move them up, out of {label}"
        _refuse(
            found.root,
            f"all pictures lie below the one class folder {label}; if {_few(below)} are the "
            f"classes, {remedy}",
        )


def _refuse(root: str, why: str) -> NoReturn:
    raise ConfigError(f"{printable(root)}: {why}")


def _place(places: dict[str, Place], folders: Iterable[str]) -> Place:
    return next((places[folder] for folder in folders if folder in places), ("", ""))


def folders_of(name: str) -> tuple[str, str]:
    """Give the first two folders of a name, "" where there is none."""
    first, _, rest = name.rpartition("/")[0].partition("/")
    return first, rest.partition("/")[0]


def _above(name: str) -> list[str]:
    """Give the first two folders that a file or a folder lies in, with "/"."""
    first, second = folders_of(name.rstrip("/"))
    return ([f"{first}/"] if first else []) + ([f"{first}/{second}/"] if second else [])


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:_LISTED]) + (", …" if len(names) > _LISTED else "")
