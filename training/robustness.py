"""Measure how much accuracy classifiers keep on worse pictures of the same things.

    python -m training.robustness --model SOURCE [--model SOURCE] --data DATA
        [--split test] [--json] [--save]

Each picture of the split is changed in one way after another (small, strong JPEG, blurred, dark,
turned, grey, stretched) and classified as ever: Hendrycks and Dietterich 2019 (arXiv:1903.12261),
cut down to what photographs meet on their way to a classifier.
"""

import argparse
import io
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageEnhance, ImageFilter

from hub_models import ImageClassifier, hub
from training.augment import CentreView, Square
from training.command_line import run_script
from training.data import Pictures
from training.measuring import SAVE_NUMBERS, Session, measuring_parser, open_session
from training.metrics import Evaluation
from training.plots import distinct_names
from training.predict import evaluate, in_order
from training.sampler import Key

_SMALL_PX: Final = 48
_JPEG_QUALITY: Final = 10
_BLUR_SHARE: Final = 0.01  # of the shorter side
_LIGHT: Final = 0.25
_STRETCH: Final = 2


def _small(image: Image.Image) -> Image.Image:
    factor = _SMALL_PX / min(image.size)
    width, height = (max(1, round(side * factor)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BOX)


def _strong_jpeg(image: Image.Image) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=_JPEG_QUALITY)
    return Image.open(stream).convert("RGB")


def _blurred(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(_BLUR_SHARE * min(image.size)))


def _stretched(image: Image.Image) -> Image.Image:
    return image.resize((image.width * _STRETCH, image.height), Image.Resampling.BILINEAR)


# Title on the card -> what is done to the upright RGB image.
CHANGES: Final[dict[str, Callable[[Image.Image], Image.Image]]] = {
    "as it is": lambda image: image,
    f"shorter side {_SMALL_PX} px": _small,
    f"JPEG of quality {_JPEG_QUALITY}": _strong_jpeg,
    f"blurred by {_BLUR_SHARE:.0%} of the shorter side": _blurred,
    f"{_LIGHT:.0%} of the light": lambda image: ImageEnhance.Brightness(image).enhance(_LIGHT),
    "turned by 90°": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "grey": lambda image: image.convert("L").convert("RGB"),
    f"stretched {_STRETCH} : 1": _stretched,
}


class ChangedView(CentreView):
    """The evaluation view of a changed picture.

    Args:
        change: One of CHANGES.
        model: Its preprocessing is used.
    """

    def __init__(self, change: str, model: ImageClassifier) -> None:
        super().__init__(model.config.preprocess)
        self.change = change

    def take(self, image: Image.Image, key: Key) -> Square:
        """Change the image, then cut the square that the library cuts.

        Args:
            image: Upright RGB image.
            key: Not used.

        Returns:
            uint8 (3, S, S).
        """
        return super().take(CHANGES[self.change](image), key)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script.

    Args:
        arguments: What was typed after its name; the process's own if None.

    Returns:
        0 done, 1 an error said in one sentence on stderr; wrong usage exits with 2.
    """
    parser = measuring_parser("Measure classifiers on worse pictures.", save=SAVE_NUMBERS)
    parser.add_argument("--split", default="test", help="(%(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    return run_script("robustness", lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    rows = _measure_all(options)
    if rows and options.json:
        print(json.dumps(rows, indent=2))
    elif rows:
        _print_table(rows)


def _measure_all(options: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """Give the rows of each model; none in processes that only help."""
    session = open_session(options, [options.split])
    measured = {}
    for source, model in session.models.items():
        measured[source] = _measure(session, model, options.split)
        if options.save and session.accelerator.is_main_process:
            numbers = {
                **model.config.results.get(options.split, {}),
                "robustness": measured[source],
            }
            results = {**model.config.results, options.split: numbers}
            hub.write_config(Path(source), replace(model.config, results=results))
    return measured if session.accelerator.is_main_process else {}


def _measure(session: Session, model: ImageClassifier, name: str) -> list[dict[str, Any]]:
    accelerator, how = session.accelerator, session.how
    model.to(accelerator.device)
    split = session.counted(model, name)
    rows = []
    for change in CHANGES:
        pictures = Pictures(split, ChangedView(change, model))
        batches = in_order(pictures, batch_size=how.batch_size, workers=how.workers)
        counted = evaluate(accelerator, model, accelerator.prepare(batches), change)
        rows.append({"change": change, **_interval(counted)})
    return rows


def _interval(counted: Evaluation) -> dict[str, Any]:
    kept = ("accuracy", "accuracy_low", "accuracy_high", "images")
    return {key: value for key, value in counted.as_results().items() if key in kept}


def _print_table(measured: dict[str, list[dict[str, Any]]]) -> None:
    names = distinct_names(list(measured))
    width = max(map(len, CHANGES))
    print(f"{'change':{width}}  " + "  ".join(names))
    for number, change in enumerate(CHANGES):
        rows = [rows[number] for rows in measured.values()]
        cells = [f"{row['accuracy']:{len(name)}.2%}" for name, row in zip(names, rows, strict=True)]
        print(f"{change:{width}}  " + "  ".join(cells))


if __name__ == "__main__":
    sys.exit(main())
