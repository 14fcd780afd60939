"""Comparisons made up for tests, whose numbers do not contradict each other."""

from itertools import combinations
from typing import Any

from hub_models.comparison import (
    FORMAT_VERSION,
    Comparison,
    Machine,
    Measurement,
    Model,
    Pair,
)

IMAGES = 1000


def measurement(
    p50_ms: float, *, engine: str = "onnx", threads: int = 2, **more: Any
) -> Measurement:
    numbers = {
        "p95_ms": 1.25 * p50_ms,
        "images_per_second": 1500 / p50_ms,
        "batch": 8,
        "peak_bytes": 100_000_000,
        "file_bytes": 9_000_000,
    }
    return Measurement(engine=engine, threads=threads, p50_ms=float(p50_ms), **(numbers | more))


def model(name: str, correct: int, *measurements: Measurement, **more: Any) -> Model:
    numbers = {
        "source": f"owner/{name}",
        "architecture": "resnet18",
        "side_px": 224,
        "revision": None,
        "weights_sha256": "0" * 64,
        "loss": 0.1,
        "ece": 0.02,
        "parameters": 11_000_000,
        "macs": 1_800_000_000,
        "bytes": 9_000_000,
    }
    return Model(
        name=name,
        accuracy=correct / IMAGES,
        accuracy_low=max(0.0, correct / IMAGES - 0.01),
        accuracy_high=min(1.0, correct / IMAGES + 0.01),
        correct=correct,
        measurements=measurements,
        **(numbers | more),
    )


def compared(*models: Model, p_values: dict[tuple[str, str], float] | None = None) -> Comparison:
    """Two models differ (p = 0.001) by ten images or more, unless said otherwise."""
    said = p_values or {}
    pairs = []
    for one, other in combinations(models, 2):
        gap = one.correct - other.correct
        usual = 0.001 if abs(gap) >= 10 else 0.5
        p_value = said.get((one.name, other.name), usual)
        counts = (max(gap, 0), max(-gap, 0))
        share = gap / IMAGES
        pairs.append(
            Pair(one.name, other.name, *counts, p_value, share, share - 0.01, share + 0.01)
        )
    return Comparison(
        format_version=FORMAT_VERSION,
        command="python -m training.compare",
        data="pictures",
        split="test",
        images=IMAGES,
        machine=Machine("a processor", 2, "Linux", {"python": "3.11"}),
        models=models,
        agreement=((1.0,) * len(models),) * len(models),
        pairs=tuple(pairs),
    )
