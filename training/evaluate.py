"""Measure classifiers on splits of a data set: accuracy with its 95 % interval, and loss.

    python -m training.evaluate --model SOURCE [--model SOURCE] --data DATA [--split test] [--json]

Every image is counted once, through the library's own decoder and preprocessing, also under
`accelerate launch` with several processes.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # run as a file: imports start at the root, not in this folder
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from accelerate import Accelerator, DataLoaderConfiguration

from hub_models import ImageClassifier, hub
from hub_models.errors import ConfigError, HubModelsError
from training.augment import CentreView
from training.data import Data, find_unreadable, load_data
from training.loop import evaluate, make_batches


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
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure classifiers on splits of a data set.")
    parser.add_argument(
        "--model", action="append", required=True, metavar="SOURCE", help="folder or repo_id"
    )
    parser.add_argument("--data", required=True, help="hub id, data set folder or class folders")
    parser.add_argument("--split", action="append", help="may be repeated (default: test)")
    parser.add_argument(
        "--validation_fraction", type=float, default=0.1, help="cut from train (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of that cut (%(default)s)")
    parser.add_argument("--batch_size", type=int, default=64, help="images per batch (%(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="decoding processes (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--save", action="store_true", help="write the numbers into the folders and their cards"
    )
    return parser


def _measure_all(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Give one row per model and split; none in processes that only help."""
    names = options.split or ["test"]
    models = {source: ImageClassifier.from_pretrained(source) for source in options.model}
    if options.save and not all(Path(source).is_dir() for source in models):
        raise ConfigError("--save needs local folders: a repository on the hub is not changed")
    accelerator = Accelerator(dataloader_config=DataLoaderConfiguration(split_batches=True))
    data = load_data(
        options.data, validation_fraction=options.validation_fraction, seed=options.seed
    ).only(names)
    data = data.without(find_unreadable(data, quiet=not accelerator.is_main_process))
    for bad in data.unreadable:
        print(f"left out {bad.reason}", file=sys.stderr)
    command = _command(names)
    rows: list[dict[str, Any]] = []
    for source, model in models.items():
        results = _measure(accelerator, model, data, options)
        if not accelerator.is_main_process:
            continue
        rows += [{"model": source, "split": split, **numbers} for split, numbers in results.items()]
        if options.save:
            measured = {split: numbers | {"command": command} for split, numbers in results.items()}
            config = replace(model.config, results={**model.config.results, **measured})
            hub.write_config(Path(source), config)
    return rows


def _measure(
    accelerator: Accelerator, model: ImageClassifier, data: Data, options: argparse.Namespace
) -> dict[str, dict[str, Any]]:
    model.to(accelerator.device)
    aligned = data.aligned(model.config.label_names)
    results = {}
    for name, split in aligned.splits.items():
        batches, _ = make_batches(
            split,
            CentreView(model.config.preprocess),
            batch_size=options.batch_size,
            workers=options.workers,
        )
        results[name] = evaluate(
            accelerator, model, accelerator.prepare(batches), name
        ).as_results()
    return results


def _command(splits: Sequence[str]) -> str:
    asked = " ".join(f"--split {name}" for name in splits)
    return f"python -m training.evaluate --model FOLDER --data DATA {asked}"


def _print_table(rows: list[dict[str, Any]]) -> None:
    width = max(len(Path(row["model"]).name) for row in rows)
    print(f"{'model':{width}}  {'split':10}  images  accuracy  95 % interval      loss")
    for row in rows:
        print(
            f"{Path(row['model']).name:{width}}  {row['split']:10}  {row['images']:6,}  "
            f"{row['accuracy']:8.2%}  {row['accuracy_low']:.2%} to {row['accuracy_high']:.2%}  "
            f"{row['loss']:.4f}"
        )


if __name__ == "__main__":
    sys.exit(main())
