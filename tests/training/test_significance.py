import math

import numpy as np
import pytest

from training.significance import compare_pair, difference_interval, mcnemar


def by_hand(few: int, many: int) -> float:
    """Twice the chance of at most `few` heads in all tosses of a fair coin."""
    tosses = few + many
    return min(1.0, 2 * sum(math.comb(tosses, k) for k in range(few + 1)) / 2**tosses)


@pytest.mark.parametrize(("few", "many"), [(0, 1), (0, 5), (0, 6), (3, 9), (10, 30), (40, 90)])
def test_mcnemar_is_the_exact_binomial_test(few: int, many: int) -> None:
    assert mcnemar(few, many) == pytest.approx(by_hand(few, many), rel=1e-9)
    assert mcnemar(many, few) == mcnemar(few, many)


def test_without_images_that_tell_them_apart_nothing_is_shown() -> None:
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(7, 7) == 1.0
    low, high = difference_interval(0, 0, 100)
    assert low == pytest.approx(-high)
    assert 0 < high < 0.05


def test_the_interval_is_that_of_agresti_and_min() -> None:
    """Their formula, for 11 and 3 of 100: half an image added to each of the four counts."""
    shrunk, variance = 8 / 102, (15 - 64 / 102) / 102**2
    spread = 1.959963984540054 * math.sqrt(variance)
    assert difference_interval(11, 3, 100) == pytest.approx((shrunk - spread, shrunk + spread))


def test_the_interval_holds_the_difference_in_95_of_100_experiments() -> None:
    draws = np.random.default_rng(0)
    shares = np.array([0.09, 0.04, 0.87])  # only the first right, only the second, the same
    inside = 0
    for only_first, only_second, _ in draws.multinomial(300, shares, size=2000):
        low, high = difference_interval(int(only_first), int(only_second), 300)
        inside += low <= 0.05 <= high
    assert 0.94 <= inside / 2000 <= 0.965


def test_the_interval_stays_within_what_is_possible_and_around_what_was_measured() -> None:
    for only_first in range(4):
        for only_second in range(4 - only_first):
            for images in range(max(1, only_first + only_second), 6):
                low, high = difference_interval(only_first, only_second, images)
                assert -1 <= low <= (only_first - only_second) / images <= high <= 1


def test_a_pair_counts_the_images_on_which_only_one_is_right() -> None:
    first = np.array([True, True, True, False, False])
    second = np.array([True, False, False, True, False])
    pair = compare_pair(("a", "b"), first, second)
    assert (pair.first, pair.second) == ("a", "b")
    assert (pair.only_first_right, pair.only_second_right) == (2, 1)
    assert pair.difference == pytest.approx(0.2)
    assert pair.difference_low < 0.2 < pair.difference_high
    assert pair.p_value == 1.0
