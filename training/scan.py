"""One decoding pass over pictures: what each is, or why it cannot be read; remembered on disk."""

import hashlib
import io
import json
import os
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import datasets
import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import ImageFile
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from tqdm import tqdm

from hub_models.errors import ImageError
from hub_models.image import DEFAULT_LIMITS
from hub_models.image_file import without_metadata
from hub_models.image_kinds import FIRST_BYTES, FORMATS, kind_of, open_kind
from hub_models.image_modes import read_orientation
from hub_models.machine import usable_cores
from training.data import decode
from training.duplicates import perceptual_hash

_Outcome = TypeVar("_Outcome")
_VERSION: Final = 2  # of what is remembered: raise it when a fact changes its meaning
_16_BITS: Final = re.compile(r";16|, 65535\)")  # of PNG and TIFF, of PPM
_QUARTER: Final = 64  # of the 256 levels that a model sees
_BLOCK: Final = 1024  # pictures handed to the threads at once: bounds the memory
_FACTS: Final = {
    "known": np.bool_,  # decoded, or tried to
    "hash": np.uint64,  # perceptual
    "digest": np.uint64,  # of the file's bytes
    "width": np.int32,  # upright, px
    "height": np.int32,
    "format": np.uint8,  # index into FORMATS
    "turned": np.bool_,  # by its EXIF orientation
    "dim": np.bool_,  # of 16 bits, and no value reaches a quarter of them
}


@dataclass(frozen=True)
class Scan:
    """What is known of the pictures of a table.

    Attributes:
        facts: Arrays of one value per row; those of an unreadable picture are 0.
        problems: Row to why its picture cannot be read.
    """

    facts: dict[str, NDArray[Any]]
    problems: dict[int, str]


def scan(
    table: datasets.Dataset, rows: NDArray[np.int64], *, title: str = "", quiet: bool = False
) -> Scan:
    """Decode pictures in full, those that were not decoded before.

    `Image.verify` would not do: it finds nothing wrong with a JPEG cut in half.

    Args:
        table: With the column `image`, undecoded.
        rows: The pictures that are asked for.
        title: Of the progress bar.
        quiet: Show no progress bar.

    Returns:
        All that is known of the table; `rows` at least.
    """
    memory = _memory(table)
    found = _recall(memory, len(table))
    missing = rows[~found.facts["known"][rows]].tolist()
    if not missing:
        return found
    try:
        outcomes = in_threads(partial(_look, table), missing, title=title, quiet=quiet)
        for row, outcome in zip(missing, outcomes, strict=True):
            found.facts["known"][row] = True
            if isinstance(outcome, str):
                found.problems[row] = outcome
            else:
                for name, value in outcome.items():
                    found.facts[name][row] = value
    finally:  # an interrupted pass goes on where it stopped
        _remember(memory, found)
    return found


def in_threads(
    function: Callable[[int], _Outcome],
    items: Sequence[int],
    *,
    title: str,
    quiet: bool,
    block: int = _BLOCK,
) -> Iterator[_Outcome]:
    """Apply a function on all cores, with a progress bar, in memory that does not grow.

    Args:
        function: Of one item; Pillow decodes and resizes without holding the interpreter.
        items: Such as rows.
        title: Of the progress bar.
        quiet: Show none.
        block: Items in flight at most.

    Yields:
        The outcomes in the items' order.
    """
    with (
        warnings.catch_warnings(),
        ThreadPoolExecutor(usable_cores()) as pool,
        tqdm(total=len(items), desc=title, disable=quiet, unit="img") as bar,
    ):
        warnings.simplefilter("ignore")  # of Pillow, on odd pictures that it reads all the same
        for start in range(0, len(items), block):
            for outcome in pool.map(function, items[start : start + block]):
                bar.update()
                yield outcome


def _look(table: datasets.Dataset, row: int) -> dict[str, int] | str:
    cell = table[row]["image"]
    try:
        image = decode(cell)
    except ImageError as error:
        return str(error)
    content = Path(cell["path"]).read_bytes() if cell["bytes"] is None else cell["bytes"]
    digest = int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")
    kind = str(kind_of(content[:FIRST_BYTES]))  # known: it was decoded
    with _header(content, kind) as header:
        # Before Pillow looks for EXIF data, which may decode the picture and empty `tile`
        has_16_bits = header.mode.startswith("I") or _16_BITS.search(str(header.tile)) is not None
        orientation = read_orientation(header)
        is_sideways = 5 <= orientation <= 8 and kind != "TIFF"  # whose size Pillow has turned
        width, height = header.size[::-1] if is_sideways else header.size
    look = perceptual_hash(image)
    return {
        "hash": digest if look is None else look,  # one without detail resembles only itself
        "digest": digest,
        "width": width,
        "height": height,
        "format": FORMATS.index(kind),
        "turned": 2 <= orientation <= 8,
        "dim": has_16_bits and int(np.asarray(image).max()) < _QUARTER,
    }


def _header(content: bytes, kind: str) -> ImageFile.ImageFile:
    try:
        return open_kind(kind, io.BytesIO(content))
    except ValueError:  # texts of over 1 MB
        return open_kind(kind, io.BytesIO(without_metadata(content) or content))


def _memory(table: datasets.Dataset) -> Path:
    """Name the file that remembers a table's scan; another name once any picture has changed.

    The fingerprint of `datasets` covers the paths and the times of change of class folders' files,
    but not their content: a file rewritten within its old time keeps it. So the size and both times
    of every picture's file, or of the table that holds the pictures, are part of the key.
    """
    key = hashlib.blake2b(digest_size=16)
    readers = (_VERSION, PIL.__version__, FORMATS, DEFAULT_LIMITS)
    key.update(repr((readers, table._fingerprint, len(table))).encode())
    for file in table.cache_files:
        key.update(_state(file["filename"]))
    for batch in table.data.to_batches():
        image = batch.column("image")
        is_a_file = image.field("bytes").is_null()
        for path in image.field("path").filter(is_a_file).to_pylist():
            key.update(_state(path or ""))
    home = Path(datasets.config.HF_DATASETS_CACHE)
    return home / "hub_models_scans" / f"{key.hexdigest()}.safetensors"


def _state(path: str) -> bytes:
    try:
        stat = os.stat(path)
    except OSError:
        return b"missing;"
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns};".encode()


def _recall(memory: Path, length: int) -> Scan:
    try:
        with safe_open(memory, "np") as file:
            facts = {name: file.get_tensor(name) for name in _FACTS}
            problems = json.loads(file.metadata()["problems"])
        if all(len(values) == length for values in facts.values()):
            return Scan(facts, {int(row): reason for row, reason in problems.items()})
    except (OSError, SafetensorError):  # none yet, or damaged: decode again
        pass
    return Scan({name: np.zeros(length, kind) for name, kind in _FACTS.items()}, {})


def _remember(memory: Path, found: Scan) -> None:
    problems = json.dumps({str(row): reason for row, reason in found.problems.items()})
    temporary = memory.with_name(f"{memory.name}.{os.getpid()}")
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(save(found.facts, {"problems": problems}))
        os.replace(temporary, memory)
    except OSError as error:  # a full or read-only disk costs time, not the run
        warnings.warn(f"the audit is not remembered: {error}", stacklevel=2)
        temporary.unlink(missing_ok=True)
