"""A folder of class folders to pictures with targets, for calibrating and measuring exports."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hub_models.errors import ConfigError
from hub_models.image_kinds import SUFFIXES

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


def read_class_folders(root: Path, label_names: Sequence[str]) -> list[LabelledPicture]:
    """List the pictures of a folder that has one sub-folder per class.

    Args:
        root: Its sub-folders are named as the model's labels; classes may be absent.
        label_names: C class names in the order of the logits.

    Returns:
        Pictures in the order of classes, then of file names.

    Raises:
        ConfigError: If there is no such folder, a sub-folder is no label, or there is no picture.
    """
    if not root.is_dir():
        raise ConfigError(f"{root}: no such folder")
    folders = sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    for folder in folders:
        if folder.name not in label_names:
            raise ConfigError(f"{folder}: not one of the model's labels ({_few(label_names)})")
    pictures = [
        LabelledPicture(path, label_names.index(folder.name))
        for folder in folders
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in SUFFIXES and path.is_file()
    ]
    if not pictures:
        raise ConfigError(f"{root}: no pictures in sub-folders named {_few(label_names)}")
    return sorted(pictures, key=lambda picture: picture.target)


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
