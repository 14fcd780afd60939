"""A folder of class folders to pictures with targets, for calibrating and measuring exports."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hub_models.errors import ConfigError
from hub_models.picture_tree import find_classes, walk_tree
from hub_models.picture_walk import LeftOut

_CALIBRATION_SHARE: Final = 4  # one picture in so many calibrates, the others measure


@dataclass(frozen=True)
class LabelledPicture:
    """One picture file and what it shows.

    Attributes:
        path: The file, not yet looked at.
        target: Index of its class in the model's label names.
    """

    path: Path
    target: int


def read_class_folders(
    root: Path, label_names: Sequence[str], left_out: LeftOut | None = None
) -> list[LabelledPicture]:
    """List the pictures of a folder that has one sub-folder per class.

    Args:
        root: Its sub-folders are named as the model's labels; classes may be absent.
        label_names: C class names in the order of the logits.
        left_out: Sees what is not used.

    Returns:
        Pictures in the order of classes, then of file names.

    Raises:
        ConfigError: If there is no such folder, a sub-folder is no label, there are split folders,
            or there is no picture.
    """
    found = find_classes(walk_tree(root))
    if found.folders:
        names = ", ".join(found.folders.values())
        first = os.path.join(found.root, next(iter(found.folders.values())))
        raise ConfigError(f"{root}: holds splits ({names}); name the one to use, such as {first}")
    for label in found.splits["train"]:
        if label not in label_names:
            raise ConfigError(
                f"{root / label}: not one of the model's labels ({_few(label_names)})"
            )
    if left_out is not None:
        for each in found.left_out.values():
            left_out.add(each)
    pictures = [
        LabelledPicture(Path(found.root, name), label_names.index(label))
        for label, names in found.splits["train"].items()
        for name in names
    ]
    return sorted(pictures, key=lambda picture: picture.target)


def check_outside(place: str | Path, data: str | Path, option: str) -> None:
    """Refuse to write into the data: the next run would read it as a class.

    Args:
        place: What is to be written.
        data: Folder of pictures; anything else passes.
        option: How the place was named, for the sentence.

    Raises:
        ConfigError: If the place is the folder or lies in it, by whatever link.
    """
    folder = data if os.path.exists(data) else os.path.expanduser(data)
    if os.path.isdir(folder) and Path(place).resolve().is_relative_to(Path(folder).resolve()):
        raise ConfigError(
            f"{option} {place}: lies inside the data ({data}), which would then hold other things "
            "than its pictures; name a place outside"
        )


def cut(
    pictures: Sequence[LabelledPicture],
) -> tuple[list[LabelledPicture], list[LabelledPicture]]:
    """Cut pictures in two: a quarter of each class to calibrate on, the rest to measure on.

    Args:
        pictures: As `read_class_folders` gives them.

    Returns:
        The two parts; the same pictures always give the same parts.
    """
    calibration: list[LabelledPicture] = []
    measured: list[LabelledPicture] = []
    for target in dict.fromkeys(picture.target for picture in pictures):
        own = [picture for picture in pictures if picture.target == target]
        calibration += own[::_CALIBRATION_SHARE]
        measured += [p for i, p in enumerate(own) if i % _CALIBRATION_SHARE]
    return calibration, measured


def thin(pictures: Sequence[LabelledPicture], most: int) -> list[LabelledPicture]:
    """Keep at most so many pictures, evenly spread, so that every class keeps its share.

    Args:
        pictures: In the order of classes.
        most: At least 1.

    Returns:
        The pictures that stay, in the same order.
    """
    if len(pictures) <= most:
        return list(pictures)
    return [pictures[i * len(pictures) // most] for i in range(most)]


def _few(label_names: Sequence[str]) -> str:
    more = ", …" if len(label_names) > 5 else ""
    return ", ".join(label_names[:5]) + more
