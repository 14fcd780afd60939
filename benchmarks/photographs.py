"""JPEGs of natural size for benchmarks: of a folder or data set, or drawn."""

import io
import os
import tempfile
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import pyarrow.parquet
from PIL import Image

from benchmarks.drawn import draw_class_folders
from hub_models.drawn import draw
from hub_models.picture_walk import plan_walk
from training.data import Data, load_data


def read_photographs(data: Path | None, count: int) -> list[bytes]:
    """Give the encoded bytes of some JPEGs in RGB.

    Args:
        data: A folder of pictures, or of parquet files with a column `image`; drawn ones if None.
        count: How many at most.

    Returns:
        The first ones, in the order of their names.
    """
    if data is None:
        return [_encode(seed) for seed in range(count)]
    tables = sorted(data.rglob("*.parquet"))
    if tables:
        found = (
            cell["bytes"]
            for table in tables
            for batch in pyarrow.parquet.ParquetFile(table).iter_batches(64, columns=["image"])
            for cell in batch.column("image").to_pylist()
        )
    else:
        walk = plan_walk([str(data)])
        found = (Path(walk.base, name).read_bytes() for name in walk.names())
    return list(islice(filter(_is_plain, found), count))


def link_photographs(photographs: list[bytes], folder: Path, count: int) -> list[Path]:
    """Write pictures as files, again and again as hard links until there are enough.

    Args:
        photographs: Encoded bytes.
        folder: Made if missing.
        count: How many files.

    Returns:
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:06}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        if number < len(photographs):
            path.write_bytes(photographs[number])
        else:
            os.link(paths[number % len(photographs)], path)
    return paths


def write_split(data: Path | None, folder: Path, counts: Sequence[int]) -> None:
    """Write a training set as class folders, every fifth picture of a class for validation.

    Args:
        data: What `training.load_data` reads; its splits are taken together. Drawn ones if None.
        folder: Gets `train` and `validation`.
        counts: Pictures of each class.

    Raises:
        SystemExit: If a class has fewer.
    """
    with tempfile.TemporaryDirectory() as drawn:
        found = load_data(str(data or draw_class_folders(Path(drawn), 2 * max(counts))))
        written = [0] * len(counts)
        for target, content in _rows(found):
            number = written[target]
            if number < counts[target] and _is_plain(content):
                part = "validation" if number % 5 == 4 else "train"
                path = Path(folder, part, found.label_names[target], f"{number:05}.jpg")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                written[target] += 1
                if written == list(counts):
                    return
    raise SystemExit(f"{data}: has {written} pictures of the classes, not {list(counts)}")


def _rows(data: Data) -> Iterator[tuple[int, bytes]]:
    for split in data.splits.values():
        for target, row in zip(split["target"][:], split.select_columns("image"), strict=True):
            yield target, row["image"]["bytes"] or Path(row["image"]["path"]).read_bytes()


def _encode(seed: int) -> bytes:
    stream = io.BytesIO()
    draw(seed).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def _is_plain(content: bytes) -> bool:
    """Tell whether every peer reads it alike: some turn by EXIF, some do not."""
    with Image.open(io.BytesIO(content)) as image:
        return image.format == "JPEG" and image.mode == "RGB" and not image.getexif()
