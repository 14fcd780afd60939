"""Files that must still be what they were when something was loaded from them."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub_models.atomic import hash_file
from hub_models.errors import CheckpointError


@dataclass(frozen=True)
class Stamp:
    """What tells a file from itself after a change, without reading it.

    Attributes:
        path: Where the file is, from the root.
        inode: Device and number: another file has others.
        content: Size in bytes and time of the last change in nanoseconds.
    """

    path: Path
    inode: tuple[int, int]
    content: tuple[int, int]

    def check(self) -> None:
        """Refuse another file in its place, and the same file with other content.

        Raises:
            CheckpointError: If it changed or is gone.
        """
        try:
            is_same = take_stamp(self.path) == self
        except OSError as error:
            raise CheckpointError(f"{self.path}: gone since it was loaded ({error})") from error
        if not is_same:
            raise CheckpointError(f"{self.path}: changed since it was loaded; load it again")


class Watch:
    """A hook of a module that refuses to go on once its mapped file was written over.

    A file renamed into its place does no harm: the map is of the old one. Nor does anything to a
    copy or a pickle, which has memory of its own.

    Args:
        stamp: Of the file when it was mapped; None in a copy.
    """

    def __init__(self, stamp: Stamp | None) -> None:
        self._stamp = stamp

    def __call__(self, *_: object) -> None:
        """Look at the file.

        Raises:
            CheckpointError: If it was written over.
        """
        with suppress(OSError):
            now = take_stamp(self._stamp.path) if self._stamp else None
            if now and self._stamp and now.inode == self._stamp.inode and now != self._stamp:
                raise CheckpointError(
                    f"{now.path}: written over while its weights were mapped; load it again, and "
                    "replace such a file by a rename"
                )

    def __reduce__(self) -> tuple[Any, ...]:
        """Watch nothing in copies."""
        return Watch, (None,)


def take_stamp(path: Path) -> Stamp:
    """Look at a file.

    Args:
        path: The file.

    Returns:
        What it is now.

    Raises:
        OSError: If it cannot be looked at.
    """
    path = Path(os.path.abspath(path))
    status = os.stat(path)
    inode = (status.st_dev, status.st_ino)
    return Stamp(path, inode, (status.st_size, status.st_mtime_ns))


@dataclass(frozen=True)
class Origin:
    """What a runtime was loaded from, for pickles and copies.

    Attributes:
        source: The folder or file, from the root, or the repo_id.
        options: Other arguments of `load_runtime`, the revision being a commit.
        stamps: Files that somebody may change; none of a commit.
    """

    source: str
    options: Mapping[str, Any]
    stamps: tuple[Stamp, ...] = ()

    def digests(self) -> dict[str, str]:
        """Read the files again.

        Returns:
            Path -> sha256.

        Raises:
            CheckpointError: If one of them changed since it was loaded, or is gone.
        """
        for stamp in self.stamps:
            stamp.check()
        return {str(stamp.path): hash_file(stamp.path) for stamp in self.stamps}


def check_digests(digests: Mapping[str, str]) -> None:
    """Compare files with what they were for somebody else, in another process perhaps.

    Args:
        digests: As `Origin.digests` gave them.

    Raises:
        CheckpointError: If one of them has other content, or is not here.
    """
    for path, digest in digests.items():
        if not os.path.isfile(path):
            raise CheckpointError(f"{path}: the runtime that was copied came from it; it is gone")
        if hash_file(Path(path)) != digest:
            raise CheckpointError(f"{path}: changed since the runtime was copied; load it again")
