"""Logits to the loss of each image: against its target, and against what a teacher says of it."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.config import Recipe
from training.data import Data


def make_criterion(data: Data, recipe: Recipe) -> nn.CrossEntropyLoss:
    """Make the loss of each image against its target.

    Args:
        data: Its training split gives the class weights.
        recipe: `class_weights` and `label_smoothing`.

    Returns:
        Logits (N, C) and targets (N,) or (N, C) to losses (N,).
    """
    return nn.CrossEntropyLoss(
        weight=_class_weights(data, recipe),
        label_smoothing=recipe.label_smoothing,
        reduction="none",
    )


def soft_target_losses(logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """Compare a student's answers with its teacher's (Hinton et al. 2015, arXiv:1503.02531).

    Args:
        logits: (N, C), the student's.
        teacher_logits: (N, C), without gradients.
        temperature: Divides both, above 0: the higher, the more the improbable classes count.

    Returns:
        (N,), at least 0: the divergence of the student's distribution from the teacher's in nats,
        times temperature², so that its gradient keeps its size at every temperature.
    """
    student = functional.log_softmax(logits / temperature, dim=1)
    teacher = functional.log_softmax(teacher_logits / temperature, dim=1)
    divergence = functional.kl_div(student, teacher, reduction="none", log_target=True)
    return divergence.sum(dim=1) * temperature**2


def hint_losses(projected: Tensor, features: Tensor) -> Tensor:
    """Compare a student's projected features with its teacher's (FitNets, arXiv:1412.6550).

    By angle alone: between vectors of length 1 the squared distance is 2 (1 - cosine), and a
    teacher's scale is nothing a student needs.

    Args:
        projected: (N, K).
        features: (N, K), without gradients.

    Returns:
        (N,), 1 - cosine: 0 for the same direction, 2 for the opposite.
    """
    return 1 - functional.cosine_similarity(projected, features, dim=1)


def _class_weights(data: Data, recipe: Recipe) -> Tensor | None:
    """Give each class images / (C × its images), so that every class weighs the same in all."""
    if recipe.class_weights == "none":
        return None
    num_classes = len(data.label_names)
    targets = torch.tensor(data.splits["train"]["target"][:])
    counts = torch.bincount(targets, minlength=num_classes)
    return counts.sum() / (num_classes * counts.clamp(min=1)).float()
