"""A recipe: every choice of one fine-tuning run, checked."""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

import tomli_w

from hub_models.config import PreprocessConfig
from hub_models.destination import Destination
from hub_models.errors import ConfigError, named
from training.recipe_rules import broken_rules

_AUGMENTATION: Final = (
    "image_size",
    "crop_pct",
    "interpolation",
    "crop",
    "crop_scale_min",
    "crop_ratio_max",
    "random_sizes",
    "flip",
    "rotation",
    "colour_jitter",
    "rand_augment",
    "blur",
    "shrink",
    "grey",
    "jpeg",
    "random_erasing",
    "seed",
)
# Beside `crop`, what makes a view random where it is not 0.
_CHANCES: Final = (
    *("flip", "rotation", "colour_jitter", "rand_augment", "random_erasing"),
    *("blur", "shrink", "grey", "jpeg"),
)


@dataclass(frozen=True)
class Recipe:
    """Every choice of a run; the defaults are what a newcomer with internet wants.

    Keys stand in the order of the work: data, model, augmentation, optimisation, run, card.
    """

    data: str = "microsoft/cats_vs_dogs"  # hub id, data set folder, or folder of class folders
    out: str = "runs/finetune"
    image_column: str = ""  # empty: the column of pictures, found by its type
    label_column: str = ""  # empty: the column called label or the like, or of type ClassLabel
    validation_fraction: float = 0.1  # split off from train where the data has no validation
    split_file: str = ""  # RUN/split.json of another run: exactly its rows
    workers: int = 2  # processes that decode and augment
    streaming: bool = False  # training pictures are read as they arrive, never stored
    steps_per_epoch: int = 0  # streaming: optimiser steps until the next evaluation
    shuffle_buffer: int = 1000  # streaming: pictures among which the next is drawn
    pixel_cache_gib: float = 0.0  # decode and resize once into files of up to so many GiB; 0: off

    architecture: str = "resnet18"
    weights: str = "imagenet"  # "imagenet", "none", a folder or a repo_id
    stem: str = "imagenet"  # "small" for images under about 64 px
    channels: int = 0  # 3: RGB, 1: grey; 0: as the weights. RGB weights are summed for grey
    freeze: str = "head"  # what trains: "head", "last_stage"; "none" freezes nothing
    freeze_epochs: int = 0  # then open everything; 0: stay frozen
    freeze_batch_norm: bool = False  # keep running statistics even where the weights train
    image_size: int = 224  # side in training, px
    image_size_start: int = 0  # progressive resizing: the first epoch's side, px; 0: off
    eval_size: int = 0  # side in evaluation and in the published model; 0: image_size
    crop_pct: float = 0.875  # evaluation keeps this share of the resized shorter side
    interpolation: str = "bilinear"
    normalisation: str = "weights"  # "measured": mean and std of the training pictures

    views: int = 0  # fixed random views of each image, one an epoch in turn; 0: ever new ones
    cache_features: bool = False  # compute the frozen backbone's features of the views once
    crop: str = "random_resized"  # or "random" after resizing the shorter side, or "center"
    crop_scale_min: float = 0.35  # random_resized: smallest share of the picture a crop keeps
    crop_ratio_max: float = 1.3333  # random_resized: widest aspect ratio, and its inverse
    random_sizes: tuple[int, ...] = ()  # random: shorter sides to choose from; else by crop_pct
    flip: float = 0.5  # probability of a left-right flip
    rotation: float = 0.0  # up to this many degrees either way
    colour_jitter: float = 0.2  # brightness, contrast and saturation, ± this share
    rand_augment: int = 0  # magnitude of RandAugment's two operations; 0: off
    blur: float = 0.0  # probability of a Gaussian blur, sigma 0.1 to 2 px
    shrink: float = 0.0  # probability of a view made small, to a quarter at least, and large again
    grey: float = 0.0  # probability of a view without colours
    jpeg: float = 0.0  # probability of a strong JPEG compression, quality 10 to 75
    random_erasing: float = 0.0  # probability of erasing a rectangle
    mixup: float = 0.0  # alpha; 0: off
    cutmix: float = 0.0  # alpha; 0: off; with mixup, each step draws one of the two

    optimizer: str = "adamw"  # adam, adamw, sgd (Nesterov), rmsprop
    learning_rate: float = 1e-3
    head_learning_rate: float = 0.0  # 0: as learning_rate
    weight_decay: float = 0.01  # not on biases and batch norms
    momentum: float = 0.9  # sgd and rmsprop
    clip_norm: float = 0.0  # of all gradients together; 0: off
    epochs: int = 5
    batch_size: int = 64  # images per optimiser step, over all processes and micro-batches
    micro_batches: int = 1  # gradient accumulation: parts of a step, one after the other
    schedule: str = "cosine"  # step, one_cycle, plateau, constant
    warmup_epochs: float = 0.5  # linear; one_cycle: the rising part, 0 for 30 % of the run
    eta_min: float = 0.0  # no schedule goes below this rate
    step_size: float = 1.0  # step: epochs between two drops
    gamma: float = 0.1  # step and plateau: a drop multiplies the rates by this
    patience: int = 2  # plateau: epochs without a better accuracy before a drop
    early_stopping: int = 0  # stop after so many epochs without a better accuracy; 0: off
    label_smoothing: float = 0.1
    class_weights: str = "none"  # "balanced": each class counts the same, however few its images
    ema_decay: float = 0.0  # the moving average of the weights is what is measured and saved
    average_best: int = 0  # try the mean of the best so many epochs' weights at the end
    seed: int = 0
    compile: bool = False  # torch.compile: pays off after some hundred steps
    channels_last: bool = True  # memory layout: faster, most of all for MobileNet; not on MPS
    profile: bool = False  # say what share of a step is data, forward, backward and update
    save_every: int = 200  # optimiser steps between two states to resume from; 0: epochs only
    tracker: str = "tensorboard"  # any that Accelerate knows; empty: metrics.jsonl alone

    push_to: str = ""  # repo_id to publish the checkpoint at when the run is done; empty: nowhere

    teacher: str = ""  # folder or repo_id, one of ours or any that timm reads; empty: none
    teacher_view: str = "centre"  # computed once; "student": it sees the batch itself, and costs
    teacher_size: int = 0  # side it sees, px; 0: its own with "centre", else that of the batch
    teacher_weight: float = 0.5  # share of its soft targets in the loss; the labels have the rest
    teacher_temperature: float = 4.0  # softens both its answers and the student's
    hint_weight: float = 0.0  # of the distance to its features, added to the loss; 0: off

    dataset_name: str = ""  # the rest is for the card; empty: `data`
    start: str = ""  # what the weights started from, in words
    base_model: str = ""
    base_license: str = ""
    license: str = ""  # of the published weights
    dataset_license: str = ""
    widget: str = ""  # addresses of example pictures for the model's page, a space between two
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse values no run could use; the message names the key and what is allowed."""
        for sentence in broken_rules(self):
            raise ConfigError(sentence)
        if self.push_to:
            Destination(self.push_to)

    def preprocess(self, weights: PreprocessConfig) -> PreprocessConfig:
        """Say what images go through in evaluation.

        Args:
            weights: The preprocessing of the weights: their mean and std are kept.

        Returns:
            With this recipe's sizes and interpolation.
        """
        crop = self.eval_size or self.image_size
        return replace(
            weights,
            crop=crop,
            resize=int(crop / self.crop_pct),
            interpolation=self.interpolation,
            crop_mode="center",
        )

    def size_in(self, epoch: int) -> int:
        """Give the side of training images in an epoch: a multiple of 32 px on the way up.

        Args:
            epoch: Counted from 0.

        Returns:
            Pixels; `image_size` from two thirds of the run on.
        """
        share = min(1.0, epoch / max(1.0, 2 / 3 * (self.epochs - 1)))
        if not self.image_size_start or share == 1.0:
            return self.image_size
        size = self.image_size_start + share * (self.image_size - self.image_size_start)
        return max(self.image_size_start, int(size) // 32 * 32)

    def augmentation(self) -> dict[str, Any]:
        """Give the keys that decide what a view of an image is; the seed only where it is drawn."""
        keys = {key: getattr(self, key) for key in _AUGMENTATION}
        if self.crop == "center" and not any(keys[key] for key in _CHANCES):
            del keys["seed"]  # so that several seeds of a head share the features
        return keys

    def render(self) -> str:
        """Write the recipe as TOML, every key with its value."""
        return tomli_w.dumps(asdict(self))


def read_recipe(path: Path | None, overrides: Mapping[str, Any]) -> Recipe:
    """Read a recipe file and put command-line values over it.

    Args:
        path: TOML file; the defaults alone if None.
        overrides: Key -> value; they win.

    Returns:
        The recipe.

    Raises:
        ConfigError: If the file cannot be read, a key is not known, or a value is wrong.
    """
    if path is None:
        return Recipe(**_typed(overrides))
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: not a readable recipe ({error})") from error
    with named(path):
        return Recipe(**_typed({**content, **overrides}))


def _typed(content: Mapping[str, Any]) -> dict[str, Any]:
    kinds = {field.name: type(field.default) for field in fields(Recipe)}
    typed: dict[str, Any] = {}
    for key, value in content.items():
        if key not in kinds:
            raise ConfigError(f"unknown key {key!r}{_suggestion(key, list(kinds))}")
        kind = kinds[key]
        if kind is float and type(value) is int:
            value = float(value)
        if kind is tuple and isinstance(value, list) and all(type(v) is int for v in value):
            value = tuple(value)
        if type(value) is not kind:
            what = "a list of whole numbers" if kind is tuple else f"of type {kind.__name__}"
            raise ConfigError(f"{key} must be {what}, not {value!r}")
        typed[key] = value
    return typed


def _suggestion(key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"
