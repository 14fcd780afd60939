"""Under which top probability a picture looks unlike all of a model's classes.

The thresholds are in other_things.json, by the sha256 of the weights; benchmarks/other_things.py
measures and writes them. Of a model that is not there nothing is said.
"""

import json
from pathlib import Path
from typing import Final

THRESHOLDS: Final = Path(__file__).with_name("other_things.json")


def find_threshold(
    weights_sha256: str, temperature: float, thresholds: Path = THRESHOLDS
) -> float | None:
    """Find what was measured for a model.

    Args:
        weights_sha256: As `digest_weights` gives it.
        temperature: Of the model's config: another one makes other probabilities.
        thresholds: The file of the measured models.

    Returns:
        A top probability, 0 to 1; None for a model that was not measured, or that cannot tell.
    """
    measured = json.loads(thresholds.read_text(encoding="utf-8")).get(weights_sha256)
    if measured is None or measured.get("temperature", 1.0) != temperature:
        return None
    return float(measured["below"])
