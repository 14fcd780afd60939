"""Measure classifiers on splits of a data set: accuracy, scores by class, calibration.

    python -m training.evaluate --model SOURCE [--model SOURCE] --data DATA
        [--split validation --split test] [--json] [--save] [--report FOLDER]

Every image is counted once, through the library's own decoder and preprocessing, also under
`accelerate launch` with several processes. The temperature is fitted on the validation split, never
on another; `--report` writes confusion.png, reliability.png, mistakes.png and report.json.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

if __package__ in (None, ""):  # run as a file: imports start at the root, not in this folder
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import numpy as np

from hub_models import ImageClassifier, hub
from hub_models.class_folders import check_outside
from hub_models.config import ModelConfig
from hub_models.errors import ConfigError
from training.answers import answer
from training.calibration import fit_temperature
from training.command_line import run_script
from training.data import Data, decode
from training.figures import draw_confusion, draw_mistakes, draw_reliability, save_figure
from training.measuring import SAVE_NUMBERS, Session, measuring_parser, open_session
from training.plots import distinct_names
from training.report import Report, make_report
from training.run_folder import write_text

MAX_MISTAKES: Final = 240  # on one sheet


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script.

    Args:
        arguments: What was typed after its name; the process's own if None.

    Returns:
        0 done, 1 an error said in one sentence on stderr; wrong usage exits with 2.
    """
    options = _parser().parse_args(arguments)
    return run_script("evaluate", lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    rows = _measure_all(options)
    if rows and options.json:
        print(json.dumps(rows, indent=2))
    elif rows:
        _print_table(rows)
    if rows and "validation" not in {row["split"] for row in rows}:
        print("no temperature: only --split validation fits one", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = measuring_parser("Measure classifiers on splits of a data set.", save=SAVE_NUMBERS)
    parser.add_argument("--split", action="append", help="may be repeated (default: test)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--report",
        metavar="FOLDER",
        help="write pictures and report.json; a folder per model "
        "and per split where there are several",
    )
    parser.add_argument(
        "--mistakes", type=_count, default=24, help="most confident, in the report (%(default)s)"
    )
    return parser


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_MISTAKES:
        raise argparse.ArgumentTypeError(f"a whole number from 1 to {MAX_MISTAKES}, not {text!r}")
    return int(text)


def _measure_all(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Give one row per model and split; none in processes that only help."""
    names = options.split or ["test"]
    if options.report:
        check_outside(options.report, options.data, "--report")
        _make_folder(Path(options.report))  # now, not after minutes of measuring
    session = open_session(options, names)
    rows: list[dict[str, Any]] = []
    models = session.models
    for name, (source, model) in zip(distinct_names(list(models)), models.items(), strict=True):
        reports = _measure(session, model)
        if not session.accelerator.is_main_process:
            continue
        results = {split: report.as_results() for split, report in reports.items()}
        rows += [{"model": source, "split": split, **numbers} for split, numbers in results.items()]
        if options.report:
            folder = Path(options.report, name if len(models) > 1 else "")
            _write_reports(folder, name, reports, session.data, options.mistakes)
        if options.save:
            temperature = reports["validation"].temperature if "validation" in reports else None
            _save(Path(source), model.config, results, temperature)
    return rows


def _measure(session: Session, model: ImageClassifier) -> dict[str, Report]:
    """Give a report per split; the temperature of all is that of the validation split."""
    asked = {}
    for name in session.data.splits:
        split = session.labelled(model, name)
        asked[name] = (answer(session, model, split, name), np.array(split["target"]))
    label_names = model.config.label_names
    others = tuple(label for label in session.data.label_names if label not in label_names)
    reports = {
        name: make_report(label_names, *pair, others=others, classes=session.how.classes)
        for name, pair in asked.items()
    }
    if "validation" not in reports:
        return reports
    temperature = fit_temperature(reports["validation"].logits, reports["validation"].targets)
    return {name: replace(report, temperature=temperature) for name, report in reports.items()}


def _save(
    folder: Path,
    config: ModelConfig,
    results: Mapping[str, Mapping[str, Any]],
    temperature: float | None,
) -> None:
    """Write numbers into a checkpoint folder; what `training.robustness` found stays."""
    measured = {}
    for split, numbers in results.items():
        old = config.results.get(split, {})
        kept = {"robustness": old["robustness"]} if "robustness" in old else {}
        measured[split] = {**numbers, "command": _command(list(results)), **kept}
    config = replace(
        config,
        results={**config.results, **measured},
        temperature=temperature or config.temperature,
    )
    hub.write_config(folder, config)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--report {path}: no folder can be made there ({error})") from error


def _write_reports(
    folder: Path, model: str, reports: dict[str, Report], data: Data, most: int
) -> None:
    for split, report in reports.items():
        place = folder / (split if len(reports) > 1 else "")
        evaluation, mistakes = report.evaluation, report.mistakes(most)
        title = f"{model[-48:]}\n{split}: {evaluation.accuracy:.2%} of {evaluation.images:,} right"
        save_figure(draw_confusion(report, title), place / "confusion.png")
        save_figure(draw_reliability(report, title), place / "reliability.png")
        cells = [data.splits[split][mistake.index]["image"] for mistake in mistakes]
        wrong = evaluation.images - evaluation.correct
        title += f", the {len(mistakes)} most confident of {wrong:,} mistakes"
        sheet = draw_mistakes(mistakes, [decode(cell) for cell in cells], title)
        save_figure(sheet, place / "mistakes.png")
        content = {"model": model, "split": split, **report.as_json(mistakes=most)}
        for row, cell in zip(content["mistakes"], cells, strict=True):
            row["file"] = "/".join(Path(cell["path"] or "").parts[-2:])
        write_text(place / "report.json", json.dumps(content, indent=2))


def _command(splits: Sequence[str]) -> str:
    asked = " ".join(f"--split {name}" for name in splits)
    return f"python -m training.evaluate --model FOLDER --data DATA {asked}"


def _print_table(rows: list[dict[str, Any]]) -> None:
    sources = list(dict.fromkeys(row["model"] for row in rows))
    names = dict(zip(sources, distinct_names(sources), strict=True))
    width = max(map(len, names.values()))
    print(
        f"{'model':{width}}  {'split':10}  images  accuracy  95 % interval      loss    "
        "macro F1  AUC     ECE     temperature  ECE then"
    )
    for row in rows:
        cells = [
            f"{names[row['model']]:{width}}  {row['split']:10}  {row['images']:6,}",
            f"{row['accuracy']:8.2%}  {row['accuracy_low']:.2%} to {row['accuracy_high']:.2%}",
            f"{row['loss']:.4f}  {row['macro_f1']:8.4f}",
            f"{row['auc']:.4f}" if "auc" in row else "      ",
            f"{row['ece']:6.2%}",
        ]
        if "temperature" in row:
            cells.append(f"{row['temperature']:11.3f}  {row['ece_calibrated']:8.2%}")
        print("  ".join(cells))


if __name__ == "__main__":
    sys.exit(main())
