"""Uploaded files and ZIP archives to single pictures, within limits, never unpacked to disk."""

import stat
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from demo.picture import LIMITS

MAX_PICTURES: Final = 200
MAX_UNPACKED_BYTES: Final = 256 * 2**20  # of all pictures of one batch
MAX_RATIO: Final = 100  # unpacked ÷ packed; photographs do not shrink, bombs do
MAX_ENTRIES: Final = 5_000  # of an archive, folders and hidden files included


@dataclass(frozen=True)
class Item:
    """One file of a batch.

    Attributes:
        name: What the visitor calls it; plain text, may hold anything.
        content: Its bytes; empty where there is a problem.
        problem: Key of the sentence that says why it was left out; "" if it was not.
    """

    name: str
    content: bytes = b""
    problem: str = ""


def count_items(files: Sequence[tuple[Path, str]]) -> int:
    """Count what `open_items` will give at most, for a progress bar.

    Args:
        files: Path and name of each upload.

    Returns:
        A number from 0 to MAX_PICTURES + 1.
    """
    total = 0
    for path, name in files:
        total += 1
        if _is_archive(path, name):
            try:
                with zipfile.ZipFile(path) as archive:
                    total += len(_entries(archive)) - 1
            except (zipfile.BadZipFile, OSError, ValueError):
                continue
    return min(total, MAX_PICTURES + 1)


def open_items(files: Sequence[tuple[Path, str]]) -> Iterator[Item]:
    """Give the pictures of some uploads one after the other, archives opened.

    Args:
        files: Path and name of each upload.

    Returns:
        At most MAX_PICTURES items; one more, with a problem, if there were more.
    """
    left = MAX_UNPACKED_BYTES
    for count, item in enumerate(_all_items(files)):
        if count >= MAX_PICTURES:
            yield Item("…", problem="too_many")
            return
        left -= len(item.content)
        if left < 0:
            yield Item(item.name, problem="too_much")
            return
        yield item


def _all_items(files: Sequence[tuple[Path, str]]) -> Iterator[Item]:
    for path, name in files:
        if not _is_archive(path, name):
            yield _plain(path, name)
            continue
        try:
            with zipfile.ZipFile(path) as archive:
                for entry in _entries(archive):
                    yield _unpacked(archive, entry)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            yield Item(name, problem="bad_archive")


def _is_archive(path: Path, name: str) -> bool:
    return name.lower().endswith(".zip") or zipfile.is_zipfile(path)


def _plain(path: Path, name: str) -> Item:
    try:
        if path.stat().st_size > LIMITS.max_bytes:
            return Item(name, problem="too_large")
        return Item(name, path.read_bytes())
    except OSError:
        return Item(name, problem="gone")


def _entries(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise ValueError(len(entries))
    return [
        entry
        for entry in entries
        if not entry.is_dir()
        and not entry.filename.startswith("__MACOSX/")
        and not entry.filename.rpartition("/")[2].startswith(".")
    ]


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Item:
    name = entry.filename
    problem = _entry_problem(entry)
    if problem:
        return Item(name, problem=problem)
    try:
        with archive.open(entry) as file:  # its header may lie, so no more than the limit is read
            content = file.read(LIMITS.max_bytes + 1)
    except Exception:  # zlib, CRC, truncated, compression unknown: each means the same here
        return Item(name, problem="bad_entry")
    if len(content) > LIMITS.max_bytes:
        return Item(name, problem="too_large")
    if len(content) > max(entry.compress_size, 1) * MAX_RATIO:
        return Item(name, problem="bomb")
    return Item(name, content)


def _entry_problem(entry: zipfile.ZipInfo) -> str:
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "link"
    if entry.flag_bits & 1:
        return "encrypted"
    if entry.file_size > LIMITS.max_bytes:
        return "too_large"
    if entry.file_size > max(entry.compress_size, 1) * MAX_RATIO:
        return "bomb"
    parts = entry.filename.replace("\\", "/").split("/")
    if entry.filename.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
        return "bad_name"
    return ""
