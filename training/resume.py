"""The recipe of a run that goes on: its own, whatever else is asked for refused."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from hub_models.errors import ConfigError
from training.config import Recipe, read_recipe

# What decides where and how a run computes and reports, and none of its numbers.
FREE: Final = ("data", "out", "workers", "profile", "save_every", "tracker", "push_to")


def resumed_recipe(path: Path | None, overrides: Mapping[str, Any]) -> Recipe:
    """Give the recipe that the run in `out` began with.

    A resumed run ends at the bits of an uninterrupted one only under the same recipe, so a key
    that differs is an error; those in `FREE` may differ.

    Args:
        path: Recipe file, if one was named; the run's own config.toml if None.
        overrides: Key -> value, as typed.

    Returns:
        The run's own recipe, with the free keys as asked for now.

    Raises:
        ConfigError: If a recipe cannot be read, or asks for something else than the run's own.
    """
    asked = read_recipe(path, overrides)
    own_path = Path(asked.out) / "config.toml"
    if not own_path.exists():  # reading the state will say what is missing
        return asked
    own = read_recipe(own_path, {k: v for k, v in overrides.items() if k in FREE})
    asked = read_recipe(path or own_path, overrides)
    for key in (field.name for field in fields(Recipe)):
        now, then = getattr(asked, key), getattr(own, key)
        if now != then and key not in FREE:
            raise ConfigError(
                f"{own_path}: this run has {key} = {then!r}, not {now!r}; a resumed run keeps its "
                f"recipe, all but {', '.join(FREE)}"
            )
    return own
