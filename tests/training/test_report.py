import json

import numpy as np
import pytest
from scipy.stats import mannwhitneyu
from sklearn.metrics import f1_score, roc_auc_score

from hub_models.errors import CheckpointError
from hub_models.prediction import softmax
from training.report import DETAILED_CLASSES, Report

TARGETS = np.array([0, 0, 0, 0, 1, 1, 1, 2])
SAID = np.array([0, 0, 0, 1, 1, 1, 0, 1])


def report(
    targets: np.ndarray, said: np.ndarray, *, classes: int = 3, temperature: float | None = None
) -> Report:
    """A report whose image i is said to be said[i], the surer the later it stands."""
    logits = np.zeros((len(said), classes), np.float32)
    logits[np.arange(len(said)), said] = 1 + np.arange(len(said))
    return Report(tuple("abcdefghijklmnopqrstuvwxyz"[:classes]), logits, targets, temperature)


def random_report(classes: int, images: int = 60) -> Report:
    generator = np.random.default_rng(classes)
    targets = np.arange(images) % classes
    logits = generator.normal(0, 1, (images, classes)) + np.eye(classes)[targets]
    return Report(tuple(f"c{i}" for i in range(classes)), logits, targets)


def test_confusion_has_what_it_was_in_rows_and_what_was_said_in_columns() -> None:
    assert report(TARGETS, SAID).confusion.tolist() == [[3, 1, 0], [1, 2, 0], [0, 1, 0]]


def test_precision_recall_and_f1_are_those_counted_by_hand() -> None:
    first, second, third = report(TARGETS, SAID).classes
    assert (first.label, first.precision, first.recall, first.support) == ("a", 3 / 4, 3 / 4, 4)
    assert (second.precision, second.recall) == pytest.approx((2 / 4, 2 / 3))
    assert second.f1 == pytest.approx(2 * (1 / 2) * (2 / 3) / (1 / 2 + 2 / 3))
    assert (third.precision, third.recall, third.f1, third.support) == (0, 0, 0, 1)


def test_the_macro_f1_is_the_mean_over_the_classes_that_occur() -> None:
    three = report(TARGETS, SAID)
    assert three.macro_f1 == pytest.approx(np.mean([score.f1 for score in three.classes]))
    five = report(TARGETS, SAID, classes=5)  # no image of d or e, and none said to be
    assert five.macro_f1 == pytest.approx(three.macro_f1)
    assert five.macro_f1 == pytest.approx(f1_score(TARGETS, SAID, average="macro"))


def test_the_auc_of_two_classes_is_the_share_of_pairs_in_the_right_order() -> None:
    logits = np.array([[0, 0.1], [0, 0.4], [0, 0.35], [0, 0.8], [0, 0.4]])
    two = Report(("cat", "dog"), logits, np.array([0, 0, 1, 1, 1]))
    # Six pairs: 0.1 is under all three dogs, 0.4 under one, equal to one, over one.
    assert two.auc == pytest.approx((3 + 1 + 0.5) / 6)


def test_the_auc_of_two_classes_is_mann_whitney_s_u_of_the_second() -> None:
    two = random_report(2)
    dog = two.probabilities[:, 1]
    u = mannwhitneyu(dog[two.targets == 1], dog[two.targets == 0]).statistic
    assert two.auc == pytest.approx(u / (30 * 30))


def test_the_auc_of_more_classes_is_one_against_the_rest_in_the_mean() -> None:
    four = random_report(4)
    expected = roc_auc_score(four.targets, four.probabilities, multi_class="ovr", average="macro")
    assert four.auc == pytest.approx(expected)


def test_a_class_without_images_is_left_out_of_the_auc() -> None:
    three = random_report(3)
    kept = three.targets != 2
    fewer = Report(three.label_names, three.logits[kept], three.targets[kept])
    assert fewer.auc is not None
    areas = [roc_auc_score(fewer.targets == c, fewer.probabilities[:, c]) for c in (0, 1)]
    assert fewer.auc == pytest.approx(np.mean(areas))


def test_one_class_alone_has_no_auc_and_the_results_leave_it_out() -> None:
    only = report(np.zeros(8, int), SAID)
    assert only.auc is None
    assert "auc" not in only.as_results()


def test_accuracy_and_loss_are_those_of_the_logits() -> None:
    evaluation = report(TARGETS, SAID).evaluation
    assert (evaluation.correct, evaluation.images) == (5, 8)
    some = random_report(3)
    expected = -np.log(softmax(some.logits)[np.arange(60), some.targets]).mean()
    assert some.evaluation.loss == pytest.approx(expected)


def test_mistakes_are_the_most_confident_first_and_named() -> None:
    mistakes = report(TARGETS, SAID).mistakes(2)
    assert [(m.index, m.label, m.said) for m in mistakes] == [(7, "c", "b"), (6, "b", "a")]
    assert mistakes[0].probability == pytest.approx(softmax(np.array([0, 8.0, 0]))[1])
    assert [m.index for m in report(TARGETS, SAID).mistakes(99)] == [7, 6, 3]
    assert report(TARGETS, TARGETS).mistakes(5) == []


def test_the_temperature_changes_the_calibrated_error_alone() -> None:
    plain = report(TARGETS, SAID).as_results()
    cooled = report(TARGETS, SAID, temperature=4.0).as_results()
    quarter = Report(("a", "b", "c"), report(TARGETS, SAID).logits / 4, TARGETS)
    assert "temperature" not in plain
    assert "ece_calibrated" not in plain
    assert cooled["temperature"] == 4.0
    assert cooled["ece_calibrated"] == pytest.approx(quarter.bins.error)
    assert {key: cooled[key] for key in plain} == plain


def test_results_are_plain_json_and_stay_small() -> None:
    few = report(TARGETS, SAID, temperature=1.5).as_results()
    assert json.loads(json.dumps(few, allow_nan=False)) == few
    assert few["per_class"][0]["support"] == 4
    assert few["confusion"][0] == [3, 1, 0]
    many = random_report(DETAILED_CLASSES + 1)
    assert not {"per_class", "confusion"} & many.as_results().keys()
    assert len(many.as_json(mistakes=3)["confusion"]) == DETAILED_CLASSES + 1


def test_the_whole_report_is_plain_json() -> None:
    whole = report(TARGETS, SAID, temperature=2.0).as_json(mistakes=1)
    assert json.loads(json.dumps(whole, allow_nan=False)) == whole
    assert len(whole["mistakes"]) == 1
    for bins in (whole["bins"], whole["calibrated_bins"]):
        assert sum(row["images"] for row in bins) == 8


def test_logits_that_are_no_numbers_mean_damaged_weights() -> None:
    broken = Report(("a", "b"), np.array([[np.nan, 0.0]]), np.array([0]))
    with pytest.raises(CheckpointError, match="NaN or infinity"):
        broken.as_results()
