"""What a wide-gamut colour profile does to answers when it is left out, and when it is applied.

    python -m benchmarks.wide_gamut --data DATA [--images 600]

About five minutes. DATA holds photographs of the models' classes (split `test`). Each is written
again in the colours of Display P3 (phones) and of Adobe RGB (cameras), as a lossless PNG, so that
it shows the same to a person; then every model answers for the pixels as they are stored and for
the pixels turned back to sRGB. Both are compared with the answer for the photograph itself, and
with what it shows. The last line is what turning back costs: on a photograph of 12 megapixels, as
it is decoded here, against decoding it.
"""

import argparse
import io
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from statistics import median
from typing import Final

import numpy as np
import torch
from datasets import Image as ImageColumn
from datasets import load_dataset
from PIL import Image, ImageCms

from demo.settings import DEFAULT_CARDS
from hub_models import ImageClassifier, ImageError, load_image
from hub_models.prediction import softmax

# Columns of X, Y, Z of red, green and blue, adapted to D50 as profiles want them
_DISPLAY_P3: Final = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
_ADOBE_RGB: Final = ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446))
_SRGB_CURVE: Final = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_ADOBE_CURVE: Final = (2.19921875, 1.0, 0.0, 0.0, 0.0)
PROFILES: Final = {
    "Display P3": (_DISPLAY_P3, _SRGB_CURVE),
    "Adobe RGB": (_ADOBE_RGB, _ADOBE_CURVE),
}


def make_profile(name: str) -> bytes:
    """Write the ICC profile of a colour space with three primaries and one curve.

    Args:
        name: One of PROFILES.

    Returns:
        A version 4 profile, as `Image.save(icc_profile=...)` takes it.
    """
    primaries, curve = PROFILES[name]
    text = name.encode("utf-16-be")
    words = b"mluc" + struct.pack(">4xII2s2sII", 1, 12, b"en", b"US", len(text), 28) + text
    tags = {b"desc": words, b"cprt": words, b"wtpt": _xyz((0.9642, 1.0, 0.8249))}
    for colour, primary in zip(b"rgb", primaries, strict=True):
        tags[bytes([colour]) + b"XYZ"] = _xyz(primary)
        tags[bytes([colour]) + b"TRC"] = b"para" + struct.pack(">4xH2x", 3) + _fixed(curve)
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, content in tags.items():
        table += tag + struct.pack(">II", start + len(body), len(content))
        body += content + b"\0" * (-len(content) % 4)
    header = struct.pack(">I4xI", start + len(body), 0x04300000) + b"mntrRGB XYZ " + b"\0" * 12
    header += b"acsp" + b"\0" * 28 + _fixed((0.9642, 1.0, 0.8249)) + b"\0" * 48
    return header + struct.pack(">I", len(tags)) + table + body


def _xyz(value: Sequence[float]) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(value)


def _fixed(values: Sequence[float]) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def convert(image: Image.Image, source: bytes | None, target: bytes | None) -> Image.Image:
    """Convert an image between profiles; None is sRGB."""
    profiles = [
        ImageCms.ImageCmsProfile(io.BytesIO(profile)) if profile else ImageCms.createProfile("sRGB")
        for profile in (source, target)
    ]
    converted = ImageCms.profileToProfile(image, *profiles)
    assert converted is not None
    return converted


@torch.inference_mode()
def probabilities(model: ImageClassifier, images: Sequence[Image.Image]) -> np.ndarray:
    """Compute (N, C) probabilities."""
    logits = [model(model.pixels(image).unsqueeze(0))[0] for image in images]
    return softmax(torch.stack(logits).double().numpy() / model.config.temperature)


def load_labelled(data: str, count: int) -> tuple[list[Image.Image], list[str]]:
    """Read photographs evenly from the split `test`, with what each shows."""
    rows = load_dataset(data, split="test").cast_column("image", ImageColumn(decode=False))
    column = next(name for name in rows.column_names if name.startswith("label"))
    images, labels = [], []
    for index in np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int):
        row = rows[int(index)]
        with suppress(ImageError):
            images.append(load_image(row["image"]["bytes"]))
            labels.append(rows.features[column].int2str(row[column]))
    return images, labels


def time_conversion(photograph: Image.Image) -> str:
    """Say what a wide-gamut photograph of 12 megapixels takes, with and without its profile."""
    icc = make_profile("Display P3")
    stream = io.BytesIO()
    photograph.resize((4032, 3024)).save(stream, "JPEG", quality=90)
    decode_s, convert_s = [], []
    for _ in range(7):
        start = time.perf_counter()
        image = load_image(stream.getvalue())
        decoded = time.perf_counter()
        convert(image, icc, None)
        decode_s.append(decoded - start)
        convert_s.append(time.perf_counter() - decoded)
    took = f"{1000 * median(decode_s):.0f} ms to decode, {1000 * median(convert_s):.0f} more"
    return f"{took} to convert, at {image.width} × {image.height}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--images", type=int, default=600)
    options = parser.parse_args(arguments)
    images, labels = load_labelled(options.data, options.images)
    print(f"{len(images)} photographs")
    print("| model | profile | pixels | right | other top label | off by, mean | most |")
    print("|---|---|---|---|---|---|---|")
    for folder in sorted(DEFAULT_CARDS.iterdir()):
        if not folder.is_dir():
            continue
        model = ImageClassifier.from_pretrained(folder)
        names = np.array(model.config.label_names)
        itself = probabilities(model, images)
        for profile, way, pictures in [("-", "sRGB", images), *_ways(images)]:
            found = probabilities(model, pictures)
            right = int((names[found.argmax(1)] == labels).sum())
            others = int((found.argmax(1) != itself.argmax(1)).sum())
            off = np.abs(found - itself).max(axis=1)
            cells = f"{right} | {others} | {off.mean():.4f} | {off.max():.3f}"
            print(f"| {folder.name} | {profile} | {way} | {cells} |", flush=True)
    print(time_conversion(images[0]))


def _ways(images: Sequence[Image.Image]) -> Iterator[tuple[str, str, list[Image.Image]]]:
    for profile in PROFILES:
        icc = make_profile(profile)
        stored = [convert(image, None, icc) for image in images]
        yield profile, "as stored", stored
        yield profile, "to sRGB", [convert(image, icc, None) for image in stored]


if __name__ == "__main__":
    main()
