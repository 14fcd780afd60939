from types import SimpleNamespace

import pytest

from hub_models import timing
from hub_models.timing import summarise, time_calls, time_together


def test_percentiles_are_in_milliseconds_and_lie_between_the_nearest_calls() -> None:
    latency = summarise([n / 1000 for n in range(100, -1, -1)])  # 0 to 100 ms
    assert (latency.p50, latency.p95, latency.p99) == pytest.approx((50, 95, 99))
    assert latency.calls == 101
    assert summarise([0.001, 0.002]).p50 == pytest.approx(1.5)


def test_one_slow_call_in_a_hundred_shows_in_p99_alone() -> None:
    latency = summarise([0.001] * 98 + [0.5] * 2)
    assert latency.p95 == pytest.approx(1)
    assert latency.p99 > 100


class Watch:
    """A clock that stands still but for what `pass_s` adds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=lambda: self.now_s))

    def pass_s(self, seconds: float) -> None:
        self.now_s += seconds


def test_a_call_takes_as_long_as_the_clock_says(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(monkeypatch)
    latency = time_calls(lambda: watch.pass_s(0.25), seconds=4)
    assert latency.calls == 16
    assert latency.p50 == latency.p95 == latency.p99 == 250


def test_ten_calls_are_timed_however_long_they_take(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(monkeypatch)
    assert time_calls(lambda: watch.pass_s(60), seconds=0.1).calls == 10


def test_the_first_calls_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    watch, waits_s = Watch(monkeypatch), iter([9.0, 9.0, 9.0])
    latency = time_calls(lambda: watch.pass_s(next(waits_s, 0.5)), seconds=0)
    assert latency.p99 == 500


def test_calls_that_are_compared_take_turns() -> None:
    order: list[str] = []
    first, second = time_together([lambda: order.append("a"), lambda: order.append("b")], seconds=0)
    assert order[6:] == ["a", "b"] * 10  # after three warm-up calls each
    assert first.calls == second.calls == 10
