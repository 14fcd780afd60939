"""A recipe and its data to the model that a run begins with."""

from dataclasses import replace
from typing import Any

from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from hub_models import ImageClassifier
from hub_models.errors import HubModelsError
from training.channels import measure_statistics
from training.config import Recipe
from training.data import Data


def make_model(accelerator: Accelerator, recipe: Recipe, data: Data) -> ImageClassifier:
    """Make the model of a run, with a new head for its classes.

    Args:
        accelerator: Its main process measures, where the recipe wants that.
        recipe: Architecture, weights, stem, channels, preprocessing, and what is frozen.
        data: For its class names, and its training pictures' mean and std.

    Returns:
        The model in training mode.

    Raises:
        HubModelsError: If the architecture or the weights are not to be had.
    """
    try:
        model = ImageClassifier.create(
            recipe.architecture,
            data.label_names,
            weights=None if recipe.weights == "none" else recipe.weights,
            stem=recipe.stem,
            channels=recipe.channels or None,
        )
    except HubModelsError as error:
        raise type(error)(f"{error} (--weights none | FOLDER | REPO_ID)") from error
    model.config = replace(model.config, preprocess=recipe.preprocess(model.config.preprocess))
    model.freeze(recipe.freeze, batch_norm=recipe.freeze_batch_norm)
    if recipe.normalisation == "measured":
        _measure_normalisation(accelerator, data, model)
    return model


def _measure_normalisation(accelerator: Accelerator, data: Data, model: ImageClassifier) -> None:
    """Give the model its training pictures' own mean and std."""
    box: list[Any] = [None]
    preprocess = model.config.preprocess
    if accelerator.is_main_process:
        box = [measure_statistics(data.splits["train"], preprocess)]
    broadcast_object_list(box)
    mean, std = box[0]
    accelerator.print(f"mean {mean}, std {std} of {len(data.splits['train']):,} training pictures")
    model.config = replace(model.config, preprocess=replace(preprocess, mean=mean, std=std))
