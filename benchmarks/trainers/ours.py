"""Ours: `training/finetune.py`, with the cache of features where the backbone is frozen."""

import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.trainers.order import Clock, Order
from training.finetune import main as finetune
from training.loop import AfterStep, Training
from training.state import Progress


def train(order: Order, clock: Clock) -> float:
    """Train as our users do.

    Args:
        order: What to train on what.
        clock: Notes steps and epochs.

    Returns:
        Validation accuracy after the last epoch.
    """
    train_epoch = Training.train_epoch

    def noted(self: Training, progress: Progress, after_step: AfterStep) -> bool:
        def after(progress: Progress) -> bool:
            clock.step()
            return after_step(progress)

        if clock.ends_s:  # the epoch before, with all that was saved after it
            clock.epoch()
        return train_epoch(self, progress, after)

    words = [word for key, value in _keys(order).items() for word in (f"--{key}", _typed(value))]
    with patch.object(Training, "train_epoch", noted):
        if finetune(words):
            raise SystemExit("ours: the run failed")
    clock.epoch()
    last = Path(order.out, "metrics.jsonl").read_text().splitlines()[-1]
    accuracy: float = json.loads(last)["validation_accuracy"]
    return accuracy


def _keys(order: Order) -> dict[str, Any]:
    return {
        "data": order.data, "weights": order.start, "out": order.out,
        "architecture": order.architecture, "freeze": "head" if order.frozen else "none",
        "cache_features": order.frozen, "epochs": order.epochs, "batch_size": order.batch,
        "image_size": order.side, "views": 1 if order.frozen else 0, "crop": "center",
        "flip": 0.0, "colour_jitter": 0.0, "learning_rate": order.learning_rate,
        "warmup_epochs": 0.0, "label_smoothing": 0.0, "workers": order.workers, "tracker": "",
        "channels_last": order.channels_last, "save_every": 0,
    }  # fmt: skip


def _typed(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
