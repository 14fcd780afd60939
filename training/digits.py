"""scikit-learn's handwritten digits to class folders: a grey data set that needs no network.

    python -m training.digits DIGITS

1,797 pictures of 8 × 8 px (Alpaydin and Kaynak 1998, UCI, CC BY 4.0) become
DIGITS/train/0 … 9 and DIGITS/test/0 … 9: a fifth of every class, drawn with seed 0, is held out.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from hub_models.errors import ConfigError
from training.command_line import run_script

HELD_OUT: Final = 0.2
SEED: Final = 0
_MAX_LEVEL: Final = 16  # of scikit-learn's copy


def write_digits(folder: Path) -> dict[str, int]:
    """Write the pictures as PNG files of 8-bit grey levels.

    Args:
        folder: Must not exist yet, or be empty.

    Returns:
        How many pictures each split has.

    Raises:
        ConfigError: If there is something in the folder, or it cannot be written.
    """
    digits = load_digits()
    rows = np.arange(len(digits.target))
    train, test = train_test_split(
        rows, test_size=HELD_OUT, random_state=SEED, stratify=digits.target
    )
    levels = np.round(digits.images * (255 / _MAX_LEVEL)).astype(np.uint8)  # (N, 8, 8)
    splits = {"train": sorted(train), "test": sorted(test)}
    try:
        if folder.is_dir() and any(folder.iterdir()):
            raise ConfigError(f"{folder} is not empty; name a folder that is not there yet")
        for split, chosen in splits.items():
            for row in chosen:
                path = folder / split / str(digits.target[row]) / f"{row:04}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(levels[row]).save(path)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written ({error})") from error
    return {split: len(chosen) for split, chosen in splits.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script.

    Args:
        arguments: What was typed after its name; the process's own if None.

    Returns:
        0 done, 1 an error said in one sentence on stderr; wrong usage exits with 2.
    """
    parser = argparse.ArgumentParser(description="Write handwritten digits as class folders.")
    parser.add_argument("folder", type=Path, metavar="DIGITS", help="to be made")
    folder = parser.parse_args(arguments).folder

    def work() -> None:
        counts = write_digits(folder)
        print(f"{folder}: " + ", ".join(f"{split} {count:,}" for split, count in counts.items()))

    return run_script("digits", work)


if __name__ == "__main__":
    sys.exit(main())
