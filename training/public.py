"""Text that may be published: sources and commands without places on this machine."""

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

# Options whose value is a place, and values of theirs that are none.
_PLACES: Final = ("data", "out", "weights", "teacher", "split_file", "recipe")
_WORDS: Final = ("imagenet", "none", "")
_RECIPES: Final = Path(__file__).resolve().parent / "recipes"
_PLACE: Final = re.compile(
    r"(?:file:/+|~(?:[a-z_][\w-]*)?[/\\]|\.{1,2}[/\\]|[A-Za-z]:[/\\](?!/)|/|\\\\)[^\s\"',;()]*"
)
_PLACE_IN_TEXT: Final = re.compile(rf"(?<![\w./:<\\-])(?!/[\s/]|/$){_PLACE.pattern}")


def public_name(source: str) -> str:
    """Name a folder, file or data set without the folders above it, which are nobody's business.

    Args:
        source: As it was typed.

    Returns:
        The last part of a place on this machine; anything else, such as a hub id, as it is.
    """
    if not (_PLACE.match(source) or os.path.exists(source)):
        return source
    place = os.path.abspath(os.path.expanduser(source.removeprefix("file:")))
    return re.split(r"[/\\]", place)[-1] or "DATA"


def hide_places(text: str) -> str:
    """Replace places on this machine, absolute or from a home folder, by a word.

    Args:
        text: Such as a note for a card; addresses of the web stay.

    Returns:
        The text with PATH in their place.
    """
    return _PLACE_IN_TEXT.sub("PATH", text)


def typed_command(arguments: Sequence[str]) -> str:
    """Write the command of a run for its card, the places on this machine replaced by words.

    Args:
        arguments: What was typed after the script's name.

    Returns:
        One line, such as "accelerate launch training/finetune.py --data DATA --out OUT".
    """
    words: list[str] = []
    key = ""
    for word in arguments:
        is_option = word.startswith("--")
        if is_option:
            key, equals, word = word.partition("=")
            words.append(key)
            if not equals:
                continue
        shown = _shown(key.removeprefix("--").replace("-", "_"), word)
        if is_option:
            words[-1] = f"{key}={shown}"
        else:
            words.append(shown)
    return shlex.join(["accelerate", "launch", "training/finetune.py", *words])


def _shown(key: str, value: str) -> str:
    """Give the value of an option as it may be shown."""
    if key == "recipe" and _RECIPES in Path(value).resolve().parents:
        return f"training/recipes/{Path(value).resolve().relative_to(_RECIPES).as_posix()}"
    if (key in _PLACES and value not in _WORDS) or _PLACE.match(value):
        return key.upper()
    return hide_places(value)
