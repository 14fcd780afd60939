"""How often a photograph stored upside down gets another answer as bytes than as a PIL image.

    python -m benchmarks.in_memory --data DATA [--images 150] [--orientation 3]

Half a minute. DATA holds photographs of the models' classes (split `test`). Each is stored turned,
with the EXIF orientation that says so; every model is asked about the file's bytes, the image of
Pillow's, and Pillow's image with the tag taken away: what an image was taken for before the tag
counted.
"""

import argparse
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from benchmarks.other_things import load_photographs
from demo.settings import DEFAULT_CARDS
from hub_models import ImageClassifier

_STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def store(image: Image.Image, orientation: int) -> bytes:
    """Write a photograph as a camera does that was held so."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    image.transpose(_STORED[orientation]).save(stream, "JPEG", quality=95, exif=exif)
    return stream.getvalue()


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--images", type=int, default=150)
    parser.add_argument("--orientation", type=int, choices=_STORED, default=3)
    options = parser.parse_args(arguments)
    images = load_photographs(options.data, "test", options.images)
    files = [store(image, options.orientation) for image in images]
    print(f"{len(files)} photographs of orientation {options.orientation}")
    print("| model | other top label, PIL image | other, the tag not read |\n|---|---|---|")
    for folder in sorted(DEFAULT_CARDS.iterdir()):
        if folder.is_dir():
            model = ImageClassifier.from_pretrained(folder)
            as_bytes = _labels(model, files)
            held = [Image.open(io.BytesIO(content)) for content in files]
            untagged = [np.asarray(image) for image in held]
            others = [
                sum(a != b for a, b in zip(as_bytes, _labels(model, way), strict=True))
                for way in (held, untagged)
            ]
            print(f"| {folder.name} | {others[0]} | {others[1]} |", flush=True)


def _labels(model: ImageClassifier, pictures: Sequence[bytes | Image.Image]) -> list[str]:
    return [answer[0].label for answer in model.classify(pictures, top=1)]


if __name__ == "__main__":
    main()
