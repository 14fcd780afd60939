from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from PIL import Image

from hub_models.errors import CheckpointError
from training.figures import draw_confusion, draw_mistakes, draw_reliability, save_figure
from training.report import Mistake, Report


def report(classes: int = 3, temperature: float | None = None) -> Report:
    generator = np.random.default_rng(0)
    targets = np.arange(200) % classes
    logits = generator.normal(0, 1, (200, classes)) + 2 * np.eye(classes)[targets]
    return Report(tuple(f"class {i}" for i in range(classes)), logits, targets, temperature)


def words(figure: Any) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_the_confusion_matrix_shows_every_count_and_name() -> None:
    three = report()
    figure = draw_confusion(three, "model, test")
    assert words(figure) == [str(count) for count in three.confusion.flat]
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["class 0", "class 1", "class 2"]
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("said", "was")


def test_cells_are_coloured_by_the_share_of_their_row() -> None:
    three = report()
    (picture,) = draw_confusion(three, "t").axes[0].images
    expected = three.confusion / three.confusion.sum(axis=1, keepdims=True)
    assert np.asarray(picture.get_array()) == pytest.approx(expected)


def test_many_classes_are_drawn_without_numbers() -> None:
    assert words(draw_confusion(report(classes=25), "t")) == []


def test_reliability_shows_the_share_that_is_right_in_every_bin() -> None:
    three = report()
    bars = draw_reliability(three, "t").axes[0].patches
    heights = np.array([bar.get_height() for bar in bars])  # type: ignore[attr-defined]
    np.testing.assert_array_equal(heights, three.bins.accuracy)


def test_reliability_has_a_column_for_the_temperature_if_there_is_one() -> None:
    assert len(draw_reliability(report(), "t").axes) == 2
    cooled = report(temperature=1.5)
    titles = [axes.get_title() for axes in draw_reliability(cooled, "t").axes]
    assert cooled.calibrated_bins is not None
    assert titles[0] == f"as it is\nECE {cooled.bins.error:.2%}"
    assert titles[1].startswith("at temperature 1.50, fitted on validation\nECE ")
    assert f"{cooled.calibrated_bins.error:.2%}" in titles[1]


def test_a_mistake_says_what_it_was_what_was_said_and_how_sure() -> None:
    mistakes = [Mistake(7, "cat", "dog", 0.87654), Mistake(9, "dog", "cat", 0.99999)]
    images = [Image.new("RGB", (30, 60), "red"), Image.new("RGB", (500, 20), "blue")]
    figure = draw_mistakes(mistakes, images, "2 mistakes")
    assert words(figure) == [
        "said dog, 87.7%",
        "was cat",
        "row 7",
        "said cat, over 99.9%",
        "was dog",
        "row 9",
    ]
    shown = figure.axes[0].images[0].get_array()
    assert shown is not None
    assert np.asarray(shown)[112, 112].tolist() == [255, 0, 0]


def test_no_mistakes_make_an_empty_sheet() -> None:
    assert words(draw_mistakes([], [], "no mistakes")) == []


def test_any_label_is_drawn_as_it_is_written(tmp_path: Path) -> None:
    labels = ("$x_{", "_hidden", "a\\frac" * 9)
    odd = Report(labels, report().logits, report().targets, 2.0)
    save_figure(draw_confusion(odd, labels[0]), tmp_path / "confusion.png")
    save_figure(draw_reliability(odd, labels[0]), tmp_path / "reliability.png")
    image = Image.new("RGB", (9, 9))
    sheet = draw_mistakes([Mistake(0, labels[0], labels[2], 0.5)], [image], labels[0])
    save_figure(sheet, tmp_path / "mistakes.png")
    assert "said a\\fraca\\fraca\\fra…, 50.0%" in words(sheet)
    assert len(list(tmp_path.glob("*.png"))) == 3


def test_drawing_changes_nothing_global(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    save_figure(draw_reliability(report(temperature=2.0), "t"), tmp_path / "deep" / "x.png")
    assert dict(matplotlib.rcParams) == before
    with Image.open(tmp_path / "deep" / "x.png") as picture:
        assert picture.format == "PNG"


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot be written"):
        save_figure(draw_confusion(report(), "t"), tmp_path / "file" / "x.png")
