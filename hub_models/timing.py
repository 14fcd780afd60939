"""How long a call takes: percentiles after warm-up."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

_WARM_UP_CALLS: Final = 3  # the first calls allocate, choose kernels and wake threads
_MIN_CALLS: Final = 10


@dataclass(frozen=True)
class Latency:
    """How long one call takes, in milliseconds.

    Attributes:
        p50: Half of the calls took at most this long.
        p95: 95 % of them.
        p99: 99 % of them; means little for far under 100 calls.
        calls: How many calls were timed.
    """

    p50: float
    p95: float
    p99: float
    calls: int


def summarise(times_s: Sequence[float]) -> Latency:
    """Turn the times of calls into percentiles.

    Args:
        times_s: One per call, in seconds, in any order; at least one.

    Returns:
        Percentiles in milliseconds, linear between the two nearest calls.
    """
    p50, p95, p99 = np.percentile(np.asarray(times_s) * 1000, [50, 95, 99])
    return Latency(float(p50), float(p95), float(p99), len(times_s))


def time_calls(call: Callable[[], object], *, seconds: float) -> Latency:
    """Time a call again and again, after a few calls that do not count.

    Args:
        call: What is timed.
        seconds: How long to go on for, in all; at least ten calls are timed.

    Returns:
        Percentiles of one call.
    """
    return time_together([call], seconds=seconds)[0]


def time_together(calls: Sequence[Callable[[], object]], *, seconds: float) -> list[Latency]:
    """Time several calls in turn, so that a machine that slows down slows all of them.

    Args:
        calls: What is timed, in this order, round after round.
        seconds: How long to go on for, in all; at least ten rounds are timed.

    Returns:
        Percentiles of each call.
    """
    for call in calls:
        for _ in range(_WARM_UP_CALLS):
            call()
    times_s: list[list[float]] = [[] for _ in calls]
    deadline = time.perf_counter() + seconds
    while len(times_s[0]) < _MIN_CALLS or time.perf_counter() < deadline:
        for call, own_times_s in zip(calls, times_s, strict=True):
            started = time.perf_counter()
            call()
            own_times_s.append(time.perf_counter() - started)
    return [summarise(own_times_s) for own_times_s in times_s]
