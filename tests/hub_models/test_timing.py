import time

import pytest

from hub_models.timing import (
    describe_machine,
    summarise,
    time_calls,
    time_together,
    usable_cores,
)


def test_percentiles_are_in_milliseconds_and_lie_between_the_nearest_calls() -> None:
    latency = summarise([n / 1000 for n in range(100, -1, -1)])  # 0 to 100 ms
    assert (latency.p50, latency.p95, latency.p99) == pytest.approx((50, 95, 99))
    assert latency.calls == 101
    assert summarise([0.001, 0.002]).p50 == pytest.approx(1.5)


def test_one_slow_call_in_a_hundred_shows_in_p99_alone() -> None:
    latency = summarise([0.001] * 98 + [0.5] * 2)
    assert latency.p95 == pytest.approx(1)
    assert latency.p99 > 100


def test_a_call_that_sleeps_takes_at_least_that_long() -> None:
    latency = time_calls(lambda: time.sleep(0.003), seconds=0)
    assert latency.calls == 10
    assert 3 <= latency.p50 <= latency.p95 <= latency.p99


def test_the_first_calls_are_not_timed() -> None:
    waits_s = iter([0.2, 0.2, 0.2])
    latency = time_calls(lambda: time.sleep(next(waits_s, 0)), seconds=0)
    assert latency.p99 < 100


def test_calls_that_are_compared_take_turns() -> None:
    order: list[str] = []
    first, second = time_together([lambda: order.append("a"), lambda: order.append("b")], seconds=0)
    assert order[6:] == ["a", "b"] * 10  # after three warm-up calls each
    assert first.calls == second.calls == 10


def test_numbers_come_with_the_machine_and_the_versions() -> None:
    machine = describe_machine()
    assert machine["cores"] == usable_cores() >= 1
    assert machine["cpu"]
    assert {"python", "numpy", "torch"} <= set(machine["versions"])
