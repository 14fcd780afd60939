"""Where files that are computed once stand, and what a picture is known by in their names."""

import hashlib
import os
from pathlib import Path

import datasets


def cache_folder(kind: str) -> Path:
    """Say where files of a kind are cached: in HUB_MODELS_CACHE, or the user's cache folder.

    Args:
        kind: What is in them, such as "features".

    Returns:
        The folder, which need not exist.
    """
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("HUB_MODELS_CACHE") or Path(base) / "hub_models") / kind


def cache_name(split: datasets.Dataset, made: bytes) -> str:
    """Name a file made from the pictures of a split: another name once any of them has changed.

    Args:
        split: With the column `image`, undecoded: bytes, or a path.
        made: Everything else that decides what is in the file.

    Returns:
        32 hexadecimal digits.
    """
    digest = hashlib.sha256(made)
    for row in split.select_columns(["image"]):
        cell = row["image"]
        if cell["bytes"] is not None:
            digest.update(hashlib.sha256(cell["bytes"]).digest())
            continue
        status = os.stat(cell["path"])
        times = f"{status.st_mtime_ns} {status.st_ctime_ns}"
        digest.update(f"{cell['path']} {status.st_size} {times}".encode())
    return digest.hexdigest()[:32]
