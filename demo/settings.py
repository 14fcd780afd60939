"""Environment variables to Settings, read once when the demo starts."""

import ipaddress
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hub_models.errors import ConfigError

PREFIX: Final = "HUB_MODELS_DEMO_"
DEFAULT_CARDS: Final = Path(__file__).resolve().parent.parent / "model_cards"
# Without these a start asks two hosts for a newer version and reports itself. Gradio and
# huggingface_hub read them when imported, so they must be set before that.
QUIET: Final = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}
_NAMES: Final = ("HOST", "PORT", "CARDS", "MODELS", "UNSURE_BELOW", "TRUST_VISITORS")
_YES: Final = frozenset({"1", "true", "yes", "on"})
_NO: Final = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True)
class Settings:
    """What the person who starts the demo may choose.

    Attributes:
        host: Address to serve on; 127.0.0.1 is seen from this machine alone.
        port: TCP port, 1 to 65535.
        cards: Folder whose sub-folders with a config.json are the embedded models.
        models: More models to offer: repo_ids or folders.
        unsure_below: A model whose top probability is under this is called unsure, 0 to 1.
        trust_visitors: Visitors may name folders of this machine and use its hub token: right
            where they are the person who started the demo, wrong on a public address.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    cards: Path = DEFAULT_CARDS
    models: tuple[str, ...] = ()
    unsure_below: float = 0.7
    trust_visitors: bool = True


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Build the settings from environment variables named HUB_MODELS_DEMO_*.

    Args:
        environment: Such as os.environ; an empty value counts as not set.

    Returns:
        The settings; `trust_visitors` defaults to whether the host is a loopback address.

    Raises:
        ConfigError: If a variable is not known or its value is wrong; the message names it.
    """
    unknown = sorted(
        name
        for name in environment
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in _NAMES
    )
    if unknown:
        known = ", ".join(PREFIX + name for name in _NAMES)
        raise ConfigError(f"{unknown[0]} is not a setting; there are {known}")
    given = {name: environment.get(PREFIX + name, "").strip() for name in _NAMES}
    host = given["HOST"] or Settings.host
    return Settings(
        host=host,
        port=_port(given["PORT"]) if given["PORT"] else Settings.port,
        cards=_folder(given["CARDS"]) if given["CARDS"] else DEFAULT_CARDS,
        models=tuple(name.strip() for name in given["MODELS"].split(",") if name.strip()),
        unsure_below=(
            _probability(given["UNSURE_BELOW"]) if given["UNSURE_BELOW"] else Settings.unsure_below
        ),
        trust_visitors=(
            _yes_or_no(given["TRUST_VISITORS"]) if given["TRUST_VISITORS"] else is_loopback(host)
        ),
    )


def is_loopback(host: str) -> bool:
    """Tell whether an address can be reached from this machine alone.

    Args:
        host: An IP address or a host name.

    Returns:
        True for 127.0.0.0/8, ::1 and "localhost"; False for every other name.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _port(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= 65535:
        return int(text)
    raise ConfigError(f"{PREFIX}PORT must be a whole number from 1 to 65535, not {text!r}")


def _folder(text: str) -> Path:
    folder = Path(text).resolve()
    if folder.is_dir():
        return folder
    raise ConfigError(f"{PREFIX}CARDS must be a folder, {text!r} is none")


def _probability(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if 0 <= number <= 1:
        return number
    raise ConfigError(f"{PREFIX}UNSURE_BELOW must be a number from 0 to 1, not {text!r}")


def _yes_or_no(text: str) -> bool:
    word = text.lower()
    if word in _YES | _NO:
        return word in _YES
    raise ConfigError(f"{PREFIX}TRUST_VISITORS must be yes or no, not {text!r}")
