"""The state of a run after an epoch, beside the checkpoint: what `--resume` continues from."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from hub_models.errors import CheckpointError

STATE_FILE: Final = "last.pt"


@dataclass
class Progress:
    """How far a run is.

    Attributes:
        epoch: Epochs finished.
        best_accuracy: On validation; -1 before the first evaluation.
        best_epoch: The epoch that reached it, counted from 1.
        seconds: Spent so far, resumed parts included.
    """

    epoch: int = 0
    best_accuracy: float = -1.0
    best_epoch: int = 0
    seconds: float = 0.0

    def add(self, accuracy: float, seconds: float) -> None:
        """Count one more epoch.

        Args:
            accuracy: On validation after it, 0 to 1.
            seconds: It took, evaluation included.
        """
        self.epoch += 1
        self.seconds += seconds
        if accuracy > self.best_accuracy:
            self.best_accuracy, self.best_epoch = accuracy, self.epoch

    def as_origin(self) -> dict[str, float]:
        """Give what a card says of it."""
        return {"best_epoch": self.best_epoch, "minutes": round(self.seconds / 60, 1)}


def save_state(folder: Path, content: dict[str, Any]) -> None:
    """Write the state, whole or not at all.

    Args:
        folder: Made if missing.
        content: State dicts and plain values.
    """
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f"{STATE_FILE}.writing"
    with open(temporary, "wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, folder / STATE_FILE)


def load_state(folder: Path) -> dict[str, Any]:
    """Read the state `save_state` wrote; it runs no code.

    Args:
        folder: RUN/state.

    Returns:
        What was saved.

    Raises:
        CheckpointError: If there is none, or it is damaged.
    """
    path = folder / STATE_FILE
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file: nothing to resume")
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load meets damaged files with errors of many kinds
        raise CheckpointError(f"{path}: damaged ({error})") from error
    return content
