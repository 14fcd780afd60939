"""config.json to ModelConfig and back: strict, and readable by timm and transformers too.

The file's layout is timm's; our own exact fields stand under the key `hub_models`.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final, cast

from hub_models.config import (
    CHANNELS,
    MAX_LABELS,
    MAX_SIDE,
    ModelConfig,
    PreprocessConfig,
    abbreviated,
    check_number,
)
from hub_models.errors import ConfigError
from hub_models.strict_json import parse_json
from hub_models.strict_object import read_object
from hub_models.trained_on import TrainedOn

FORMAT_VERSION: Final = 1

_TOP_KEYS: Final = frozenset({
    "architecture", "num_classes", "num_features", "global_pool", "label_names",
    "label_descriptions", "model_args", "pretrained_cfg", "hub_models",
})  # fmt: skip
# Every field of timm's PretrainedCfg: folders that timm wrote may hold any of them.
_PRETRAINED_KEYS: Final = frozenset({
    "url", "file", "state_dict", "hf_hub_id", "hf_hub_filename", "source", "architecture", "tag",
    "custom_load", "input_size", "test_input_size", "min_input_size", "fixed_input_size",
    "interpolation", "crop_pct", "test_crop_pct", "crop_mode", "mean", "std", "num_classes",
    "label_offset", "label_names", "label_descriptions", "pool_size", "test_pool_size",
    "first_conv", "classifier", "license", "description", "origin_url", "paper_name", "paper_ids",
    "notes",
})  # fmt: skip
# timm writes whatever its factory was called with; of that, these change no answer of ours.
_MODEL_ARGS_KEYS: Final = frozenset({
    "drop_rate", "drop_path_rate", "drop_block_rate", "global_pool", "in_chans", "num_classes",
    "stem",
})  # fmt: skip
_OWN_KEYS: Final = frozenset(
    {"format_version", "resize", "crop", "crop_mode", "stem", "origin", "results", "temperature",
     "costs", "trained_on"}
)  # fmt: skip


def render_config(config: ModelConfig) -> str:
    """Write a config as the text of config.json.

    Args:
        config: The model's config.

    Returns:
        JSON text; the same config always gives the same bytes.

    Raises:
        ConfigError: If `origin` or `results` hold what `parse_config` would refuse.
    """
    preprocess = config.preprocess
    side = preprocess.crop
    cells = math.ceil(side / 32)
    pretrained_cfg = {
        "tag": "hub_models",
        "custom_load": False,
        "input_size": [preprocess.channels, side, side],
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
        "model_args": _model_args(config),
        "pretrained_cfg": pretrained_cfg,
        "hub_models": {
            "format_version": FORMAT_VERSION,
            "resize": preprocess.resize,
            "crop": side,
            "crop_mode": preprocess.crop_mode,
            "stem": config.stem,
            "origin": dict(config.origin),
            "results": {split: dict(numbers) for split, numbers in config.results.items()},
            **({"temperature": config.temperature} if config.temperature != 1 else {}),
            **({"costs": dict(config.costs)} if config.costs else {}),
            **({"trained_on": _known(config.trained_on)} if config.trained_on else {}),
        },
    }
    try:
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"origin or results hold no plain JSON ({error})") from error
    parse_json(text)
    return text


def parse_config(text: str | bytes) -> ModelConfig:
    """Read the text of a config.json that we, or timm, wrote.

    Args:
        text: The file's content.

    Returns:
        The config; a folder without class names gets "LABEL_0", "LABEL_1", … as in transformers.

    Raises:
        ConfigError: If it is no JSON object, or a key is unknown, missing or has a wrong value.
    """
    top = _mapping(parse_json(text), "the file", _TOP_KEYS)
    cfg = _mapping(_required(top, "pretrained_cfg"), "pretrained_cfg", _PRETRAINED_KEYS)
    model_args = {} if top.get("model_args") is None else top["model_args"]
    args = _mapping(model_args, "model_args", _MODEL_ARGS_KEYS)
    own = _mapping(top.get("hub_models", {}), "hub_models", _OWN_KEYS)
    version = own.get("format_version", FORMAT_VERSION)
    if version != FORMAT_VERSION:
        raise ConfigError(
            f"hub_models.format_version is {abbreviated(version)}, this release reads "
            f"{FORMAT_VERSION}: a newer hub-models is needed"
        )
    if not top.get("global_pool", "avg") == args.get("global_pool", "avg") == "avg":
        raise ConfigError("global_pool must be 'avg'")
    origin = _mapping(own.get("origin", {}), "hub_models.origin")
    results = _mapping(own.get("results", {}), "hub_models.results")
    preprocess = _preprocess(cfg, own)
    in_chans = args.get("in_chans", preprocess.channels)
    if type(in_chans) is not int or in_chans != preprocess.channels:
        raise ConfigError(
            f"model_args.in_chans is {abbreviated(in_chans)}, pretrained_cfg.input_size says "
            f"{preprocess.channels}"
        )
    return ModelConfig(
        architecture=_string(top, "architecture"),
        label_names=_label_names(top, cfg, args),
        num_features=_integer(top, "num_features"),
        first_conv=_string(cfg, "first_conv", "pretrained_cfg."),
        classifier=_string(cfg, "classifier", "pretrained_cfg."),
        preprocess=preprocess,
        drop_rate=check_number(args.get("drop_rate", 0.0), "model_args.drop_rate"),
        stem=own.get("stem", args.get("stem", "imagenet")),
        origin=origin,
        results={k: _mapping(v, f"hub_models.results.{k}") for k, v in results.items()},
        temperature=check_number(own.get("temperature", 1.0), "hub_models.temperature"),
        costs=_mapping(own.get("costs", {}), "hub_models.costs"),
        trained_on=(
            read_object(TrainedOn, own["trained_on"], "hub_models.trained_on")
            if "trained_on" in own
            else None
        ),
    )


def _known(trained_on: TrainedOn) -> dict[str, Any]:
    return {key: value for key, value in asdict(trained_on).items() if value is not None}


def _model_args(config: ModelConfig) -> dict[str, Any]:
    args: dict[str, Any] = {"drop_rate": config.drop_rate} if config.drop_rate else {}
    if config.preprocess.channels != 3:
        args["in_chans"] = config.preprocess.channels
    if config.stem != "imagenet":
        # timm's models take no such argument, so both refuse the folder. Without it they
        # would load a MobileNetV2, whose shapes are the same, and answer wrong.
        args["stem"] = config.stem
    return args


def _crop_pct(preprocess: PreprocessConfig) -> float:
    """Find the fraction from which timm's floor(crop / crop_pct) gives our exact resize."""
    if preprocess.crop_mode == "squash":
        return 1.0
    exact = preprocess.crop / preprocess.resize
    if math.floor(preprocess.crop / exact) == preprocess.resize:
        return exact
    return preprocess.crop / (preprocess.resize + 0.5)


def _preprocess(cfg: Mapping[str, Any], own: Mapping[str, Any]) -> PreprocessConfig:
    channels, crop = _input_shape(_required(cfg, "input_size", "pretrained_cfg."))
    crop_mode = cfg.get("crop_mode") or "center"
    asked_pct = _required(cfg, "crop_pct", "pretrained_cfg.")
    crop_pct = check_number(asked_pct, "pretrained_cfg.crop_pct")
    if not (0 < crop_pct <= 1 and crop / crop_pct < MAX_SIDE + 1):
        raise ConfigError(
            f"pretrained_cfg.crop_pct must be in (0, 1] and crop / crop_pct at most {MAX_SIDE}, "
            f"not {crop_pct}"
        )
    resize = crop if crop_mode == "squash" else math.floor(crop / crop_pct)
    for key, theirs in (("resize", resize), ("crop", crop), ("crop_mode", crop_mode)):
        if own.get(key, theirs) != theirs:
            raise ConfigError(
                f"hub_models.{key} is {abbreviated(own[key])}, pretrained_cfg says "
                f"{abbreviated(theirs)}: timm and hub_models would see different pixels"
            )
    return PreprocessConfig(
        resize=resize,
        crop=crop,
        interpolation=_string(cfg, "interpolation", "pretrained_cfg."),
        crop_mode=crop_mode,
        mean=_per_channel(cfg, "mean", channels),
        std=_per_channel(cfg, "std", channels),
    )


def _label_names(
    top: Mapping[str, Any], cfg: Mapping[str, Any], args: Mapping[str, Any]
) -> tuple[str, ...]:
    count = top.get("num_classes", args.get("num_classes", cfg.get("num_classes")))
    if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= MAX_LABELS:
        raise ConfigError(
            f"num_classes must be a whole number from 0 to {MAX_LABELS:,}, not {abbreviated(count)}"
        )
    names = top.get("label_names", cfg.get("label_names"))
    if names is None:
        return tuple(f"LABEL_{i}" for i in range(count))
    if isinstance(names, dict) and names.keys() == {str(i) for i in range(count)}:
        return tuple(names[str(i)] for i in range(count))  # timm takes a mapping too
    if not isinstance(names, list):
        raise ConfigError(f"label_names must be a list, not {abbreviated(names)}")
    if len(names) != count:
        raise ConfigError(f"{len(names)} label_names for num_classes {count}")
    return tuple(names)


def _mapping(value: object, where: str, allowed: frozenset[str] | None = None) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{where} must be an object, not {abbreviated(value)}")
    unknown = sorted(set(value) - allowed) if allowed is not None else []
    if unknown:
        place = "" if where == "the file" else f" in {where}"
        raise ConfigError(f"unknown key {abbreviated(unknown[0])}{place}")
    return cast(Mapping[str, Any], value)


def _required(mapping: Mapping[str, Any], key: str, prefix: str = "") -> Any:
    if mapping.get(key) is None:
        raise ConfigError(f"the key {prefix + key!r} is missing")
    return mapping[key]


def _string(mapping: Mapping[str, Any], key: str, prefix: str = "") -> str:
    value = _required(mapping, key, prefix)
    if not isinstance(value, str):
        raise ConfigError(f"{prefix + key} must be a string, not {abbreviated(value)}")
    return value


def _integer(mapping: Mapping[str, Any], key: str) -> int:
    value = _required(mapping, key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigError(f"{key} must be a whole number, not {abbreviated(value)}")
    return value


def _per_channel(cfg: Mapping[str, Any], key: str, channels: int) -> tuple[float, ...]:
    value = _required(cfg, key, "pretrained_cfg.")
    if not isinstance(value, list) or len(value) != channels:
        raise ConfigError(
            f"pretrained_cfg.{key} must be as many numbers as input_size has channels, {channels}"
        )
    return tuple(check_number(v, f"pretrained_cfg.{key}") for v in value)


def _input_shape(size: object) -> tuple[int, int]:
    match size:
        case [int(channels), int(side), int(width)] if (
            channels in CHANNELS and side == width <= MAX_SIDE and bool not in map(type, size)
        ):
            return channels, side
    raise ConfigError(
        "pretrained_cfg.input_size must be [3, side, side], or [1, side, side] for grey pixels, "
        f"not {abbreviated(size)}"
    )
