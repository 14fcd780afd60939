"""What can become of a model that was asked about a picture: plain values for the page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub_models import Prediction


@dataclass(frozen=True)
class Facts:
    """What a model is, as its config says.

    Attributes:
        source: As the visitor chose it.
        architecture: timm's name.
        side_px: Side of the square it sees.
        labels: Its class names.
        origin: How its weights were made.
        results: Measured numbers by split.
        revision: The hub commit; None for a folder.
    """

    source: str
    architecture: str
    side_px: int
    labels: tuple[str, ...]
    origin: Mapping[str, Any]
    results: Mapping[str, Mapping[str, Any]]
    revision: str | None = None


@dataclass(frozen=True)
class Answer:
    """What a model says about the picture.

    Attributes:
        facts: The model.
        predictions: All classes, the most probable first.
        forward_ms: Median time of a forward pass in milliseconds, without decoding.
        passes: How many passes the median is of.
        threads: CPU threads of a pass.
    """

    facts: Facts
    predictions: tuple[Prediction, ...]
    forward_ms: float
    passes: int
    threads: int


@dataclass(frozen=True)
class Ready:
    """A model that waits for a picture."""

    facts: Facts


@dataclass(frozen=True)
class Fetching:
    """A model that is on its way from the hub."""

    source: str


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
    """What the page shows: one outcome per side, and what is wrong with the picture."""

    left: Outcome
    right: Outcome
    picture_problem: str = ""
