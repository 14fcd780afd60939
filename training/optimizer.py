"""Parameters to groups to an optimiser, and averages of the weights."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from hub_models.model import ImageClassifier
from training.config import Recipe


def make_optimizer(
    model: ImageClassifier, recipe: Recipe, projection: nn.Module | None = None
) -> torch.optim.Optimizer:
    """Group the parameters that will train and give them an optimiser.

    The head may have a learning rate of its own; biases and batch norms are not decayed. With
    `freeze_epochs` the frozen parameters are there from the start: without gradients no optimiser
    touches them.

    Args:
        model: Already frozen as wanted.
        recipe: Optimiser, learning rates, weight decay, momentum.
        projection: New like the head, and trained like it.

    Returns:
        The optimiser.
    """
    groups = []
    new = nn.ModuleList([model.head] if projection is None else [model.head, projection])
    for part, rate in (
        (model.backbone, recipe.learning_rate),
        (new, recipe.head_learning_rate or recipe.learning_rate),
    ):
        chosen = [p for p in part.parameters() if p.requires_grad or recipe.freeze_epochs]
        for decay, params in (
            (recipe.weight_decay, [p for p in chosen if p.ndim > 1]),
            (0.0, [p for p in chosen if p.ndim <= 1]),
        ):
            if params:
                groups.append({"params": params, "lr": rate, "weight_decay": decay})
    match recipe.optimizer:
        case "adam":
            return torch.optim.Adam(groups)
        case "adamw":
            return torch.optim.AdamW(groups)
        case "sgd":
            return torch.optim.SGD(groups, momentum=recipe.momentum, nesterov=recipe.momentum > 0)
        case _:
            return torch.optim.RMSprop(groups, momentum=recipe.momentum)


def make_average(model: ImageClassifier, decay: float) -> AveragedModel:
    """Make an exponential moving average of weights and buffers.

    It follows quickly at first: after n steps the decay is at most (1 + n) / (10 + n).

    Args:
        model: What is averaged; bit-equal values stay bit-equal.
        decay: Share of the old average that a step keeps, under 1.

    Returns:
        The average, equal to the model now; call its update_parameters after every step.
    """

    def follow(average: Tensor, value: Tensor, steps: Tensor | int) -> Tensor:
        if not average.is_floating_point():
            return value
        kept = min(decay, (1 + int(steps)) / (10 + int(steps)))
        return average.lerp(value, 1 - kept)

    return AveragedModel(model, avg_fn=follow, use_buffers=True)


def mean_state(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Average the weights of several epochs.

    Args:
        states: At least one, all of the same names and shapes.

    Returns:
        Means; whole numbers, such as counters, are those of the first.
    """
    return {
        name: torch.stack([s[name] for s in states]).mean(0) if t.is_floating_point() else t
        for name, t in states[0].items()
    }
