"""How much of a file has arrived, read from the caches of the two clients that fetch it."""

from collections.abc import Iterator
from pathlib import Path

from huggingface_hub import constants

from demo.engine import IMAGENET


def count_arrived(source: str) -> int:
    """Count the bytes on disk of what is being fetched.

    Args:
        source: A repo_id[@revision], or "imagenet:" and an architecture.

    Returns:
        Size of the files that are not complete yet; 0 if there is none.
    """
    total = 0
    for path in _incomplete(source):
        try:
            total += path.stat().st_size
        except OSError:  # complete by now
            continue
    return total


def _incomplete(source: str) -> Iterator[Path]:
    if source.startswith(IMAGENET):
        import torch.hub  # here by then: the engine being opened needs it

        return Path(torch.hub.get_dir(), "checkpoints").glob("*.partial")
    folder = "models--" + source.partition("@")[0].replace("/", "--")
    return Path(constants.HF_HUB_CACHE, folder, "blobs").glob("*.incomplete")
