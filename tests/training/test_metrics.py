import pytest
from scipy.stats import binomtest

from training.metrics import Evaluation, wilson_interval


@pytest.mark.parametrize(("correct", "images"), [(0, 5), (5, 5), (13, 20), (1351, 1400)])
def test_the_interval_is_wilson_s(correct: int, images: int) -> None:
    exact = binomtest(correct, images).proportion_ci(0.95, method="wilson")
    assert wilson_interval(correct, images) == pytest.approx((exact.low, exact.high), abs=1e-12)


def test_results_hold_counts_and_interval() -> None:
    results = Evaluation(correct=9, images=10, loss=0.3).as_results()
    assert results["accuracy"] == 0.9
    assert results["accuracy_low"] < 0.9 < results["accuracy_high"]
    assert (results["correct"], results["images"]) == (9, 10)
