"""What can become of a model that was asked about a picture: plain values for the page."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub_models import Prediction

ClassMap = tuple[tuple[float, ...], ...]  # h rows of w numbers


@dataclass(frozen=True)
class Facts:
    """What a model is, as its config and its weights say.

    Attributes:
        source: As the visitor chose it.
        architecture: timm's name.
        side_px: Side of the square it sees.
        zoom: The picture's shorter side ÷ the side of the part the model sees, at least 1.
        is_squashed: It sees the whole picture, squashed to a square.
        labels: Its class names.
        origin: How its weights were made.
        results: Measured numbers by split.
        parameters: How many numbers were learnt.
        weight_bytes: Size of all its tensors.
        revision: The hub commit; None for a folder.
    """

    source: str
    architecture: str
    side_px: int
    labels: tuple[str, ...]
    origin: Mapping[str, Any]
    results: Mapping[str, Mapping[str, Any]]
    zoom: float = 1.0
    is_squashed: bool = False
    parameters: int = 0
    weight_bytes: int = 0
    revision: str | None = None


@dataclass(frozen=True)
class Reading:
    """What a model makes of a picture; nothing of the picture itself, so it can be remembered.

    Attributes:
        predictions: The most probable classes first; all of them unless there are very many.
        maps: For the first of the predictions, each cell's share of the class's logit (its bias
            left out): they add up to h × w times the logit.
        is_unlike: It looks unlike the model's classes; None where that was never measured.
        decode_ms: Time to decode the file, measured once.
        preprocess_ms: Time from image to pixels, measured once.
        forward_ms: Median time of the latest forward passes.
        passes: How many those are; 0 if many pictures were being read, whose passes do not count.
        threads: CPU threads of a pass.
        runtime: What ran the model, such as "PyTorch".
    """

    predictions: tuple[Prediction, ...]
    maps: tuple[ClassMap, ...]
    is_unlike: bool | None
    decode_ms: float
    preprocess_ms: float
    forward_ms: float
    passes: int
    threads: int
    runtime: str


@dataclass(frozen=True)
class Answer:
    """A model and what it makes of the picture."""

    facts: Facts
    reading: Reading


@dataclass(frozen=True)
class Ready:
    """A model that waits for a picture."""

    facts: Facts


@dataclass(frozen=True)
class Fetching:
    """A model that is on its way from the hub.

    Attributes:
        source: As the visitor chose it.
        seconds: Since it was asked for.
        arrived_bytes: Of the file being fetched; 0 while that is not known.
    """

    source: str
    seconds: float = 0.0
    arrived_bytes: int = 0


@dataclass(frozen=True)
class Failure:
    """A model that cannot be used, with the reason in one sentence."""

    source: str
    sentence: str


@dataclass(frozen=True)
class NotChosen:
    """No model."""


Outcome = Answer | Ready | Fetching | Failure | NotChosen


@dataclass(frozen=True)
class Comparison:
    """What the page shows: an outcome per model, and what is wrong with the picture.

    Attributes:
        outcomes: In the order of the models asked.
        picture: The uploaded file; None if there is none.
        problem: Why the picture cannot be used; "" if it can.
    """

    outcomes: tuple[Outcome, ...]
    picture: Path | None = None
    problem: str = ""

    @property
    def is_waiting(self) -> bool:
        """Tell whether a model is on its way, so that it is worth looking again."""
        return any(isinstance(outcome, Fetching) for outcome in self.outcomes)
