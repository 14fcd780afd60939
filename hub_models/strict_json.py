"""JSON of unknown origin to values, within limits: no text takes a second or 200 MB to refuse."""

import json
from collections import Counter
from collections.abc import Iterable
from itertools import chain
from typing import Any, Final, NoReturn

from hub_models.config import UNSAFE_CHARACTER, abbreviated
from hub_models.errors import ConfigError

MAX_CHARS: Final = 2 * 2**20
MAX_DEPTH: Final = 16
MAX_KEY_CHARS: Final = 200


def parse_json(text: str | bytes) -> object:
    """Parse JSON that anybody may have written.

    Args:
        text: The file's content.

    Returns:
        What `json.loads` returns; no key stands twice, every string can be shown to a person.

    Raises:
        ConfigError: If it is no JSON, or beyond the limits on size, depth, keys and characters.
    """
    if len(text) > MAX_CHARS:
        raise ConfigError(f"{len(text):,} characters, the limit is {MAX_CHARS:,}")
    try:
        content = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_unique)
    except UnicodeDecodeError as error:
        raise ConfigError(f"not UTF-8 (byte {error.object[error.start]:#04x})") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"not valid JSON ({error})") from error
    level = [content]
    for _ in range(MAX_DEPTH):
        level = [child for value in level for child in _children(value)]
        if not level:
            return content
    raise ConfigError(f"nested deeper than {MAX_DEPTH} levels")


def _children(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        for key in value:
            if len(key) > MAX_KEY_CHARS:
                raise ConfigError(f"the key {abbreviated(key)} is over {MAX_KEY_CHARS} characters")
        return chain(value, value.values())
    if isinstance(value, list):
        return value
    # Notes may have several lines, labels may not.
    if isinstance(value, str) and UNSAFE_CHARACTER.search(
        value.replace("\n", "").replace("\t", "")
    ):
        raise ConfigError(f"{abbreviated(value)} holds a character that cannot be shown")
    return ()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"the key {abbreviated(twice)} stands there twice")
    return mapping


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
