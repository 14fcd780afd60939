"""The best INT8 file of a model, and the gates it has to pass: accuracy and speed are measured.

Whether one scale per tensor or one per channel is better differs between networks
(microsoft/onnxruntime#11415), and INT8 can be slower than fp32 (#5319): so all are tried.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hub_models.atomic import staged
from hub_models.class_folders import LabelledPicture, cut, thin
from hub_models.config import PreprocessConfig
from hub_models.errors import ConfigError
from hub_models.export import annotate
from hub_models.image import load_image
from hub_models.preprocess import preprocess
from hub_models.quantise import count_convs, list_schemes, prepare, quantise
from hub_models.session import Session
from hub_models.timing import Latency, time_together

MAX_LOSS: Final = 0.005  # of accuracy: half a point
_MAX_CALIBRATION: Final = 128  # pictures
_MAX_MEASURED: Final = 2000
_EVALUATION_BATCH: Final = 16
_SECONDS: Final = 4.0  # of timing fp32 and INT8 in turn, together


@dataclass(frozen=True)
class Measured:
    """What one file gives on the measured pictures.

    Attributes:
        name: "fp32", or the scheme.
        accuracy: 0 to 1.
        agreement: Share of pictures with fp32's first class, 0 to 1.
        quantised_convs: Convolutions whose input and weight are 8 bits.
        convs: All convolutions.
        bytes: Of the file.
        latency: Of one picture's pass; None where it was not timed.
    """

    name: str
    accuracy: float
    agreement: float
    quantised_convs: int
    convs: int
    bytes: int
    latency: Latency | None = None


@dataclass(frozen=True)
class Trial:
    """What was tried, and what is wrong with the best.

    Attributes:
        fp32: The file it started from.
        tried: One entry per scheme, in the order of trying.
        best: The one of them that was kept, timed in turn with fp32.
        failures: One sentence per gate that `best` fails; empty if it may be used.
        calibration_pictures: How many gave the ranges of activations.
        measured_pictures: How many others gave the accuracies.
    """

    fp32: Measured
    tried: tuple[Measured, ...]
    best: Measured
    failures: tuple[str, ...]
    calibration_pictures: int
    measured_pictures: int


def export_int8(
    source: Path,
    target: Path,
    pictures: Sequence[LabelledPicture],
    *,
    force: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Trial:
    """Write an exported file in INT8, unless a gate fails.

    Schemes in 8 bits throughout are tried first; only if none keeps the accuracy are those tried
    that leave both ends in fp32. The most accurate is kept, then the one that agrees most with
    fp32, then the earlier one.

    Args:
        source: An ONNX file that `export_onnx` wrote.
        target: The file to write, whole or not at all; its folder exists.
        pictures: A quarter of each class calibrates, the rest measures.
        force: Write the file even if a gate fails.
        progress: Is told one line per scheme.

    Returns:
        What was measured; `failures` is empty if the gates passed.

    Raises:
        ConfigError: If onnx or onnxruntime is not installed, or there are too few pictures.
        ImageError: If a picture cannot be read.
        CheckpointError: If `source` is damaged, or `target` cannot be written.
    """
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".writing-") as folder:
        bench = _Bench(source, Path(folder), pictures)
        entries: list[tuple[Measured, Path]] = []
        for keeps_ends in (False, True):
            for entry in bench.try_schemes(keeps_ends=keeps_ends):
                progress(f"{entry[0].name}: accuracy {entry[0].accuracy:.2%}")
                entries.append(entry)
            best, path = max(entries, key=lambda entry: (entry[0].accuracy, entry[0].agreement))
            if bench.fp32.accuracy - best.accuracy <= MAX_LOSS:
                break
        fp32, best = bench.time(best, path)
        failures = find_failures(fp32, best)
        if force or not failures:
            note = {"quantisation": json.dumps(asdict(best))}
            annotate(path, bench.session.metadata | note)
            with staged(target) as staging:
                shutil.copyfile(path, staging)
    tried = tuple(entry for entry, _ in entries)
    return Trial(fp32, tried, best, failures, len(bench.calibration), len(bench.pixels))


class _Bench:
    """The pictures, the fp32 file, and what it says about them."""

    def __init__(self, source: Path, folder: Path, pictures: Sequence[LabelledPicture]) -> None:
        self.folder = folder
        self.session = Session(source)
        self.prepared = folder / "prepared.onnx"
        config = self.session.config.preprocess
        calibration, measured = cut(pictures)
        if not measured:
            raise ConfigError("INT8: at least two pictures of a class are needed, in --calibrate")
        measured = thin(measured, _MAX_MEASURED)
        calibration = thin(calibration, _MAX_CALIBRATION)
        self.calibration = _read(calibration, config, folder / "calibration")
        self.pixels = _read(measured, config, folder / "measured")
        self.targets = np.array([picture.target for picture in measured])
        self.classes = self._classes(self.session)
        self.fp32 = self._measured("fp32", source, self.classes)
        prepare(source, self.prepared)

    def try_schemes(self, *, keeps_ends: bool) -> Iterator[tuple[Measured, Path]]:
        """Write and measure one file per scheme."""
        for scheme in list_schemes(keeps_ends=keeps_ends):
            path = self.folder / f"{scheme}.onnx"
            quantise(self.prepared, path, scheme, self.calibration)
            annotate(path, self.session.metadata)
            yield self._measured(str(scheme), path, self._classes(Session(path))), path

    def time(self, best: Measured, path: Path) -> tuple[Measured, Measured]:
        """Time fp32 and INT8 in turn, on one picture."""
        picture, session = self.pixels[:1], Session(path)
        calls = [lambda: self.session.run(picture), lambda: session.run(picture)]
        fp32, int8 = time_together(calls, seconds=_SECONDS)
        return replace(self.fp32, latency=fp32), replace(best, latency=int8)

    def _classes(self, session: Session) -> NDArray[np.intp]:
        starts = range(0, len(self.pixels), _EVALUATION_BATCH)
        batches = (self.pixels[start : start + _EVALUATION_BATCH] for start in starts)
        return np.concatenate([session.run(batch)[0].argmax(axis=1) for batch in batches])

    def _measured(self, name: str, path: Path, classes: NDArray[np.intp]) -> Measured:
        return Measured(
            name,
            float((classes == self.targets).mean()),
            float((classes == self.classes).mean()),
            *count_convs(path),
            path.stat().st_size,
        )


def _read(
    pictures: Sequence[LabelledPicture], config: PreprocessConfig, path: Path
) -> NDArray[np.float32]:
    """Preprocess pictures into a map of a file: thousands need not fit into memory."""
    shape = (len(pictures), config.channels, config.crop, config.crop)
    pixels: NDArray[np.float32] = np.memmap(path, np.float32, "w+", shape=shape)
    for row, picture in zip(pixels, pictures, strict=True):
        row[:] = preprocess(load_image(picture.path, name=str(picture.path)), config)
    return pixels


def find_failures(fp32: Measured, best: Measured) -> tuple[str, ...]:
    """Hold an INT8 file against fp32.

    Args:
        fp32: With its latency.
        best: With its latency.

    Returns:
        One sentence per gate that fails: none quantised, accuracy lost, slower.
    """
    assert fp32.latency is not None
    assert best.latency is not None
    failures = []
    if best.quantised_convs == 0:
        failures.append("no convolution was quantised")
    loss = fp32.accuracy - best.accuracy
    if loss > MAX_LOSS:
        failures.append(
            f"accuracy falls by {100 * loss:.2f} points, {100 * MAX_LOSS:g} are allowed"
        )
    if best.latency.p50 > fp32.latency.p50:
        failures.append(
            f"slower than fp32: {best.latency.p50:.2f} ms against {fp32.latency.p50:.2f} ms"
        )
    return tuple(failures)
