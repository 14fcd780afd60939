import numpy as np
import pytest
from scipy.optimize import brentq

from hub_models.config import MAX_TEMPERATURE, MIN_TEMPERATURE
from hub_models.prediction import softmax
from training.calibration import calibrated, cross_entropy, fit_temperature, make_bins


def drawn(images: int, classes: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose targets follow their softmax, made `scale` times too sure."""
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 1.5, (images, classes))
    targets = np.array([generator.choice(classes, p=p) for p in softmax(logits)])
    return logits * scale, targets


def test_bins_and_error_are_those_counted_by_hand() -> None:
    # Two bins, (0, 0.5] and (0.5, 1]: one image in the first, three in the second.
    probabilities = np.array([[0.5, 0.3, 0.2], [0.6, 0.4, 0.0], [0.1, 0.8, 0.1], [0.0, 0.0, 1.0]])
    bins = make_bins(probabilities, np.array([1, 0, 0, 2]), count=2)
    assert bins.images.tolist() == [1, 3]
    assert bins.confidence == pytest.approx([0.5, 0.8])
    assert bins.accuracy == pytest.approx([0.0, 2 / 3])
    assert bins.error == pytest.approx((1 * 0.5 + 3 * (0.8 - 2 / 3)) / 4)


def test_an_empty_bin_says_nothing_and_costs_nothing() -> None:
    bins = make_bins(np.array([[0.9, 0.1], [0.9, 0.1]]), np.array([0, 1]))
    assert bins.images.sum() == 2
    assert np.isnan(bins.accuracy).sum() == 14
    assert bins.error == pytest.approx(0.4)


def test_certainty_falls_into_the_last_of_fifteen_bins() -> None:
    bins = make_bins(np.array([[1.0, 0.0]]), np.array([0]))
    assert bins.images.tolist() == [0] * 14 + [1]
    assert bins.error == 0


def test_the_cross_entropy_is_minus_the_mean_log_of_the_target_s_probability() -> None:
    logits, targets = drawn(50, 3, scale=1.0)
    expected = -np.log(softmax(logits)[np.arange(50), targets]).mean()
    assert cross_entropy(logits, targets) == pytest.approx(expected)
    assert cross_entropy(np.array([[0.0, 5000.0]]), np.array([0])) == pytest.approx(5000)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_fitted_temperature_undoes_too_much_or_too_little_confidence(scale: float) -> None:
    logits, targets = drawn(20_000, 4, scale)
    assert fit_temperature(logits, targets) == pytest.approx(scale, rel=0.05)


def test_at_the_fitted_temperature_the_slope_of_the_cross_entropy_is_zero() -> None:
    logits, targets = drawn(300, 3, scale=2.0)

    def slope(sharpness: float) -> float:  # derivative by 1 / T
        expected = (softmax(logits * sharpness) * logits).sum(axis=1)
        return float((expected - logits[np.arange(300), targets]).mean())

    exact = 1 / brentq(slope, 1 / MAX_TEMPERATURE, 1 / MIN_TEMPERATURE)
    assert fit_temperature(logits, targets) == pytest.approx(exact, rel=1e-3)


def test_calibration_lowers_the_error_and_keeps_every_answer() -> None:
    logits, targets = drawn(2000, 4, scale=4.0)
    after = calibrated(logits, fit_temperature(logits, targets))
    before = softmax(logits)
    assert make_bins(after, targets).error < 0.2 * make_bins(before, targets).error
    assert np.array_equal(after.argmax(axis=1), before.argmax(axis=1))


def test_the_temperature_of_a_model_that_is_never_wrong_stays_within_its_limits() -> None:
    logits = np.array([[3.0, 0.0], [0.0, 3.0]])
    assert MIN_TEMPERATURE <= fit_temperature(logits, np.array([0, 1])) < 0.2
