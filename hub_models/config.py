"""What a model is, beside its weights: ModelConfig and PreprocessConfig, frozen and checked."""

import math
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from hub_models.errors import ConfigError
from hub_models.trained_on import TrainedOn

INTERPOLATIONS: Final = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")
CROP_MODES: Final = ("center", "squash")
CHANNELS: Final = (3, 1)  # of pixels: RGB, grey
STEMS: Final = ("imagenet", "small")
MAX_LABELS: Final = 100_000
MAX_LABEL_CHARS: Final = 200
MAX_SIDE: Final = 4096  # of resize and crop, in pixels
MIN_TEMPERATURE: Final = 0.05  # where a model is never wrong, the best fit would be 0
MAX_TEMPERATURE: Final = 20.0
# What could hide or forge text where a name is shown: control characters, line separators,
# overrides of the reading direction (CVE-2021-42574), halves of surrogate pairs.
UNSAFE_CHARACTER: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

# Of each row in `costs.measurements`.
_COST_KEYS: Final = ("threads", "batch", "forward_p50_ms", "p50_ms", "p95_ms", "peak_bytes")
_CLASS_KEYS: Final = ("precision", "recall", "f1", "support")  # of each class in `per_class`
_MEASURED_KEYS: Final = frozenset({
    "accuracy", "accuracy_low", "accuracy_high", "images", "macro_f1", "auc", "ece", "temperature",
    "ece_calibrated",
})  # fmt: skip


@dataclass(frozen=True)
class PreprocessConfig:
    """How an image becomes pixels.

    Attributes:
        resize: Shorter side in pixels before the crop; with crop_mode "squash", both sides.
        crop: Side of the square the model sees, in pixels.
        interpolation: Pillow's filter, one of INTERPOLATIONS.
        crop_mode: "center" keeps the aspect ratio and cuts the middle out; "squash" resizes
            both sides to `crop` and cuts nothing.
        mean: Per channel on the 0-1 scale: three in RGB order, or one of grey pixels.
        std: As many, on the 0-1 scale.
    """

    resize: int = 256
    crop: int = 224
    interpolation: str = "bilinear"
    crop_mode: str = "center"
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        """Refuse sizes and statistics that no image could go through."""
        if not 1 <= self.crop <= self.resize <= MAX_SIDE:
            raise ConfigError(
                f"preprocess: 1 <= crop <= resize <= {MAX_SIDE} is needed, not crop {self.crop} "
                f"and resize {self.resize}"
            )
        if self.crop_mode == "squash" and self.crop != self.resize:
            raise ConfigError("preprocess: crop_mode 'squash' needs crop equal to resize")
        _one_of("interpolation", self.interpolation, INTERPOLATIONS)
        _one_of("crop_mode", self.crop_mode, CROP_MODES)
        if len(self.mean) not in CHANNELS or len(self.std) != len(self.mean):
            raise ConfigError(
                "preprocess: mean and std must be 3 numbers each, or 1 for grey pixels, not "
                f"{len(self.mean)} and {len(self.std)}"
            )
        if not all(math.isfinite(m) for m in self.mean):
            raise ConfigError(f"preprocess: mean must be finite, not {self.mean}")
        if not all(math.isfinite(s) and s > 0 for s in self.std):
            raise ConfigError(f"preprocess: std must be above 0, not {self.std}")

    @property
    def channels(self) -> int:
        """Count the channels of the pixels: 3 are RGB, 1 is grey."""
        return len(self.mean)

    def in_channels(self, channels: int) -> "PreprocessConfig":
        """Give the same for so many channels.

        Args:
            channels: 3, or 1 for grey pixels: mean and std of RGB are then averaged, as timm does.

        Returns:
            With one mean and std per channel.

        Raises:
            ConfigError: If `channels` is neither, or grey pixels would have to become RGB.
        """
        if channels == self.channels:
            return self
        if channels not in CHANNELS:
            raise ConfigError(f"channels must be 3 or 1, not {abbreviated(channels)}")
        if channels == 3:
            raise ConfigError("channels cannot be 3 where pixels are grey")
        mean, std = (round(sum(three) / len(three), 6) for three in (self.mean, self.std))
        return replace(self, mean=(mean,), std=(std,))


_ONLY_OURS: Final = frozenset(  # timm has no such widths
    {"mobilenetv1_025", "mobilenetv1_050", "mobilenetv1_075", "mobilenetv2_025"}
)


@dataclass(frozen=True)
class ModelConfig:
    """What is needed, beside the weights, to build a classifier and to explain it.

    Attributes:
        architecture: timm's name, such as "resnet18" or "mobilenetv2_100".
        label_names: C class names in the order of the logits; empty for a headless backbone.
        num_features: K, the channels of the feature map.
        first_conv: timm's name of the first convolution.
        classifier: timm's name of the last linear layer.
        preprocess: What an image goes through.
        drop_rate: Dropout before the classifier, 0 to 1; active in training only.
        stem: "imagenet", or "small" for images under about 64 px.
        origin: How the weights were made: flat, JSON values; shown on the card.
        results: Measured numbers by split, {"test": {"accuracy": 0.97, "images": 1400}};
            `per_class` holds one object per class, `confusion` a row of counts for each,
            `robustness` an accuracy for each change of the pictures.
        temperature: What logits are divided by before the softmax, fitted on validation
            (arXiv:1706.04599); 1 where nothing was fitted.
        costs: What `hub-models profile --save` measured: bytes, MACs, milliseconds, memory.
        trained_on: Fingerprint of the pictures of its training; None where that is not known.
    """

    architecture: str
    label_names: tuple[str, ...]
    num_features: int
    first_conv: str
    classifier: str
    preprocess: PreprocessConfig = field(default_factory=PreprocessConfig)
    drop_rate: float = 0.0
    stem: str = "imagenet"
    origin: Mapping[str, Any] = field(default_factory=dict)
    results: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    temperature: float = 1.0
    costs: Mapping[str, Any] = field(default_factory=dict)
    trained_on: TrainedOn | None = None

    def __post_init__(self) -> None:
        """Refuse labels, rates, names and results that cannot be right."""
        check_labels(self.label_names)
        if not 0 <= self.drop_rate < 1:
            raise ConfigError(f"drop_rate must be at least 0 and under 1, not {self.drop_rate}")
        _one_of("stem", self.stem, STEMS)
        if not MIN_TEMPERATURE <= self.temperature <= MAX_TEMPERATURE:
            raise ConfigError(
                f"temperature must be from {MIN_TEMPERATURE} to {MAX_TEMPERATURE}, "
                f"not {self.temperature}"
            )
        _check_costs(self.costs)
        for split, numbers in self.results.items():
            for key in sorted(_MEASURED_KEYS & numbers.keys()):
                check_number(numbers[key], f"results.{split}.{key}")
            _check_rows(
                numbers.get("per_class", []), f"results.{split}.per_class", "label", _CLASS_KEYS
            )
            _check_square(numbers.get("confusion", []), f"results.{split}.confusion")
            _check_rows(
                numbers.get("robustness", []), f"results.{split}.robustness", "change", ["accuracy"]
            )

    @property
    def is_read_by_timm(self) -> bool:
        """Tell whether timm, and transformers through it, know this very network."""
        return self.stem == "imagenet" and self.architecture not in _ONLY_OURS


def check_labels(label_names: tuple[str, ...]) -> None:
    """Refuse class names that are empty, repeated, too many, too long or hide something.

    Args:
        label_names: Class names in the order of the logits.

    Raises:
        ConfigError: If one is no visible text of at most MAX_LABEL_CHARS characters, or two are
            equal.
    """
    if len(label_names) > MAX_LABELS:
        raise ConfigError(f"label_names: {len(label_names):,} names, the limit is {MAX_LABELS:,}")
    seen: set[str] = set()
    for label in label_names:
        if not isinstance(label, str) or not label.strip() or UNSAFE_CHARACTER.search(label):
            raise ConfigError(f"label_names: {abbreviated(label)} is not a class name")
        if len(label) > MAX_LABEL_CHARS:
            raise ConfigError(
                f"label_names: {abbreviated(label)} has {len(label):,} characters, "
                f"the limit is {MAX_LABEL_CHARS}"
            )
        if label in seen:
            raise ConfigError(f"label_names: {label!r} stands there twice")
        seen.add(label)


def check_number(value: object, where: str) -> float:
    """Refuse what is not a finite number; JSON's 1e999 is infinite and its integers are endless.

    Args:
        value: As JSON gave it.
        where: What error messages call it.

    Returns:
        The number.

    Raises:
        ConfigError: If it is none.
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ConfigError(f"{where} must be a number, not {abbreviated(value)}")
    if not abs(value) <= sys.float_info.max:
        raise ConfigError(f"{where} must be a finite number, not {abbreviated(value)}")
    return float(value)


def _check_rows(rows: object, where: str, title: str, keys: Iterable[str]) -> None:
    """Refuse what is not a list of objects with a title and numbers."""
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise ConfigError(f"{where} must be a list of objects, not {abbreviated(rows)}")
    for number, row in enumerate(rows):
        if not isinstance(row.get(title), str):
            raise ConfigError(f"{where}[{number}].{title} must be a string")
        for key in keys:
            check_number(row.get(key), f"{where}[{number}].{key}")


def _check_costs(costs: Mapping[str, Any]) -> None:
    """Refuse costs the card could not show."""
    if not costs:
        return
    for key in ("parameters", "macs", "bytes"):
        check_number(costs.get(key), f"costs.{key}")
    machine = costs.get("machine", {})
    if not isinstance(machine, Mapping) or not isinstance(machine.get("versions", {}), Mapping):
        raise ConfigError(f"costs.machine must be an object, not {abbreviated(machine)}")
    _check_rows(costs.get("measurements"), "costs.measurements", "engine", _COST_KEYS)


def _check_square(rows: object, where: str) -> None:
    """Refuse what is not a square of numbers."""
    if not isinstance(rows, list) or not all(
        isinstance(row, list) and len(row) == len(rows) for row in rows
    ):
        raise ConfigError(f"{where} must be as many lists as each has numbers")
    for row in rows:
        for count in row:
            check_number(count, where)


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{name} must be one of {', '.join(allowed)}, not {abbreviated(value)}")


def abbreviated(value: object) -> str:
    """Write a value for an error message, cut to 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
