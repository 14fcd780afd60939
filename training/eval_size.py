"""Find the side at which a trained classifier should see pictures, on validation.

    python -m training.eval_size --model FOLDER --data DATA [--eval_size 112,128,144] [--save]

Objects look smaller in evaluation than in random crops, so a larger side than that of training is
often better, at no cost in training (Touvron et al. 2019, arXiv:1906.06423). The best accuracy
wins, then the lowest loss, then the smaller side. What `--save` writes is the side alone: numbers
measured at another one are dropped, to be measured anew by `training.evaluate --save`.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from hub_models import ImageClassifier, hub
from hub_models.config import PreprocessConfig
from training.answers import answer
from training.command_line import run_script, whole_numbers
from training.measuring import Measuring, measuring_parser, read_options, start
from training.report import Report

_SPLIT = "validation"
_STEP = 16  # px
_SHARES = (0.75, 1.5)  # of the model's own side, without --eval_size


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script.

    Args:
        arguments: What was typed after its name; the process's own if None.

    Returns:
        0 done, 1 an error said in one sentence on stderr; wrong usage exits with 2.
    """
    parser = measuring_parser(
        "Find the best side of evaluation.", save="write the best into the folder"
    )
    parser.add_argument(
        "--eval_size", type=whole_numbers, metavar="PX,PX", help="sides to try (around its own)"
    )
    options = parser.parse_args(arguments)
    return run_script("eval_size", lambda: _run(options))


def at_side(preprocess: PreprocessConfig, side: int) -> PreprocessConfig:
    """Let a model see pictures at another side, the share of a picture that it sees staying.

    Args:
        preprocess: As it is.
        side: Of the square it sees, in pixels.

    Returns:
        As it would be.

    Raises:
        ConfigError: If the side is out of range.
    """
    resize = round(preprocess.resize * side / preprocess.crop)
    return replace(preprocess, crop=side, resize=max(side, resize))


def _run(options: argparse.Namespace) -> None:
    how = read_options(options)
    for source in options.model:  # each with the split of its own run
        _find(source, how, options.eval_size, is_saved=options.save)


def _find(source: str, how: Measuring, asked: list[int] | None, *, is_saved: bool) -> None:
    model = ImageClassifier.from_pretrained(source)
    config = model.config
    sides = asked or _around(config.preprocess.crop)
    candidates = {side: at_side(config.preprocess, side) for side in sides}
    session = start(how, {source: model}, [_SPLIT], is_saved=is_saved)
    split = session.counted(model, _SPLIT)
    found = {}
    for side, preprocess in candidates.items():
        model.config = replace(config, preprocess=preprocess)
        logits = answer(session, model, split, f"{side} px")
        found[side] = Report(config.label_names, logits, np.array(split["target"])).evaluation
    if not session.accelerator.is_main_process:
        return
    best = min(found, key=lambda side: (-found[side].accuracy, found[side].loss, side))
    print(f"{source}, {_SPLIT}, {len(split):,} pictures\n  px  accuracy    loss")
    for side, evaluation in found.items():
        mark = "  best" if side == best else ""
        print(f"{side:4}  {evaluation.accuracy:8.2%}  {evaluation.loss:.4f}{mark}")
    if is_saved and best != config.preprocess.crop:
        preprocess = candidates[best]
        hub.write_config(Path(source), replace(config, preprocess=preprocess, results={}, costs={}))


def _around(side: int) -> list[int]:
    low, high = (round(side * share / _STEP) * _STEP for share in _SHARES)
    return sorted({side, *range(max(_STEP, low), high + 1, _STEP)})


if __name__ == "__main__":
    sys.exit(main())
