"""How well a model's own numbers tell its classes from other things; writes the page's thresholds.

    python -m benchmarks.other_things --data DATA [--images 600] [--write]

DATA holds photographs of the models' classes (splits `validation` and `test`). The other things are
what scikit-image, scikit-learn and matplotlib bring with them (photographs, scans, microscopy,
textures; not their cat), and noise and flat colours drawn here: few, and no other animals, so the
shares say what to expect of such pictures and not of every picture. A threshold is the value under
which 5 % of the validation photographs lie; no other thing chooses it. `--write` puts that of the
top probability into demo/other_things.json for models that flag half of the other things by it.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from demo.engine import digest_weights
from demo.loader import find_embedded
from demo.other_things import THRESHOLDS
from demo.settings import DEFAULT_CARDS
from hub_models import ImageClassifier, ImageError, load_image
from hub_models.prediction import softmax

FALSE_ALARMS: Final = 0.05
USEFUL_SHARE: Final = 0.5
SIDE_PX: Final = 320  # of what is drawn here
Values = NDArray[np.float64]
# Each takes logits (N, C) and pooled features (N, K) to (N,); high means "one of the classes".
NUMBERS: Final[dict[str, Callable[[Values, Values], Values]]] = {
    "top probability": lambda logits, pooled: softmax(logits).max(axis=1),
    "largest logit": lambda logits, pooled: logits.max(axis=1),
    "energy": lambda logits, pooled: np.logaddexp.reduce(logits, axis=1),
    "feature norm": lambda logits, pooled: np.linalg.norm(pooled, axis=1),
}
_SKIMAGE: Final = {
    "photograph": "astronaut camera clock_motion coffee coins motorcycle_left rocket",
    "scan, sky, microscope": "cell hubble_deep_field ihc microaneurysms moon page retina text",
    "texture, drawing": "brick chessboard_RGB color grass gravel horse logo phantom",
}


def load_other_things() -> dict[str, list[Image.Image]]:
    """Read what the installed packages bring, and draw noise and flat colours.

    Returns:
        Kind -> upright RGB images.
    """
    import matplotlib
    import skimage
    import sklearn

    data = Path(skimage.__file__).parent / "data"
    kinds = {
        kind: [load_image(next(data.glob(f"{name}.*"))) for name in names.split()]
        for kind, names in _SKIMAGE.items()
    }
    photographs = [
        *sorted((Path(sklearn.__file__).parent / "datasets" / "images").glob("*.jpg")),
        Path(matplotlib.get_data_path(), "sample_data", "grace_hopper.jpg"),
    ]
    kinds["photograph"] += [load_image(path) for path in photographs]
    kinds["noise"] = list(_noise())
    colours = ("black", "white", "grey", "red", "green", "blue", "orange", "skyblue")
    kinds["flat colour"] = [Image.new("RGB", (SIDE_PX, SIDE_PX), colour) for colour in colours]
    return kinds


def _noise() -> Iterator[Image.Image]:
    levels = np.random.default_rng(0)
    for side in (4, 8, 16, 40, 80, 160, SIDE_PX, SIDE_PX):
        noise = Image.fromarray(levels.integers(0, 256, (side, side, 3), dtype=np.uint8))
        yield noise.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC)


def load_photographs(data: str, split: str, images: int) -> list[Image.Image]:
    """Read photographs of the models' classes, evenly from a whole split.

    Args:
        data: A hub data set id or a local data set folder.
        split: Its name.
        images: At most so many.

    Returns:
        Upright RGB images.
    """
    from datasets import Image as ImageColumn
    from datasets import load_dataset

    rows = load_dataset(data, split=split).cast_column("image", ImageColumn(decode=False))
    picked = np.linspace(0, len(rows) - 1, min(images, len(rows))).astype(int)
    found = []
    for index in picked:
        try:
            found.append(load_image(rows[int(index)]["image"]["bytes"]))
        except ImageError:
            continue
    return found


@torch.inference_mode()
def measure(model: ImageClassifier, images: list[Image.Image]) -> dict[str, Values]:
    """Measure each image by every number.

    Args:
        model: In evaluation mode.
        images: N upright RGB images.

    Returns:
        Name of the number -> (N,).
    """
    pooled = []
    for image in images:
        features = model.feature_map(model.pixels(image).unsqueeze(0))  # (1, K, h, w)
        pooled.append(features.mean(dim=(2, 3)))
    batch = torch.cat(pooled)  # (N, K)
    logits = model.head(batch).double().numpy() / model.config.temperature  # (N, C)
    return {name: number(logits, batch.double().numpy()) for name, number in NUMBERS.items()}


def area(high: Values, low: Values) -> float:
    """Compute how often a random value of `high` lies above one of `low`; ties count half."""
    return float((high[:, None] > low).mean() + (high[:, None] == low).mean() / 2)


def main() -> None:
    """Measure every embedded model, print the table, write the thresholds if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--images", type=int, default=600, help="of each split")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    others = load_other_things()
    usual = {
        split: load_photographs(options.data, split, options.images)
        for split in ("validation", "test")
    }
    counts = ", ".join(f"{len(images)} {split}" for split, images in usual.items())
    print(f"{counts} photographs\n\n| model | number | below | area | test", end=" | ")
    print(" | ".join(others), "| all |")
    print("|---" * (6 + len(others)) + "|")
    thresholds: dict[str, Any] = {}
    for name, folder in find_embedded(DEFAULT_CARDS).items():
        model = ImageClassifier.from_pretrained(folder)
        values = {kind: measure(model, images) for kind, images in (usual | others).items()}
        (below, flagged), *_ = [_print_row(name, number, values) for number in NUMBERS]
        if flagged >= USEFUL_SHARE:
            thresholds[digest_weights(model)] = {
                "model": name,
                "temperature": model.config.temperature,
                "below": round(below, 4),
            }
    if options.write:
        THRESHOLDS.write_text(json.dumps(thresholds, indent=2) + "\n", encoding="utf-8")


def _print_row(name: str, number: str, values: dict[str, dict[str, Values]]) -> tuple[float, float]:
    """Print one line of the table; return the threshold and the share of other things under it."""
    usual, test, *others = (kind[number] for kind in values.values())
    below = float(np.quantile(usual, FALSE_ALARMS))
    every = np.concatenate(others)
    cells = [f"{(kind < below).sum()}/{len(kind)}" for kind in [test, *others, every]]
    row = [name, number, f"{below:.4g}", f"{area(test, every):.3f}", *cells]
    print(f"| {' | '.join(row)} |", flush=True)
    return below, float((every < below).mean())


if __name__ == "__main__":
    main()
