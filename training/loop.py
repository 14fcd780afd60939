"""Training step by step and epoch by epoch, and one pass of evaluation."""

import math
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from hub_models.model import ImageClassifier
from training.augment import Mix, make_mix
from training.batches import make_batches
from training.config import Recipe
from training.data import Data
from training.distill import Lesson, make_lesson
from training.features import Head
from training.loss import make_criterion
from training.memory import give_back_freed_memory
from training.metrics import Evaluation
from training.optimizer import make_average, make_optimizer, mean_state
from training.predict import Batches, evaluate
from training.relu6 import use_lean_relu6
from training.sampler import StepSampler, seed_of
from training.schedule import Schedule
from training.state import Progress
from training.step_clock import StepClock

AfterStep = Callable[[Progress], bool]


@dataclass
class Training:
    """Everything that changes while a run goes on, made by `set_up`.

    Attributes:
        accelerator: Places, reduces and gathers.
        recipe: Every choice of the run.
        model: The classifier itself.
        learner: What trains: the classifier, with what a lesson adds, or its head alone.
        wrapped: The learner, as the accelerator runs it.
        optimizer: Of its parameters.
        schedule: Of the optimiser's learning rates.
        train_batches: Shuffled and augmented: this process's micro-batches.
        sampler: Of those; knows epoch and step.
        validation_batches: In order, each image once.
        criterion: The loss of each image.
        clock: Measures the parts of each step, where the recipe wants it.
        layout: Of pictures and convolutions in memory; results differ in the last bits.
        mix: Mixup or CutMix; None without.
        lesson: What a teacher adds to the loss; None without.
        average: The moving average of the model; None without.
        best: (accuracy, epoch, weights) of the best epochs, when they are to be averaged.
    """

    accelerator: Accelerator
    recipe: Recipe
    model: ImageClassifier
    learner: nn.Module
    wrapped: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    train_batches: Batches
    sampler: StepSampler
    validation_batches: Batches
    criterion: nn.Module
    clock: StepClock
    layout: torch.memory_format
    mix: Mix | None = None
    lesson: Lesson | None = None
    average: AveragedModel | None = None
    best: list[tuple[float, int, dict[str, Tensor]]] = field(default_factory=list)

    @property
    def result(self) -> ImageClassifier:
        """The classifier that is measured and saved: the average where there is one."""
        if self.average is None:
            return self.model
        averaged = self.average.module
        assert isinstance(averaged, ImageClassifier)
        averaged.config = self.model.config
        return averaged

    def train_epoch(self, progress: Progress, after_step: AfterStep) -> bool:
        """Train to the end of an epoch, from the step that `progress` names.

        Args:
            progress: Its step and totals are kept up to date.
            after_step: Called after every optimiser step; True stops the run there.

        Returns:
            True if the epoch is complete.

        Raises:
            FloatingPointError: If the loss becomes NaN or infinite.
        """
        self._open_if_due(progress.epoch)
        self.sampler.epoch, self.sampler.first_step = progress.epoch, progress.step
        self.wrapped.train()
        self.clock.start_epoch()
        with self.clock.part("data"):
            give_back_freed_memory()
            micro_batches = iter(self.train_batches)  # starts the workers, the first time
        for step in self._bar(progress):
            # Dropout and mixing depend on the step alone, so no generator's state is to be saved.
            seed = (self.recipe.seed, progress.epoch, step, self.accelerator.process_index)
            torch.manual_seed(seed_of(*seed))
            counts = torch.zeros(3, dtype=torch.float64, device=self.accelerator.device)
            for part in range(self.recipe.micro_batches):
                with self.clock.part("data"):
                    batch, targets = next(micro_batches)
                counts += self._backward(batch, targets, step, part)
            with self.clock.part("update"):
                self._update()
            added = self.accelerator.reduce(counts, "sum").tolist()
            progress.totals = [a + b for a, b in zip(progress.totals, added, strict=True)]
            progress.step = step + 1
            if not math.isfinite(added[2]):
                raise FloatingPointError("the loss is NaN or infinite: lower learning_rate")
            must_stop = after_step(progress)
            self.clock.end_step()
            if must_stop and progress.step < self.sampler.steps:
                return False
        return True

    def validate(self) -> Evaluation:
        """Measure `result` on the validation images."""
        learner = Head(self.result) if self.recipe.cache_features else self.result
        return evaluate(self.accelerator, learner, self.validation_batches, "validation")

    def remember(self, accuracy: float, epoch: int) -> None:
        """Keep an epoch's weights if they are among the best, for `average_of_best`."""
        if not self.recipe.average_best:
            return
        weights = {n: t.detach().cpu().clone() for n, t in self.result.state_dict().items()}
        self.best.append((accuracy, epoch, weights))
        self.best.sort(key=lambda entry: (-entry[0], entry[1]))
        del self.best[self.recipe.average_best :]

    def average_of_best(self) -> Evaluation:
        """Give `result` the mean weights of the best epochs, and measure it."""
        self.result.load_state_dict(mean_state([weights for _, _, weights in self.best]))
        return self.validate()

    def state_dict(self) -> dict[str, Any]:
        """Give what `load_state_dict` continues from."""
        return {
            "model": self._trained.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "lesson": self.lesson.state_dict() if self.lesson else None,
            "best": self.best,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` gave."""
        self._trained.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.best = state["best"]
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        if self.lesson is not None:
            self.lesson.load_state_dict(state["lesson"])

    @property
    def _trained(self) -> nn.Module:
        """What a state must hold: a backbone whose features are cached never changes."""
        return self.learner if self.recipe.cache_features else self.model

    def _bar(self, progress: Progress) -> Iterable[int]:
        steps = range(progress.step, self.sampler.steps)
        quiet = not self.accelerator.is_main_process
        name = f"epoch {progress.epoch + 1}"
        bar: Iterable[int] = tqdm(
            steps, name, self.sampler.steps, leave=False, disable=quiet, initial=progress.step
        )
        return bar

    def _backward(self, batch: Tensor, targets: Tensor, step: int, part: int) -> Tensor:
        """Add one micro-batch to the gradients; give right answers, images and summed loss."""
        device = self.accelerator.device
        batch, targets = batch.to(device), targets.to(device)
        if self.mix is not None:
            batch, targets = self.mix(batch, targets)
        if batch.ndim == 4:  # pictures, not features
            batch = batch.contiguous(memory_format=self.layout)
        is_last = part == self.recipe.micro_batches - 1
        with nullcontext() if is_last else self.accelerator.no_sync(self.wrapped):
            with self.clock.part("forward"):
                outputs = self.wrapped(batch)
                outputs = outputs if isinstance(outputs, tuple) else (outputs,)
                losses = self.criterion(outputs[0], targets)  # (N,)
                if self.lesson is not None:
                    indices = self.sampler.indices(step, part)
                    losses = self.lesson.losses(losses, outputs, batch, indices)
            # The mean over the whole step, whoever computes which part: DDP divides by processes.
            share = self.accelerator.num_processes / self.sampler.images_in(step)
            with self.clock.part("backward"):
                self.accelerator.backward(losses.sum() * share)
        answers = targets.argmax(dim=1) if targets.ndim == 2 else targets
        correct = (outputs[0].detach().argmax(dim=1) == answers).sum()
        count = torch.tensor(len(batch), device=device)
        return torch.stack([correct.double(), count.double(), losses.detach().sum().double()])

    def _update(self) -> None:
        if self.recipe.clip_norm:
            self.accelerator.clip_grad_norm_(self.learner.parameters(), self.recipe.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.schedule.step()
        if self.average is not None:
            self.average.update_parameters(self.model)

    def _open_if_due(self, epoch: int) -> None:
        recipe = self.recipe
        is_open = bool(recipe.freeze_epochs) and epoch >= recipe.freeze_epochs
        if is_open and not all(p.requires_grad for p in self.model.parameters()):
            self.model.freeze("none", batch_norm=recipe.freeze_batch_norm)
            # Wrapped anew: a distributed wrapper has seen only the parameters that trained so far.
            self.wrapped = self.accelerator.prepare_model(self.learner)


def set_up(
    accelerator: Accelerator, recipe: Recipe, data: Data, model: ImageClassifier
) -> Training:
    """Bring data, model, optimiser and schedule together.

    Args:
        accelerator: Of this process.
        recipe: Every choice of the run.
        data: With the splits train and validation.
        model: Frozen as the recipe wants.

    Returns:
        A training at its first step.
    """
    model.to(accelerator.device)
    lesson = make_lesson(accelerator, recipe, data, model)
    train_batches, sampler, validation_batches = make_batches(accelerator, recipe, data, model)
    layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
    if accelerator.device.type == "mps":  # 30 times slower there (pytorch/pytorch#193349)
        layout = torch.contiguous_format
    model.to(memory_format=layout)
    plain_optimizer = make_optimizer(model, recipe, lesson.projection if lesson else None)
    schedule = Schedule(plain_optimizer, recipe, sampler.steps)
    average = make_average(model, recipe.ema_decay) if recipe.ema_decay else None
    learner = lesson.learner(model) if lesson else model
    if recipe.compile:
        learner.compile()  # in place: the names of its weights stay as they are
    else:
        use_lean_relu6(model)
    if recipe.cache_features:
        learner = Head(model)
    return Training(
        accelerator=accelerator,
        recipe=recipe,
        model=model,
        learner=learner,
        wrapped=accelerator.prepare_model(learner),
        optimizer=accelerator.prepare_optimizer(plain_optimizer),
        schedule=schedule,
        train_batches=train_batches,
        sampler=sampler,
        validation_batches=accelerator.prepare(validation_batches),
        criterion=make_criterion(data, recipe).to(accelerator.device),
        clock=StepClock(accelerator.device, is_on=recipe.profile),
        layout=layout,
        mix=make_mix(recipe, len(data.label_names)),
        lesson=lesson,
        average=average,
    )


def evaluation(totals: list[float]) -> Evaluation:
    """Turn right answers, images and summed loss into an evaluation."""
    correct, images, loss = totals
    return Evaluation(int(correct), int(images), loss / images)
