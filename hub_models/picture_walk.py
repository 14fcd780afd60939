"""Folders and pictures that a person named to the names of all pictures in them, in one order.

The one walker: bulk scoring, calibration and training all see what it sees.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import Final, NamedTuple

from hub_models.errors import ConfigError
from hub_models.image_kinds import SUFFIXES, kind_of_file, prepare

_NAMED: Final = 10  # of what is left out
_MAX_SUFFIX: Final = 12  # characters: what is longer after the last dot is no suffix
_JUNK: Final = {  # what systems leave behind
    "__macosx", "__pycache__", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "@eadir",
    "lost+found", "$recycle.bin", "system volume information",
}  # fmt: skip
# TIFF files by their first bytes, of which Pillow reads the small preview
_RAW: Final = (".3fr", ".arw", ".cr2", ".dng", ".iiq", ".nef", ".nrw", ".pef", ".sr2", ".srw")
# Files that only our own commands leave side by side -> what their folder is
_OURS: Final = (
    ({"config.json", "model.safetensors"}, "our model folder"),
    ({"split.json", "audit.json"}, "our run folder"),
    ({"config.toml", "environment.json"}, "our run folder"),
    ({"report.json", "confusion.png"}, "our report folder"),
    ({"study.json", "study.md"}, "our study folder"),
    ({"plan.json", "pictures.jsonl"}, "our unfinished table"),
    ({"model.onnx"}, "our exported model"),
)
OUR_FOLDERS: Final = frozenset(what for _, what in _OURS)

_Identity = tuple[int, int]  # device and inode: the same folder, whatever link leads there
_Entries = list[tuple[str, bool]]  # name, and whether it is a folder


class Found(NamedTuple):
    """What a walk met.

    Attributes:
        name: With "/", from where the walk began; that of a folder ends with "/".
        reason: Why it is left out; "" for a picture.
    """

    name: str
    reason: str


@dataclass
class LeftOut:
    """What a walk did not take.

    Attributes:
        names: Reason -> the first names.
        counts: Reason -> how many.
    """

    names: dict[str, list[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def see(self, found: Found) -> None:
        """Count one."""
        self.counts[found.reason] = self.counts.get(found.reason, 0) + 1
        if self.counts[found.reason] <= _NAMED:
            self.names.setdefault(found.reason, []).append(printable(found.name))

    def add(self, other: "LeftOut") -> None:
        """Count what another one saw."""
        for reason, count in other.counts.items():
            self.counts[reason] = self.counts.get(reason, 0) + count
            names = self.names.setdefault(reason, [])
            names += other.names[reason][: _NAMED - len(names)]

    def reasons(self) -> str:
        """Say how many for which reason: "12 .json, 2 .txt"."""
        return ", ".join(f"{count:,} {reason}" for reason, count in self.counts.items())

    def __str__(self) -> str:
        """Say what was left out, with ten names at most, of each reason some."""
        turns = chain.from_iterable(zip_longest(*self.names.values()))
        some = list(islice((name for name in turns if name), _NAMED))
        more = ", …" if sum(self.counts.values()) > len(some) else ""
        return f"left out {self.reasons()}: {', '.join(some)}{more}"


@dataclass(frozen=True)
class PictureWalk:
    """What is to be classified; made by `plan_walk`.

    Attributes:
        base: Absolute folder that names are relative to.
        roots: What was named, relative to `base`; "" is the base itself.
    """

    base: str
    roots: tuple[str, ...]

    def names(self, left_out: LeftOut | None = None) -> Iterator[str]:
        """Walk the folders, holding no more than one branch of them in memory.

        Args:
            left_out: Sees what is not taken.

        Returns:
            Names with "/", in the order of `walk`; a file that the person named counts always.

        Raises:
            ConfigError: If a folder cannot be read.
        """
        for root in self.roots:
            path = os.path.join(self.base, root) if root else self.base
            if not os.path.isdir(path):
                yield root
                continue
            for found in walk(path, root and root + "/"):
                if not found.reason:
                    yield found.name
                elif left_out is not None:
                    left_out.see(found)


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


def walk(folder: str, prefix: str = "") -> Iterator[Found]:
    """Walk a folder in the order of its full names, the same on every file system.

    Pictures count by suffix, other files by their first bytes. What begins with a dot, and what
    systems leave behind (Thumbs.db), is passed over; everything else is given with a reason. Links
    are followed, except to a folder they lie in.

    Args:
        folder: Where it begins.
        prefix: Put before every name.

    Yields:
        Pictures, and what is left out.

    Raises:
        ConfigError: If a folder cannot be read.
    """
    branch = [(folder, prefix, iter(list_folder(folder)), _identity(folder))]
    while branch:
        place, before, entries, _ = branch[-1]
        for name, is_folder in entries:
            path, known_as = os.path.join(place, name), before + name
            if not is_folder:
                yield Found(known_as, _why_left_out(path))
                continue
            inside, identity = list_folder(path), _identity(path)
            if any(identity == above for *_, above in branch):
                yield Found(known_as + "/", "link to a folder it lies in")
            elif what := _whose({name for name, _ in inside}):
                yield Found(known_as + "/", what)
            else:
                branch.append((path, known_as + "/", iter(inside), identity))
                break
        else:
            branch.pop()


def list_folder(folder: str) -> _Entries:
    """List what is not hidden in a folder, nor left behind by a system.

    Args:
        folder: Its path.

    Returns:
        Names, and whether they are folders, in the order of full names: "a/" comes after "a.jpg".

    Raises:
        ConfigError: If it cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            seen = [(e.name, _is_folder(e)) for e in entries if not e.name.startswith(".")]
    except OSError as error:
        raise ConfigError(f"{printable(folder)}: cannot be read ({error})") from error
    kept = [entry for entry in seen if entry[0].casefold() not in _JUNK]
    return sorted(kept, key=lambda entry: entry[0] + "/" if entry[1] else entry[0])


def printable(name: str) -> str:
    """Write a name that is no UTF-8, or would move the cursor, as text that anything can hold.

    Args:
        name: Of a file or folder.

    Returns:
        The name itself where nothing is wrong with it.
    """
    escaped = "".join(c if c.isprintable() else repr(c)[1:-1] for c in name)
    return escaped.encode("utf-8", "backslashreplace").decode()


def is_utf8(name: str) -> bool:
    """Tell whether a name can stand in a table: on Linux a file may be called anything."""
    with suppress(UnicodeEncodeError):
        name.encode()
        return True
    return False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Tell without asking the disk, but for links; a link round in circles is none."""
    if entry.is_symlink():
        return os.path.isdir(entry.path)
    return entry.is_dir(follow_symlinks=False)


def _identity(folder: str) -> _Identity:
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def _whose(names: set[str]) -> str:
    return next((what for files, what in _OURS if files <= names), "")


def _why_left_out(path: str) -> str:
    suffix = os.path.splitext(path)[1].lower()
    if suffix in SUFFIXES:
        return ""
    if not 1 < len(suffix) <= _MAX_SUFFIX or not suffix[1:].isalnum():
        suffix = "without suffix"
    if suffix in _RAW:
        return f"{suffix} (a camera's own format: export as JPEG)"
    if not os.path.isfile(path):
        return "broken link" if os.path.islink(path) else "special file"
    kind = kind_of_file(path)
    remedy = prepare(kind) if kind else None
    if kind and not remedy:
        return ""
    return f"{suffix} ({remedy})" if remedy else suffix
