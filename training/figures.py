"""A report of one split to its pictures: confusion, reliability, the most confident mistakes.

Figures are made without pyplot, so neither a backend nor a setting of the process changes.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter, StrMethodFormatter
from numpy.typing import NDArray
from PIL import Image, ImageOps

from hub_models.atomic import staged
from training.calibration import Bins
from training.report import Mistake, Report

# Okabe and Ito's colours, told apart with any kind of colour vision; yellow is too light for lines.
COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY: Final = "#666666"
_LABELLED_CLASSES: Final = 60  # more names do not fit along a side
_NUMBERED_CLASSES: Final = 20
_LABEL_CHARACTERS: Final = 18
_THUMBNAIL_PX: Final = 224


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure whole or not at all; the same figure always gives the same bytes.

    Args:
        figure: Drawn.
        path: Ends in .png or .svg; its folders are made if missing.

    Raises:
        CheckpointError: If it cannot be written.
    """
    kind = path.suffix[1:]
    # An SVG otherwise holds the date, and names its parts by random numbers.
    metadata = {"Date": None} if kind == "svg" else {}
    with staged(path) as staging, rc_context({"svg.hashsalt": "hub-models"}):
        figure.savefig(staging, format=kind, facecolor="white", metadata=metadata)


def draw_confusion(report: Report, title: str) -> Figure:
    """Draw the confusion matrix, coloured by the share of each row.

    Args:
        report: Of one split.
        title: Model and split.

    Returns:
        Rows are what an image was, columns what was said.
    """
    label_names, counts = report.whole_confusion()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    classes = len(counts)
    side = 4.0 + 0.35 * min(classes, 20)  # inches
    figure = Figure(figsize=(side + 1, side), dpi=150, layout="constrained")
    figure.suptitle(title, fontsize=11, parse_math=False)
    axes = figure.subplots()
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    bar = figure.colorbar(picture, ax=axes, shrink=0.8, format=PercentFormatter(1))
    bar.set_label("share of the class")
    bar.outline.set_visible(False)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("said")
    axes.set_ylabel("was")
    names = [_cut(label) for label in label_names]
    if classes <= _LABELLED_CLASSES:
        turned = 0 if max(map(len, names)) * classes <= 30 else 90
        size = 10 if classes <= _NUMBERED_CLASSES else 5
        axes.set_xticks(range(classes), names, rotation=turned, size=size, parse_math=False)
        axes.set_yticks(range(classes), names, size=size, parse_math=False)
    if classes <= _NUMBERED_CLASSES:
        _number_cells(axes, counts, shares)
    return figure


def draw_reliability(report: Report, title: str) -> Figure:
    """Draw how often the model is right against how sure it is, before and after the temperature.

    Args:
        report: Of one split.
        title: Model and split.

    Returns:
        One column, or two with a temperature; how many images each bin holds is below.
    """
    columns = [("as it is", report.bins, COLOURS[0])]
    if report.calibrated_bins is not None:
        after = f"at temperature {report.temperature:.2f}, fitted on validation"
        columns.append((after, report.calibrated_bins, COLOURS[1]))
    figure = Figure(figsize=(1 + 3.8 * len(columns), 5.4), dpi=150, layout="constrained")
    grid = figure.subplots(
        2, len(columns), height_ratios=(3, 1), sharex=True, sharey="row", squeeze=False
    )
    for (upper, lower), (name, bins, colour) in zip(grid.T, columns, strict=True):
        _draw_bins(upper, lower, bins, colour)
        upper.set_title(f"{name}\nECE {bins.error:.2%}", fontsize=10)
    grid[0, 0].set_ylabel("share that is right")
    grid[1, 0].set_ylabel("images")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    grid[0, 0].legend(handles, labels, loc="upper left", frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=11, parse_math=False)
    return figure


def draw_mistakes(mistakes: Sequence[Mistake], images: Sequence[Image.Image], title: str) -> Figure:
    """Draw wrongly classified images on one sheet.

    Args:
        mistakes: The most confident first.
        images: Upright RGB, one per mistake.
        title: Model, split, and how many there are in all.

    Returns:
        Under each image: what was said and how sure, what it was, its row in the split.
    """
    columns = min(6, max(3, len(mistakes)))
    rows = max(1, -(-len(mistakes) // columns))
    width, height = 1.9 * columns + 0.2, 2.4 * rows + 0.7  # inches
    figure = Figure(figsize=(width, height), dpi=150)
    figure.suptitle(title, fontsize=11, y=1 - 0.15 / height, va="top", parse_math=False)
    # Each cell is 1.75 inches of image, 0.15 of gap to its right, 0.65 of words below it.
    spaces = {"wspace": 0.15 / 1.75, "hspace": 0.65 / 1.75}
    sides = {"left": 0.15 / width, "right": 1 - 0.15 / width}
    sides |= {"top": 1 - 0.6 / height, "bottom": 0.7 / height}
    grid = figure.subplots(rows, columns, squeeze=False, gridspec_kw=sides | spaces)
    for axes in grid.flat:
        axes.axis("off")
    for axes, mistake, image in zip(grid.flat, mistakes, images, strict=False):
        axes.imshow(_thumbnail(image))
        said = f"said {_cut(mistake.said)}, {_percent(mistake.probability)}"
        lines = ((said, COLOURS[1]), (f"was {_cut(mistake.label)}", "black"))
        for line, (text, colour) in enumerate((*lines, (f"row {mistake.index}", GREY))):
            axes.annotate(
                text, (0, 0), (0, -4 - 12 * line), xycoords="axes fraction",
                textcoords="offset points", va="top", color=colour, fontsize=8, parse_math=False,
            )  # fmt: skip
    return figure


def _draw_bins(upper: Axes, lower: Axes, bins: Bins, colour: str) -> None:
    width = 1 / len(bins.images)
    middles = (np.arange(len(bins.images)) + 0.5) * width
    upper.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="as sure as right")
    upper.bar(middles, bins.accuracy, 0.9 * width, color=colour, alpha=0.45, label="share right")
    upper.plot(
        bins.confidence,
        bins.accuracy,
        "o",
        color=colour,
        markersize=4,
        label="at its mean confidence",
    )
    upper.set_xlim(0, 1)
    upper.set_ylim(0, 1.02)
    lower.bar(middles, bins.images, 0.9 * width, color=colour)
    lower.set_yscale("symlog", linthresh=1)  # most bins hold few: a linear axis hides them
    lower.set_ylim(bottom=0)
    lower.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    lower.set_xlabel("confidence")
    for axes in (upper, lower):
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.spines[["top", "right"]].set_visible(False)
    upper.yaxis.set_major_formatter(PercentFormatter(1))


def _number_cells(axes: Axes, counts: NDArray[np.integer], shares: NDArray[np.float64]) -> None:
    size = 11 if len(counts) <= 5 else 7
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if shares[row, column] > 0.6 else "black"
        axes.text(column, row, f"{count:,}", ha="center", va="center", color=colour, fontsize=size)


def _thumbnail(image: Image.Image) -> Image.Image:
    """Fit an image into a square, so that the sheet's rows line up."""
    side = (_THUMBNAIL_PX, _THUMBNAIL_PX)
    return ImageOps.pad(image, side, color="#eeeeee")


def _percent(probability: float) -> str:
    """Write a probability below 1 so that it never reads as certain."""
    return "over 99.9%" if probability > 0.999 else f"{probability:.1%}"


def _cut(label: str) -> str:
    return label if len(label) <= _LABEL_CHARACTERS else label[: _LABEL_CHARACTERS - 1] + "…"
