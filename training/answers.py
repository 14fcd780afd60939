"""A data set and models to every image's logits, measured the same way by every script."""

import argparse
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import datasets
import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from numpy.typing import NDArray

from hub_models import ImageClassifier
from hub_models.atomic import staged
from hub_models.errors import CheckpointError, ConfigError
from hub_models.machine import cache_folder
from training.audit import audit
from training.augment import CentreView
from training.cache import cache_name
from training.data import Data, Pictures, load_data
from training.predict import in_order, predict

_FORMAT: Final = 1  # part of a remembered file's name: raise it when the same input answers anew


def measuring_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the options that say which data is measured, and how it is read.

    Args:
        parser: Gets --model, --data, --validation_fraction, --seed, --batch_size and --workers.
    """
    parser.add_argument(
        "--model", action="append", required=True, metavar="SOURCE", help="folder or repo_id"
    )
    parser.add_argument("--data", required=True, help="hub id, data set folder or class folders")
    parser.add_argument(
        "--validation_fraction", type=float, default=0.1, help="cut from train (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of that cut (%(default)s)")
    parser.add_argument("--batch_size", type=int, default=64, help="images per batch (%(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="decoding processes (%(default)s)")


def check_savable(sources: Sequence[str]) -> None:
    """Refuse sources whose measured numbers could not be written into them.

    Args:
        sources: Of the models that are measured with --save.

    Raises:
        ConfigError: If one is no folder.
    """
    if not all(Path(source).is_dir() for source in sources):
        raise ConfigError("--save needs local folders: a repository on the hub is not changed")


def load_readable(
    accelerator: Accelerator, options: argparse.Namespace, splits: Sequence[str]
) -> Data:
    """Load splits and leave out what cannot be read, named on stderr.

    Args:
        accelerator: The main process reads first, the others then find it remembered.
        options: Of `measuring_arguments`.
        splits: Their names.

    Returns:
        Those splits alone.

    Raises:
        ConfigError: If the source or a split is not there, or nothing in it can be read.
    """
    data = load_data(
        options.data, validation_fraction=options.validation_fraction, seed=options.seed
    ).only(splits)
    with accelerator.main_process_first():
        found = audit(data, quiet=not accelerator.is_main_process)
    data = data.without(found.unreadable)
    if accelerator.is_main_process:
        for sentence in (*data.left_out, *(f"left out {bad.reason}" for bad in data.unreadable)):
            print(sentence, file=sys.stderr)
    return data


def answer(
    accelerator: Accelerator,
    model: ImageClassifier,
    split: datasets.Dataset,
    title: str,
    options: argparse.Namespace,
) -> NDArray[np.float32]:
    """Ask a model about every image of a split, at any number of processes.

    Args:
        accelerator: From `make_accelerator`.
        model: Moved to the accelerator's device.
        split: Its targets in the order of the model's labels.
        title: Of the progress bar.
        options: Of `measuring_arguments`.

    Returns:
        Logits (N, C), in the split's order.
    """
    model.to(accelerator.device)
    pictures = Pictures(split, CentreView(model.config.preprocess))
    batches = in_order(pictures, batch_size=options.batch_size, workers=options.workers)
    logits, targets = predict(accelerator, model, accelerator.prepare(batches), title)
    assert targets.tolist() == list(split["target"])  # mistakes are found again by their row
    found: NDArray[np.float32] = logits.numpy()
    return found


def remembered_answer(
    accelerator: Accelerator,
    model: ImageClassifier,
    weights_sha256: str,
    asked: tuple[datasets.Dataset, str],
    options: argparse.Namespace,
) -> NDArray[np.float32]:
    """Ask as `answer` does, unless the same weights were asked about the same images before.

    Args:
        accelerator: As for `answer`; the main process looks and writes.
        model: As for `answer`.
        weights_sha256: Of its file.
        asked: Split and title, as for `answer`.
        options: As for `answer`.

    Returns:
        Logits (N, C), in the split's order; in other processes than the main one, maybe (0, C).

    Raises:
        CheckpointError: If a logit is NaN or infinite, as damaged weights give.
    """
    split, title = asked
    config = model.config
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
    logits = answer(accelerator, model, split, title, options)
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
