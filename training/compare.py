"""Compare models on one data set: accuracy, calibration, size, speed, and which differences count.

    python -m training.compare --model A --model B --data DATA --out model_cards/comparison.json
        [--split test] [--no-profile] [--profile-seconds S] [--profile-rounds N]

Writes the numbers to FILE.json, and accuracy against latency to FILE.png and FILE.svg beside it.
What a model answered is remembered (in HUB_MODELS_CACHE), so a run that was stopped, or one with a
model more, asks only those that were not asked yet. Also under `accelerate launch`, where speed is
measured by the main process once the others are done. `hub-models recommend FILE.json` chooses.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

if __package__ in (None, ""):  # run as a file: imports start at the root, not in this folder
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import numpy as np

from hub_models import ImageClassifier, hub
from hub_models.atomic import hash_file
from hub_models.class_folders import check_outside
from hub_models.comparison import (
    FORMAT_VERSION,
    Comparison,
    Machine,
    Measurement,
    Model,
    render_comparison,
)
from hub_models.errors import ConfigError
from hub_models.machine import describe_machine
from hub_models.profile import count_macs, count_parameters
from training.answers import remembered_answer
from training.command_line import run_script
from training.comparison_figure import draw_comparison
from training.comparison_report import report
from training.figures import save_figure
from training.measuring import Session, measuring_parser, open_session
from training.plots import distinct_names
from training.public import public_name
from training.report import Report
from training.run_folder import write_text
from training.significance import compare_pair
from training.speed import measure_speed


@dataclass(frozen=True)
class _Contender:
    """A model that takes part."""

    name: str
    source: str
    found: hub.Resolved
    model: ImageClassifier
    weights_sha256: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script.

    Args:
        arguments: What was typed after its name; the process's own if None.

    Returns:
        0 done, 1 an error said in one sentence on stderr; wrong usage exits with 2.
    """
    options = _parser().parse_args(arguments)
    return run_script("compare", lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    comparison = compare(options)
    if comparison is None:
        return
    write_text(options.out, render_comparison(comparison))
    written = [options.out]
    if all(model.measurements for model in comparison.models):
        figure = draw_comparison(comparison)
        for suffix in (".png", ".svg"):
            written.append(options.out.with_suffix(suffix))
            save_figure(figure, written[-1])
    print(report(comparison))
    print("\nwritten:", *written)


def _parser() -> argparse.ArgumentParser:
    parser = measuring_parser("Compare models on one data set.")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.json")
    parser.add_argument("--split", default="test", help="(%(default)s)")
    parser.add_argument("--no-profile", action="store_true", help="no speed, no memory, no figure")
    parser.add_argument(
        "--profile-seconds", type=_seconds, default=1.5, metavar="S",
        help="how long each call is repeated for (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--profile-rounds", type=_rounds, default=2, metavar="N",
        help="measure all models N times in turn, the best round of each counts (%(default)s)",
    )  # fmt: skip
    return parser


def _rounds(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f"a whole number from 1 to 100, not {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError(f"seconds above 0, at most 3600, not {text!r}")
    return seconds


def compare(options: argparse.Namespace) -> Comparison | None:
    """Measure all models.

    Args:
        options: What was typed.

    Returns:
        What was measured; None in processes that only help.

    Raises:
        HubModelsError: If a source, the data or FILE cannot be used.
    """
    check_outside(options.out, options.data, "--out")
    _check_out(options.out)
    for source in options.model:
        if options.model.count(source) > 1:
            raise ConfigError(f"--model {source} stands there twice")
    session = open_session(options, [options.split])
    contenders = _contenders(session)
    splits = [session.counted(c.model, options.split) for c in contenders]
    reports = []
    for contender, split in zip(contenders, splits, strict=True):
        model, title = contender.model, f"{contender.name}: {options.split}"
        sha256 = contender.weights_sha256
        logits = remembered_answer(session, model, split, title, weights_sha256=sha256)
        if session.accelerator.is_main_process:
            at_temperature = logits / model.config.temperature  # as `classify` answers
            targets = np.array(split["target"])
            reports.append(Report(model.config.label_names, at_temperature, targets))
    if not session.accelerator.is_main_process:
        return None
    return Comparison(
        format_version=FORMAT_VERSION,
        command=_command(contenders, options),
        data=public_name(options.data),
        split=options.split,
        images=len(reports[0].targets),
        machine=Machine(**describe_machine()),
        models=_measure(contenders, reports, options),
        agreement=_agreement(reports),
        pairs=tuple(
            compare_pair((one.name, other.name), first.is_right, second.is_right)
            for (one, first), (other, second) in combinations(
                zip(contenders, reports, strict=True), 2
            )
        ),
    )


def _check_out(path: Path) -> None:
    """Say now, not after minutes of measuring, that nothing can be written."""
    if path.suffix != ".json":
        raise ConfigError(f"--out must end in .json, not {path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--out {path}: no folder can be made there ({error})") from error


def _contenders(session: Session) -> list[_Contender]:
    contenders = []
    names = distinct_names(list(session.models))
    for name, (source, model) in zip(names, session.models.items(), strict=True):
        found = hub.resolve(source)  # fetched already
        sha256 = hash_file(hub.weights_path(found.folder))
        contenders.append(_Contender(name, _shown(source), found, model, sha256))
    return contenders


def _shown(source: str) -> str:
    """Write a source without folders that are nobody's business."""
    path = Path(source)
    is_elsewhere = path.is_absolute() or ".." in path.parts or source.startswith("~")
    return public_name(source) if is_elsewhere else source


def _command(contenders: Sequence[_Contender], options: argparse.Namespace) -> str:
    models = " ".join(f"--model {contender.source}" for contender in contenders)
    more = " --no-profile" if options.no_profile else ""
    more += f" --classes {shlex.join(options.classes)}" if options.classes else ""
    words = f"python -m training.compare {models} --data DATA --out {options.out.name}"
    return f"{words} --split {options.split}{more}"


def _agreement(reports: Sequence[Report]) -> tuple[tuple[float, ...], ...]:
    """Give the share of images that two models say the same of, whatever their order of labels."""
    places = {label: i for i, label in enumerate({n: 0 for r in reports for n in r.label_names})}
    said = [np.array([places[n] for n in r.label_names])[r.said] for r in reports]
    return tuple(tuple(float((one == other).mean()) for other in said) for one in said)


def _measure(
    contenders: Sequence[_Contender], reports: Sequence[Report], options: argparse.Namespace
) -> tuple[Model, ...]:
    speeds: list[tuple[Measurement, ...]] = [()] * len(contenders)
    if not options.no_profile:
        folders = [contender.found.folder for contender in contenders]
        seconds, rounds = options.profile_seconds, options.profile_rounds
        speeds = measure_speed(folders, seconds=seconds, rounds=rounds)
    return tuple(map(_model, contenders, reports, speeds))


def _model(contender: _Contender, answers: Report, measurements: tuple[Measurement, ...]) -> Model:
    config = contender.model.config
    evaluated = answers.evaluation.as_results()
    kept = {key: evaluated[key] for key in evaluated if key != "images"}
    return Model(
        name=contender.name,
        source=contender.source,
        architecture=config.architecture,
        side_px=config.preprocess.crop,
        revision=contender.found.revision,
        weights_sha256=contender.weights_sha256,
        ece=answers.bins.error,
        parameters=count_parameters(config)["total"],
        macs=count_macs(config),
        bytes=hub.weights_path(contender.found.folder).stat().st_size,
        measurements=measurements,
        **kept,
    )


if __name__ == "__main__":
    sys.exit(main())
