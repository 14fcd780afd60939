"""JPEGs of natural size for benchmarks: of a folder or data set, or drawn."""

import io
import os
from itertools import islice
from pathlib import Path

import pyarrow.parquet
from PIL import Image

from hub_models.drawn import draw
from hub_models.picture_walk import plan_walk


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


def _encode(seed: int) -> bytes:
    stream = io.BytesIO()
    draw(seed).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def _is_plain(content: bytes) -> bool:
    """Tell whether every peer reads it alike: some turn by EXIF, some do not."""
    with Image.open(io.BytesIO(content)) as image:
        return image.format == "JPEG" and image.mode == "RGB" and not image.getexif()
