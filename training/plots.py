"""Draw the curves of one or several runs in one figure: loss, accuracy, learning rate.

    python -m training.plots RUN [RUN ...] --out FILE.png

Reads RUN/metrics.jsonl, of a run that is still going on too; takes a second or two.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from hub_models.errors import ConfigError
from training.command_line import run_script
from training.figures import COLOURS, GREY, save_figure

# Panel -> keys of metrics.jsonl: the first drawn solid, the second dashed and paler.
PANELS: Final = {
    "loss": ("validation_loss", "train_loss"),
    "accuracy": ("validation_accuracy", "train_accuracy"),
    "learning rate": ("head_learning_rate",),
}
_STYLES: Final[tuple[dict[str, Any], ...]] = (
    {"linestyle": "-"},
    {"linestyle": (0, (4, 2)), "alpha": 0.6},
)
_MARKERS: Final = "osD^vPX"  # beside the colours: runs differ in print without colour too


@dataclass(frozen=True)
class Run:
    """What is drawn of one run.

    Attributes:
        name: In the legend.
        rows: One per epoch, as metrics.jsonl has them.
    """

    name: str
    rows: list[dict[str, Any]]

    def points(self, key: str) -> tuple[list[float], list[float]]:
        """Give epochs and values of a key, where it is there."""
        rows = [row for row in self.rows if key in row]
        return [row["epoch"] for row in rows], [row[key] for row in rows]

    @property
    def legend(self) -> str:
        """Name and best validation accuracy."""
        _, accuracies = self.points("validation_accuracy")
        return f"{self.name} (best {max(accuracies):.2%})" if accuracies else self.name


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script.

    Args:
        arguments: What was typed after its name; the process's own if None.

    Returns:
        0 done, 1 an error said in one sentence on stderr; wrong usage exits with 2.
    """
    parser = argparse.ArgumentParser(description="Draw the curves of runs in one figure.")
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folder with metrics.jsonl")
    parser.add_argument("--out", required=True, metavar="FILE.png", help="written over if there")
    options = parser.parse_args(arguments)

    def work() -> None:
        if not options.out.endswith(".png"):
            raise ConfigError(f"--out must end in .png, not {options.out}")
        names = distinct_names(options.runs)
        runs = [Run(n, read_rows(Path(r))) for n, r in zip(names, options.runs, strict=True)]
        save_figure(draw_curves(runs), Path(options.out))
        print(options.out)

    return run_script("plots", work)


def read_rows(run: Path) -> list[dict[str, Any]]:
    """Read a run's metrics.

    Args:
        run: Its folder.

    Returns:
        One row per epoch; a last line that is still being written is left out.

    Raises:
        ConfigError: If there are none, or a line cannot be read.
    """
    path = run / "metrics.jsonl"
    if not path.is_file():
        raise ConfigError(f"{run}: no metrics.jsonl in this folder")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from error
    rows = []
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ConfigError(f"{path}, line {number}: not JSON ({error})") from error
        if not isinstance(row, dict):
            raise ConfigError(f"{path}, line {number}: an object is expected, not {line[:40]!r}")
        keys = {"epoch"} | {key for keys in PANELS.values() for key in keys if key in row}
        if not all(isinstance(row.get(k), int | float) for k in keys):
            raise ConfigError(f"{path}, line {number}: {', '.join(sorted(keys))} must be numbers")
        rows.append(row)
    if not rows:
        raise ConfigError(f"{path}: no epoch is finished yet")
    return rows


def draw_curves(runs: Sequence[Run]) -> Figure:
    """Draw all runs into the panels they have numbers for.

    Args:
        runs: One colour and marker each.

    Returns:
        Panels side by side, solid for validation, dashed for training, one legend below.
    """
    panels = {
        title: keys
        for title, keys in PANELS.items()
        if any(key in row for run in runs for row in run.rows for key in keys)
    }
    if not panels:
        raise ConfigError(f"nothing to draw: {runs[0].name} has no loss, accuracy, learning rate")
    figure = Figure(figsize=(4.4 * len(panels), 3.6), dpi=150, layout="constrained")
    for axes, (title, keys) in zip(
        figure.subplots(1, len(panels), squeeze=False).flat, panels.items(), strict=True
    ):
        for number, run in enumerate(runs):
            for key, style in zip(keys, _STYLES, strict=False):
                axes.plot(*run.points(key), **_look(number, len(run.rows)), **style)
        _finish_panel(axes, title)
    _add_legend(figure, runs, with_training=any("train_loss" in run.rows[0] for run in runs))
    return figure


def distinct_names(sources: Sequence[str]) -> list[str]:
    """Name sources by the fewest last parts of their paths that tell them apart.

    Args:
        sources: Folders or repo_ids, such as "runs/a/checkpoint" and "runs/b/checkpoint".

    Returns:
        One name each: "a/checkpoint" and "b/checkpoint"; the same source twice is numbered.
    """
    whole = [os.path.abspath(s) if os.path.isdir(s) else s for s in sources]  # "." has a name too
    parts = [Path(source).parts for source in whole]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(each[-depth:]) for each in parts]
        if len(set(names)) == len(set(parts)):
            break
    return [
        f"{name} ({names[:i].count(name) + 1})" if names.count(name) > 1 else name
        for i, name in enumerate(names)
    ]


def _look(number: int, epochs: int) -> dict[str, Any]:
    """Give a run its colour and marker, the marker on some twelve of its epochs."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "marker": _MARKERS[number % len(_MARKERS)],
        "markersize": 4,
        "markevery": max(1, epochs // 12),
        "linewidth": 1.5,
    }


def _finish_panel(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=11)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    if title == "accuracy":
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    if title == "learning rate":
        axes.set_ylim(bottom=0)


def _add_legend(figure: Figure, runs: Sequence[Run], *, with_training: bool) -> None:
    handles = [Line2D([], [], **_look(number, 1)) for number in range(len(runs))]
    labels = [run.legend for run in runs]
    if with_training:
        handles += [Line2D([], [], color=GREY, **style) for style in _STYLES]
        labels += ["validation", "training"]
    legend = figure.legend(
        handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=9
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


if __name__ == "__main__":
    sys.exit(main())
