"""scenarios.toml, the one file with the limits of typical uses, to wishes."""

import tomllib
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Final

from hub_models.comparison import Number, Positive, Share
from hub_models.errors import ConfigError
from hub_models.recommend import Wish
from hub_models.strict_object import read_object

FILE: Final = "scenarios.toml"


@dataclass(frozen=True)
class Scenario:
    """A typical use.

    Attributes:
        title: What it is called.
        wish: Priority and limits.
        why: Where the limits come from.
    """

    title: str
    wish: Wish
    why: str


@dataclass(frozen=True)
class _Entry:
    """A table of the file: a scenario with its wish's fields among its own."""

    title: str
    why: str
    priority: str
    max_latency_ms: Positive | None = None
    max_mb: Positive | None = None
    max_memory_mb: Positive | None = None
    min_accuracy: Share | None = None
    threads: Number | None = None


@dataclass(frozen=True)
class _File:
    scenario: tuple[_Entry, ...]


def read_scenarios() -> list[Scenario]:
    """Read the scenarios that ship with the library.

    Returns:
        In the file's order.
    """
    return parse_scenarios((resources.files("hub_models") / FILE).read_text(encoding="utf-8"))


def parse_scenarios(text: str) -> list[Scenario]:
    """Read the text of a scenarios.toml.

    Args:
        text: The file's content.

    Returns:
        In the file's order.

    Raises:
        ConfigError: If it is no TOML, or a key is unknown, missing or has a wrong value.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{FILE}: not valid TOML ({error})") from error
    scenarios = []
    for entry in read_object(_File, content).scenario:
        limits = asdict(entry)
        title, why = limits.pop("title"), limits.pop("why")
        scenarios.append(Scenario(title, Wish(**limits), why))
    return scenarios
