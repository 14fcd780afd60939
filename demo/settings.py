"""Environment variables to Settings, read once when the demo starts."""

import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from demo.host import parse_address, parse_host
from hub_models.errors import ConfigError

PREFIX: Final = "HUB_MODELS_DEMO_"
DEFAULT_CARDS: Final = Path(__file__).resolve().parent.parent / "model_cards"
# Without these a start asks two hosts for a newer version and reports itself. Gradio and
# huggingface_hub read them when imported, so they must be set before that.
QUIET: Final = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    # Else Gradio makes a table of all calls so far after each of them, for a page that is off.
    "GRADIO_ANALYTICS_CACHE_FREQUENCY": str(10**9),
}
# What others set, for a setting of ours that is not set: Gradio's own names, then the platforms'.
ELSEWHERE: Final[Mapping[str, tuple[str, ...]]] = {
    "HOST": ("GRADIO_SERVER_NAME",),
    "PORT": ("GRADIO_SERVER_PORT", "PORT"),
    "ROOT_PATH": ("GRADIO_ROOT_PATH",),
}
SPACES: Final = ("https://huggingface.co", "https://*.hf.space")
_FRAME: Final = re.compile(r"\*|(https?://)?(\*\.)?[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?")
_ROOT: Final = re.compile(r"(/(?!\.{1,2}(/|$))[\w.~!$&'()*+,;=:@%-]+)+", re.ASCII)
# A proxy's path may not be called like ours: with or without it would look the same.
OUR_PATHS: Final = re.compile(
    r"/(zh|config|theme\.css|favicon\.ico|manifest\.json|robots\.txt|healthz|readyz|metrics"
    r"|classify|mcp|assets|static|svelte|gradio_api)"
)
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
        proxies: Addresses and networks of proxies, whose X-Forwarded-For names the visitor, and
            whose X-Forwarded-Host, -Port, -Proto and -Prefix say where the page is.
        rate: Requests for work per minute and visitor; 0 for any number.
        mcp: Language models may ask too, at /mcp.
        root_path: Path under which a proxy shows the page, "/tool", with or without its host in
            front, "https://demo.example/tool"; "" if the proxies say so or there are none.
        frames: Sites that may show the page in a frame, as a Content-Security-Policy names them.
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
    root_path: str = ""
    frames: tuple[str, ...] = SPACES


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
    found = {name: _find(name, environment) for name in _READERS}
    values = {
        name.lower(): _READERS[name](variable, text)
        for name, (variable, text) in found.items()
        if text
    }
    host = values.get("host", Settings.host)
    here = str(parse_host(f"[{host}]" if ":" in host else host))
    safe: dict[str, Any] = {
        "host_names": tuple(dict.fromkeys((*LOOPBACK_NAMES, here))) if is_loopback(host) else (),
        "trust_visitors": is_loopback(host),
    }
    return Settings(**safe | values)


def _find(name: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """Give the variable that holds a setting, and its value; "" if none does."""
    variables = (PREFIX + name, *ELSEWHERE.get(name, ()))
    held = ((variable, environment.get(variable, "").strip()) for variable in variables)
    return next((pair for pair in held if pair[1]), (PREFIX + name, ""))


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


def parse_root(text: str) -> str | None:
    """Read the path under which a proxy shows the page.

    Args:
        text: Such as "/tool/", "tool" or "https://demo.example/tool".

    Returns:
        It without a slash at its end, "" for the root itself; None if it is no path.
    """
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    path = parts.path.strip("/")
    path = f"/{path}" if path else ""
    if parts.query or parts.fragment or (path and not _ROOT.fullmatch(path)):
        return None
    if OUR_PATHS.fullmatch(path):
        return None
    if not parts.scheme and not parts.netloc:
        return path
    host = parse_host(parts.netloc)
    if parts.scheme not in {"http", "https"} or not host or not host.name:
        return None
    return f"{parts.scheme}://{host}{path}"


def _host(variable: str, text: str) -> str:
    address = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    parsed, named = parse_address(address.partition("%")[0]), parse_host(text)
    if parsed:
        return address
    if named and re.fullmatch(r"[\w.-]+", text):
        return named.name
    raise ConfigError(
        f"{variable} must be an IP address or the name of a host, without a port, not {text!r}"
    )


def _port(variable: str, text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= 65535:
        return int(text)
    raise ConfigError(f"{variable} must be a whole number from 1 to 65535, not {text!r}")


def _rate(variable: str, text: str) -> int:
    if text.isdecimal() and int(text) <= MAX_RATE:
        return int(text)
    raise ConfigError(f"{variable} must be a whole number from 0 to {MAX_RATE:,}, not {text!r}")


def _folder(variable: str, text: str) -> Path:
    folder = Path(text).resolve()
    if folder.is_dir():
        return folder
    raise ConfigError(f"{variable} must be a folder, {text!r} is none")


def _probability(variable: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if 0 <= number <= 1:
        return number
    raise ConfigError(f"{variable} must be a number from 0 to 1, not {text!r}")


def _yes_or_no(variable: str, text: str) -> bool:
    word = text.lower()
    if word in _YES | _NO:
        return word in _YES
    raise ConfigError(f"{variable} must be yes or no, not {text!r}")


def _list(variable: str, text: str) -> tuple[str, ...]:
    del variable
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _host_names(variable: str, text: str) -> tuple[str, ...]:
    names = []
    for name in _list(variable, text):
        text = f"[{name}]" if name.count(":") > 1 and not name.startswith("[") else name
        host = parse_host(text)
        if not host or not host.name or (":" in text and not text.endswith("]")):
            raise ConfigError(f"{variable} must be host names without a port, not {name!r}")
        names.append(host.name)
    return tuple(names)


def _proxies(variable: str, text: str) -> tuple[str, ...]:
    for address in _list(variable, text):
        try:
            ipaddress.ip_network(address, strict=False)
        except ValueError as error:
            raise ConfigError(f"{variable} must be IP addresses, not {address!r}") from error
    return _list(variable, text)


def _root_path(variable: str, text: str) -> str:
    root = parse_root(text)
    if root is not None:
        return root
    raise ConfigError(
        f"{variable} must be a path such as /tool, or an address such as "
        f"https://demo.example/tool, and none of the demo's own paths, not {text!r}"
    )


def _frames(variable: str, text: str) -> tuple[str, ...]:
    if text.lower() == "none":
        return ()
    for site in _list(variable, text):
        if not _FRAME.fullmatch(site):
            raise ConfigError(
                f"{variable} must be sites such as https://a.example or https://*.a.example, "
                f"*, or none, not {site!r}"
            )
    return _list(variable, text)


_READERS: Final[dict[str, Callable[[str, str], Any]]] = {
    "HOST": _host,
    "PORT": _port,
    "CARDS": _folder,
    "MODELS": _list,
    "UNSURE_BELOW": _probability,
    "TRUST_VISITORS": _yes_or_no,
    "HOST_NAMES": _host_names,
    "PROXIES": _proxies,
    "RATE": _rate,
    "MCP": _yes_or_no,
    "ROOT_PATH": _root_path,
    "FRAMES": _frames,
}
