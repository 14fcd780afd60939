"""Who asks, and how often they may: a token bucket per client address."""

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from demo.host import is_proxy, parse_address, parse_host

MAX_CLIENTS: Final = 10_000  # remembered; whoever has not asked for longest is forgotten


class RateLimit:
    """Lets each client do so many things a minute, half of them at once.

    Args:
        per_minute: How many; 0 for any number.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_s = per_minute / 60
        self._burst = max(1.0, per_minute / 2)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, since
        self._lock = threading.Lock()

    def wait_s(self, client: str) -> float:
        """Take one from a client's allowance.

        Args:
            client: As `name_client` gives it.

        Returns:
            0 if there was one; else the seconds until there is.
        """
        if not self._per_s:
            return 0.0
        with self._lock:
            now = time.monotonic()
            tokens, since = self._buckets.pop(client, (self._burst, now))
            tokens = min(self._burst, tokens + (now - since) * self._per_s)
            self._buckets[client] = (max(0.0, tokens - 1) if tokens >= 1 else tokens, now)
            while len(self._buckets) > MAX_CLIENTS:
                self._buckets.popitem(last=False)
            return 0.0 if tokens >= 1 else (1 - tokens) / self._per_s


def name_client(address: str, forwarded_for: str, proxies: Sequence[str]) -> str:
    """Name who is behind a connection.

    Args:
        address: Of the other end of the connection.
        forwarded_for: The X-Forwarded-For header; "" if there is none.
        proxies: Addresses and networks whose word is taken.

    Returns:
        The last address that is no proxy; of IPv6 the network of 64 bits, which one client holds.
    """
    chain = [part.strip() for part in forwarded_for.split(",") if part.strip()]
    while is_proxy(address, proxies) and chain:
        address = chain.pop()
        named = parse_host(address)  # some proxies write the port too
        address = named.name.strip("[]") if named else address
    parsed = parse_address(address)
    if parsed is None:
        return "unknown"
    if parsed.version == 6:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
