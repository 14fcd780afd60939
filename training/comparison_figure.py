"""A comparison to its figure: accuracy against latency, with the models that nothing beats."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.ticker import FuncFormatter, PercentFormatter
from matplotlib.transforms import Bbox

from hub_models.comparison import Comparison, Measurement
from hub_models.errors import ConfigError
from hub_models.recommend import Candidate, as_candidates, pareto_front
from training.figures import COLOURS, GREY

_LOG_FROM: Final = 6  # the slowest so many times the fastest: an axis from 0 would squeeze the rest
_POINTS_PER_MB: Final = 12  # area of a point, in square points
_LEAST_AREA: Final = 20
_NAME_CHARACTERS: Final = 40
_DISTANCES: Final = (0, 10, 22, 36, 52)  # of a label from its point's edge, in points
_DIRECTIONS: Final = 16


@dataclass(frozen=True)
class _Point:
    candidate: Candidate
    measurement: Measurement
    is_on_front: bool

    @property
    def area(self) -> float:
        """Proportional to the file's size, in square points."""
        return _LEAST_AREA + _POINTS_PER_MB * self.measurement.file_bytes / 1e6

    @property
    def place(self) -> tuple[float, float]:
        return self.measurement.p50_ms, self.candidate.model.accuracy

    @property
    def label(self) -> str:
        name = self.candidate.name
        cut = name if len(name) <= _NAME_CHARACTERS else f"{name[: _NAME_CHARACTERS - 1]}…"
        return f"{cut}\n{self.measurement.file_bytes / 1e6:.1f} MB"


def draw_comparison(comparison: Comparison) -> Figure:
    """Draw every model's accuracy against the time it takes for one picture.

    Args:
        comparison: With measurements of all models by one engine and number of threads.

    Returns:
        Bars are 95 % intervals of the accuracy; a point's area is the file's size; points on the
        Pareto front are filled and joined, the others hollow.

    Raises:
        ConfigError: If nothing was measured.
    """
    points = _make_points(comparison)
    figure = Figure(figsize=(8.4, 5.4), dpi=150, layout="constrained")
    axes = figure.subplots()
    on_front, others = "on the Pareto front", "another model is as fast and as accurate, or more"
    for point in points:
        _draw_point(axes, point)
    front = sorted(point.place for point in points if point.is_on_front)
    axes.plot(*zip(*front, strict=True), color=COLOURS[0], linewidth=1, zorder=1)
    axes.scatter([], [], s=60, color=COLOURS[0], label=on_front)
    if len(front) < len(points):
        axes.scatter([], [], s=60, facecolor="white", edgecolor=COLOURS[1], label=others)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, frameon=False, fontsize=9)
    _finish(axes, comparison, points)
    _label(figure, axes, points)
    return figure


def _make_points(comparison: Comparison) -> list[_Point]:
    candidates = as_candidates(comparison)
    front = pareto_front(candidates)
    points = [_Point(c, c.measurement, c in front) for c in candidates if c.measurement]
    if not points:
        raise ConfigError("nothing to draw: no time was measured for all models in the same way")
    return points


def _draw_point(axes: Axes, point: _Point) -> None:
    x, y = point.place
    model = point.candidate.model
    colour = COLOURS[0] if point.is_on_front else COLOURS[1]
    bar = [[max(0.0, y - model.accuracy_low)], [max(0.0, model.accuracy_high - y)]]
    axes.errorbar(x, y, yerr=bar, color=colour, capsize=3, linewidth=1, zorder=2)
    face = colour if point.is_on_front else "white"
    axes.scatter(x, y, s=point.area, facecolor=face, edgecolor=colour, linewidth=1.5, zorder=3)


def _finish(axes: Axes, comparison: Comparison, points: Sequence[_Point]) -> None:
    measured = points[0].measurement
    latencies = [point.place[0] for point in points]
    if max(latencies) > _LOG_FROM * min(latencies):
        axes.set_xscale("log")
        axes.set_xlim(min(latencies) / 1.6, max(latencies) * 1.6)
        axes.xaxis.set_minor_formatter(FuncFormatter(lambda ms, _: _few(ms)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda ms, _: f"{ms:g}"))
        axes.tick_params(axis="x", which="both", length=3.5, pad=3.5)
    else:
        axes.set_xlim(0, 1.25 * max(latencies))
    axes.margins(y=0.15)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    threads = f"{measured.threads} thread{'s' * (measured.threads > 1)}"
    axes.set_xlabel(f"ms for one picture, from its bytes (median; {measured.engine}, {threads})")
    axes.set_ylabel(f"right answers ({comparison.split}, with 95 % interval)")
    title = f"{comparison.images:,} images of {comparison.data}; {comparison.machine.cpu}"
    axes.set_title(title, fontsize=10, color=GREY, parse_math=False)


def _few(ms: float) -> str:
    """Write 2, 3 and 5 of a decade only: more numbers would touch each other."""
    return f"{ms:g}" if f"{ms:e}"[0] in "235" else ""


def _label(figure: Figure, axes: Axes, points: Sequence[_Point]) -> None:
    """Put each name where it covers no point, bar or other name, as near as possible."""
    figure.draw_without_rendering()
    taken = [_box_of(axes, point, figure.dpi) for point in points]
    inside = axes.get_window_extent()
    for point in sorted(points, key=lambda point: point.place):
        best: tuple[float, int] | None = None
        texts = []
        for number, (x, y) in enumerate(_offsets(math.sqrt(point.area) / 2)):
            text = _annotate(axes, point, x, y)
            texts.append(text)
            box = text.get_window_extent()
            covered = sum(_overlap(box, other) for other in taken) + _outside(box, inside)
            if best is None or covered < best[0]:
                best = (covered, number)
            if covered == 0:
                break
        assert best is not None
        for number, text in enumerate(texts):
            if number != best[1]:
                text.remove()
        taken.append(texts[best[1]].get_window_extent())


def _offsets(radius: float) -> Iterator[tuple[float, float]]:
    """Give places around a point, in points from its middle, the nearest first."""
    for distance in _DISTANCES:
        for step in range(_DIRECTIONS):
            angle = 2 * math.pi * step / _DIRECTIONS
            reach = radius + 5 + distance
            yield reach * math.cos(angle), reach * math.sin(angle)


def _annotate(axes: Axes, point: _Point, x: float, y: float) -> Annotation:
    sides = "left" if x > 1 else "right" if x < -1 else "center"
    level = "bottom" if y > 1 else "top" if y < -1 else "center"
    far = math.hypot(x, y) > math.sqrt(point.area) / 2 + 6
    line = {"arrowstyle": "-", "color": GREY, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 4}
    return axes.annotate(
        point.label, point.place, (x, y), textcoords="offset points", ha=sides, va=level,
        fontsize=9, linespacing=1.1, parse_math=False, arrowprops=line if far else None,
    )  # fmt: skip


def _box_of(axes: Axes, point: _Point, dpi: float) -> Bbox:
    """Give the box around a point and its bar, in pixels."""
    model, (x, y) = point.candidate.model, point.place
    places = axes.transData.transform([(x, y), (x, model.accuracy_low), (x, model.accuracy_high)])
    radius = (math.sqrt(point.area) / 2 + 2) * dpi / 72
    (_, middle), (_, low), (_, high) = places
    middle_x = places[0][0]
    return Bbox.from_extents(
        middle_x - radius, min(low, middle - radius), middle_x + radius, max(high, middle + radius)
    )


def _overlap(one: Bbox, other: Bbox) -> float:
    both = Bbox.intersection(one, other)
    return 0.0 if both is None else both.width * both.height


def _outside(box: Bbox, inside: Bbox) -> float:
    return box.width * box.height - _overlap(box, inside)
