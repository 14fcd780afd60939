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
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

if __package__ in (None, ""):  # run as a file: imports start at the root, not in this folder
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import numpy as np
from accelerate import Accelerator

from hub_models import ImageClassifier, hub
from hub_models.errors import ConfigError, HubModelsError
from training.accelerator import make_accelerator
from training.answers import (
    answer,
    check_savable,
    load_readable,
    measuring_arguments,
)
from training.calibration import fit_temperature
from training.data import Data, decode
from training.figures import draw_confusion, draw_mistakes, draw_reliability, save_figure
from training.plots import distinct_names
from training.report import Report

MAX_MISTAKES: Final = 240  # on one sheet


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script.

    Args:
        arguments: What was typed after its name; the process's own if None.

    Returns:
        0 done, 1 an error said in one sentence on stderr; wrong usage exits with 2.
    """
    options = _parser().parse_args(arguments)
    try:
        rows = _measure_all(options)
    except HubModelsError as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 1
    if rows and options.json:
        print(json.dumps(rows, indent=2))
    elif rows:
        _print_table(rows)
    if rows and "validation" not in {row["split"] for row in rows}:
        print("no temperature: only --split validation fits one", file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure classifiers on splits of a data set.")
    parser.add_argument("--split", action="append", help="may be repeated (default: test)")
    measuring_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--save", action="store_true", help="write the numbers into the folders and their cards"
    )
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
    if options.save:
        check_savable(options.model)
    models = {source: ImageClassifier.from_pretrained(source) for source in options.model}
    if options.report:
        _make_folder(Path(options.report))  # now, not after minutes of measuring
    accelerator = make_accelerator()
    data = load_readable(accelerator, options, names)
    rows: list[dict[str, Any]] = []
    for name, (source, model) in zip(distinct_names(list(models)), models.items(), strict=True):
        reports = _measure(accelerator, model, data, options)
        if not accelerator.is_main_process:
            continue
        results = {split: report.as_results() for split, report in reports.items()}
        rows += [{"model": source, "split": split, **numbers} for split, numbers in results.items()]
        if options.report:
            folder = Path(options.report, name if len(models) > 1 else "")
            _write_reports(folder, name, reports, data, options)
        if options.save:
            command = {"command": _command(names)}
            kept = {
                split: {"robustness": old["robustness"]}
                for split, old in model.config.results.items()
                if "robustness" in old
            }
            measured = {
                split: numbers | command | kept.get(split, {}) for split, numbers in results.items()
            }
            temperature = reports["validation"].temperature if "validation" in reports else None
            config = replace(
                model.config,
                results={**model.config.results, **measured},
                temperature=temperature or model.config.temperature,
            )
            hub.write_config(Path(source), config)
    return rows


def _measure(
    accelerator: Accelerator, model: ImageClassifier, data: Data, options: argparse.Namespace
) -> dict[str, Report]:
    """Give a report per split; the temperature of all is that of the validation split."""
    label_names = model.config.label_names
    answers = {
        name: (answer(accelerator, model, split, name, options), np.array(split["target"]))
        for name, split in data.aligned(label_names).splits.items()
    }
    temperature = fit_temperature(*answers["validation"]) if "validation" in answers else None
    return {name: Report(label_names, *pair, temperature) for name, pair in answers.items()}


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--report {path}: no folder can be made there ({error})") from error


def _write_reports(
    folder: Path, model: str, reports: dict[str, Report], data: Data, options: argparse.Namespace
) -> None:
    for split, report in reports.items():
        place = folder / (split if len(reports) > 1 else "")
        evaluation, mistakes = report.evaluation, report.mistakes(options.mistakes)
        title = f"{model[-48:]}\n{split}: {evaluation.accuracy:.2%} of {evaluation.images:,} right"
        save_figure(draw_confusion(report, title), place / "confusion.png")
        save_figure(draw_reliability(report, title), place / "reliability.png")
        cells = [data.splits[split][mistake.index]["image"] for mistake in mistakes]
        wrong = evaluation.images - evaluation.correct
        title += f", the {len(mistakes)} most confident of {wrong:,} mistakes"
        sheet = draw_mistakes(mistakes, [decode(cell) for cell in cells], title)
        save_figure(sheet, place / "mistakes.png")
        content = {"model": model, "split": split, **report.as_json(mistakes=options.mistakes)}
        for row, cell in zip(content["mistakes"], cells, strict=True):
            row["file"] = "/".join(Path(cell["path"] or "").parts[-2:])
        (place / "report.json").write_text(json.dumps(content, indent=2), encoding="utf-8")


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
