"""What a run leaves beside its checkpoint: resolved recipe, environment, metrics, origin."""

import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import torch

from hub_models.atomic import staged
from hub_models.machine import usable_cores
from training.config import Recipe
from training.data import Data
from training.public import hide_places, public_name

METRICS_FILE: Final = "metrics.jsonl"
SPLIT_FILE: Final = "split.json"
_PACKAGES: Final = ("torch", "torchvision", "accelerate", "datasets", "pillow", "numpy")
_PARTS: Final = {"none": "the whole network", "head": "the head", "last_stage": "the last stage"}


def describe_run(folder: Path, recipe: Recipe, data: Data) -> None:
    """Write what explains a run: config.toml and environment.json.

    Args:
        folder: RUN; made if missing.
        recipe: Resolved, every key.
        data: For its counts and unreadable pictures.
    """
    environment = {
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
        "commit": commit(),
        "images": {name: len(split) for name, split in data.splits.items()},
        "unreadable": [asdict(bad) for bad in data.unreadable],
    }
    write_text(folder / "config.toml", recipe.render())
    write_text(folder / "environment.json", json.dumps(environment, indent=2) + "\n")


def write_metrics(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write one JSON line per epoch, all of them anew: a resumed run repeats none.

    Args:
        folder: RUN.
        rows: Plain JSON values.
    """
    write_text(folder / METRICS_FILE, "".join(json.dumps(row) + "\n" for row in rows))


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all.

    Args:
        path: Its folder is made if missing.
        text: Written as UTF-8.

    Raises:
        CheckpointError: If it cannot be written; what was there is kept.
    """
    with staged(path) as staging:
        staging.write_text(text, encoding="utf-8")


def make_origin(recipe: Recipe, data: Data, command: str) -> dict[str, Any]:
    """Say how a model is made, for its config and card.

    Args:
        recipe: Of the run.
        data: For its counts.
        command: As it may be shown.

    Returns:
        Flat JSON values, without those that are not known.
    """
    part = _PARTS[recipe.freeze]
    if recipe.freeze_epochs:
        part += f", after {recipe.freeze_epochs} epochs the whole network"
    if recipe.teacher:
        part += f", {_taught(recipe)}"
    origin = {
        "start": recipe.start,
        "base_model": recipe.base_model,
        "base_license": recipe.base_license,
        "license": recipe.license,
        "trained_part": part,
        "dataset": recipe.dataset_name or public_name(recipe.data),
        "dataset_license": recipe.dataset_license,
        "widget": recipe.widget,
        "train_images": "streamed" if data.stream else len(data.splits["train"]),
        "dropped_images": len(data.unreadable),
        "image_size": recipe.image_size,
        "epochs": recipe.epochs,
        "hardware": _hardware(),
        "command": command,
        "commit": commit(),
        "note": recipe.note,
    }
    return {
        key: hide_places(value) if isinstance(value, str) else value
        for key, value in origin.items()
        if value != ""
    }


def commit() -> str:
    """Give the commit this code is at; empty where git does not know."""
    git = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _taught(recipe: Recipe) -> str:
    said = []
    if recipe.teacher_weight:
        temperature = recipe.teacher_temperature
        said.append(f"soft targets {recipe.teacher_weight:g} at temperature {temperature:g}")
    if recipe.hint_weight:
        said.append(f"hints {recipe.hint_weight:g}")
    name = public_name(recipe.teacher)
    return f"taught by {name} (view {recipe.teacher_view}, {', '.join(said)})"


def _hardware() -> str:
    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} × {torch.cuda.get_device_name()}"
    return f"{usable_cores()} CPU cores"
