"""Learning rates over a run: warm-up, then one of several shapes, counted in optimiser steps."""

import math
from collections.abc import Callable
from typing import Any, Final

import torch

from training.config import Recipe

Shape = Callable[[float, Recipe], float]


def _cosine(epoch: float, recipe: Recipe) -> float:
    share = (epoch - recipe.warmup_epochs) / max(recipe.epochs - recipe.warmup_epochs, 1e-12)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, share)))


def _step(epoch: float, recipe: Recipe) -> float:
    return recipe.gamma ** int((epoch + 1e-9) / recipe.step_size)


def _one_cycle(epoch: float, recipe: Recipe) -> float:
    """Smith & Topin 2017 (arXiv:1708.07120): up along a cosine, then down to nearly nothing."""
    rise = recipe.warmup_epochs or 0.3 * recipe.epochs
    if epoch < rise:
        return 0.04 + 0.96 * 0.5 * (1 - math.cos(math.pi * epoch / rise))
    share = (epoch - rise) / max(recipe.epochs - rise, 1e-12)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, share)))


def _constant(epoch: float, recipe: Recipe) -> float:
    return 1.0


SHAPES: Final[dict[str, Shape]] = {
    "cosine": _cosine,
    "step": _step,
    "one_cycle": _one_cycle,
    "plateau": _constant,  # lowered by `Schedule.measured`
    "constant": _constant,
}


class Schedule:
    """Sets the learning rate of every group before each optimiser step.

    Counted in optimiser steps, so it is the same at any number of processes. Groups keep their
    ratio: each has its own peak, the rate it was made with.

    Args:
        optimizer: Its learning rates are the peaks.
        recipe: `schedule`, `epochs`, `warmup_epochs` and what the shape needs.
        steps_per_epoch: Optimiser steps in one epoch.
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, recipe: Recipe, steps_per_epoch: int
    ) -> None:
        # Not its groups: Accelerate, and loading a state, put new ones in their place.
        self.optimizer = optimizer
        self.recipe = recipe
        self.steps_per_epoch = steps_per_epoch
        self.peaks = self.rates()
        self.steps = 0
        self.scale = 1.0  # what plateaus have left of the rates
        self.best = -math.inf
        self.stale_epochs = 0
        self._apply()

    def step(self) -> None:
        """Move on by one optimiser step."""
        self.steps += 1
        self._apply()

    def measured(self, accuracy: float) -> None:
        """Lower the rates when the validation accuracy has stopped rising (plateau only).

        Args:
            accuracy: After the epoch that has just ended, 0 to 1.
        """
        if self.recipe.schedule != "plateau":
            return
        if accuracy > self.best:
            self.best, self.stale_epochs = accuracy, 0
            return
        self.stale_epochs += 1
        if self.stale_epochs > self.recipe.patience:
            self.scale *= self.recipe.gamma
            self.stale_epochs = 0
            self._apply()

    def rates(self) -> list[float]:
        """Give the learning rate of every group now."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Give what `load_state_dict` continues from."""
        return {key: getattr(self, key) for key in ("steps", "scale", "best", "stale_epochs")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` gave."""
        for key, value in state.items():
            setattr(self, key, value)
        self._apply()

    def _apply(self) -> None:
        epoch = self.steps / self.steps_per_epoch
        factor = self.scale * SHAPES[self.recipe.schedule](epoch, self.recipe)
        warmup_steps = round(self.recipe.warmup_epochs * self.steps_per_epoch)
        if self.recipe.schedule != "one_cycle" and self.steps < warmup_steps:
            factor = (self.steps + 1) / (warmup_steps + 1)
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
            floor = min(self.recipe.eta_min, peak)
            group["lr"] = floor + (peak - floor) * factor
