"""Fine-tune a classifier: recipe -> data -> model -> loop -> a folder any hub takes.

    accelerate launch training/finetune.py --recipe training/recipes/X.toml --data DATA --out RUN

Leaves RUN/checkpoint (the best epoch by validation accuracy), RUN/metrics.jsonl, RUN/config.toml
and RUN/state. With no arguments it trains the head of an ImageNet ResNet-18 on
microsoft/cats_vs_dogs.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # run as a file: imports start at the root, not in this folder
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import torch
from accelerate import Accelerator, DataLoaderConfiguration
from accelerate.utils import broadcast_object_list, set_seed

from hub_models import ImageClassifier
from hub_models.errors import ConfigError, HubModelsError
from training.config import Recipe, read_recipe, recipe_arguments, typed_command
from training.data import Data, find_unreadable, load_data
from training.loop import set_up
from training.metrics import Evaluation, append_line
from training.state import Progress, load_state, save_state


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script.

    Args:
        arguments: What was typed after its name; the process's own if None.

    Returns:
        0 done, 1 an error said in one sentence on stderr; wrong usage exits with 2.
    """
    typed = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        description="Fine-tune an image classifier.", allow_abbrev=False
    )
    parser.add_argument("--recipe", type=Path, metavar="FILE", help="TOML file; keys as below")
    parser.add_argument("--resume", action="store_true", help="continue the run in --out")
    recipe_arguments(parser)
    options = vars(parser.parse_args(typed))
    try:
        path, resume = options.pop("recipe"), options.pop("resume")
        finetune(read_recipe(path, options), command=typed_command(typed), resume=resume)
    except (HubModelsError, FloatingPointError) as error:
        print(f"finetune: {error}", file=sys.stderr)
        return 1
    return 0


def finetune(recipe: Recipe, *, command: str, resume: bool = False) -> None:
    """Run a recipe, from data to checkpoint folder.

    Args:
        recipe: Every choice.
        command: How it was asked for, for the card.
        resume: Continue after the last epoch whose state is in recipe.out.

    Raises:
        HubModelsError: If data, weights or recipe cannot be used.
        FloatingPointError: If the loss becomes NaN or infinite.
    """
    accelerator = Accelerator(dataloader_config=DataLoaderConfiguration(split_batches=True))
    if recipe.batch_size % accelerator.num_processes:
        raise ConfigError(f"batch_size must be a multiple of {accelerator.num_processes} processes")
    out = Path(recipe.out)
    state = _open_run(out, resume=resume)
    set_seed(recipe.seed)
    data = _load_data(recipe, accelerator)
    training = set_up(accelerator, recipe, data, _make_model(recipe, data))
    progress = Progress()
    if state is not None:
        training.load_state_dict(state)
        progress = Progress(**state["progress"])
    origin = dict(training.model.config.origin) | _origin(recipe, data, command)
    if accelerator.is_main_process:
        _describe_run(out, recipe, data)

    while progress.epoch < recipe.epochs:
        started = time.monotonic()
        fit = training.train_epoch(progress.epoch)
        trained = time.monotonic()
        validation = training.validate()
        progress.add(validation.accuracy, time.monotonic() - started)
        if accelerator.is_main_process:
            if progress.best_epoch == progress.epoch:
                origin |= progress.as_origin()
                _save_best(out, training.model, origin, validation)
            save_state(out / "state", training.state_dict() | {"progress": asdict(progress)})
            row = _row(fit, validation, progress, fit.images / (trained - started))
            append_line(out / "metrics.jsonl", row)
            print("  ".join(f"{k} {v:.4g}" for k, v in row.items()), flush=True)
        accelerator.wait_for_everyone()
    accelerator.print(
        f"best: epoch {progress.best_epoch}, validation accuracy {progress.best_accuracy:.2%}; "
        f"{out / 'checkpoint'}"
    )
    accelerator.end_training()


def _open_run(out: Path, *, resume: bool) -> dict[str, Any] | None:
    """Read the state to resume from; refuse to write over a run that was not to be resumed."""
    if resume:
        return load_state(out / "state")
    if (out / "metrics.jsonl").exists():
        raise ConfigError(f"{out} holds a run; --resume continues it, --out FOLDER keeps it")
    return None


def _load_data(recipe: Recipe, accelerator: Accelerator) -> Data:
    with accelerator.main_process_first():  # the others then find it cached
        data = load_data(
            recipe.data,
            image_column=recipe.image_column,
            label_column=recipe.label_column,
            validation_fraction=recipe.validation_fraction,
            seed=recipe.seed,
        )
    box = [find_unreadable(data) if accelerator.is_main_process else None]
    broadcast_object_list(box)
    unreadable = box[0] or []
    for bad in unreadable:
        accelerator.print(f"dropped {bad.reason}")
    if unreadable:
        accelerator.print(f"dropped {len(unreadable)} unreadable pictures in all")
    return data.without(unreadable)


def _make_model(recipe: Recipe, data: Data) -> ImageClassifier:
    try:
        model = ImageClassifier.create(
            recipe.architecture,
            data.label_names,
            weights=None if recipe.weights == "none" else recipe.weights,
            stem=recipe.stem,
        )
    except HubModelsError as error:
        raise type(error)(f"{error} (--weights none | FOLDER | REPO_ID)") from error
    model.config = replace(model.config, preprocess=recipe.preprocess(model.config.preprocess))
    model.freeze(recipe.freeze, batch_norm=recipe.freeze_batch_norm)
    return model


def _save_best(
    out: Path, model: ImageClassifier, origin: dict[str, Any], validation: Evaluation
) -> None:
    results = {"validation": validation.as_results()}
    model.config = replace(model.config, origin=origin, results=results)
    model.save_pretrained(out / "checkpoint")


def _describe_run(out: Path, recipe: Recipe, data: Data) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.toml").write_text(recipe.render(), encoding="utf-8")
    packages = ("torch", "torchvision", "accelerate", "datasets", "pillow", "numpy")
    environment = {
        "python": platform.python_version(),
        "packages": {name: version(name) for name in packages},
        "commit": _commit(),
        "images": {name: len(split) for name, split in data.splits.items()},
        "unreadable": [asdict(bad) for bad in data.unreadable],
    }
    (out / "environment.json").write_text(json.dumps(environment, indent=2), encoding="utf-8")


def _row(
    fit: Evaluation, validation: Evaluation, progress: Progress, images_per_second: float
) -> dict[str, float]:
    return {
        "epoch": progress.epoch,
        "train_loss": fit.loss,
        "train_accuracy": fit.accuracy,
        "validation_loss": validation.loss,
        "validation_accuracy": validation.accuracy,
        "seconds": progress.seconds,
        "train_images_per_second": images_per_second,
    }


def _origin(recipe: Recipe, data: Data, command: str) -> dict[str, Any]:
    origin = {
        "start": recipe.start,
        "base_model": recipe.base_model,
        "base_license": recipe.base_license,
        "license": recipe.license,
        "trained_part": {"none": "the whole network"}.get(recipe.freeze, recipe.freeze),
        "dataset": recipe.dataset_name or _public_name(recipe.data),
        "train_images": len(data.splits["train"]),
        "dropped_images": len(data.unreadable),
        "image_size": recipe.image_size,
        "epochs": recipe.epochs,
        "hardware": _hardware(),
        "command": command,
        "commit": _commit(),
        "note": recipe.note,
    }
    return {key: value for key, value in origin.items() if value != ""}


def _public_name(source: str) -> str:
    """Name a data set without the folders above it, which are nobody's business."""
    return Path(source).resolve().name if Path(source).is_dir() else source


def _hardware() -> str:
    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} × {torch.cuda.get_device_name()}"
    return f"{os.cpu_count()} CPU cores"


def _commit() -> str:
    try:
        git = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


if __name__ == "__main__":
    sys.exit(main())
