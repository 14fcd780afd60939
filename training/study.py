"""Train every variant of a study with every seed, and say how far the seeds alone move it.

    python -m training.study --study training/studies/X.toml --data DATA --out STUDY
        [--split test] [--key value ...]

A study is a recipe, seeds, and variants: a name and the recipe's keys it changes. What is typed as
`--key value` holds for all runs. STUDY gets a run folder per variant and seed, study.json,
study.md (the table that is printed) and curves.png (each variant's first seed). Typed again it
skips what is finished and resumes what was stopped. Also under `accelerate launch`.
"""

import argparse
import json
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

if __package__ in (None, ""):  # run as a file: imports start at the root, not in this folder
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import numpy as np
from scipy.stats import t as student

from hub_models import ImageClassifier
from hub_models.config import abbreviated
from hub_models.errors import ConfigError, named
from hub_models.profile import count_macs, count_parameters
from hub_models.strict_object import read_object
from training.accelerator import make_accelerator
from training.answers import answer
from training.command_line import recipe_arguments, run_script
from training.config import Recipe, read_recipe
from training.data import load_data
from training.figures import save_figure
from training.finetune import finetune
from training.interrupt import Interrupt
from training.measuring import Measuring, start
from training.metrics import Evaluation
from training.plots import Run, draw_curves, read_rows
from training.report import Report
from training.resume import resumed_recipe
from training.run_folder import write_text
from training.state import has_state

RESULT_FILE: Final = "measured.json"  # in a run's folder once it is trained and measured


@dataclass(frozen=True)
class _Head:
    """The file, but for its variants, whose keys are the recipe's."""

    recipe: str
    seeds: tuple[Annotated[int, 0, 2**31], ...]


@dataclass(frozen=True)
class Study:
    """What is trained.

    Attributes:
        recipe: The file that all runs begin with.
        seeds: At least one.
        variants: Name -> keys of the recipe, as that variant has them.
    """

    recipe: Path
    seeds: tuple[int, ...]
    variants: dict[str, dict[str, Any]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script.

    Args:
        arguments: What was typed after its name; the process's own if None.

    Returns:
        0 done, 1 an error said in one sentence on stderr, 128 + n when signal n stopped it; wrong
        usage exits with 2.
    """
    parser = argparse.ArgumentParser(description="Train variants × seeds.", allow_abbrev=False)
    parser.add_argument("--study", type=Path, required=True, metavar="FILE.toml")
    parser.add_argument("--split", default="test", help="that is measured (%(default)s)")
    recipe_arguments(parser)
    options = vars(parser.parse_args(arguments))
    path, split = options.pop("study"), options.pop("split")

    def work() -> int:
        if "out" not in options or "seed" in options:
            raise ConfigError("--out STUDY is needed; seeds stand in the study's file")
        return run_study(read_study(path), split, options)

    return run_script("study", work)


def read_study(path: Path) -> Study:
    """Read a study's file.

    Args:
        path: TOML file; its recipe's path counts from its folder.

    Returns:
        The study; whether its keys are the recipe's shows when they are used.

    Raises:
        ConfigError: If it cannot be read, or a key is unknown, missing or has a wrong value.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: not a readable study ({error})") from error
    with named(path):
        variants = content.pop("variants", {})
        head = read_object(_Head, content)
        if not head.seeds or len(set(head.seeds)) < len(head.seeds):
            raise ConfigError(f"seeds must be different numbers, not {abbreviated(head.seeds)}")
        if not isinstance(variants, dict) or not variants:
            raise ConfigError("variants must be tables, such as [variants.wide]")
        for name, keys in variants.items():
            if not isinstance(keys, dict) or Path(name).name != name or {"seed", "out"} & set(keys):
                raise ConfigError(
                    f"variants: {name!r} must be a folder's name, of a table without seed and out"
                )
    return Study(path.parent / head.recipe, head.seeds, variants)


def run_study(study: Study, split: str, options: dict[str, Any]) -> int:
    """Train and measure what is not finished yet, then write the table and the curves.

    Args:
        study: What is trained.
        split: That is measured.
        options: Typed keys of the recipe, for all runs; `out` is the study's folder.

    Returns:
        0 done, 128 + n when signal n stopped it.
    """
    out = Path(options["out"])
    plan = [
        (name, seed, out / name / f"seed-{seed}") for name in study.variants for seed in study.seeds
    ]
    recipes = []
    for name, seed, run in plan:  # all of them before the first is trained
        asked = {**study.variants[name], **options, "seed": seed, "out": str(run)}
        is_begun = has_state(run) or (run / RESULT_FILE).exists()
        recipes.append((resumed_recipe if is_begun else read_recipe)(study.recipe, asked))
    first = recipes[0]
    data = load_data(first.data, image_column=first.image_column, label_column=first.label_column)
    data.only([split])  # is there one? now, not after hours of training
    for (name, seed, run), recipe in zip(plan, recipes, strict=True):
        if (run / RESULT_FILE).exists():
            continue
        if make_accelerator().is_main_process:
            print(f"{name}, seed {seed}", flush=True)
        received = _train(run, recipe)
        if received is not None:
            return 128 + received
        _evaluate(run, recipe, split)
    if make_accelerator().is_main_process:
        _write(study, out, split)
    return 0


def _train(run: Path, recipe: Recipe) -> int | None:
    """Train or go on; give the signal that stopped it."""
    with Interrupt() as interrupt:
        command = "python -m training.study --study FILE --data DATA --out STUDY"
        finetune(recipe, command, interrupt, resume=has_state(run))
    return interrupt.received


def _evaluate(run: Path, recipe: Recipe, split: str) -> None:
    how = Measuring(
        recipe.data,
        image_column=recipe.image_column,
        label_column=recipe.label_column,
        batch_size=recipe.batch_size,
        workers=recipe.workers,
    )
    source = str(run / "checkpoint")
    model = ImageClassifier.from_pretrained(source)
    session = start(how, {source: model}, [split])
    accelerator, rows = session.accelerator, session.labelled(model, split)
    logits = answer(session, model, rows, f"{run.parent.name}: {split}")
    targets = np.array(rows["target"])
    found: Evaluation = Report(model.config.label_names, logits, targets).evaluation
    result = {"split": split, **found.as_results(), "seconds": read_rows(run)[-1]["seconds"]}
    if accelerator.is_main_process:
        write_text(run / RESULT_FILE, json.dumps(result, indent=2) + "\n")
    accelerator.wait_for_everyone()


def _write(study: Study, out: Path, split: str) -> None:
    rows = [_summary(name, out / name, study.seeds, split) for name in study.variants]
    write_text(out / "study.json", json.dumps(rows, indent=2) + "\n")
    table = _table(rows, split)
    write_text(out / "study.md", table)
    curves = [
        Run(name, read_rows(out / name / f"seed-{study.seeds[0]}")) for name in study.variants
    ]
    save_figure(draw_curves(curves), out / "curves.png")
    print(table, end="")


def _summary(name: str, folder: Path, seeds: Sequence[int], split: str) -> dict[str, Any]:
    """Give a variant's numbers over its seeds; deviation and interval need two."""
    runs = [folder / f"seed-{seed}" for seed in seeds]
    measured = [json.loads((run / RESULT_FILE).read_text(encoding="utf-8")) for run in runs]
    for run, result in zip(runs, measured, strict=True):
        if result["split"] != split:
            raise ConfigError(f"{run / RESULT_FILE}: measured on {result['split']}, not on {split}")
    config = ImageClassifier.from_pretrained(runs[0] / "checkpoint").config
    accuracies = np.array([result["accuracy"] for result in measured])
    summary = {
        "variant": name,
        "architecture": config.architecture,
        "seeds": list(seeds),
        "split": split,
        "images": measured[0]["images"],
        "accuracies": accuracies.tolist(),
        "mean": float(accuracies.mean()),
        "parameters": count_parameters(config)["total"],
        "macs": count_macs(config),
        "seconds": float(np.mean([result["seconds"] for result in measured])),
    }
    if len(seeds) > 1:
        deviation = float(accuracies.std(ddof=1))
        spread = float(student.ppf(0.975, len(seeds) - 1)) * deviation / len(seeds) ** 0.5
        summary |= {"deviation": deviation, "interval": spread}
    return summary


def _table(rows: Sequence[dict[str, Any]], split: str) -> str:
    lines = [
        f"| variant | seeds | accuracy, {split} | standard deviation | 95 % interval of the mean "
        "| parameters | MACs | training |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        deviation = interval = "-"
        if "deviation" in row:
            deviation = f"{100 * row['deviation']:.2f} points"
            interval = f"± {100 * row['interval']:.2f} points"
        lines.append(
            f"| {row['variant']} | {len(row['seeds'])} | {row['mean']:.2%} | {deviation} "
            f"| {interval} | {row['parameters']:,} | {row['macs']:,} | {row['seconds']:.0f} s |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
