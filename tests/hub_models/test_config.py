import copy
import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hub_models import ConfigError, ModelConfig, PreprocessConfig
from hub_models.config import INTERPOLATIONS, MAX_LABELS
from hub_models.config_json import parse_config, render_config

PLAIN = ModelConfig(
    architecture="resnet18",
    label_names=("cat", "dog"),
    num_features=512,
    first_conv="conv1",
    classifier="fc",
)
FULL = replace(
    PLAIN,
    architecture="mobilenetv2_100",
    label_names=("Katze", "犬", 'a "quoted" name', "🦉"),
    preprocess=PreprocessConfig(331, 299, "bicubic", "center", (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)),
    drop_rate=0.2,
    stem="small",
    origin={"dataset": "owner/name", "epochs": 3, "minutes": 1.5, "note": None},
    results={"test": {"accuracy": 0.97, "accuracy_low": 0.96, "images": 1400}},
    temperature=1.25,
    costs={
        "parameters": 11,
        "macs": 12,
        "bytes": 13,
        "machine": {"cpu": "a", "cores": 2, "versions": {"torch": "2.9"}},
        "measurements": [
            {"engine": "onnx", "threads": 1, "batch": 1, "forward_p50_ms": 1.5, "p50_ms": 2.5,
             "p95_ms": 3.5, "peak_bytes": 4_000_000}
        ],
    },
)  # fmt: skip


@pytest.mark.parametrize(
    "config",
    [
        PLAIN,
        FULL,
        replace(PLAIN, label_names=()),
        replace(PLAIN, preprocess=PreprocessConfig(64, 64, crop_mode="squash")),
        replace(FULL, preprocess=PreprocessConfig(32, 28, mean=(0.1,), std=(0.3,))),
    ],
    ids=["plain", "full", "headless", "squash", "grey"],
)
def test_a_config_comes_back_as_it_was_written(config: ModelConfig) -> None:
    assert parse_config(render_config(config)) == config


def test_the_same_config_always_gives_the_same_bytes() -> None:
    text = render_config(FULL)
    assert text == render_config(parse_config(text))
    assert text.endswith("}\n")


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_every_interpolation_survives_the_file(interpolation: str) -> None:
    config = replace(PLAIN, preprocess=PreprocessConfig(interpolation=interpolation))
    assert parse_config(render_config(config)) == config


def test_timm_computes_our_exact_resize_from_crop_pct() -> None:
    awkward = 0
    for crop in range(16, 513, 16):
        for resize in range(crop, 600):
            config = replace(PLAIN, preprocess=PreprocessConfig(resize, crop))
            text = render_config(config)
            crop_pct = json.loads(text)["pretrained_cfg"]["crop_pct"]
            assert math.floor(crop / crop_pct) == resize, (crop, resize)
            awkward += math.floor(crop / (crop / resize)) != resize
    assert awkward > 0  # pairs for which the plain fraction would be wrong


def test_the_file_has_the_layout_timm_and_transformers_read() -> None:
    content = json.loads(render_config(FULL))
    assert list(content) == [
        "architecture",
        "num_classes",
        "num_features",
        "global_pool",
        "label_names",
        "model_args",
        "pretrained_cfg",
        "hub_models",
    ]
    assert content["num_classes"] == content["pretrained_cfg"]["num_classes"] == 4
    assert content["model_args"] == {"drop_rate": 0.2, "stem": "small"}
    assert content["pretrained_cfg"]["input_size"] == [3, 299, 299]
    assert json.loads(render_config(PLAIN))["model_args"] == {}


Change = Callable[[dict[str, Any]], object]


def _changed(change: Change, config: ModelConfig = FULL) -> str:
    content = copy.deepcopy(json.loads(render_config(config)))
    change(content)
    return json.dumps(content)


def _sets(path: str, value: object) -> Change:
    *parents, last = path.split(".")

    def change(content: dict[str, Any]) -> None:
        for parent in parents:
            content = content[parent]
        content[last] = value

    return change


def _drops(path: str) -> Change:
    *parents, last = path.split(".")

    def change(content: dict[str, Any]) -> None:
        for parent in parents:
            content = content[parent]
        del content[last]

    return change


HUGE = 10**400  # JSON allows it; a float cannot hold it

# what is wrong -> (the change, what the sentence must name)
BROKEN = {
    "unknown key": (_sets("colour", 1), "unknown key 'colour'"),
    "unknown key, long": (_sets("k" * 199, 1), "unknown key 'kkk"),
    "a key far too long": (_sets("k" * 999, 1), "is over 200 characters"),
    "a split far too long": (_sets("hub_models.results." + "k" * 999, {}), "over 200 characters"),
    "model_type": (_sets("model_type", "resnet"), "unknown key 'model_type'"),
    "unknown in pretrained_cfg": (_sets("pretrained_cfg.x", 1), "'x' in pretrained_cfg"),
    "unknown in model_args": (_sets("model_args.act", 1), "'act' in model_args"),
    "unknown in hub_models": (_sets("hub_models.resise", 1), "'resise' in hub_models"),
    "trained_on, a list": (_sets("hub_models.trained_on", []), "trained_on must be an object"),
    "trained_on, empty": (_sets("hub_models.trained_on", {}), "trained_on.pictures' is missing"),
    "trained_on, more": (
        _sets("hub_models.trained_on", {"pictures": 1, "sample": "", "splits": {}, "at": "/home"}),
        "unknown key 'at' in hub_models.trained_on",
    ),
    "trained_on, a fraction over 1": (
        _sets(
            "hub_models.trained_on",
            {"pictures": 1, "sample": "", "splits": {}, "validation_fraction": 2},
        ),
        "trained_on.validation_fraction must be from 0 to 1",
    ),
    "no architecture": (_drops("architecture"), "'architecture' is missing"),
    "no num_features": (_drops("num_features"), "'num_features' is missing"),
    "no pretrained_cfg": (_drops("pretrained_cfg"), "'pretrained_cfg' is missing"),
    "no first_conv": (_drops("pretrained_cfg.first_conv"), "'pretrained_cfg.first_conv'"),
    "no classifier": (_drops("pretrained_cfg.classifier"), "'pretrained_cfg.classifier'"),
    "no mean": (_drops("pretrained_cfg.mean"), "'pretrained_cfg.mean' is missing"),
    "no std": (_drops("pretrained_cfg.std"), "'pretrained_cfg.std' is missing"),
    "no input_size": (_drops("pretrained_cfg.input_size"), "'pretrained_cfg.input_size'"),
    "no interpolation": (_drops("pretrained_cfg.interpolation"), "'pretrained_cfg.interpolation'"),
    "no crop_pct": (_drops("pretrained_cfg.crop_pct"), "'pretrained_cfg.crop_pct' is missing"),
    "architecture a number": (_sets("architecture", 18), "architecture must be a string"),
    "num_features text": (_sets("num_features", "512"), "num_features must be a whole number"),
    "num_features true": (_sets("num_features", True), "num_features must be a whole number"),
    "num_classes text": (_sets("num_classes", "4"), "num_classes must be a whole number"),
    "num_classes null": (_sets("num_classes", None), "num_classes must be a whole number"),
    "num_classes negative": (_sets("num_classes", -1), "num_classes must be a whole number"),
    "num_classes huge": (_sets("num_classes", HUGE), "num_classes must be a whole number"),
    "num_classes wrong": (_sets("num_classes", 5), "4 label_names for num_classes 5"),
    "too many classes": (_sets("num_classes", MAX_LABELS + 1), "num_classes must be"),
    "global_pool": (_sets("global_pool", "max"), "global_pool must be 'avg'"),
    "label_names an object": (_sets("label_names", {"0": "cat"}), "label_names must be a list"),
    "label_names text": (_sets("label_names", "cats"), "label_names must be a list"),
    "a label twice": (_sets("label_names", ["a", "b", "a", "c"]), "label_names: 'a' stands there"),
    "a label empty": (_sets("label_names", ["a", " ", "b", "c"]), "label_names: ' ' is not"),
    "a label a number": (_sets("label_names", ["a", 1, "b", "c"]), "label_names: 1 is not"),
    "a label too long": (_sets("label_names", ["a" * 201, "b", "c", "d"]), "has 201 characters"),
    "a label with a line break": (_sets("label_names", ["a\nb", "c", "d", "e"]), "'a\\nb' is not"),
    "a label read backwards": (
        _sets("label_names", ["a\u202eb", "c", "d", "e"]),
        "cannot be shown",
    ),
    "a label no UTF-8": (_sets("label_names", ["\ud800", "a", "b", "c"]), "cannot be shown"),
    "a note no UTF-8": (_sets("hub_models.origin.note", "\ud800"), "cannot be shown"),
    "a note that clears the screen": (
        _sets("hub_models.origin.note", "\x1b[2J"),
        "cannot be shown",
    ),
    "a key that rings": (_sets("hub_models.origin.\x07", 1), "'\\x07' holds a character that"),
    "a version far too long": (_sets("hub_models.format_version", "1" * 10_000), "is '1111"),
    "a resize far too long": (
        _sets("hub_models.resize", [1] * 10_000),
        "hub_models.resize is [1, 1",
    ),
    "model_args a list": (_sets("model_args", []), "model_args must be an object"),
    "drop_rate 1": (_sets("model_args.drop_rate", 1), "drop_rate must be at least 0"),
    "drop_rate text": (_sets("model_args.drop_rate", "0.2"), "model_args.drop_rate must be"),
    "drop_rate huge": (_sets("model_args.drop_rate", HUGE), "model_args.drop_rate"),
    "pooling in model_args": (_sets("model_args.global_pool", "max"), "global_pool must be 'avg'"),
    "in_chans 1": (
        _sets("model_args.in_chans", 1),
        "model_args.in_chans is 1, pretrained_cfg.input_size says 3",
    ),
    "in_chans 2": (_sets("model_args.in_chans", 2), "in_chans is 2, pretrained_cfg.input_size"),
    "in_chans text": (_sets("model_args.in_chans", "3"), "in_chans is '3', pretrained_cfg.input"),
    "pretrained_cfg a list": (_sets("pretrained_cfg", [1]), "pretrained_cfg must be an object"),
    "input not square": (_sets("pretrained_cfg.input_size", [3, 9, 8]), "input_size must be"),
    "input of two channels": (
        _sets("pretrained_cfg.input_size", [2, 299, 299]),
        "input_size must be [3, side, side], or [1, side, side] for grey pixels, not [2, 299, 299]",
    ),
    "input grey, mean of three": (
        _sets("pretrained_cfg.input_size", [1, 299, 299]),
        "pretrained_cfg.mean must be as many numbers as input_size has channels, 1",
    ),
    "input true": (_sets("pretrained_cfg.input_size", [3, True, True]), "input_size must be"),
    "input true channels": (_sets("pretrained_cfg.input_size", [True, 9, 9]), "input_size must"),
    "input huge": (_sets("pretrained_cfg.input_size", [3, HUGE, HUGE]), "input_size"),
    "interpolation": (_sets("pretrained_cfg.interpolation", "magic"), "interpolation must be one"),
    "crop_mode": (_sets("pretrained_cfg.crop_mode", "border"), "crop_mode"),
    "crop_pct 0": (_sets("pretrained_cfg.crop_pct", 0), "pretrained_cfg.crop_pct must be in"),
    "crop_pct over 1": (_sets("pretrained_cfg.crop_pct", 1.1), "pretrained_cfg.crop_pct must be"),
    "crop_pct tiny": (_sets("pretrained_cfg.crop_pct", 5e-324), "pretrained_cfg.crop_pct"),
    "crop_pct huge": (_sets("pretrained_cfg.crop_pct", HUGE), "pretrained_cfg.crop_pct"),
    "mean of two": (
        _sets("pretrained_cfg.mean", [0, 0]),
        "pretrained_cfg.mean must be as many numbers as input_size has channels, 3",
    ),
    "std of one": (_sets("pretrained_cfg.std", [1]), "pretrained_cfg.std must be as many numbers"),
    "mean text": (
        _sets("pretrained_cfg.mean", [0, 0, "0"]),
        "pretrained_cfg.mean must be a number",
    ),
    "std zero": (_sets("pretrained_cfg.std", [1, 0, 1]), "std must be above 0"),
    "std huge": (_sets("pretrained_cfg.std", [1, HUGE, 1]), "pretrained_cfg.std"),
    "hub_models null": (_sets("hub_models", None), "hub_models must be an object"),
    "format_version 2": (_sets("hub_models.format_version", 2), "format_version is 2"),
    "format_version text": (_sets("hub_models.format_version", "1"), "format_version is '1'"),
    "resize disagrees": (_sets("hub_models.resize", 256), "hub_models.resize is 256"),
    "crop disagrees": (_sets("hub_models.crop", 224), "hub_models.crop is 224"),
    "crop_mode disagrees": (_sets("hub_models.crop_mode", "squash"), "hub_models.crop_mode"),
    "stem": (_sets("hub_models.stem", "tiny"), "stem must be one of imagenet, small"),
    "stem a list": (_sets("hub_models.stem", ["small"]), "stem must be one of"),
    "origin a list": (_sets("hub_models.origin", []), "hub_models.origin must be an object"),
    "results a list": (_sets("hub_models.results", []), "hub_models.results must be an object"),
    "results.test": (_sets("hub_models.results.test", 0.9), "hub_models.results.test must be"),
    "accuracy text": (_sets("hub_models.results.test.accuracy", "97"), "results.test.accuracy"),
    "images text": (_sets("hub_models.results.test.images", "many"), "results.test.images"),
    "auc text": (_sets("hub_models.results.test.auc", "high"), "results.test.auc"),
    "temperature null": (_sets("hub_models.results.test.temperature", None), "test.temperature"),
    "per_class text": (
        _sets("hub_models.results.test.per_class", "all"),
        "results.test.per_class must be a list of objects",
    ),
    "per_class of text": (
        _sets("hub_models.results.test.per_class", ["cat"]),
        "results.test.per_class must be a list of objects",
    ),
    "class without label": (
        _sets("hub_models.results.test.per_class", [{"f1": 1}]),
        "results.test.per_class[0].label must be a string",
    ),
    "class without recall": (
        _sets(
            "hub_models.results.test.per_class",
            [{"label": "cat", "precision": 1, "f1": 1, "support": 1}],
        ),
        "results.test.per_class[0].recall must be a number",
    ),
    "confusion text": (
        _sets("hub_models.results.test.confusion", "little"),
        "results.test.confusion must be as many lists as each has numbers",
    ),
    "confusion not square": (
        _sets("hub_models.results.test.confusion", [[1, 2], [3]]),
        "results.test.confusion must be as many lists as each has numbers",
    ),
    "confusion of text": (
        _sets("hub_models.results.test.confusion", [["1"]]),
        "results.test.confusion must be a number",
    ),
}


@pytest.mark.parametrize(("change", "named"), BROKEN.values(), ids=BROKEN)
def test_a_broken_config_is_one_sentence_that_names_the_key(change: Change, named: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_config(_changed(change))
    message = str(raised.value)
    assert named in message
    assert "\n" not in message
    assert len(message) < 250


NO_OBJECT = {
    "empty": "",
    "not JSON": "{'architecture': 'resnet18'}",
    "cut short": render_config(PLAIN)[:200],
    "a list": "[]",
    "null": "null",
    "not UTF-8": b"\xff\xfe\xfa{}",
    "a key twice": render_config(PLAIN).replace('"stem"', '"crop"'),
    "deep nesting": "[" * 100_000,
    "deep objects": '{"a":' * 100_000,
    "an endless number": "1" * 10_000,
}


@pytest.mark.parametrize("text", NO_OBJECT.values(), ids=NO_OBJECT)
def test_what_is_no_json_object_is_a_config_error(text: str | bytes) -> None:
    with pytest.raises(ConfigError, match=r"not valid JSON|not UTF-8|the file must be an object"):
        parse_config(text)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_none_is_refused(constant: str) -> None:
    text = _changed(_sets("pretrained_cfg.mean", [0, 0, 123456])).replace("123456", constant)
    with pytest.raises(ConfigError, match=r"is not JSON|mean must be a finite number"):
        parse_config(text)


def test_a_folder_timm_pushed_is_read() -> None:
    """As timm 1.0.31's push_to_hf_hub writes it (num_classes also inside model_args)."""
    content = {
        "architecture": "resnet18",
        "num_classes": 2,
        "num_features": 512,
        "global_pool": "avg",
        "label_names": ["cat", "dog"],
        "model_args": {"num_classes": 2, "in_chans": 3, "global_pool": "avg"},
        "pretrained_cfg": {
            "tag": "a1_in1k",
            "custom_load": False,
            "input_size": [3, 224, 224],
            "test_input_size": [3, 288, 288],
            "fixed_input_size": False,
            "interpolation": "bicubic",
            "crop_pct": 0.95,
            "test_crop_pct": 1.0,
            "crop_mode": "center",
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
            "num_classes": 1000,
            "pool_size": [7, 7],
            "first_conv": "conv1",
            "classifier": "fc",
        },
    }
    config = parse_config(json.dumps(content))
    assert config.label_names == ("cat", "dog")
    assert config.preprocess == PreprocessConfig(235, 224, "bicubic")


def test_labels_by_number_are_read_in_that_order() -> None:
    numbered = {"1": "dog", "0": "cat"}
    assert parse_config(_changed(_sets("label_names", numbered), PLAIN)).label_names == (
        "cat",
        "dog",
    )


def test_null_model_args_are_read_as_none() -> None:
    assert parse_config(_changed(_sets("model_args", None))).drop_rate == 0


def test_labels_that_stand_only_in_pretrained_cfg_are_found() -> None:
    def move(content: dict[str, Any]) -> None:
        content["pretrained_cfg"]["label_names"] = content.pop("label_names")

    assert parse_config(_changed(move)).label_names == FULL.label_names


def test_a_folder_without_labels_gets_the_names_transformers_gives() -> None:
    assert parse_config(_changed(_drops("label_names"), PLAIN)).label_names == (
        "LABEL_0",
        "LABEL_1",
    )


def test_a_backbone_without_a_head_has_no_labels() -> None:
    config = parse_config(_changed(_drops("label_names"), replace(PLAIN, label_names=())))
    assert config.label_names == ()


def test_a_file_without_our_own_fields_is_read() -> None:
    assert parse_config(_changed(_drops("hub_models"), PLAIN)) == PLAIN


BAD_VALUES = {
    "crop over resize": (lambda: PreprocessConfig(224, 256), "crop 256 and resize 224"),
    "crop 0": (lambda: PreprocessConfig(8, 0), "crop 0"),
    "resize huge": (lambda: PreprocessConfig(5000, 224), "resize 5000"),
    "squash that crops": (lambda: PreprocessConfig(crop_mode="squash"), "'squash' needs crop"),
    "mean of two": (lambda: PreprocessConfig(mean=(0, 0)), "3 numbers each, or 1 for grey"),
    "std of one": (lambda: PreprocessConfig(std=(1,)), "for grey pixels, not 3 and 1"),
    "mean NaN": (lambda: PreprocessConfig(mean=(0, math.nan, 0)), "mean must be finite"),
    "std infinite": (lambda: PreprocessConfig(std=(1, math.inf, 1)), "std must be above 0"),
    "too many labels": (
        lambda: replace(PLAIN, label_names=tuple(map(str, range(MAX_LABELS + 1)))),
        "100,001 names, the limit is 100,000",
    ),
    "NaN result": (
        lambda: replace(PLAIN, results={"test": {"accuracy": math.nan}}),
        "results.test.accuracy must be a finite number, not nan",
    ),
    "label no UTF-8": (lambda: replace(PLAIN, label_names=("caf\udce9",)), "label_names: 'caf"),
    "label with a tab": (lambda: replace(PLAIN, label_names=("a\tb",)), "is not a class name"),
    "label of a whole page": (
        lambda: replace(PLAIN, label_names=("a" * 999,)),
        "has 999 characters, the limit is 200",
    ),
    "half a letter in origin": (
        lambda: render_config(replace(PLAIN, origin={"dataset": "caf\udce9"})),
        "'caf.udce9' holds a character that cannot be shown",
    ),
    "origin too deep": (
        lambda: render_config(replace(PLAIN, origin={"a": json.loads("[" * 20 + "]" * 20)})),
        "nested deeper than 16 levels",
    ),
    "origin too long": (
        lambda: render_config(replace(PLAIN, origin={"note": "a" * 2**21})),
        "characters, the limit is 2,097,152",
    ),
    "temperature 0": (lambda: replace(PLAIN, temperature=0.0), "temperature must be from 0.05"),
    "temperature NaN": (lambda: replace(PLAIN, temperature=math.nan), "temperature must be from"),
    "costs without bytes": (
        lambda: replace(PLAIN, costs={**FULL.costs, "bytes": None}),
        "costs.bytes must be a number",
    ),
    "costs of no machine": (
        lambda: replace(PLAIN, costs={**FULL.costs, "machine": "a"}),
        "costs.machine must be an object",
    ),
    "costs without rows": (
        lambda: replace(PLAIN, costs={**FULL.costs, "measurements": {}}),
        "costs.measurements must be a list of objects",
    ),
    "a cost that is none": (
        lambda: replace(PLAIN, costs={**FULL.costs, "measurements": [{"threads": 1}]}),
        r"costs.measurements\[0\].engine must be a string",
    ),
    "object in origin": (lambda: render_config(replace(PLAIN, origin={"x": object()})), "no plain"),
}


@pytest.mark.parametrize(("make", "message"), BAD_VALUES.values(), ids=BAD_VALUES)
def test_a_wrong_value_is_refused_before_it_is_written(
    make: Callable[[], object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
