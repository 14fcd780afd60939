"""A data set and models to every image's logits, measured the same way by every script."""

import zipfile
from pathlib import Path
from typing import Final

import datasets
import numpy as np
import torch
from accelerate.utils import broadcast_object_list
from numpy.typing import NDArray

from hub_models import ImageClassifier
from hub_models.atomic import staged
from hub_models.errors import CheckpointError
from hub_models.machine import cache_folder
from training.augment import CentreView
from training.cache import cache_name
from training.data import Pictures
from training.measuring import Session
from training.predict import in_order, predict

_FORMAT: Final = 1  # part of a remembered file's name: raise it when the same input answers anew


def answer(
    session: Session, model: ImageClassifier, split: datasets.Dataset, title: str
) -> NDArray[np.float32]:
    """Ask a model about every image of a split, at any number of processes.

    Args:
        session: That the model takes part in.
        model: Moved to the accelerator's device.
        split: Its targets in the order of the model's labels.
        title: Of the progress bar.

    Returns:
        Logits (N, C), in the split's order.
    """
    accelerator, how = session.accelerator, session.how
    model.to(accelerator.device)
    pictures = Pictures(split, CentreView(model.config.preprocess))
    batches = in_order(pictures, batch_size=how.batch_size, workers=how.workers)
    logits, targets = predict(accelerator, model, accelerator.prepare(batches), title)
    assert targets.tolist() == list(split["target"])  # mistakes are found again by their row
    found: NDArray[np.float32] = logits.numpy()
    return found


def remembered_answer(
    session: Session,
    model: ImageClassifier,
    split: datasets.Dataset,
    title: str,
    *,
    weights_sha256: str,
) -> NDArray[np.float32]:
    """Ask as `answer` does, unless the same weights were asked about the same images before.

    Args:
        session: As for `answer`; the main process looks and writes.
        model: As for `answer`.
        split: As for `answer`.
        title: As for `answer`.
        weights_sha256: Of its file.

    Returns:
        Logits (N, C), in the split's order; in other processes than the main one, maybe (0, C).

    Raises:
        CheckpointError: If a logit is NaN or infinite, as damaged weights give.
    """
    accelerator, config = session.accelerator, model.config
    path, logits = Path(), None
    if accelerator.is_main_process:
        made = (_FORMAT, torch.__version__, weights_sha256, config.architecture, config.stem)
        made_of = repr((*made, config.label_names, config.preprocess)).encode()
        path = cache_folder("answers") / f"{cache_name(split, made_of)}.npy"
        logits = _read(path, (len(split), len(config.label_names)))
    box = [logits is not None]
    broadcast_object_list(box)
    if box[0]:
        return np.zeros((0, len(config.label_names)), np.float32) if logits is None else logits
    logits = answer(session, model, split, title)
    if not np.isfinite(logits).all():
        raise CheckpointError(f"{title}: a logit is NaN or infinite: are the weights damaged?")
    if accelerator.is_main_process:
        _write(path, logits)
    return logits


def _read(path: Path, shape: tuple[int, int]) -> NDArray[np.float32] | None:
    try:
        logits = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):  # not there, or damaged
        return None
    return logits if isinstance(logits, np.ndarray) and logits.shape == shape else None


def _write(path: Path, logits: NDArray[np.float32]) -> None:
    with staged(path) as staging:
        np.save(staging, logits)
