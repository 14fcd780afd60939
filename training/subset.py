"""Draw fewer training photographs once, so that several runs train on the same ones.

    python -m training.subset --data DATA --images 3575 --validation_fraction 0.2 --out SPLIT.json

The file holds rows of DATA's `train`, every class with its share of them, divided into train and
validation; `test` stays as it is. `--split_file SPLIT.json` gives them to a run or a study.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

from hub_models.errors import ConfigError
from training.command_line import run_script
from training.data import Data, load_data
from training.run_folder import write_text
from training.split import Part, render_split


def draw_subset(data: Data, images: int, validation_fraction: float, seed: int) -> dict[str, Part]:
    """Draw rows of train, and divide them.

    Args:
        data: With the split train.
        images: How many, train and validation together.
        validation_fraction: Share of them that becomes validation.
        seed: Of the draw.

    Returns:
        Parts for train and validation, and the data's own test if there is one.

    Raises:
        ConfigError: If train has not so many, or a class would get none.
    """
    part, targets = data.parts["train"], np.array(data.splits["train"]["target"])
    count, positions = len(targets), np.arange(len(targets))
    if not 0 < images <= count:
        raise ConfigError(f"--images must be from 1 to {count:,} of train, not {images:,}")
    try:
        if images < count:
            positions, _ = train_test_split(
                positions, train_size=images, stratify=targets, random_state=seed
            )
        halves = train_test_split(
            positions,
            test_size=validation_fraction,
            stratify=targets[positions],
            random_state=seed,
        )
    except ValueError as error:
        raise ConfigError(f"--images {images}: cannot be drawn and divided ({error})") from error
    names = ("train", "validation")
    drawn = {n: part.keep(np.sort(half)) for n, half in zip(names, halves, strict=True)}
    return drawn | {name: data.parts[name] for name in ("test",) if name in data.parts}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script.

    Args:
        arguments: What was typed after its name; the process's own if None.

    Returns:
        0 done, 1 an error said in one sentence on stderr; wrong usage exits with 2.
    """
    parser = argparse.ArgumentParser(description="Draw a smaller training set.")
    parser.add_argument("--data", required=True, help="hub id, data set folder or class folders")
    parser.add_argument("--images", type=int, required=True, help="train and validation together")
    parser.add_argument("--validation_fraction", type=float, default=0.1, help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, metavar="SPLIT.json")
    options = parser.parse_args(arguments)

    def work() -> None:
        data = load_data(options.data)
        parts = draw_subset(data, options.images, options.validation_fraction, options.seed)
        write_text(options.out, render_split(parts))
        print(", ".join(f"{name} {len(part.indices()):,}" for name, part in parts.items()))

    return run_script("subset", work)


if __name__ == "__main__":
    sys.exit(main())
