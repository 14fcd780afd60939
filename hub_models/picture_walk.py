"""Folders and pictures that a person named to the names of all pictures in them, in one order."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hub_models.errors import ConfigError
from hub_models.image_kinds import SUFFIXES

_Identity = tuple[int, int]  # device and inode: the same folder, whatever link leads there


@dataclass(frozen=True)
class PictureWalk:
    """What is to be classified; made by `plan_walk`.

    Attributes:
        base: Absolute folder that names are relative to.
        roots: What was named, relative to `base`; "" is the base itself.
    """

    base: str
    roots: tuple[str, ...]

    def names(self) -> Iterator[str]:
        """Walk the folders, holding no more than one branch of them in memory.

        Returns:
            Names with "/", sorted within each folder. Files count by suffix (those named by the
            person always); what begins with a dot does not. Links are followed, except to a folder
            they lie in.

        Raises:
            ConfigError: If a folder cannot be read.
        """
        for root in self.roots:
            path = os.path.join(self.base, root) if root else self.base
            if os.path.isdir(path):
                yield from _walk(path, root and root + "/", ())
            else:
                yield root


def plan_walk(named: Sequence[str]) -> PictureWalk:
    """Decide what pictures are called: relative to the folder if one is named, else as typed.

    Args:
        named: Folders and pictures; one that lies in another named folder counts once.

    Returns:
        The walk, nothing read yet.

    Raises:
        ConfigError: If there is no such folder or file.
    """
    for path in named:
        if "\0" in path or not os.path.exists(path):
            raise ConfigError(f"{path}: no such folder or picture")
    if len(named) == 1 and os.path.isdir(named[0]):
        return PictureWalk(os.path.abspath(named[0]), ("",))
    typed = dict.fromkeys(Path(os.path.normpath(path)).as_posix() for path in named)
    folders = {os.path.abspath(path) for path in typed if os.path.isdir(path)}
    alone = [
        path
        for path in typed
        if not any(str(above) in folders for above in Path(os.path.abspath(path)).parents)
    ]
    return PictureWalk(os.getcwd(), tuple(alone))


def _walk(folder: str, prefix: str, above: tuple[_Identity, ...]) -> Iterator[str]:
    try:
        status = os.stat(folder)
        identity = (status.st_dev, status.st_ino)
        if identity in above:  # a link to a folder it lies in
            return
        with os.scandir(folder) as entries:
            seen = sorted((e.name, os.path.isdir(e)) for e in entries if not e.name.startswith("."))
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be read ({error})") from error
    for name, is_folder in seen:
        if is_folder:
            yield from _walk(os.path.join(folder, name), f"{prefix}{name}/", (*above, identity))
        elif os.path.splitext(name)[1].lower() in SUFFIXES:
            yield prefix + name
