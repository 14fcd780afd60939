"""Every number of the embedded models, measured anew and written where it is said.

    make weights-report DATA=DATA
    python -m benchmarks.weights_report --data DATA [--only STEP ...] [--keep-speed]

DATA is the data set with the splits validation and test. The steps are this repository's own
commands, one after the other; what they print is shown. The side of evaluation, calibration,
robustness and costs go into the folders and their cards, the comparison and the thresholds of other
things into their files, what else is kept into model_cards/report; in the end the tables of
README.md, README.zh-CN.md and CLAIMS.md are made anew. About an hour on two cores. Nothing else
may run beside it: `--keep-speed` leaves latencies and memory as they are where something does.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from benchmarks.weights_tables import write_tables
from demo.loader import find_embedded
from demo.settings import DEFAULT_CARDS
from hub_models.comparison import Comparison, read_comparison, render_comparison
from training.data import decode, load_data
from training.run_folder import write_text

ROOT: Final = DEFAULT_CARDS.parent
COMPARISON: Final = DEFAULT_CARDS / "comparison.json"
KEPT: Final = DEFAULT_CARDS / "report"
CALIBRATION_PICTURES: Final = 800


@dataclass(frozen=True)
class Asked:
    """What the report is about.

    Attributes:
        data: Data set, as it was typed.
        keep_speed: Leave out what a busy machine would measure wrongly.
    """

    data: str
    keep_speed: bool

    @property
    def models(self) -> list[str]:
        """`--model FOLDER` of every embedded model, as they are named from the root."""
        folders = find_embedded(DEFAULT_CARDS).values()
        return [word for path in folders for word in ("--model", str(path.relative_to(ROOT)))]

    @property
    def measuring(self) -> list[str]:
        """Models and data, as every measuring command takes them."""
        return [*self.models, "--data", self.data]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the steps.

    Args:
        arguments: What was typed after its name; the process's own if None.

    Returns:
        0 done, 1 a command failed and said why; wrong usage exits with 2.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="hub id or data set folder")
    parser.add_argument("--only", action="append", choices=STEPS, help="may be repeated")
    parser.add_argument(
        "--keep-speed", action="store_true", help="measure no latency and no memory"
    )
    options = parser.parse_args(arguments)
    asked = Asked(options.data, options.keep_speed)
    for name, step in STEPS.items():
        if name in (options.only or STEPS):
            print(f"== {name}", flush=True)
            try:
                step(asked)
            except subprocess.CalledProcessError as error:
                return 1 if error.returncode > 0 else 128 - error.returncode
    return 0


def _run(*words: str) -> str:
    """Run a module of this repository at its root; give what it printed, and print it too."""
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE
    )
    print(done.stdout, end="", flush=True)
    return done.stdout


def _sides(asked: Asked) -> None:
    printed = _run("training.eval_size", *asked.measuring, "--save")
    write_text(KEPT / "sides.txt", f"```text\n{printed}```\n")


def _accuracy(asked: Asked) -> None:
    splits = ["--split", "validation", "--split", "test"]
    _run("training.evaluate", *asked.measuring, *splits, "--save")


def _robustness(asked: Asked) -> None:
    _run("training.robustness", *asked.measuring, "--save")


def _costs(asked: Asked) -> None:
    if not asked.keep_speed:
        _run("hub_models.cli", "profile", *asked.models[1::2], "--save")


def _comparison(asked: Asked) -> None:
    before = read_comparison(COMPARISON)
    more = ["--no-profile"] if asked.keep_speed else []
    out = str(COMPARISON.relative_to(ROOT))
    _run("training.compare", *asked.measuring, "--out", out, *more)
    if asked.keep_speed:
        now = with_speeds(read_comparison(COMPARISON), before)
        write_text(COMPARISON, render_comparison(now))


def with_speeds(now: Comparison, before: Comparison) -> Comparison:
    """Take over the speeds of models that compute the same with other weights.

    Args:
        now: Without speeds.
        before: With them.

    Returns:
        With the speeds of models of the same name, architecture and side; a model whose side is
        another one has none.
    """
    speeds = {(m.name, m.architecture, m.side_px): m.measurements for m in before.models}
    models = (
        replace(m, measurements=speeds.get((m.name, m.architecture, m.side_px), ()))
        for m in now.models
    )
    return replace(now, models=tuple(models), machine=before.machine, command=before.command)


def _other_things(asked: Asked) -> None:
    printed = _run("benchmarks.other_things", "--data", asked.data, "--write")
    write_text(KEPT / "other_things.txt", printed)


def _quantised(asked: Asked) -> None:
    if asked.keep_speed:
        return
    with TemporaryDirectory() as temporary:
        pictures = Path(temporary, "pictures")
        write_pictures(asked.data, pictures)
        for name, folder in find_embedded(DEFAULT_CARDS).items():
            out = Path(temporary, name)
            words = [str(folder.relative_to(ROOT)), "--to", str(out), "--int8", "--json"]
            # Forced: what a gate would refuse is still to be told; the facts name the failures.
            printed = _run(
                "hub_models.cli", "export", *words, "--calibrate", str(pictures), "--force"
            )
            facts = json.loads(printed)["int8"]
            write_text(KEPT / f"int8-{name}.json", json.dumps(facts, indent=2) + "\n")


def write_pictures(data: str, folder: Path) -> None:
    """Write photographs of validation as class folders, evenly from the whole split.

    Args:
        data: As `training.data` takes it.
        folder: Gets a sub-folder per class.
    """
    found = load_data(data)
    split = found.splits["validation"]
    picked = np.linspace(0, len(split) - 1, min(CALIBRATION_PICTURES, len(split))).astype(int)
    for index in picked.tolist():
        row = split[index]
        path = folder / found.label_names[row["target"]] / f"{index:06}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        decode(row["image"]).save(path)


def _tables(asked: Asked) -> None:
    write_tables(ROOT)


STEPS: Final[dict[str, Callable[[Asked], None]]] = {
    "sides": _sides,
    "accuracy": _accuracy,
    "robustness": _robustness,
    "costs": _costs,
    "comparison": _comparison,
    "other things": _other_things,
    "quantised": _quantised,
    "tables": _tables,
}


if __name__ == "__main__":
    sys.exit(main())
