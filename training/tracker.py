"""The tracker a recipe names, through Accelerate, which drops a missing one in silence."""

from collections.abc import Mapping
from typing import Any, Final

from accelerate import Accelerator
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers

from hub_models.errors import ConfigError

TRACKERS: Final = ("", *sorted(LOGGER_TYPE_TO_CLASS))  # "": metrics.jsonl alone


def check_tracker(name: str) -> str | None:
    """Refuse a tracker whose package is not installed.

    Args:
        name: One of TRACKERS.

    Returns:
        What `Accelerator(log_with=…)` takes; None for "".

    Raises:
        ConfigError: If it is not known, or not installed.
    """
    if name not in TRACKERS:
        raise ConfigError(f"tracker must be one of {', '.join(TRACKERS[1:])}, or '', not {name!r}")
    if name and name not in {str(available) for available in get_available_trackers()}:
        raise ConfigError(
            f"tracker {name!r} is not installed: pip install {name.replace('_', '-')}"
        )
    return name or None


def start_tracker(accelerator: Accelerator, recipe: Mapping[str, Any]) -> None:
    """Begin to log; does nothing without a tracker.

    Args:
        accelerator: Made with `log_with` and `project_dir`, the run's folder.
        recipe: Key -> value; what is not a single value is written as text.
    """
    plain = {k: v if isinstance(v, bool | int | float | str) else str(v) for k, v in recipe.items()}
    accelerator.init_trackers("tracker", config=plain)
