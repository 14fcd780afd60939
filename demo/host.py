"""A Host header, an Origin or a typed name to one form in which equal ones are equal."""

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

DEFAULT_PORTS: Final = frozenset({"", "80", "443"})
_HOST: Final = re.compile(
    r"(?P<name>[a-z0-9_]([a-z0-9_-]|\.(?!\.))*|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{0,5}))?"
)
_ORIGIN: Final = re.compile(r"(?P<scheme>https?)://(?P<host>[^/?#@]+)", re.IGNORECASE)


class Host(NamedTuple):
    """A name and a port.

    Attributes:
        name: Lower case, without a dot at its end; an IPv6 address in brackets and short.
        port: Digits; "" for 80 and 443, which browsers leave out.
    """

    name: str
    port: str = ""

    def __str__(self) -> str:
        return f"{self.name}:{self.port}" if self.port else self.name


def parse_host(text: str) -> Host | None:
    """Read what stands in a Host header.

    Args:
        text: Such as "Example.com:443" or "[::1]:7860"; "" is the host without a name.

    Returns:
        Its one form; None if it is no host.
    """
    text = text.strip().lower()
    found = _HOST.fullmatch(text)
    if not found:
        return None if text else Host("")
    name, port = found["name"].removesuffix("."), found["port"] or ""
    if name.startswith("["):
        try:
            name = f"[{ipaddress.IPv6Address(name[1:-1]).compressed}]"
        except ValueError:
            return None
    if port and not 1 <= int(port) <= 65535:
        return None
    return Host(name, "" if port in DEFAULT_PORTS else str(int(port)))


def parse_origin(text: str) -> tuple[str, Host] | None:
    """Read what stands in an Origin header.

    Args:
        text: Such as "https://example.com".

    Returns:
        Scheme and host; None for "null" and whatever is no address of a web site.
    """
    found = _ORIGIN.fullmatch(text.strip())
    host = parse_host(found["host"]) if found else None
    return (found["scheme"].lower(), host) if found and host else None


def is_proxy(address: str, proxies: Sequence[str]) -> bool:
    """Tell whether an address is one of those whose word is taken.

    Args:
        address: Of the other end of a connection.
        proxies: IP addresses and networks.

    Returns:
        False for what is no IP address.
    """
    parsed = parse_address(address)
    return parsed is not None and any(parsed in _network(proxy) for proxy in proxies)


def parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an IP address.

    Args:
        text: As a socket gives it.

    Returns:
        The address, of IPv4 even if it came through a socket of IPv6; None if it is none.
    """
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


@lru_cache
def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text, strict=False)
