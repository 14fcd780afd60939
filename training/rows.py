"""What a run trains and validates on: pictures, stored pixels of them, or a backbone's features."""

from accelerate import Accelerator

from hub_models.model import ImageClassifier
from training.augment import CentreView, RandomView, StoredView
from training.config import Recipe
from training.data import Data, Pictures
from training.features import Features, FeatureSource, cached_features
from training.pixel_cache import pixel_caches
from training.predict import Rows
from training.reduction import EvaluationSquare, training_reduction


def make_rows(
    accelerator: Accelerator, recipe: Recipe, data: Data, model: ImageClassifier
) -> tuple[Rows, Rows]:
    """Make the rows of train and validation as the recipe wants them.

    Args:
        accelerator: Its main process writes caches; the others wait.
        recipe: Its augmentation, `cache_features` and `pixel_cache_gib`.
        data: With the splits train and validation.
        model: For its preprocessing; its backbone where features are cached.

    Returns:
        Rows to train on and rows to validate on, in the order of the splits.

    Raises:
        ConfigError: If a cache was written that this process cannot read.
    """
    if recipe.cache_features:
        return _features(accelerator, recipe, data, model)
    train, validation = data.splits["train"], data.splits["validation"]
    preprocess = model.config.preprocess
    random_view = RandomView(recipe, preprocess)
    caches = None
    if recipe.pixel_cache_gib:
        caches = pixel_caches(
            accelerator,
            data,
            {"train": training_reduction(recipe), "validation": EvaluationSquare(preprocess)},
            budget_gib=recipe.pixel_cache_gib,
        )
    if caches is None:
        return Pictures(train, random_view), Pictures(validation, CentreView(preprocess))
    stored_view = StoredView(preprocess)
    return (
        Pictures(train, random_view, caches["train"]),
        Pictures(validation, stored_view, caches["validation"]),
    )


def workers_for(accelerator: Accelerator, recipe: Recipe, rows: Rows) -> int:
    """Say how many processes should make batches of these rows.

    Args:
        accelerator: Of this process.
        recipe: Its `workers`.
        rows: From `make_rows`.

    Returns:
        0 where worker processes would cost more than they bring: rows of a feature cache, and
        stored pictures while the same cores train (benchmarks/README.md).
    """
    is_stored = isinstance(rows, Pictures) and rows.images is not None
    trains_on_cpu = accelerator.device.type == "cpu"
    if isinstance(rows, Features) or (is_stored and trains_on_cpu):
        return 0
    return recipe.workers


def _features(
    accelerator: Accelerator, recipe: Recipe, data: Data, model: ImageClassifier
) -> tuple[Features, Features]:
    random_view = RandomView(recipe, model.config.preprocess)
    centre_view = CentreView(model.config.preprocess)
    sources = (
        FeatureSource(
            data.splits["train"], "train", random_view, recipe.augmentation(), recipe.views
        ),
        FeatureSource(data.splits["validation"], "validation", centre_view, {}),
    )
    train, validation = (
        Features(
            cached_features(accelerator, model, source, workers=recipe.workers),
            source.split["target"][:],
        )
        for source in sources
    )
    return train, validation
