"""Pictures decoded and resized once, in a memory-mapped file of 8-bit levels.

One Arrow file per split, named by the pictures and by what is done to them; written by the main
process, on all cores, in memory that does not grow, and mapped by all.
"""

import os
import shutil
import time
import zlib
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

import datasets
import PIL
import pyarrow as pa
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from PIL import Image

from hub_models.errors import ConfigError
from hub_models.image_modes import to_rgb
from hub_models.machine import cache_folder
from training.cache import cache_name
from training.data import Data, decode
from training.reduction import Reduction
from training.scan import in_threads, scan

_FORMAT: Final = 1  # part of every file's name: changes when the meaning of a file does
_ROWS: Final = 64  # pictures of a record batch, and in flight while writing: bounds the memory
_ABANDONED_S: Final = 3600  # a half-written file nobody has written to for so long is deleted
_GIB: Final = 2**30
_SCHEMA: Final = pa.schema(
    {
        "levels": pa.large_binary(),  # height × width × 3 bytes, rows from the top, RGB
        "width": pa.int32(),
        "height": pa.int32(),
        "checksum": pa.uint32(),  # of all three
    }
)


class PixelCache:
    """The pictures of a split as they are stored.

    Args:
        path: What `pixel_caches` wrote.

    Raises:
        OSError: If the file is not there or not whole.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
            table.validate(full=True)  # a damaged offset would point outside of the file
            levels, *numbers = (table.column(name) for name in _SCHEMA.names)
        except (pa.ArrowException, KeyError) as error:
            raise OSError(f"{path} is no pixel cache ({error})") from error
        self._levels = levels.chunks  # maps of the file, _ROWS pictures each
        self._numbers = [column.to_numpy() for column in numbers]

    def __len__(self) -> int:
        return len(self._numbers[0])

    def __getitem__(self, index: int) -> Image.Image:
        width, height, _ = self._of(index)
        return Image.frombuffer("RGB", (width, height), self._levels_of(index), "raw", "RGB", 0, 1)

    def __reduce__(self) -> tuple[type["PixelCache"], tuple[Path]]:
        return PixelCache, (self.path,)  # another process maps the file; it is not sent the pixels

    def is_intact(self, index: int) -> bool:
        """Tell whether a picture is what was written."""
        width, height, checksum = self._of(index)
        return _checksum(self._levels_of(index), width, height) == checksum

    def _of(self, index: int) -> tuple[int, int, int]:
        width, height, checksum = (int(column[index]) for column in self._numbers)
        return width, height, checksum

    def _levels_of(self, index: int) -> Any:
        return self._levels[index // _ROWS][index % _ROWS].as_buffer()


def pixel_caches(
    accelerator: Accelerator, data: Data, reductions: Mapping[str, Reduction], *, budget_gib: float
) -> dict[str, PixelCache] | None:
    """Give the stored pictures of some splits, storing them first where they are not.

    Args:
        accelerator: Its main process writes; the others wait and map the files.
        data: With those splits.
        reductions: By split, what is done to each picture before it is stored.
        budget_gib: What the files may take together, in GiB.

    Returns:
        A cache by split; None, and a sentence is printed, if they do not fit.

    Raises:
        ConfigError: If this process does not see the files.
    """
    box: list[Any] = [None]
    if accelerator.is_main_process:
        box = [_prepare(data, reductions, budget_gib)]
    broadcast_object_list(box)
    if isinstance(box[0], str):
        accelerator.print(f"no pixel cache: {box[0]}")
        return None
    try:
        return {name: PixelCache(path) for name, path in box[0].items()}
    except OSError as error:
        raise ConfigError(
            f"pixel_cache_gib needs a cache folder that all machines share; {error}"
        ) from error


def _prepare(
    data: Data, reductions: Mapping[str, Reduction], budget_gib: float
) -> dict[str, Path] | str:
    """Write what is missing; give the files, or why there are none."""
    sizes = {name: _bytes_of(data, name, reduction) for name, reduction in reductions.items()}
    total = sum(sizes.values()) / _GIB
    if total > budget_gib:
        return f"it would take {total:.3g} GiB, pixel_cache_gib allows {budget_gib:.3g} GiB"
    folder = cache_folder("pixels")
    paths = {}
    for name, reduction in reductions.items():
        made = repr((_FORMAT, PIL.__version__, reduction)).encode()
        paths[name] = folder / f"{cache_name(data.splits[name], made)}.arrow"
    missing = [n for n, path in paths.items() if not _is_whole(path, n, len(data.splits[n]))]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free / _GIB
        needed = sum(sizes[name] for name in missing) / _GIB
        if needed > free:
            return f"it would take {needed:.3g} GiB, {folder} has {free:.3g} GiB free"
        for name in missing:
            _write(paths[name], data.splits[name], reductions[name], title=f"storing {name}")
    except OSError as error:
        return f"it cannot be written ({error})"
    return paths


def _bytes_of(data: Data, name: str, reduction: Reduction) -> int:
    """Count the bytes of a split's levels, from the sizes in the headers the audit remembers."""
    part = data.parts[name]
    rows = part.indices()
    facts = scan(part.table, rows, title=f"reading {name}").facts
    sizes = zip(facts["width"][rows].tolist(), facts["height"][rows].tolist(), strict=True)
    reduced = (reduction.size(size) for size in sizes if min(size) > 0)
    return sum(3 * width * height for width, height in reduced)


def _is_whole(path: Path, name: str, count: int) -> bool:
    try:
        cache = PixelCache(path)
    except OSError:
        return False
    title = f"checking {name}"
    intact = in_threads(cache.is_intact, range(len(cache)), title=title, quiet=False)
    return len(cache) == count and all(intact)


def _write(path: Path, split: datasets.Dataset, reduction: Reduction, *, title: str) -> None:
    for other in path.parent.glob(f"{path.stem}.*.writing"):
        with suppress(FileNotFoundError):
            if time.time() - other.stat().st_mtime > _ABANDONED_S:
                other.unlink()
    row = partial(_row, split, reduction)
    rows = in_threads(row, range(len(split)), title=title, quiet=False, block=_ROWS)
    temporary = path.with_suffix(f".{os.getpid()}.writing")
    try:
        with pa.OSFile(str(temporary), "wb") as file, pa.ipc.new_file(file, _SCHEMA) as writer:
            while block := list(islice(rows, _ROWS)):
                writer.write_batch(pa.RecordBatch.from_pylist(block, _SCHEMA))
        with open(temporary, "rb+") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _row(split: datasets.Dataset, reduction: Reduction, index: int) -> dict[str, Any]:
    image = to_rgb(reduction(decode(split[index]["image"])))
    levels = image.tobytes()
    return {
        "levels": levels,
        "width": image.width,
        "height": image.height,
        "checksum": _checksum(levels, image.width, image.height),
    }


def _checksum(levels: Any, width: int, height: int) -> int:
    return zlib.crc32(levels, zlib.crc32(b"%d %d" % (width, height)))
