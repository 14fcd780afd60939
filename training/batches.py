"""The batches of a run: this process's share of every step to train on, and all to validate on."""

from accelerate import Accelerator
from torch.utils.data import DataLoader

from hub_models.model import ImageClassifier
from training.augment import CentreView, RandomView
from training.config import Recipe
from training.data import Data, Pictures, as_it_is
from training.predict import Batches, Rows, in_order
from training.rows import make_rows, workers_for
from training.sampler import StepSampler
from training.stream import StreamedSteps


def make_batches(
    accelerator: Accelerator, recipe: Recipe, data: Data, model: ImageClassifier
) -> tuple[Batches, StepSampler, Batches]:
    """Make the batches of a run.

    Args:
        accelerator: Of this process.
        recipe: Batch size, micro-batches, workers, augmentation and caches.
        data: With the split validation, and train or a stream.
        model: For its preprocessing; its backbone where features are cached.

    Returns:
        This process's micro-batches, shuffled and augmented; the sampler that sets their epoch and
        first step; batches of the validation images in order, to be prepared by the accelerator.

    Raises:
        ConfigError: If a step has too few images, or a cache cannot be read.
    """
    if data.stream is not None:
        train, sampler = _streamed(accelerator, recipe, data, model)
        view = CentreView(model.config.preprocess)
        validation: Rows = Pictures(data.splits["validation"], view)
    else:
        rows, validation = make_rows(accelerator, recipe, data, model)
        train, sampler = _shuffled(accelerator, recipe, rows)
    validation_batches = in_order(
        validation,
        batch_size=max(recipe.batch_size // recipe.micro_batches, accelerator.num_processes),
        workers=workers_for(accelerator, recipe, validation),
    )
    return train, sampler, validation_batches


def _shuffled(accelerator: Accelerator, recipe: Recipe, rows: Rows) -> tuple[Batches, StepSampler]:
    sampler = StepSampler(
        len(rows),
        batch_size=recipe.batch_size,
        micro_batches=recipe.micro_batches,
        process=accelerator.process_index,
        processes=accelerator.num_processes,
        seed=recipe.seed,
    )
    workers = workers_for(accelerator, recipe, rows)
    batches: Batches = DataLoader(
        rows,
        batch_sampler=sampler,
        num_workers=workers,
        persistent_workers=workers > 0,
        collate_fn=as_it_is,
    )
    return batches, sampler


def _streamed(
    accelerator: Accelerator, recipe: Recipe, data: Data, model: ImageClassifier
) -> tuple[Batches, StepSampler]:
    steps = StreamedSteps(
        data.stream,
        RandomView(recipe, model.config.preprocess),
        recipe,
        process=accelerator.process_index,
        processes=accelerator.num_processes,
    )
    # One worker at most: `datasets` would deal the files out among several.
    return DataLoader(steps, batch_size=None, num_workers=min(1, recipe.workers)), steps.sampler
