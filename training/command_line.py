"""The recipe's keys as `--key value`, and the command as a card may show it."""

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import fields

from training.config import Recipe
from training.recipe_rules import CHOICES

# What a card replaces by a word: places on the machine of whoever trained.
_PLACES = ("--data", "--out", "--weights", "--teacher")


def recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser one `--key value` per key of the recipe.

    Args:
        parser: Gets the options; a key that is not typed is absent from the result.
    """
    kinds = {bool: _boolean, tuple: whole_numbers}
    for field in fields(Recipe):
        kind = type(field.default)
        parser.add_argument(
            *dict.fromkeys((f"--{field.name}", f"--{field.name.replace('_', '-')}")),
            dest=field.name,
            type=kinds.get(kind, kind),
            default=argparse.SUPPRESS,
            metavar="VALUE",
            choices=CHOICES.get(field.name),
            help=f"(default: {field.default!r})",
        )


def typed_command(arguments: Sequence[str]) -> str:
    """Write the command of a run for its card, the places on this machine replaced by words.

    Args:
        arguments: What was typed after the script's name.

    Returns:
        One line, such as "accelerate launch training/finetune.py --data DATA --out OUT".
    """
    words: list[str] = []
    for word in arguments:
        hidden = words and words[-1] in _PLACES and word not in ("imagenet", "none")
        words.append(words[-1].removeprefix("--").upper() if hidden else word)
    return shlex.join(["accelerate", "launch", "training/finetune.py", *words])


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"true or false, not {text!r}")
    return text == "true"


def whole_numbers(text: str) -> list[int]:
    """Read an option's value such as "160,192"."""
    try:
        return [int(word) for word in text.split(",") if word]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"numbers like 160,192, not {text!r}") from error
