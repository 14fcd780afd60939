"""config.json to ModelConfig and back: strict, and readable by timm and transformers too.

The file's layout is timm's; our own exact fields stand under the key `hub_models`.
"""

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn, cast

from hub_models.errors import ConfigError

FORMAT_VERSION: Final = 1
INTERPOLATIONS: Final = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")
CROP_MODES: Final = ("center", "squash")
STEMS: Final = ("imagenet", "small")
MAX_LABELS: Final = 100_000
MAX_SIDE: Final = 4096  # of resize and crop, in pixels

_TOP_KEYS: Final = frozenset(
    [
        "architecture",
        "num_classes",
        "num_features",
        "global_pool",
        "label_names",
        "label_descriptions",
        "model_args",
        "pretrained_cfg",
        "hub_models",
    ]
)
# Every field of timm's PretrainedCfg: folders that timm wrote may hold any of them.
_PRETRAINED_KEYS: Final = frozenset(
    [
        "url",
        "file",
        "state_dict",
        "hf_hub_id",
        "hf_hub_filename",
        "source",
        "architecture",
        "tag",
        "custom_load",
        "input_size",
        "test_input_size",
        "min_input_size",
        "fixed_input_size",
        "interpolation",
        "crop_pct",
        "test_crop_pct",
        "crop_mode",
        "mean",
        "std",
        "num_classes",
        "label_offset",
        "label_names",
        "label_descriptions",
        "pool_size",
        "test_pool_size",
        "first_conv",
        "classifier",
        "license",
        "description",
        "origin_url",
        "paper_name",
        "paper_ids",
        "notes",
    ]
)
_MODEL_ARGS_KEYS: Final = frozenset({"drop_rate", "in_chans", "num_classes"})
_OWN_KEYS: Final = frozenset(
    {"format_version", "resize", "crop", "crop_mode", "stem", "origin", "results"}
)
_MEASURED_KEYS: Final = frozenset({"accuracy", "accuracy_low", "accuracy_high", "images"})


@dataclass(frozen=True)
class PreprocessConfig:
    """How an image becomes pixels.

    Attributes:
        resize: Shorter side in pixels before the crop; with crop_mode "squash", both sides.
        crop: Side of the square the model sees, in pixels.
        interpolation: Pillow's filter, one of INTERPOLATIONS.
        crop_mode: "center" keeps the aspect ratio and cuts the middle out; "squash" resizes
            both sides to `crop` and cuts nothing.
        mean: Per channel, RGB order, on the 0-1 scale.
        std: Per channel, RGB order, on the 0-1 scale.
    """

    resize: int = 256
    crop: int = 224
    interpolation: str = "bilinear"
    crop_mode: str = "center"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

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
        if not all(math.isfinite(m) for m in self.mean):
            raise ConfigError(f"preprocess: mean must be finite, not {self.mean}")
        if not all(math.isfinite(s) and s > 0 for s in self.std):
            raise ConfigError(f"preprocess: std must be above 0, not {self.std}")


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
        results: Measured numbers by split, {"test": {"accuracy": 0.97, "images": 1400}}.
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

    def __post_init__(self) -> None:
        """Refuse labels, rates, names and results that cannot be right."""
        check_labels(self.label_names)
        if not 0 <= self.drop_rate < 1:
            raise ConfigError(f"drop_rate must be at least 0 and under 1, not {self.drop_rate}")
        _one_of("stem", self.stem, STEMS)
        for split, numbers in self.results.items():
            for key in sorted(_MEASURED_KEYS & numbers.keys()):
                _number(numbers[key], f"results.{split}.{key}")


def check_labels(label_names: tuple[str, ...]) -> None:
    """Refuse class names that are empty, repeated or too many.

    Args:
        label_names: Class names in the order of the logits.

    Raises:
        ConfigError: If one is not a non-empty string, or two are equal.
    """
    if len(label_names) > MAX_LABELS:
        raise ConfigError(f"label_names: {len(label_names):,} names, the limit is {MAX_LABELS:,}")
    seen: set[str] = set()
    for label in label_names:
        is_text = isinstance(label, str) and label.encode(errors="ignore").decode() == label
        if not is_text or not label.strip():
            raise ConfigError(f"label_names: {label!r} is not a class name")
        if label in seen:
            raise ConfigError(f"label_names: {label!r} stands there twice")
        seen.add(label)


def render_config(config: ModelConfig) -> str:
    """Write a config as the text of config.json.

    Args:
        config: The model's config.

    Returns:
        JSON text; the same config always gives the same bytes.
    """
    preprocess = config.preprocess
    side = preprocess.crop
    cells = math.ceil(side / 32)
    pretrained_cfg = {
        "tag": "hub_models",
        "custom_load": False,
        "input_size": [3, side, side],
        "fixed_input_size": False,
        "interpolation": preprocess.interpolation,
        "crop_pct": _crop_pct(preprocess),
        "crop_mode": preprocess.crop_mode,
        "mean": list(preprocess.mean),
        "std": list(preprocess.std),
        "num_classes": len(config.label_names),
        "pool_size": [cells, cells],
        "first_conv": config.first_conv,
        "classifier": config.classifier,
    }
    content = {
        "architecture": config.architecture,
        "num_classes": len(config.label_names),
        "num_features": config.num_features,
        "global_pool": "avg",
        "label_names": list(config.label_names),
        "model_args": {"drop_rate": config.drop_rate} if config.drop_rate else {},
        "pretrained_cfg": pretrained_cfg,
        "hub_models": {
            "format_version": FORMAT_VERSION,
            "resize": preprocess.resize,
            "crop": side,
            "crop_mode": preprocess.crop_mode,
            "stem": config.stem,
            "origin": dict(config.origin),
            "results": {split: dict(numbers) for split, numbers in config.results.items()},
        },
    }
    try:
        return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise ConfigError(f"origin or results hold no plain JSON ({error})") from error


def parse_config(text: str | bytes) -> ModelConfig:
    """Read the text of a config.json that we, or timm, wrote.

    Args:
        text: The file's content.

    Returns:
        The config; a folder without class names gets "LABEL_0", "LABEL_1", … as in transformers.

    Raises:
        ConfigError: If it is no JSON object, or a key is unknown, missing or has a wrong value.
    """
    try:
        content = json.loads(text, parse_constant=_no_constant)
        json.dumps(content, ensure_ascii=False).encode()  # refuses half a surrogate pair
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"not valid JSON ({error})") from error
    top = _mapping(content, "the file", _TOP_KEYS)
    cfg = _mapping(_required(top, "pretrained_cfg"), "pretrained_cfg", _PRETRAINED_KEYS)
    model_args = {} if top.get("model_args") is None else top["model_args"]
    args = _mapping(model_args, "model_args", _MODEL_ARGS_KEYS)
    own = _mapping(top.get("hub_models", {}), "hub_models", _OWN_KEYS)
    version = own.get("format_version", FORMAT_VERSION)
    if version != FORMAT_VERSION:
        raise ConfigError(
            f"hub_models.format_version is {version!r}, this release reads "
            f"{FORMAT_VERSION}: a newer hub-models is needed"
        )
    if args.get("in_chans", 3) != 3:
        raise ConfigError("model_args.in_chans must be 3")
    if top.get("global_pool", "avg") != "avg":
        raise ConfigError("global_pool must be 'avg'")
    origin = _mapping(own.get("origin", {}), "hub_models.origin")
    results = _mapping(own.get("results", {}), "hub_models.results")
    return ModelConfig(
        architecture=_string(top, "architecture"),
        label_names=_label_names(top, cfg, args),
        num_features=_integer(top, "num_features"),
        first_conv=_string(cfg, "first_conv", "pretrained_cfg."),
        classifier=_string(cfg, "classifier", "pretrained_cfg."),
        preprocess=_preprocess(cfg, own),
        drop_rate=_number(args.get("drop_rate", 0.0), "model_args.drop_rate"),
        stem=own.get("stem", "imagenet"),
        origin=origin,
        results={k: _mapping(v, f"hub_models.results.{k}") for k, v in results.items()},
    )


def _crop_pct(preprocess: PreprocessConfig) -> float:
    """Find the fraction from which timm's floor(crop / crop_pct) gives our exact resize."""
    if preprocess.crop_mode == "squash":
        return 1.0
    exact = preprocess.crop / preprocess.resize
    if math.floor(preprocess.crop / exact) == preprocess.resize:
        return exact
    return preprocess.crop / (preprocess.resize + 0.5)


def _preprocess(cfg: Mapping[str, Any], own: Mapping[str, Any]) -> PreprocessConfig:
    crop = _input_side(_required(cfg, "input_size", "pretrained_cfg."))
    crop_mode = cfg.get("crop_mode") or "center"
    crop_pct = _number(_required(cfg, "crop_pct", "pretrained_cfg."), "pretrained_cfg.crop_pct")
    if not (0 < crop_pct <= 1 and crop / crop_pct < MAX_SIDE + 1):
        raise ConfigError(
            f"pretrained_cfg.crop_pct must be in (0, 1] and crop / crop_pct at most {MAX_SIDE}, "
            f"not {crop_pct}"
        )
    resize = crop if crop_mode == "squash" else math.floor(crop / crop_pct)
    for key, theirs in (("resize", resize), ("crop", crop), ("crop_mode", crop_mode)):
        if own.get(key, theirs) != theirs:
            raise ConfigError(
                f"hub_models.{key} is {own[key]!r}, pretrained_cfg says {theirs!r}: "
                "timm and hub_models would see different pixels"
            )
    return PreprocessConfig(
        resize=resize,
        crop=crop,
        interpolation=_string(cfg, "interpolation", "pretrained_cfg."),
        crop_mode=crop_mode,
        mean=_triple(cfg, "mean"),
        std=_triple(cfg, "std"),
    )


def _label_names(
    top: Mapping[str, Any], cfg: Mapping[str, Any], args: Mapping[str, Any]
) -> tuple[str, ...]:
    count = top.get("num_classes", args.get("num_classes", cfg.get("num_classes")))
    if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= MAX_LABELS:
        raise ConfigError(
            f"num_classes must be a whole number from 0 to {MAX_LABELS:,}, not {_short(count)}"
        )
    names = top.get("label_names", cfg.get("label_names"))
    if names is None:
        return tuple(f"LABEL_{i}" for i in range(count))
    if not isinstance(names, list):
        raise ConfigError(f"label_names must be a list, not {_short(names)}")
    if len(names) != count:
        raise ConfigError(f"{len(names)} label_names for num_classes {count}")
    return tuple(names)


def _mapping(value: object, where: str, allowed: frozenset[str] | None = None) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{where} must be an object, not {_short(value)}")
    unknown = sorted(set(value) - allowed) if allowed is not None else []
    if unknown:
        place = "" if where == "the file" else f" in {where}"
        raise ConfigError(f"unknown key {_short(unknown[0])}{place}")
    return cast(Mapping[str, Any], value)


def _required(mapping: Mapping[str, Any], key: str, prefix: str = "") -> Any:
    if mapping.get(key) is None:
        raise ConfigError(f"the key {prefix + key!r} is missing")
    return mapping[key]


def _string(mapping: Mapping[str, Any], key: str, prefix: str = "") -> str:
    value = _required(mapping, key, prefix)
    if not isinstance(value, str):
        raise ConfigError(f"{prefix + key} must be a string, not {_short(value)}")
    return value


def _integer(mapping: Mapping[str, Any], key: str) -> int:
    value = _required(mapping, key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigError(f"{key} must be a whole number, not {_short(value)}")
    return value


def _number(value: object, where: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ConfigError(f"{where} must be a number, not {_short(value)}")
    if not abs(value) <= sys.float_info.max:  # JSON's 1e999 is infinite, its integers endless
        raise ConfigError(f"{where} must be a finite number, not {_short(value)}")
    return float(value)


def _triple(cfg: Mapping[str, Any], key: str) -> tuple[float, float, float]:
    value = _required(cfg, key, "pretrained_cfg.")
    if not isinstance(value, list) or len(value) != 3:
        raise ConfigError(f"pretrained_cfg.{key} must be 3 numbers")
    first, second, third = (_number(v, f"pretrained_cfg.{key}") for v in value)
    return first, second, third


def _input_side(size: object) -> int:
    match size:
        case [3, int(side), int(width)] if side == width and side is not True and side <= MAX_SIDE:
            return side
    raise ConfigError(f"pretrained_cfg.input_size must be [3, side, side], not {_short(size)}")


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{name} must be one of {', '.join(allowed)}, not {_short(value)}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
