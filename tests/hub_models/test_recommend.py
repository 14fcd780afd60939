from itertools import permutations
from typing import Any

import pytest

from hub_models.comparison import Comparison
from hub_models.errors import ConfigError
from hub_models.recommend import PRIORITIES, Wish, as_candidates, pareto_front, recommend
from hub_models.recommendation_words import as_sentence
from tests.comparisons import compared, measurement, model

BIG = model("big", 980, measurement(40, peak_bytes=300_000_000, file_bytes=45_000_000))
MIDDLE = model("middle", 950, measurement(10, peak_bytes=150_000_000, file_bytes=9_000_000))
SMALL = model("small", 900, measurement(4, peak_bytes=120_000_000, file_bytes=1_500_000))
THREE = compared(BIG, MIDDLE, SMALL)


def chosen(comparison: Comparison, priority: str, **limits: Any) -> tuple[str | None, str | None]:
    found = recommend(comparison, Wish(priority, **limits))
    return (
        found.choice.name if found.choice else None,
        found.runner_up.name if found.runner_up else None,
    )


def sentence(comparison: Comparison, priority: str, **limits: Any) -> str:
    return as_sentence(comparison, recommend(comparison, Wish(priority, **limits)))


@pytest.mark.parametrize(
    ("priority", "expected"),
    [
        ("accuracy", ("big", "middle")),
        ("speed", ("small", "middle")),
        ("size", ("small", "middle")),
        ("memory", ("small", "middle")),
    ],
)
def test_what_matters_decides(priority: str, expected: tuple[str, str]) -> None:
    assert chosen(THREE, priority) == expected


@pytest.mark.parametrize("priority", PRIORITIES)
def test_the_order_of_the_models_decides_nothing(priority: str) -> None:
    found = {chosen(compared(*models), priority) for models in permutations((BIG, MIDDLE, SMALL))}
    assert len(found) == 1


def test_an_accuracy_that_cannot_be_told_apart_leaves_it_to_speed() -> None:
    """998 right against 995, but McNemar's test shows nothing: the faster one, and it says so."""
    close = compared(
        model("slow", 998, measurement(40)), model("fast", 995, measurement(10)), SMALL,
        p_values={("slow", "fast"): 0.25},
    )  # fmt: skip
    assert chosen(close, "accuracy") == ("fast", "slow")
    assert sentence(close, "accuracy") == (
        "fast, before slow: no difference in accuracy can be shown, 99.50% against 99.80% "
        "(p = 0.250); faster, 10.0 against 40.0 ms a picture"
    )


def test_an_accuracy_that_is_shown_to_be_better_wins_at_any_speed() -> None:
    shown = compared(
        model("slow", 998, measurement(40)), model("fast", 995, measurement(10)),
        p_values={("slow", "fast"): 0.049},
    )  # fmt: skip
    assert chosen(shown, "accuracy") == ("slow", "fast")
    assert sentence(shown, "accuracy") == (
        "slow, before fast: more accurate, 99.80% against 99.50% (p = 0.049)"
    )


def test_speeds_within_noise_leave_it_to_accuracy() -> None:
    near = compared(model("a", 900, measurement(10.0)), model("b", 980, measurement(10.4)))
    assert chosen(near, "speed") == ("b", "a")
    assert sentence(near, "speed") == (
        "b, before a: no difference in speed can be shown, 10.4 against 10.0 ms a picture; "
        "more accurate, 98.00% against 90.00% (p = 0.001)"
    )
    apart = compared(model("a", 900, measurement(10.0)), model("b", 980, measurement(10.6)))
    assert chosen(apart, "speed") == ("a", "b")


def test_limits_rule_out_and_say_which_and_by_how_much() -> None:
    """Latency is held at the 95th percentile: 10 ms at p50 here are 12.5 ms."""
    assert chosen(THREE, "accuracy", max_latency_ms=12.5) == ("middle", "small")
    assert chosen(THREE, "accuracy", max_latency_ms=12.4) == ("small", None)
    assert chosen(THREE, "accuracy", max_mb=9) == ("middle", "small")
    assert chosen(THREE, "accuracy", max_memory_mb=149) == ("small", None)
    assert chosen(THREE, "speed", min_accuracy=0.95) == ("middle", "big")
    found = recommend(THREE, Wish("accuracy", max_latency_ms=12.4, max_mb=20))
    assert [(m.name, m.limit, m.value, m.allowed) for m in found.misses] == [
        ("big", "max_latency_ms", 50.0, 12.4),
        ("big", "max_mb", 45.0, 20),
        ("middle", "max_latency_ms", 12.5, 12.4),
    ]


def test_when_nothing_fits_one_sentence_says_what_each_breaks() -> None:
    assert chosen(THREE, "accuracy", max_mb=1) == (None, None)
    assert sentence(THREE, "accuracy", max_mb=1) == (
        "no model keeps the limits: big has 45.0 MB, the limit is 1 MB; middle has 9.0 MB, the "
        "limit is 1 MB; small has 1.5 MB, the limit is 1 MB"
    )
    assert "small is right in 90.00%, at least 91.00% is wanted" in sentence(
        compared(SMALL), "size", min_accuracy=0.91
    )


def test_a_single_model_is_the_only_one() -> None:
    assert sentence(compared(SMALL), "speed").startswith("small is the only model: 90.00% right")
    assert "the only one within the limits" in sentence(THREE, "speed", max_mb=2)


def test_balanced_is_half_accuracy_and_half_costs() -> None:
    found = recommend(THREE, Wish("balanced"))
    # big: rank 1 in accuracy, 3 in every cost; small: the other way round; middle: 2 and 2
    assert found.scores == {"big": 2.0, "middle": 2.0, "small": 2.0}
    assert chosen(THREE, "balanced") == ("big", "middle")  # the most accurate of equals
    as_good = compared(BIG, model("middle", 975, measurement(10, file_bytes=9_000_000)), SMALL)
    assert chosen(as_good, "balanced") == ("middle", "big")  # ranks 1 in accuracy too
    assert "better balanced, mean rank" in sentence(as_good, "balanced")


def test_all_models_are_compared_at_the_same_engine_and_threads() -> None:
    both = compared(
        model("a", 900, measurement(9), measurement(5, engine="torch"), measurement(20, threads=1)),
        model("b", 900, measurement(8), measurement(30, engine="torch"), measurement(9, threads=1)),
    )
    assert {c.measurement.engine for c in as_candidates(both) if c.measurement} == {"onnx"}
    assert chosen(both, "speed") == ("b", "a")
    assert [c.cost("speed") for c in as_candidates(both, threads=1)] == [20, 9]
    with pytest.raises(ConfigError, match="no model was measured with 8 threads, but with 1, 2"):
        recommend(both, Wish("speed", threads=8))


@pytest.mark.parametrize(
    ("wish", "what"),
    [
        (Wish("speed"), "priority speed"),
        (Wish("balanced"), "priority balanced"),
        (Wish("accuracy", max_latency_ms=5), "max_latency_ms"),
        (Wish("size", max_memory_mb=5), "max_memory_mb"),
        (Wish("size", threads=1), "threads"),
    ],
)
def test_what_was_not_measured_cannot_be_asked_for(wish: Wish, what: str) -> None:
    partly = compared(model("a", 900), BIG)
    with pytest.raises(ConfigError, match=f"{what} needs speed and memory, which were not"):
        recommend(partly, wish)


def test_without_speed_accuracy_and_size_still_decide() -> None:
    bare = compared(model("a", 900, bytes=2), model("b", 905, bytes=1), model("c", 800, bytes=1))
    assert chosen(bare, "accuracy") == ("b", "a")
    assert chosen(bare, "size") == ("b", "c")


def test_a_priority_there_is_not_is_named() -> None:
    with pytest.raises(ConfigError, match=r"one of accuracy, speed, .* 'beauty'"):
        Wish("beauty")


def test_the_pareto_front_is_what_nothing_beats_in_both() -> None:
    slower_and_worse = model("worse", 940, measurement(12))
    as_fast = model("as fast", 890, measurement(4))
    front = pareto_front(as_candidates(compared(BIG, slower_and_worse, MIDDLE, as_fast, SMALL)))
    assert [candidate.name for candidate in front] == ["small", "middle", "big"]
