"""Fine-tune a classifier: recipe -> data -> model -> loop -> a folder any hub takes.

    accelerate launch training/finetune.py --recipe training/recipes/X.toml --data DATA --out RUN

Leaves RUN/checkpoint (the best epoch by validation accuracy), RUN/metrics.jsonl, RUN/config.toml
and RUN/state. With no arguments it trains the head of an ImageNet ResNet-18 on
microsoft/cats_vs_dogs.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # run as a file: imports start at the root, not in this folder
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, set_seed

from hub_models import ImageClassifier
from hub_models.class_folders import check_outside
from hub_models.errors import HubModelsError
from training.accelerator import make_accelerator
from training.audit import audit
from training.audit_report import as_origin, write_audit
from training.class_table import check_trained, class_rows, table_lines
from training.command_line import recipe_arguments, run_script
from training.config import Recipe, read_recipe
from training.data import Data, load_data
from training.interrupt import Interrupt
from training.loop import Training, evaluation, set_up
from training.metrics import Evaluation
from training.public import typed_command
from training.resume import locked, open_run, resumed_recipe
from training.run_folder import SPLIT_FILE, describe_run, make_origin, write_metrics
from training.starting_model import make_model
from training.state import Progress, save_state
from training.step_clock import report_epoch
from training.stream import stream_data
from training.tracker import check_tracker, start_tracker
from training.trained_on import Digests, mark


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script.

    Args:
        arguments: What was typed after its name; the process's own if None.

    Returns:
        0 done, 1 an error said in one sentence on stderr, 128 + n when signal n stopped it; wrong
        usage exits with 2.
    """
    typed = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        description="Fine-tune an image classifier.", allow_abbrev=False
    )
    parser.add_argument("--recipe", type=Path, metavar="FILE", help="TOML file; keys as below")
    parser.add_argument("--resume", action="store_true", help="continue the run in --out")
    recipe_arguments(parser)
    options = vars(parser.parse_args(typed))
    path, resume = options.pop("recipe"), options.pop("resume")

    def work() -> int:
        recipe = resumed_recipe(path, options) if resume else read_recipe(path, options)
        with Interrupt() as interrupt:
            finetune(recipe, typed_command(typed), interrupt, resume=resume)
        return 0 if interrupt.received is None else 128 + interrupt.received

    return run_script("finetune", work)


def finetune(recipe: Recipe, command: str, interrupt: Interrupt, *, resume: bool = False) -> None:
    """Run a recipe, from data to checkpoint folder; no other run may write into recipe.out.

    Args:
        recipe: Every choice.
        command: How it was asked for, for the card.
        interrupt: Asked after every step; a run that is interrupted saves its state first.
        resume: Continue at the last step whose state is in recipe.out.

    Raises:
        HubModelsError: If data, weights or recipe cannot be used.
        FloatingPointError: If the loss becomes NaN or infinite.
    """
    out = Path(recipe.out)
    if not resume:
        check_outside(out, recipe.data, "--out")
    accelerator = make_accelerator(log_with=check_tracker(recipe.tracker), project_dir=out)
    with locked(out, accelerator):
        _finetune(accelerator, recipe, command, interrupt, resume=resume)


def _finetune(
    accelerator: Accelerator, recipe: Recipe, command: str, interrupt: Interrupt, *, resume: bool
) -> None:
    out = Path(recipe.out)
    state, progress = open_run(out, accelerator, resume=resume)
    set_seed(recipe.seed)
    data, audited, digests = _load_data(recipe, accelerator, resume=resume)
    model = make_model(accelerator, recipe, data)
    for sentence in mark(model, data, digests, recipe):
        accelerator.print(sentence)
    training = set_up(accelerator, recipe, data, model)
    made = make_origin(recipe, data, command)
    origin = dict(training.model.config.origin) | made | audited
    if state is not None:
        training.load_state_dict(state)
    if accelerator.is_main_process:
        describe_run(out, recipe, data)
        write_metrics(out, progress.rows)
    start_tracker(accelerator, asdict(recipe))

    run = _Run(training, progress, out, origin, interrupt)
    while progress.epoch < recipe.epochs and not run.is_stale():
        if not run.epoch():
            accelerator.print(f"stopped; --resume continues {out}")
            return
    run.average()
    accelerator.print(
        f"best: epoch {progress.best_epoch}, validation accuracy {progress.best_accuracy:.2%}; "
        f"{out / 'checkpoint'}"
    )
    accelerator.end_training()
    if recipe.push_to and accelerator.is_main_process:
        _push(out / "checkpoint", recipe.push_to)


class _Run:
    """The epochs of a run and what is written after each; only the main process writes."""

    def __init__(
        self,
        training: Training,
        progress: Progress,
        out: Path,
        origin: dict[str, Any],
        interrupt: Interrupt,
    ) -> None:
        self.training = training
        self.progress = progress
        self.out = out
        self.origin = origin
        self.interrupt = interrupt
        self.since = time.monotonic()

    def epoch(self) -> bool:
        """Train, measure and save one epoch; False if the run is to stop."""
        training, progress = self.training, self.progress
        if not training.train_epoch(progress, self._after_step):
            return False
        fit = evaluation(progress.totals)
        rates = training.schedule.rates()
        measured = training.validate()
        progress.end_epoch(measured.accuracy)
        training.schedule.measured(measured.accuracy)
        training.remember(measured.accuracy, progress.epoch)
        self._count_seconds()
        row = _row(progress, fit, measured, rates)
        progress.rows.append(row)
        if progress.best_epoch == progress.epoch:
            self._save_checkpoint(measured, progress.as_origin())
        self._save_state()
        if training.accelerator.is_main_process:
            write_metrics(self.out, progress.rows)
            print("  ".join(f"{k} {v:.4g}" for k, v in row.items()), flush=True)
            report_epoch(training.clock, self.out, progress.epoch)
        training.accelerator.log(
            {key: value for key, value in row.items() if key != "epoch"}, step=progress.epoch
        )
        training.accelerator.wait_for_everyone()
        return not self._is_interrupted()

    def is_stale(self) -> bool:
        """Tell whether early stopping ends the run."""
        limit = self.training.recipe.early_stopping
        return limit > 0 and self.progress.stale_epochs >= limit

    def average(self) -> None:
        """Save the mean of the best epochs' weights where it is the best of all."""
        if len(self.training.best) < 2:
            return
        epochs = sorted(epoch for _, epoch, _ in self.training.best)
        measured = self.training.average_of_best()
        self.training.accelerator.print(
            f"mean of the epochs {epochs}: validation accuracy {measured.accuracy:.2%}"
        )
        if measured.accuracy > self.progress.best_accuracy:
            self.progress.best_accuracy = measured.accuracy
            said = {"averaged_epochs": ", ".join(map(str, epochs))}
            self._save_checkpoint(measured, self.progress.as_origin() | said)

    def _after_step(self, progress: Progress) -> bool:
        every = self.training.recipe.save_every
        must_stop = self._is_interrupted()
        if must_stop or (every and progress.step % every == 0):
            self._count_seconds()
            self._save_state()
        return must_stop

    def _is_interrupted(self) -> bool:
        """Agree over all processes, so that they stop at the same step."""
        received = self.interrupt.received is not None
        accelerator = self.training.accelerator
        if accelerator.num_processes == 1:
            return received
        flag = torch.tensor(float(received), device=accelerator.device)
        return bool(accelerator.reduce(flag, "sum").item())

    def _count_seconds(self) -> None:
        now = time.monotonic()
        self.progress.seconds += now - self.since
        self.since = now

    def _save_state(self) -> None:
        if self.training.accelerator.is_main_process:
            save_state(self.out / "state", self.training.state_dict(), self.progress)

    def _save_checkpoint(self, measured: Evaluation, reached: dict[str, Any]) -> None:
        model = self.training.model
        results = {"validation": measured.as_results()}
        model.config = replace(model.config, origin=self.origin | reached, results=results)
        if self.training.accelerator.is_main_process:
            self.training.result.save_pretrained(self.out / "checkpoint")


def _load_data(
    recipe: Recipe, accelerator: Accelerator, *, resume: bool
) -> tuple[Data, dict[str, str], dict[str, Digests]]:
    """Load and audit the data; give what can be read, what the card says of it, and its digests."""
    own_split = Path(recipe.out) / SPLIT_FILE
    split_file = own_split if resume and own_split.exists() else recipe.split_file
    with accelerator.main_process_first():  # the others then find it cached
        data = (
            stream_data(recipe)
            if recipe.streaming
            else load_data(
                recipe.data,
                image_column=recipe.image_column,
                label_column=recipe.label_column,
                validation_fraction=recipe.validation_fraction,
                seed=recipe.seed,
                split_file=Path(split_file) if split_file else None,
            )
        )
    for sentence in data.left_out:
        accelerator.print(sentence)
    check_trained(data, class_rows(data, ()))  # now, not after an hour of decoding
    box: list[Any] = [None]
    if accelerator.is_main_process:
        found = audit(data)
        write_audit(Path(recipe.out), data, found)
        for sentence in found.warnings():
            accelerator.print(sentence)
        for line in table_lines(found.classes):
            accelerator.print(line)
        box = [(found.unreadable, as_origin(found), found.digests)]
    broadcast_object_list(box)
    unreadable, said, digests = box[0]
    for bad in unreadable:
        accelerator.print(f"dropped {bad.reason}")
    if unreadable:
        accelerator.print(f"dropped {len(unreadable)} unreadable pictures in all")
    check_trained(data, class_rows(data, unreadable))
    return data.without(unreadable), said, digests


def _push(checkpoint: Path, repo_id: str) -> None:
    try:
        print(ImageClassifier.from_pretrained(checkpoint).push_to_hub(repo_id).commit_url)
    except HubModelsError as error:
        retry = f"python -m training.publish {checkpoint} {repo_id}"
        raise type(error)(f"{error}; the run is whole: {retry}") from error


def _row(
    progress: Progress, fit: Evaluation, measured: Evaluation, rates: list[float]
) -> dict[str, Any]:
    return {
        "epoch": progress.epoch,
        "train_loss": fit.loss,
        "train_accuracy": fit.accuracy,
        "validation_loss": measured.loss,
        "validation_accuracy": measured.accuracy,
        "backbone_learning_rate": rates[0],
        "head_learning_rate": rates[-1],
        "seconds": progress.seconds,
    }


if __name__ == "__main__":
    sys.exit(main())
