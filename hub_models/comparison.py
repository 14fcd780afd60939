"""comparison.json: what several models measured on one split of one data set, strictly read.

`python -m training.compare` writes it; `hub-models recommend` and the demo read it.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import combinations, pairwise
from pathlib import Path
from typing import Annotated, Final, TypeAlias

from hub_models.config import abbreviated
from hub_models.errors import ConfigError, named
from hub_models.strict_json import parse_json
from hub_models.strict_object import read_object

FORMAT_VERSION: Final = 1
MAX_MODELS: Final = 200
_MOST: Final = 10**15  # of a count: no float loses a digit below it

Share: TypeAlias = Annotated[float, 0, 1]
Difference: TypeAlias = Annotated[float, -1, 1]
Count: TypeAlias = Annotated[int, 0, _MOST]
Number: TypeAlias = Annotated[int, 1, _MOST]
Amount: TypeAlias = Annotated[float, 0, 1e15]
Positive: TypeAlias = Annotated[float, 1e-9, 1e15]


@dataclass(frozen=True)
class Measurement:
    """How one engine ran one model, in a fresh process.

    Attributes:
        engine: "torch" or "onnx".
        threads: Cores a pass may use.
        p50_ms: From a picture's bytes to its probabilities: half of the calls took at most this.
        p95_ms: 95 % of them took at most this.
        images_per_second: In passes of `batch` pictures, decoding included.
        batch: Pictures per pass of `images_per_second`.
        peak_bytes: Most memory of the process that classified one picture at a time.
        file_bytes: Of the file that the engine loads.
    """

    engine: str
    threads: Number
    p50_ms: Positive
    p95_ms: Positive
    images_per_second: Positive
    batch: Number
    peak_bytes: Number
    file_bytes: Number


@dataclass(frozen=True)
class Model:
    """One model's numbers.

    Attributes:
        name: Tells it from the others.
        source: Where it came from; of a folder outside the current one, its name alone.
        architecture: timm's name.
        side_px: Of the square it sees.
        revision: The hub commit; None for a folder.
        weights_sha256: Of model.safetensors, in hexadecimal.
        accuracy: Share of right answers, with its 95 % interval from `accuracy_low` to
            `accuracy_high`.
        correct: Right answers.
        loss: Mean cross-entropy in nats, at the model's temperature, as `classify` answers.
        ece: Expected calibration error in 15 bins, at that temperature too.
        parameters: All of them.
        macs: Multiply-adds of one picture; FLOPs are twice as many.
        bytes: Of model.safetensors.
        measurements: Of its speed and memory, one per engine and number of threads; may be empty.
    """

    name: str
    source: str
    architecture: str
    side_px: Number
    revision: str | None
    weights_sha256: str
    accuracy: Share
    accuracy_low: Share
    accuracy_high: Share
    correct: Count
    loss: Amount
    ece: Share
    parameters: Number
    macs: Number
    bytes: Number
    measurements: tuple[Measurement, ...]


@dataclass(frozen=True)
class Pair:
    """Two models on the same images.

    Attributes:
        first: A model's name.
        second: Another's, later in the list of models.
        only_first_right: Images that only the first got right.
        only_second_right: Images that only the second got right.
        p_value: Of McNemar's exact test: such counts or more uneven ones, if neither is better.
        difference: Accuracy of the first less that of the second, with its 95 % interval from
            `difference_low` to `difference_high`.
    """

    first: str
    second: str
    only_first_right: Count
    only_second_right: Count
    p_value: Share
    difference: Difference
    difference_low: Difference
    difference_high: Difference


@dataclass(frozen=True)
class Machine:
    """What it was measured on.

    Attributes:
        cpu: Its model.
        cores: Those that could be used.
        system: Operating system and processor family.
        versions: Of Python and the libraries.
    """

    cpu: str
    cores: Number
    system: str
    versions: dict[str, str]


@dataclass(frozen=True)
class Comparison:
    """Several models on one split of one data set.

    Attributes:
        format_version: Of the file.
        command: That wrote it.
        data: Name of the data set.
        split: Of it.
        images: In that split, each counted once.
        machine: What speed and memory were measured on.
        models: In the order they were named.
        agreement: Share of images that two models say the same of, in the order of `models`.
        pairs: Every two models.
    """

    format_version: int
    command: str
    data: str
    split: str
    images: Number
    machine: Machine
    models: tuple[Model, ...]
    agreement: tuple[tuple[Share, ...], ...]
    pairs: tuple[Pair, ...]

    def __post_init__(self) -> None:
        """Refuse numbers that contradict each other."""
        if not 1 <= len(self.models) <= MAX_MODELS:
            raise ConfigError(f"models must be 1 to {MAX_MODELS}, not {len(self.models)}")
        names = [model.name for model in self.models]
        if len(set(names)) < len(names):
            raise ConfigError("models: a name stands there twice")
        for model in self.models:
            _check_model(model, self.images)
        if [len(row) for row in self.agreement] != [len(names)] * len(names):
            raise ConfigError(f"agreement must have {len(names)} rows of {len(names)} numbers")
        if [(pair.first, pair.second) for pair in self.pairs] != list(combinations(names, 2)):
            raise ConfigError("pairs must hold every two models once, in their order")
        for i, pair in enumerate(self.pairs):
            if pair.only_first_right + pair.only_second_right > self.images:
                raise ConfigError(f"pairs[{i}]: more images than there are")
            _check_order(
                f"pairs[{i}].difference", pair.difference_low, pair.difference, pair.difference_high
            )

    def pair(self, name: str, other: str) -> Pair:
        """Give two models' comparison, whichever of them it calls the first."""
        return self._pairs[frozenset((name, other))]

    @cached_property
    def _pairs(self) -> dict[frozenset[str], Pair]:
        return {frozenset((pair.first, pair.second)): pair for pair in self.pairs}


def read_comparison(path: Path) -> Comparison:
    """Read a comparison.json that anybody may have written.

    Args:
        path: The file.

    Returns:
        The comparison.

    Raises:
        ConfigError: If it cannot be read, or a field is unknown, missing or wrong; the message
            names file and field.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    with named(path):
        return parse_comparison(text)


def parse_comparison(text: str | bytes) -> Comparison:
    """Read the text of a comparison.json.

    Args:
        text: The file's content.

    Returns:
        The comparison.

    Raises:
        ConfigError: If it is no JSON object, or a field is unknown, missing or wrong.
    """
    content = parse_json(text)
    version = content.get("format_version") if isinstance(content, dict) else FORMAT_VERSION
    if version is not None and version != FORMAT_VERSION:
        raise ConfigError(
            f"format_version is {abbreviated(version)}, this release reads {FORMAT_VERSION}"
        )
    return read_object(Comparison, content)


def render_comparison(comparison: Comparison) -> str:
    """Write a comparison as the text of comparison.json.

    Args:
        comparison: What was measured.

    Returns:
        JSON text; the same numbers always give the same bytes.
    """
    return json.dumps(asdict(comparison), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _check_model(model: Model, images: int) -> None:
    where = f"models: {abbreviated(model.name)}"
    if not model.name:
        raise ConfigError("models: a name is empty")
    _check_order(f"{where}: accuracy", model.accuracy_low, model.accuracy, model.accuracy_high)
    if abs(model.correct - model.accuracy * images) > 0.5:
        raise ConfigError(
            f"{where}: {model.correct:,} correct of {images:,} images is no accuracy of "
            f"{model.accuracy}"
        )
    settings = [(each.engine, each.threads) for each in model.measurements]
    if len(set(settings)) < len(settings):
        raise ConfigError(f"{where}: measured twice with the same engine and threads")
    for each in model.measurements:
        _check_order(f"{where}: p50_ms and p95_ms", each.p50_ms, each.p95_ms)


def _check_order(where: str, *numbers: float) -> None:
    if any(low > high + 1e-9 for low, high in pairwise(numbers)):  # of rounding, an interval's end
        raise ConfigError(f"{where} must rise, not {_listed(numbers)}")


def _listed(numbers: Sequence[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)
