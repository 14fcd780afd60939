"""Checkpoint folders to measurements of their speed and memory, one after another in rounds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from hub_models.comparison import Measurement
from hub_models.machine import usable_cores
from hub_models.profile import Settings, profile
from hub_models.runtime import is_onnx_installed

_BATCHES: Final = (1, 8)  # one picture for latency and memory, eight for images per second


def measure_speed(
    folders: Sequence[Path], *, seconds: float, rounds: int
) -> list[tuple[Measurement, ...]]:
    """Measure models in every engine that is installed, with one thread and with all.

    Each round measures all models, and the round with the least median counts: what else the
    machine did for a while then hits one round, and not one model alone.

    Args:
        folders: Of the models.
        seconds: How long each call is repeated for, in each round.
        rounds: At least 1.

    Returns:
        For each model one measurement per engine and number of threads.

    Raises:
        HubModelsError: If a model cannot be measured.
    """
    engines = ("torch", "onnx") if is_onnx_installed() else ("torch",)
    threads = tuple(dict.fromkeys((1, usable_cores())))
    settings = Settings(engines, _BATCHES, threads, seconds)
    # `profile` tells of each engine and number of threads, and of the export
    steps = rounds * len(folders) * (len(engines) * len(threads) + ("onnx" in engines))
    found: list[list[tuple[Measurement, ...]]] = [[] for _ in folders]
    with tqdm(total=steps, desc="speed and memory", leave=False) as bar:

        def progress(line: str) -> None:
            bar.set_postfix_str(line.rpartition("/")[2])
            bar.update()

        for _ in range(rounds):
            for folder, measured in zip(folders, found, strict=True):
                measured.append(_measurements(profile(folder, settings, progress=progress)))
    return [best_of(measured) for measured in found]


def best_of(rounds: Sequence[tuple[Measurement, ...]]) -> tuple[Measurement, ...]:
    """Keep each setting's measurement of the round in which its median was the least.

    Args:
        rounds: Of one model, each with the same engines and threads in the same order.

    Returns:
        One measurement per engine and number of threads.
    """
    return tuple(min(same, key=lambda each: each.p50_ms) for same in zip(*rounds, strict=True))


def _measurements(facts: dict[str, Any]) -> tuple[Measurement, ...]:
    """Take one entry per engine and threads from a profile's rows, one per batch size."""
    rows = {(row["engine"], row["threads"], row["batch"]): row for row in facts["measurements"]}
    single, several = _BATCHES
    sizes = facts["bytes"]
    weights = next(size for name, size in sizes.items() if name != "model.onnx")
    return tuple(
        Measurement(
            engine=engine,
            threads=threads,
            p50_ms=row["classify_ms"]["p50"],
            p95_ms=row["classify_ms"]["p95"],
            images_per_second=rows[engine, threads, several]["images_per_second"],
            batch=several,
            peak_bytes=row["peak_bytes"],
            file_bytes=sizes["model.onnx"] if engine == "onnx" else weights,
        )
        for (engine, threads, batch), row in rows.items()
        if batch == single
    )
