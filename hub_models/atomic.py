"""Files that are there whole or not at all, and told apart by their content."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hub_models.errors import CheckpointError


@contextlib.contextmanager
def staged(path: Path) -> Iterator[Path]:
    """Give a path to write to that becomes `path` if nothing is raised inside.

    Args:
        path: The file to be; its folder is made if missing.

    Yields:
        A path in the same folder, of the same name.

    Raises:
        CheckpointError: If the folder or file cannot be written; what was there is kept.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder:
            staging = Path(folder, path.name)
            yield staging
            with open(staging, "rb") as file:
                os.fsync(file.fileno())
            os.replace(staging, path)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be written ({error})") from error


def hash_file(path: Path) -> str:
    """Compute the sha256 of a file.

    Args:
        path: The file.

    Returns:
        64 hexadecimal digits.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
