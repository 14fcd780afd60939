"""Ours: `training/finetune.py`, with the cache of features where the backbone is frozen."""

import json
from pathlib import Path
from typing import Any

from accelerate import Accelerator, DataLoaderConfiguration
from accelerate.utils import set_seed

from benchmarks.trainers.order import Clock, Order
from hub_models import ImageClassifier
from training.config import read_recipe
from training.data import load_data
from training.finetune import main as finetune
from training.loop import set_up
from training.state import Progress


def train(order: Order, clock: Clock) -> float | None:
    """Train as our users do; a run that is cut short has the same loop without the files.

    Args:
        order: What to train on what.
        clock: Notes the steps of a run that is cut short.

    Returns:
        Validation accuracy of the best epoch; None if cut short.
    """
    if order.steps:
        _train_some_steps(order, clock)
        return None
    words = [word for key, value in _keys(order).items() for word in (f"--{key}", _typed(value))]
    if finetune(words):
        raise SystemExit("ours: the run failed")
    lines = Path(order.out, "metrics.jsonl").read_text().splitlines()
    return max(json.loads(line)["validation_accuracy"] for line in lines)


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


def _train_some_steps(order: Order, clock: Clock) -> None:
    recipe = read_recipe(None, _keys(order))
    accelerator = Accelerator(dataloader_config=DataLoaderConfiguration(split_batches=True))
    set_seed(recipe.seed)
    data = load_data(order.data)
    model = ImageClassifier.create(order.architecture, data.label_names, weights=order.start)
    model.freeze(recipe.freeze)
    training = set_up(accelerator, recipe, data, model)
    progress = Progress()
    while training.train_epoch(progress, lambda _: clock.step()):
        if clock.limit <= len(clock.ends_s):
            break
        progress.epoch, progress.step = progress.epoch + 1, 0
