"""Training by epochs: loaders, optimiser, schedule, one epoch, one pass of evaluation."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import datasets
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader
from tqdm import tqdm

from hub_models.model import ImageClassifier
from training.augment import CentreView, RandomView, Transform
from training.config import Recipe
from training.data import Data, EpochSampler, Pictures
from training.metrics import Evaluation

Batches = DataLoader[Any]  # of (batch (N, 3, S, S), targets (N,))


@dataclass
class Training:
    """Everything that changes while a run goes on, made by `set_up`.

    Attributes:
        accelerator: Places, reduces and gathers.
        recipe: Every choice of the run.
        model: The classifier itself: what is evaluated and saved.
        wrapped: The same, as the accelerator runs it.
        optimizer: Of the trainable parameters.
        schedule: Stepped once per optimiser step.
        train_batches: Shuffled and augmented.
        validation_batches: In order, each image once.
        sampler: Of the training batches; knows the epoch.
    """

    accelerator: Accelerator
    recipe: Recipe
    model: ImageClassifier
    wrapped: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: LambdaLR
    train_batches: Batches
    validation_batches: Batches
    sampler: EpochSampler

    def train_epoch(self, epoch: int) -> Evaluation:
        """Go once over the training images.

        Args:
            epoch: Counted from 0; with the recipe's seed it decides every random number.

        Returns:
            Accuracy and (smoothed) loss over the augmented images, as they were met.

        Raises:
            FloatingPointError: If the loss becomes NaN or infinite.
        """
        torch.manual_seed(self.recipe.seed + 1_000_003 * epoch)  # dropout
        self.sampler.epoch = epoch
        self.wrapped.train()
        criterion = nn.CrossEntropyLoss(label_smoothing=self.recipe.label_smoothing)
        totals = torch.zeros(3, device=self.accelerator.device, dtype=torch.float64)
        for batch, targets in _bar(self.accelerator, self.train_batches, f"epoch {epoch + 1}"):
            logits = self.wrapped(_laid_out(batch, self.recipe))
            loss = criterion(logits, targets)
            self.accelerator.backward(loss)
            self.optimizer.step()
            self.schedule.step()
            self.optimizer.zero_grad()
            totals += _counts(logits.detach(), targets, loss.detach())
            if not torch.isfinite(loss):
                raise FloatingPointError("the loss is NaN or infinite: lower learning_rate")
        return _evaluation(self.accelerator.reduce(totals, "sum"))

    def validate(self) -> Evaluation:
        """Measure the model on the validation images."""
        return evaluate(self.accelerator, self.model, self.validation_batches, "validation")

    def state_dict(self) -> dict[str, Any]:
        """Give what `load_state_dict` continues from."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` gave."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])


def set_up(
    accelerator: Accelerator, recipe: Recipe, data: Data, model: ImageClassifier
) -> Training:
    """Bring data, model, optimiser and schedule together.

    Args:
        accelerator: Its loaders split batches: recipe.batch_size is over all processes.
        recipe: Every choice of the run.
        data: With the splits train and validation.
        model: Frozen as the recipe wants.

    Returns:
        A training at its first step.
    """
    train_batches, sampler = make_batches(
        data.splits["train"],
        RandomView(recipe, model.config.preprocess),
        batch_size=recipe.batch_size,
        workers=recipe.workers,
        seed=recipe.seed,
    )
    validation_batches, _ = make_batches(
        data.splits["validation"],
        CentreView(model.config.preprocess),
        batch_size=recipe.batch_size,
        workers=recipe.workers,
    )
    optimizer = make_optimizer(model, recipe)
    schedule = make_schedule(
        optimizer,
        steps=recipe.epochs * len(train_batches),
        warmup_steps=round(recipe.warmup_epochs * len(train_batches)),
    )
    if recipe.channels_last:
        model.to(memory_format=torch.channels_last)
    if recipe.compile:
        model.compile()  # in place: the names of its weights stay as they are
    wrapped, optimizer, train_batches, validation_batches = accelerator.prepare(
        model, optimizer, train_batches, validation_batches
    )
    return Training(
        accelerator, recipe, model, wrapped, optimizer, schedule,
        train_batches, validation_batches, sampler,
    )  # fmt: skip


def make_batches(
    split: datasets.Dataset,
    transform: Transform,
    *,
    batch_size: int,
    workers: int,
    seed: int | None = None,
) -> tuple[Batches, EpochSampler]:
    """Make batches of one split.

    Args:
        split: With the columns `image` and `target`.
        transform: Image to pixels.
        batch_size: Images per batch, over all processes.
        workers: Processes that decode; 0 for this one.
        seed: Shuffles and drops the last, smaller batch; None keeps order and every image.

    Returns:
        The loader, and the sampler whose `epoch` the caller sets.
    """
    sampler = EpochSampler(split, seed=seed or 0, shuffle=seed is not None)
    loader: Batches = DataLoader(
        Pictures(split, transform),
        batch_size=batch_size,
        sampler=sampler,
        num_workers=workers,
        persistent_workers=workers > 0,
        drop_last=seed is not None and len(split) >= batch_size,
    )
    return loader, sampler


def make_optimizer(model: ImageClassifier, recipe: Recipe) -> torch.optim.Optimizer:
    """Group the trainable parameters and give them an optimiser.

    The head may have a learning rate of its own; biases and batch norms are not decayed.

    Args:
        model: Already frozen as wanted.
        recipe: Optimiser, learning rates, weight decay, momentum.

    Returns:
        AdamW or SGD with Nesterov momentum.
    """
    groups = []
    for part, rate in (
        (model.backbone, recipe.learning_rate),
        (model.head, recipe.head_learning_rate or recipe.learning_rate),
    ):
        trainable = [p for p in part.parameters() if p.requires_grad]
        for decay, chosen in (
            (recipe.weight_decay, [p for p in trainable if p.ndim > 1]),
            (0.0, [p for p in trainable if p.ndim <= 1]),
        ):
            if chosen:
                groups.append({"params": chosen, "lr": rate, "weight_decay": decay})
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=recipe.momentum, nesterov=recipe.momentum > 0)
    return torch.optim.AdamW(groups)


def make_schedule(optimizer: torch.optim.Optimizer, *, steps: int, warmup_steps: int) -> LambdaLR:
    """Raise the learning rates linearly, then lower them to 0 along a half cosine.

    Counted in optimiser steps, so it is the same at any number of processes.

    Args:
        optimizer: Its learning rates are the peaks.
        steps: Of the whole run.
        warmup_steps: Of them, while rising.

    Returns:
        The schedule; step it once per optimiser step.
    """

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / (warmup_steps + 1)
        done = (step - warmup_steps) / max(1, steps - warmup_steps)
        return 0.5 * (1 + math.cos(math.pi * done))

    return LambdaLR(optimizer, factor)


@torch.inference_mode()
def evaluate(
    accelerator: Accelerator, model: ImageClassifier, batches: Batches, name: str
) -> Evaluation:
    """Go once over a split, counting every image once at any number of processes.

    Args:
        accelerator: Gathers; drops the images it added to fill the last batch.
        model: Unwrapped; its mode is restored afterwards.
        batches: Prepared by the accelerator, in order.
        name: Of the split, for the progress bar.

    Returns:
        Accuracy and loss.
    """
    was_training = model.training
    model.eval()
    totals = torch.zeros(3, dtype=torch.float64)
    for batch, targets in _bar(accelerator, batches, name):
        logits = model.forward(batch)  # not model(batch): a compiled model would compile again
        logits, targets = accelerator.gather_for_metrics((logits, targets))
        loss = nn.functional.cross_entropy(logits, targets)
        totals += _counts(logits, targets, loss).cpu()
    model.train(was_training)
    return _evaluation(totals)


def _bar(accelerator: Accelerator, batches: Batches, name: str) -> Iterable[tuple[Tensor, Tensor]]:
    quiet = not accelerator.is_main_process
    bar: Iterable[tuple[Tensor, Tensor]] = tqdm(batches, name, leave=False, disable=quiet)
    return bar


def _laid_out(batch: Tensor, recipe: Recipe) -> Tensor:
    return batch.contiguous(memory_format=torch.channels_last) if recipe.channels_last else batch


def _counts(logits: Tensor, targets: Tensor, mean_loss: Tensor) -> Tensor:
    correct = (logits.argmax(dim=1) == targets).sum()
    images = torch.tensor(len(targets), device=logits.device)
    return torch.stack([correct.double(), images.double(), mean_loss.double() * images])


def _evaluation(totals: Tensor) -> Evaluation:
    correct, images, loss = totals.tolist()
    return Evaluation(int(correct), int(images), loss / images)
