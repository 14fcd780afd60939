from itertools import combinations
from pathlib import Path

import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox
from PIL import Image

from hub_models.errors import ConfigError
from tests.comparisons import compared, measurement, model
from training.comparison_figure import draw_comparison
from training.figures import save_figure

NINE = compared(*(
    model(f"mobilenetv2-{name}-cats-vs-dogs", correct, measurement(ms, file_bytes=size))
    for name, correct, ms, size in (
        ("025", 938, 3.6, 1_400_000), ("035", 950, 4.1, 2_000_000), ("050", 966, 5.2, 3_200_000),
        ("075", 974, 7.4, 6_000_000), ("100", 983, 9.2, 9_100_000), ("110", 983, 9.3, 9_900_000),
        ("140", 986, 14, 18_000_000), ("slow", 975, 26, 45_000_000), ("big", 988, 62, 94_000_000),
    )
))  # fmt: skip


@pytest.fixture(scope="module")
def figure() -> Figure:
    figure = draw_comparison(NINE)
    figure.draw_without_rendering()
    return figure


def labels(figure: Figure) -> list[Annotation]:
    return [text for text in figure.axes[0].texts if isinstance(text, Annotation)]


def test_every_model_is_named_once_with_its_size(figure: Figure) -> None:
    names = sorted(text.get_text() for text in labels(figure))
    assert names == sorted(
        f"{each.name}\n{each.measurements[0].file_bytes / 1e6:.1f} MB" for each in NINE.models
    )


def test_no_name_covers_another_or_leaves_the_axes(figure: Figure) -> None:
    boxes = [text.get_window_extent() for text in labels(figure)]
    for one, other in combinations(boxes, 2):
        assert Bbox.intersection(one, other) is None
    inside = figure.axes[0].get_window_extent()
    for box in boxes:
        assert inside.x0 <= box.x0 < box.x1 <= inside.x1
        assert inside.y0 <= box.y0 < box.y1 <= inside.y1


def test_the_front_joins_the_models_that_none_beats_and_bars_are_intervals(figure: Figure) -> None:
    axes = figure.axes[0]
    lines = [list(zip(*line.get_data(), strict=True)) for line in axes.lines]
    front = max(lines, key=len)
    assert [x for x, _ in front] == [3.6, 4.1, 5.2, 7.4, 9.2, 14, 62]
    (bars,) = {
        tuple(map(tuple, path.vertices.tolist()))
        for container in axes.containers[:1]
        for path in container[2][0].get_paths()
    }
    assert bars == ((3.6, pytest.approx(0.928)), (3.6, pytest.approx(0.948)))


def test_larger_files_are_larger_points(figure: Figure) -> None:
    axes = figure.axes[0]
    points = [part for part in axes.collections if isinstance(part, PathCollection)]
    areas = {p.get_offsets()[0][0]: p.get_sizes()[0] for p in points if len(p.get_offsets())}
    assert areas[62] > areas[26] > areas[9.2] > areas[3.6] > 20


def test_a_name_is_drawn_as_it_is_written_and_cut_if_long() -> None:
    odd = compared(model("_x$_{" + 60 * "y", 900, measurement(3)))
    (text,) = labels(draw_comparison(odd))
    assert text.get_text().startswith("_x$_{yyy")
    assert len(text.get_text().split("\n")[0]) == 40
    assert not text.get_parse_math()


def test_the_same_comparison_gives_the_same_bytes(tmp_path: Path) -> None:
    two = compared(*NINE.models[:2])
    for name in ("0", "1"):
        drawn = draw_comparison(two)
        for suffix in ("png", "svg"):
            save_figure(drawn, tmp_path / f"{name}.{suffix}")
    for suffix in ("png", "svg"):
        one, other = (tmp_path / f"{name}.{suffix}" for name in ("0", "1"))
        assert one.read_bytes() == other.read_bytes()
    with Image.open(tmp_path / "0.png") as picture:
        assert picture.width > 1000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.png", "0.svg", "1.png", "1.svg"]


def test_without_measurements_there_is_nothing_to_draw() -> None:
    with pytest.raises(ConfigError, match="no time was measured for all models in the same way"):
        draw_comparison(compared(model("a", 900), NINE.models[0]))
