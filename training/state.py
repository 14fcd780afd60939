"""The state of a run beside its checkpoint: written whole, checked when read, the last two kept."""

import hashlib
import io
import pickle
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import torch

from hub_models.atomic import staged
from hub_models.errors import CheckpointError

KEPT: Final = 2
_DIGEST_BYTES: Final = 32  # sha256 of the rest, in front of it


@dataclass
class Progress:
    """How far a run is.

    Attributes:
        epoch: Epochs finished.
        step: Optimiser steps finished in the epoch that is going on.
        totals: Of that epoch so far: right answers, images, summed loss.
        best_accuracy: On validation; -1 before the first evaluation.
        best_epoch: The epoch that reached it, counted from 1.
        stale_epochs: Epochs since then.
        seconds: Spent so far, resumed parts included.
        rows: One line of metrics per epoch.
    """

    epoch: int = 0
    step: int = 0
    totals: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    best_accuracy: float = -1.0
    best_epoch: int = 0
    stale_epochs: int = 0
    seconds: float = 0.0
    rows: list[dict[str, Any]] = field(default_factory=list)

    def end_epoch(self, accuracy: float) -> None:
        """Count one more epoch.

        Args:
            accuracy: On validation after it, 0 to 1.
        """
        self.epoch += 1
        self.step = 0
        self.totals = [0.0, 0.0, 0.0]
        self.stale_epochs += 1
        if accuracy > self.best_accuracy:
            self.best_accuracy, self.best_epoch, self.stale_epochs = accuracy, self.epoch, 0

    def as_origin(self) -> dict[str, float]:
        """Give what a card says of it."""
        return {"best_epoch": self.best_epoch, "minutes": round(self.seconds / 60, 1)}


def save_state(folder: Path, content: dict[str, Any], progress: Progress) -> None:
    """Write a state, whole or not at all, and remove all but the last two.

    Args:
        folder: RUN/state; made if missing.
        content: State dicts and plain values.
        progress: Names the file, and is saved in it.

    Raises:
        CheckpointError: If it cannot be written; the states before it are kept.
    """
    stream = io.BytesIO()
    torch.save(content | {"progress": asdict(progress)}, stream)
    payload = stream.getvalue()
    path = folder / f"{progress.epoch:05}-{progress.step:07}.state"
    with staged(path) as staging, open(staging, "wb") as file:
        file.write(hashlib.sha256(payload).digest())
        file.write(payload)
    for old in sorted(folder.glob("*.state"))[:-KEPT]:
        old.unlink()


def has_state(run: Path) -> bool:
    """Tell whether a run can be resumed.

    Args:
        run: Its folder.

    Returns:
        True if there is a state, be it damaged.
    """
    return any((run / "state").glob("*.state"))


def load_state(folder: Path) -> tuple[dict[str, Any], Progress, list[str]]:
    """Read the newest whole state; reading it runs no code.

    Args:
        folder: RUN/state.

    Returns:
        What was saved, the progress, and the names of damaged files that were passed over.

    Raises:
        CheckpointError: If there is no state, or none is whole.
    """
    paths = sorted(folder.glob("*.state"), reverse=True)
    if not paths:
        raise CheckpointError(
            f"{folder}: no state to resume from; the command without --resume begins a run"
        )
    damaged: list[str] = []
    for path in paths:
        content = path.read_bytes()
        digest, payload = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if hashlib.sha256(payload).digest() == digest:
            state: dict[str, Any] = _unpacked(path, payload)
            return state, Progress(**state.pop("progress")), damaged
        damaged.append(path.name)
    raise CheckpointError(f"{folder}: every state is damaged ({', '.join(damaged)})")


def _unpacked(path: Path, payload: bytes) -> dict[str, Any]:
    try:
        state: dict[str, Any] = torch.load(
            io.BytesIO(payload), map_location="cpu", weights_only=True
        )
    except (RuntimeError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{path}: written by another version ({error})") from error
    return state
