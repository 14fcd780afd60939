"""A source to what it costs: parameters, MACs, bytes, memory and time, on this machine.

Every engine is measured in processes of its own, one per number of threads, so that neither
memory nor thread pools of one count for another.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch
from torch.utils.flop_counter import FlopCounterMode

from hub_models import hub
from hub_models.config import ModelConfig
from hub_models.errors import HubModelsError
from hub_models.export_cache import cached_export
from hub_models.machine import describe_machine
from hub_models.model import FREEZE_MODES, ImageClassifier

_WORKER: Final = "hub_models.profile_worker"


@dataclass(frozen=True)
class Settings:
    """What is measured.

    Attributes:
        engines: "torch", "onnx", or both.
        batches: Numbers of pictures per pass.
        threads: Numbers of cores per pass.
        seconds: How long each call is repeated for.
    """

    engines: tuple[str, ...]
    batches: tuple[int, ...]
    threads: tuple[int, ...]
    seconds: float = 1.5


def count_parameters(config: ModelConfig) -> dict[str, Any]:
    """Count a network's parameters; batch norms' running statistics are none.

    Args:
        config: Of the model; its weights are not needed.

    Returns:
        {"total": all, "trainable": {freezing mode: those that training would change}}.
    """
    with torch.device("meta"):
        model = ImageClassifier(config)
    trainable = {}
    for mode in FREEZE_MODES:
        model.freeze(mode)
        trainable[mode] = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return {"total": sum(p.numel() for p in model.parameters()), "trainable": trainable}


def count_macs(config: ModelConfig, *, side_px: int | None = None) -> int:
    """Count the multiply-adds of one picture's pass, from the operations that really run.

    Convolutions and the linear layer count; what is done once per value (batch norm, activation,
    addition, pooling) does not, as in the papers' own tables.

    Args:
        config: Of the model; its weights are not needed.
        side_px: Of the picture; what the model was trained for if None.

    Returns:
        MACs; FLOPs are twice as many.
    """
    side = side_px or config.preprocess.crop
    with torch.device("meta"), torch.inference_mode(), FlopCounterMode(display=False) as counter:
        ImageClassifier(config).eval()(torch.zeros(1, config.preprocess.channels, side, side))
    flops: int = counter.get_total_flops()
    return flops // 2


def profile(
    source: str | Path, settings: Settings, *, progress: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Measure a model.

    Args:
        source: A folder, a repo_id "owner/name", or "owner/name@revision".
        settings: What is measured.
        progress: Is told what is going on, one line at a time.

    Returns:
        Plain JSON values; `measurements` has one entry per engine, number of threads and batch
        size, and the machine and versions stand beside them.

    Raises:
        ConfigError: If the source's config is wrong, or an engine is not installed.
        CheckpointError: If the source cannot be found or read.
    """
    found = hub.resolve(source)
    config = hub.read_config(found.folder)
    weights = hub.weights_path(found.folder)
    files = {"torch": found.folder}
    sizes = {weights.name: weights.stat().st_size}
    if "onnx" in settings.engines:
        progress(f"{source}: exporting, unless that was done before")
        files["onnx"] = cached_export(found.folder)
        sizes["model.onnx"] = files["onnx"].stat().st_size
    macs = count_macs(config)
    measurements: list[dict[str, Any]] = []
    for engine in settings.engines:
        for threads in settings.threads:
            progress(f"{source}: {engine}, {threads} threads")
            measurements += _measure(engine, files[engine], threads, settings)
    return {
        "source": str(source),
        "revision": found.revision,
        "architecture": config.architecture,
        "side_px": config.preprocess.crop,
        "parameters": count_parameters(config),
        "macs": macs,
        "flops": 2 * macs,
        "bytes": sizes,
        "machine": describe_machine(),
        "measurements": measurements,
    }


def save_costs(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write what a profile measured into a folder's config and card.

    Args:
        folder: A checkpoint folder, the one that was measured.
        facts: As `profile` returns them.

    Raises:
        CheckpointError: If the folder cannot be written.
    """
    config = hub.read_config(folder)
    rows = [
        {
            "engine": row["engine"],
            "threads": row["threads"],
            "batch": row["batch"],
            "forward_p50_ms": row["forward_ms"]["p50"],
            "p50_ms": row["classify_ms"]["p50"],
            "p95_ms": row["classify_ms"]["p95"],
            "peak_bytes": row["peak_bytes"],
        }
        for row in facts["measurements"]
    ]
    costs = {
        "command": "hub-models profile FOLDER --save",
        "picture": facts["measurements"][0]["picture"],
        "machine": facts["machine"],
        "parameters": facts["parameters"]["total"],
        "macs": facts["macs"],
        "bytes": facts["bytes"][hub.WEIGHTS_FILE],
        "measurements": rows,
    }
    hub.write_config(folder, replace(config, costs=costs))


def _measure(engine: str, file: Path, threads: int, settings: Settings) -> Sequence[dict[str, Any]]:
    order = {
        "engine": engine,
        "source": str(file),
        "threads": threads,
        "batches": sorted(settings.batches),  # rising: the peak of memory only ever rises
        "seconds": settings.seconds,
    }
    command = [sys.executable, "-m", _WORKER, json.dumps(order)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip().rpartition("\n")[2] or f"exit code {done.returncode}"
        raise HubModelsError(f"{file}: cannot be measured with {engine} ({reason})")
    measurements: list[dict[str, Any]] = json.loads(done.stdout)
    return measurements
