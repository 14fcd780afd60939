"""Where other libraries cache, and the name of a file that is computed once."""

import hashlib
import os

import datasets
from huggingface_hub import constants

from hub_models.machine import own_cache_instead


def settle_caches() -> None:
    """Move the caches of data sets out of a home folder that is not known or cannot be written.

    Raises:
        ConfigError: If nothing can be cached on this machine.
    """
    for module, name, kind in (
        (datasets.config, "HF_DATASETS_CACHE", "datasets"),
        (constants, "HF_HUB_CACHE", "hub"),
    ):
        own = own_cache_instead(str(getattr(module, name)), kind, ("HF_HOME", name))
        if own is not None:
            setattr(module, name, own if name.startswith("HF_DATA") else str(own))


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
