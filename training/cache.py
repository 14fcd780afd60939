"""The name of a file that is computed once, from what it was made of."""

import hashlib
import os

import datasets


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
