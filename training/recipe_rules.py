"""What the keys of a recipe may be, and which cannot be together."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from hub_models.config import CHANNELS, INTERPOLATIONS, STEMS
from hub_models.model import FREEZE_MODES
from training.sampler import MIN_IMAGES
from training.tracker import TRACKERS

if TYPE_CHECKING:
    from training.config import Recipe

Rule = tuple[bool, str]  # is it broken, and the sentence that says so

CHOICES: Final = {
    "stem": STEMS,
    "freeze": FREEZE_MODES,
    "interpolation": INTERPOLATIONS,
    "crop": ("random_resized", "random", "center"),
    "optimizer": ("adam", "adamw", "sgd", "rmsprop"),
    "schedule": ("cosine", "step", "one_cycle", "plateau", "constant"),
    "class_weights": ("none", "balanced"),
    "normalisation": ("weights", "measured"),
    "tracker": TRACKERS,
    "teacher_view": ("centre", "student"),
}
RANGES: Final = {
    "validation_fraction": (0.001, 0.9),
    "workers": (0, 256),
    "steps_per_epoch": (0, 1_000_000_000),
    "shuffle_buffer": (1, 10_000_000),
    "pixel_cache_gib": (0, 1_000_000),
    "image_size": (8, 4096),
    "eval_size": (0, 4096),
    "image_size_start": (0, 4096),
    "crop_pct": (0.1, 1),
    "views": (0, 1000),
    "crop_scale_min": (0.01, 1),
    "crop_ratio_max": (1, 10),
    "flip": (0, 1),
    "rotation": (0, 180),
    "colour_jitter": (0, 1),
    "rand_augment": (0, 30),
    "blur": (0, 1),
    "shrink": (0, 1),
    "grey": (0, 1),
    "jpeg": (0, 1),
    "random_erasing": (0, 1),
    "mixup": (0, 100),
    "cutmix": (0, 100),
    "learning_rate": (0, 100),
    "head_learning_rate": (0, 100),
    "weight_decay": (0, 10),
    "momentum": (0, 0.9999),
    "clip_norm": (0, 1e9),
    "epochs": (1, 100_000),
    "batch_size": (1, 1_000_000),
    "micro_batches": (1, 10_000),
    "warmup_epochs": (0, 100_000),
    "eta_min": (0, 100),
    "step_size": (0.001, 100_000),
    "gamma": (0.0001, 1),
    "patience": (0, 100_000),
    "early_stopping": (0, 100_000),
    "freeze_epochs": (0, 100_000),
    "label_smoothing": (0, 0.9999),
    "ema_decay": (0, 0.999999),
    "average_best": (0, 100),
    "teacher_size": (0, 4096),
    "teacher_weight": (0, 1),
    "teacher_temperature": (0.01, 1000),
    "hint_weight": (0, 1000),
    "save_every": (0, 1_000_000_000),
    "seed": (0, 2**31 - 1),
}


def out_of_range(values: Mapping[str, Any]) -> Iterator[str]:
    """Give a sentence for every number that is out of its range.

    Args:
        values: By key; keys without a range may be there.

    Yields:
        Sentences that name the key and what is allowed.
    """
    for key, (least, most) in RANGES.items():
        if values.get(key) is not None and not least <= values[key] <= most:
            yield f"{key} must be from {least:,} to {most:,}, not {values[key]}"


def broken_rules(recipe: "Recipe") -> Iterator[str]:
    """Give a sentence for every rule that a recipe breaks.

    Args:
        recipe: Of the right types.

    Yields:
        Sentences that name the keys and what is allowed.
    """
    yield from out_of_range(vars(recipe))
    for key, choices in CHOICES.items():
        value = getattr(recipe, key)
        if value not in choices:
            yield f"{key} must be one of {', '.join(choices)}, not {value!r}"
    for rules in (_freezing, _sizes, _caching, _streaming, _teaching):
        yield from (sentence for is_broken, sentence in rules(recipe) if is_broken)


def _freezing(recipe: "Recipe") -> list[Rule]:
    """What is frozen, and when."""
    return [
        (
            recipe.freeze != "none" and recipe.weights == "none",
            f"freeze = {recipe.freeze!r} with weights = 'none' would freeze random numbers; "
            "freeze = 'none' trains the whole network",
        ),
        (
            recipe.normalisation == "measured" and recipe.freeze == "head",
            "normalisation = 'measured' needs a backbone that trains: a frozen one expects "
            "the mean and std of its weights",
        ),
        (
            recipe.freeze == "none" and recipe.freeze_epochs > 0,
            "freeze_epochs needs freeze = 'head' or 'last_stage'",
        ),
        (
            recipe.freeze_epochs >= recipe.epochs,
            "freeze_epochs must be under epochs: nothing would be opened; use 0",
        ),
    ]


def _sizes(recipe: "Recipe") -> list[Rule]:
    """Sizes of pictures and of steps."""
    return [
        (
            recipe.channels not in (0, *CHANNELS),
            f"channels must be 3, 1 or 0 (as the weights), not {recipe.channels}",
        ),
        (0 < recipe.eval_size < 8, f"eval_size must be 0 or at least 8, not {recipe.eval_size}"),
        (
            recipe.image_size_start > recipe.image_size,
            "image_size_start must be at most image_size",
        ),
        (
            bool(recipe.random_sizes) and recipe.crop != "random",
            "random_sizes needs crop = 'random'",
        ),
        (
            any(size < recipe.image_size for size in recipe.random_sizes),
            "random_sizes must be at least image_size each",
        ),
        (
            recipe.warmup_epochs >= recipe.epochs and recipe.schedule != "constant",
            "warmup_epochs must be under epochs",
        ),
        (
            recipe.batch_size < MIN_IMAGES * recipe.micro_batches,
            f"batch_size must be at least {MIN_IMAGES} images per micro-batch",
        ),
    ]


def _caching(recipe: "Recipe") -> list[Rule]:
    """What is computed once."""
    return [
        (
            recipe.cache_features and (recipe.freeze != "head" or recipe.freeze_epochs > 0),
            "cache_features needs freeze = 'head' throughout: a backbone that trains has no "
            "fixed features",
        ),
        (
            recipe.cache_features and not recipe.views,
            "cache_features needs views of at least 1: new views every epoch have no end",
        ),
        (
            recipe.cache_features and (recipe.mixup > 0 or recipe.cutmix > 0),
            "cache_features mixes no images: mixup and cutmix must be 0",
        ),
        (
            recipe.cache_features and recipe.pixel_cache_gib > 0,
            "cache_features decodes each picture once a view: pixel_cache_gib must be 0",
        ),
        (
            recipe.views > 0 and recipe.image_size_start > 0,
            "views are of one size: image_size_start must be 0",
        ),
    ]


def _streaming(recipe: "Recipe") -> list[Rule]:
    """What a stream cannot give."""
    return [
        (
            recipe.streaming != (recipe.steps_per_epoch > 0),
            "streaming and steps_per_epoch belong together: a stream does not tell its length",
        ),
        (
            recipe.streaming and (recipe.views > 0 or recipe.split_file != ""),
            "streaming knows no picture again: views must be 0 and split_file empty",
        ),
        (
            recipe.streaming and recipe.pixel_cache_gib > 0,
            "streaming stores no pictures: pixel_cache_gib must be 0",
        ),
        (
            recipe.streaming and bool(recipe.teacher),
            "streaming shows a teacher no picture beforehand: teacher must be empty",
        ),
        (
            recipe.streaming
            and (recipe.class_weights != "none" or recipe.normalisation == "measured"),
            "streaming counts and measures nothing beforehand: class_weights must be 'none', "
            "normalisation 'weights'",
        ),
    ]


def _teaching(recipe: "Recipe") -> list[Rule]:
    """What a teacher needs."""
    return [
        (
            0 < recipe.teacher_size < 8,
            f"teacher_size must be 0 or at least 8, not {recipe.teacher_size}",
        ),
        (
            bool(recipe.teacher) and not (recipe.teacher_weight or recipe.hint_weight),
            "teacher would teach nothing: teacher_weight or hint_weight must be above 0",
        ),
        (not recipe.teacher and recipe.hint_weight > 0, "hint_weight needs a teacher"),
        (
            bool(recipe.teacher)
            and recipe.teacher_view == "centre"
            and (recipe.mixup > 0 or recipe.cutmix > 0),
            "teacher_view = 'centre' knows no mixed images: mixup and cutmix must be 0, or "
            "teacher_view = 'student'",
        ),
        (
            bool(recipe.teacher) and recipe.teacher_view == "student" and recipe.cache_features,
            "teacher_view = 'student' needs the images, which cache_features leaves out; "
            "use 'centre'",
        ),
        (
            recipe.hint_weight > 0 and recipe.freeze == "head" and recipe.freeze_epochs == 0,
            "hint_weight needs a backbone that trains, not freeze = 'head' throughout",
        ),
    ]
