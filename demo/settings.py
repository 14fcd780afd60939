"""Environment variables to Settings, read once when the demo starts."""

import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

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
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]")
LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")
MAX_RATE: Final = 100_000
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
        host_names: What a browser may call the demo; empty for any name. On a loopback address
            it is those of this machine, so that no stranger's page can ask in a visitor's name.
        proxies: Addresses whose X-Forwarded-For names the visitor.
        rate: Requests for work per minute and visitor; 0 for any number.
        mcp: Language models may ask too, at /mcp.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    cards: Path = DEFAULT_CARDS
    models: tuple[str, ...] = ()
    unsure_below: float = 0.7
    trust_visitors: bool = True
    host_names: tuple[str, ...] = LOOPBACK_NAMES
    proxies: tuple[str, ...] = ()
    rate: int = 240
    mcp: bool = False


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Build the settings from environment variables named HUB_MODELS_DEMO_*.

    Args:
        environment: Such as os.environ; an empty value counts as not set.

    Returns:
        The settings; `trust_visitors` and `host_names` default to what is safe for the host.

    Raises:
        ConfigError: If a variable is not known or its value is wrong; the message names it.
    """
    unknown = sorted(
        name
        for name in environment
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in _READERS
    )
    if unknown:
        known = ", ".join(PREFIX + name for name in _READERS)
        raise ConfigError(f"{unknown[0]} is not a setting; there are {known}")
    given = {name: environment.get(PREFIX + name, "").strip() for name in _READERS}
    host = given["HOST"] or Settings.host
    values: dict[str, Any] = {
        "host_names": LOOPBACK_NAMES if is_loopback(host) else (),
        "trust_visitors": is_loopback(host),
    } | {name.lower(): _READERS[name](text) for name, text in given.items() if text}
    return Settings(**values)


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


def _rate(text: str) -> int:
    if text.isdecimal() and int(text) <= MAX_RATE:
        return int(text)
    raise ConfigError(f"{PREFIX}RATE must be a whole number from 0 to {MAX_RATE:,}, not {text!r}")


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


def _yes_or_no(name: str, text: str) -> bool:
    word = text.lower()
    if word in _YES | _NO:
        return word in _YES
    raise ConfigError(f"{PREFIX}{name} must be yes or no, not {text!r}")


def _list(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _host_names(text: str) -> tuple[str, ...]:
    for name in _list(text):
        if not _HOST_NAME.fullmatch(name):
            raise ConfigError(f"{PREFIX}HOST_NAMES must be host names without a port, not {name!r}")
    return tuple(name.lower() for name in _list(text))


def _proxies(text: str) -> tuple[str, ...]:
    for address in _list(text):
        try:
            ipaddress.ip_address(address)
        except ValueError as error:
            raise ConfigError(f"{PREFIX}PROXIES must be IP addresses, not {address!r}") from error
    return _list(text)


_READERS: Final[dict[str, Callable[[str], Any]]] = {
    "HOST": str,
    "PORT": _port,
    "CARDS": _folder,
    "MODELS": _list,
    "UNSURE_BELOW": _probability,
    "TRUST_VISITORS": partial(_yes_or_no, "TRUST_VISITORS"),
    "HOST_NAMES": _host_names,
    "PROXIES": _proxies,
    "RATE": _rate,
    "MCP": partial(_yes_or_no, "MCP"),
}
