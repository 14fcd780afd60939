"""A recipe: every choice of one fine-tuning run, from a TOML file and the command line."""

import argparse
import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

import tomli_w

from hub_models.config import INTERPOLATIONS, PreprocessConfig
from hub_models.errors import ConfigError
from hub_models.model import FREEZE_MODES

OPTIMIZERS: Final = ("adamw", "sgd")
_CHOICES: Final = {
    "freeze": FREEZE_MODES,
    "optimizer": OPTIMIZERS,
    "interpolation": INTERPOLATIONS,
}
_RANGES: Final = {
    "validation_fraction": (0.001, 0.9),
    "workers": (0, 256),
    "image_size": (8, 4096),
    "eval_size": (0, 4096),
    "crop_pct": (0.1, 1),
    "crop_scale_min": (0.01, 1),
    "crop_ratio_max": (1, 10),
    "flip": (0, 1),
    "colour_jitter": (0, 1),
    "learning_rate": (0, 100),
    "head_learning_rate": (0, 100),
    "weight_decay": (0, 10),
    "momentum": (0, 0.9999),
    "epochs": (1, 100_000),
    "batch_size": (1, 1_000_000),
    "warmup_epochs": (0, 1000),
    "label_smoothing": (0, 0.9999),
    "seed": (0, 2**31 - 1),
}


@dataclass(frozen=True)
class Recipe:
    """Every choice of a run; the defaults are what a newcomer with internet wants.

    Keys stand in the order of the work: data, model, augmentation, optimisation, card.
    """

    data: str = "microsoft/cats_vs_dogs"  # hub id, data set folder, or folder of class folders
    out: str = "runs/finetune"
    image_column: str = ""  # empty: the column of type Image
    label_column: str = ""  # empty: the column of type ClassLabel, or of strings
    validation_fraction: float = 0.1  # split off from train where the data has no validation
    workers: int = 2  # processes that decode and augment

    architecture: str = "resnet18"
    weights: str = "imagenet"  # "imagenet", "none", a folder or a repo_id
    stem: str = "imagenet"  # "small" for images under about 64 px
    freeze: str = "head"  # what trains: "head", "last_stage"; "none" freezes nothing
    freeze_batch_norm: bool = False  # keep running statistics even where the weights train
    image_size: int = 224  # side in training, px
    eval_size: int = 0  # side in evaluation and in the published model; 0: image_size
    crop_pct: float = 0.875  # evaluation keeps this share of the resized shorter side
    interpolation: str = "bilinear"

    crop_scale_min: float = 0.35  # smallest share of the picture a random crop keeps
    crop_ratio_max: float = 1.3333  # widest aspect ratio of a random crop, and its inverse
    flip: float = 0.5  # probability of a left-right flip
    colour_jitter: float = 0.2  # brightness, contrast and saturation, ± this share

    optimizer: str = "adamw"  # or "sgd": Nesterov momentum
    learning_rate: float = 1e-3
    head_learning_rate: float = 0.0  # 0: as learning_rate
    weight_decay: float = 0.01  # not on biases and batch norms
    momentum: float = 0.9  # sgd only
    epochs: int = 5
    batch_size: int = 64  # images per optimiser step, over all processes
    warmup_epochs: float = 0.5  # linear, then cosine to 0
    label_smoothing: float = 0.1
    seed: int = 0
    compile: bool = False  # torch.compile: pays off after some hundred steps
    channels_last: bool = False  # memory layout; faster for MobileNet on CPUs

    dataset_name: str = ""  # the rest is for the card; empty: `data`
    start: str = ""  # what the weights started from, in words
    base_model: str = ""
    base_license: str = ""
    license: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse values no run could use; the message names the key and what is allowed."""
        for key, (least, most) in _RANGES.items():
            value = getattr(self, key)
            if not least <= value <= most:
                raise ConfigError(f"{key} must be from {least:g} to {most:g}, not {value}")
        for key, choices in _CHOICES.items():
            value = getattr(self, key)
            if value not in choices:
                raise ConfigError(f"{key} must be one of {', '.join(choices)}, not {value!r}")
        if 0 < self.eval_size < 8:
            raise ConfigError(f"eval_size must be 0 or at least 8, not {self.eval_size}")
        if self.freeze != "none" and self.weights == "none":
            raise ConfigError(
                f"freeze = {self.freeze!r} with weights = 'none' would freeze random numbers; "
                "freeze = 'none' trains the whole network"
            )

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
    content: dict[str, Any] = {}
    if path is not None:
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{path}: not a readable recipe ({error})") from error
    try:
        return Recipe(**_typed({**content, **overrides}))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}" if path else str(error)) from error


def recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser one `--key value` per key of the recipe.

    Args:
        parser: Gets the options; a key that is not typed is absent from the result.
    """
    for field in fields(Recipe):
        kind = _boolean if isinstance(field.default, bool) else type(field.default)
        parser.add_argument(
            f"--{field.name}",
            type=kind,
            default=argparse.SUPPRESS,
            metavar="VALUE",
            choices=_CHOICES.get(field.name),
            help=f"(default: {field.default!r})",
        )


def typed_command(arguments: Sequence[str]) -> str:
    """Write the command of a run for its card, the places on this machine replaced by words.

    Args:
        arguments: What was typed after the script's name.

    Returns:
        One line, such as "accelerate launch training/finetune.py --data DATA --out OUT".
    """
    words: list[str] = []
    for word in arguments:
        hidden = words[-1:] in (["--data"], ["--out"], ["--weights"])
        hidden = hidden and word not in ("imagenet", "none")
        words.append(words[-1].removeprefix("--").upper() if hidden else word)
    return " ".join(["accelerate launch training/finetune.py", *words])


def _typed(content: Mapping[str, Any]) -> dict[str, Any]:
    kinds = {field.name: type(field.default) for field in fields(Recipe)}
    typed: dict[str, Any] = {}
    for key, value in content.items():
        if key not in kinds:
            raise ConfigError(f"unknown key {key!r}{_suggestion(key, list(kinds))}")
        kind = kinds[key]
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise ConfigError(f"{key} must be of type {kind.__name__}, not {value!r}")
        typed[key] = value
    return typed


def _suggestion(key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"true or false, not {text!r}")
    return text == "true"
