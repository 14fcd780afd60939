"""A teacher in training: how it sees the pictures of a step, and the losses that follow."""

from collections.abc import Callable, Sequence
from functools import cache

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import Tensor, nn
from torch.nn import functional

from hub_models.config import PreprocessConfig
from hub_models.errors import ConfigError
from hub_models.model import ImageClassifier
from training.augment import CentreView
from training.config import Recipe
from training.data import Data
from training.features import Features, FeatureSource, cached_features
from training.loss import hint_losses, soft_target_losses
from training.probe import fit_head
from training.teacher import Teacher, load_teacher

Look = Callable[[Tensor, Sequence[int]], Tensor]  # batch, its rows of the split -> features (N, K)


class Learner(nn.Module):
    """A classifier beside the projection of its features, from one pass of its backbone.

    Args:
        model: Used itself, not copied.
        projection: From its K features to those of a teacher.
    """

    def __init__(self, model: ImageClassifier, projection: nn.Linear) -> None:
        super().__init__()
        self.model = model
        self.projection = projection

    def forward(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """Compute logits and projected features.

        Args:
            batch: float32 (N, 3, S, S), preprocessed.

        Returns:
            Logits (N, C), equal to the classifier's own, and (N, K) of the teacher's K.
        """
        pooled = self.model.feature_map(batch).mean(dim=(2, 3))
        return self.model.head(self.model.dropout(pooled)), self.projection(pooled)


class Lesson(nn.Module):
    """What a teacher adds to the loss; what it holds is saved with the state of the run.

    Args:
        recipe: The weights of its losses.
        look: How the teacher sees a micro-batch.
        head: Its features to soft targets; None without those.
        projection: The student's features to its own, for hints; None without those.
        mean: (K,), its mean features, which hints leave out: they tell no picture from another.
    """

    mean: Tensor | None

    def __init__(
        self,
        recipe: Recipe,
        look: Look,
        head: nn.Linear | None,
        projection: nn.Linear | None,
        mean: Tensor | None,
    ) -> None:
        super().__init__()
        self.recipe = recipe
        self.look = look
        self.head = head
        self.projection = projection
        self.register_buffer("mean", mean)

    def learner(self, model: ImageClassifier) -> nn.Module:
        """Give what is to be trained.

        Args:
            model: The student.

        Returns:
            The student itself, or with its projection.
        """
        return model if self.projection is None else Learner(model, self.projection)

    def losses(
        self, hard: Tensor, outputs: tuple[Tensor, ...], batch: Tensor, indices: Sequence[int]
    ) -> Tensor:
        """Weigh what the targets ask for against what the teacher says.

        Args:
            hard: (N,), against the targets.
            outputs: The student's logits (N, C) and, with hints, projected features (N, K).
            batch: What the student saw.
            indices: Its rows of the training split; the batch must not be mixed for
                `teacher_view = "centre"`.

        Returns:
            (N,).
        """
        seen = self.look(batch, indices)  # (N, K)
        share = self.recipe.teacher_weight
        losses = (1 - share) * hard
        if self.head is not None:
            temperature = self.recipe.teacher_temperature
            soft = soft_target_losses(outputs[0], self.head(seen), temperature)
            losses = losses + share * soft
        if self.projection is not None and self.mean is not None:
            hints = hint_losses(outputs[1], seen - self.mean)
            losses = losses + self.recipe.hint_weight * hints
        return losses


def make_lesson(
    accelerator: Accelerator, recipe: Recipe, data: Data, student: ImageClassifier
) -> Lesson | None:
    """Bring a teacher into a run.

    Args:
        accelerator: Of this process.
        recipe: `teacher` and the keys beside it.
        data: With the splits train and validation.
        student: Its preprocessing and its number of features count.

    Returns:
        The lesson; None without a teacher.

    Raises:
        ConfigError: If the teacher cannot be used for these classes, or timm is missing.
        CheckpointError: If it cannot be found or loaded.
    """
    if not recipe.teacher:
        return None
    teacher = load_teacher(recipe.teacher)
    teacher.see_at(recipe.teacher_size)
    teacher.network.to(accelerator.device)
    head, projection, mean = None, None, None
    if recipe.hint_weight:
        # First of all: computing features draws random numbers, reading cached ones does not.
        projection = nn.Linear(student.config.num_features, teacher.num_features)

    @cache
    def features_of(name: str) -> Tensor:
        return _features(accelerator, recipe, data, teacher, name)

    if recipe.teacher_weight:
        head = teacher.head(data.label_names)
        if head is None:
            head = _fitted_head(accelerator, data, features_of)
    if projection is not None:
        mean = features_of("train").mean(dim=0)
    if recipe.teacher_view == "centre":
        look = _remembered(features_of("train"))
    else:
        side = recipe.teacher_size or teacher.fixed_side
        look = _seeing(teacher, student.config.preprocess, side)
    return Lesson(recipe, look, head, projection, mean).to(accelerator.device)


def _remembered(features: Tensor) -> Look:
    """See the picture whole, at the teacher's own preprocessing: computed before the run."""

    def look(batch: Tensor, indices: Sequence[int]) -> Tensor:
        return features[list(indices)].to(batch.device)

    return look


def _seeing(teacher: Teacher, student: PreprocessConfig, side: int) -> Look:
    """See the student's very pixels, crop and mixing included (arXiv:2106.05237).

    They are resized to `side`, if that is not 0. Grey ones are spread over three channels.
    """
    theirs = teacher.preprocess
    if theirs.channels < student.channels:
        raise ConfigError(
            "teacher_view = 'student' cannot show RGB pixels to a teacher of grey ones; "
            "use 'centre', or channels = 1"
        )
    std = torch.tensor(theirs.std)
    scale = (torch.tensor(student.std) / std)[:, None, None]
    shift = ((torch.tensor(student.mean) - torch.tensor(theirs.mean)) / std)[:, None, None]

    def look(batch: Tensor, indices: Sequence[int]) -> Tensor:
        pixels = batch * scale.to(batch.device) + shift.to(batch.device)
        if side not in (0, batch.shape[-1]):
            pixels = functional.interpolate(pixels, (side, side), mode="bilinear", antialias=True)
        return teacher.features(pixels)

    return look


def _features(
    accelerator: Accelerator, recipe: Recipe, data: Data, teacher: Teacher, name: str
) -> Tensor:
    """Give the teacher's features (N, K) of a split, as the centre view has them."""
    split = data.splits[name]
    view = CentreView(teacher.preprocess)
    source = FeatureSource(split, f"{name} (teacher)", view, dict(teacher.description))
    path = cached_features(accelerator, teacher.network, source, workers=recipe.workers)
    return Features(path, split["target"][:]).values[0]


def _fitted_head(
    accelerator: Accelerator, data: Data, features_of: Callable[[str], Tensor]
) -> nn.Linear:
    """Fit a head to a teacher that knows other classes, and say how good it is."""
    targets = {name: data.splits[name]["target"][:] for name in ("train", "validation")}
    head = fit_head(features_of("train"), targets["train"], data.label_names)
    box = [head.state_dict()]
    broadcast_object_list(box)  # no bit may differ between machines
    head.load_state_dict(box[0])
    answers = head(features_of("validation")).argmax(dim=1)
    right = (answers == torch.tensor(targets["validation"])).double().mean().item()
    accelerator.print(
        f"teacher: a head for {', '.join(data.label_names)} was fitted to its features; "
        f"validation accuracy {right:.2%}"
    )
    return head
