import math

import numpy as np
import pytest

from hub_models import CheckpointError, Prediction
from hub_models.prediction import rank

LABELS = ("cat", "dog", "owl")


def _logits(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)


def test_predictions_come_in_falling_probability_and_add_up_to_one() -> None:
    predictions = rank(_logits(0, 2, 1), LABELS)
    assert [p.label for p in predictions] == ["dog", "owl", "cat"]
    total = 1 + math.e + math.e**2
    expected = [math.e**2 / total, math.e / total, 1 / total]
    assert [p.probability for p in predictions] == pytest.approx(expected)


def test_top_cuts_the_list_but_changes_no_probability() -> None:
    assert rank(_logits(0, 2, 1), LABELS, top=2) == rank(_logits(0, 2, 1), LABELS)[:2]
    assert len(rank(_logits(0, 2, 1), LABELS, top=99)) == 3


def test_equal_logits_keep_the_order_of_the_classes() -> None:
    labels = [f"class {i}" for i in range(500)]  # many: an unstable sort keeps a few in order
    logits = _logits(*(i % 2 for i in range(500)))
    assert [p.label for p in rank(logits, labels)] == labels[1::2] + labels[::2]


def test_huge_logits_do_not_overflow() -> None:
    assert rank(_logits(3e38, -3e38, 0), LABELS)[0] == Prediction("cat", 1.0)


def test_one_class_is_certain() -> None:
    assert rank(_logits(-7), ["cat"]) == [Prediction("cat", 1.0)]


def test_probabilities_are_plain_floats_that_json_takes() -> None:
    assert type(rank(_logits(0, 2, 1), LABELS)[0].probability) is float


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_logits_that_are_not_finite_are_an_error_not_an_answer(bad: float) -> None:
    with pytest.raises(CheckpointError, match="NaN or infinity: its weights are damaged"):
        rank(_logits(0, bad, 1), LABELS)


def test_a_temperature_changes_how_sure_and_never_which() -> None:
    plain, calm = rank(_logits(0, 2, 1), LABELS), rank(_logits(0, 2, 1), LABELS, temperature=2)
    assert [p.label for p in calm] == [p.label for p in plain]
    assert calm[0].probability < plain[0].probability
    assert calm == rank(_logits(0, 1, 0.5), LABELS)
