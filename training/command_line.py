"""What the scripts share: errors as one sentence, the recipe's keys as `--key value`."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import fields

from hub_models.errors import HubModelsError
from training.config import Recipe
from training.recipe_rules import CHOICES


def run_script(name: str, work: Callable[[], int | None]) -> int:
    """Run a script's work; an error that a person can mend is one sentence on stderr.

    Args:
        name: Of the script, in front of the sentence.
        work: Gives the exit code, or None for 0.

    Returns:
        The exit code: that of the work, or 1 after an error.
    """
    try:
        return work() or 0
    # OSError: a disk that is full, a folder that is read-only
    except (HubModelsError, FloatingPointError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1


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
