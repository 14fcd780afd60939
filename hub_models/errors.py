"""The errors a caller may show to a person: one sentence that names the file or field.

HubModelsError
├── ImageError       a picture that cannot be read, or is outside the limits
├── ConfigError      a config.json, recipe or argument with a wrong key or value
└── CheckpointError  a folder whose weights are missing, wrong or unreachable
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_LONGEST: Final = 1000  # characters; what somebody typed may be a `data:` URL


class HubModelsError(Exception):
    """Base of every error this project raises on purpose; a sentence, never a page."""

    def __init__(self, sentence: str = "") -> None:
        super().__init__(sentence if len(sentence) <= _LONGEST else shortened(sentence, _LONGEST))


class ImageError(HubModelsError):
    """Raised when a picture cannot be read or is outside the limits."""


class ConfigError(HubModelsError):
    """Raised when a configuration has a missing, unknown or wrong value."""


class CheckpointError(HubModelsError):
    """Raised when weights are missing, do not fit, or cannot be fetched."""


def shortened(text: object, most: int = 100) -> str:
    """Shorten what somebody typed, for a sentence: a `data:` URL may have a million characters.

    Args:
        text: As it was typed.
        most: Characters that are shown.

    Returns:
        One line, its middle left out if it is long.
    """
    said = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))
    if len(said) <= most:
        return said
    return f"{said[: most // 2]}…{said[-most // 4 :]} ({len(said):,} characters)"


@contextlib.contextmanager
def named(path: Path) -> Iterator[None]:
    """Put a file's path before the sentence of an error raised inside.

    Args:
        path: Of the file the work inside is about.

    Raises:
        HubModelsError: The same, with the path in front.
    """
    try:
        yield
    except HubModelsError as error:
        raise type(error)(f"{path}: {error}") from error
