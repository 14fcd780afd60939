"""Measure one engine in this process: `python -m hub_models.profile_worker ORDER`, JSON both ways.

`hub_models.profile` starts it; its peak of memory is the engine's alone.
"""

import importlib
import io
import json
import resource
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hub_models.drawn import SIZE, draw
from hub_models.image import load_image
from hub_models.preprocess import preprocess
from hub_models.runtime import Runtime, load_runtime
from hub_models.timing import time_calls

_LIBRARIES = {"onnx": "onnxruntime", "torch": "torch"}


def measure(order: dict[str, Any]) -> list[dict[str, Any]]:
    """Measure one engine with one number of threads.

    Args:
        order: `engine`, `source`, `threads`, `batches` (rising), `seconds` per repeated call.

    Returns:
        One entry per batch size; times are in milliseconds, memory in bytes.
    """
    importlib.import_module(_LIBRARIES[order["engine"]])
    after_import = peak_bytes()
    runtime = load_runtime(order["source"], engine=order["engine"], threads=order["threads"])
    after_load = peak_bytes()
    photo = _photo()
    stages = _picture_stages(runtime, photo, order["seconds"])
    rows = []
    for batch in order["batches"]:
        times = _batch_stages(runtime, photo, batch, order["seconds"])
        rows.append({
            "engine": order["engine"],
            "threads": order["threads"],
            "batch": batch,
            "picture": f"drawn JPEG, {SIZE[0]} × {SIZE[1]} px, {len(photo):,} bytes",
            "decode_ms": stages["decode"],
            "preprocess_ms": stages["preprocess"],
            "forward_ms": times["forward"],
            "classify_ms": times["classify"],
            "images_per_second": 1000 * batch / times["classify"]["p50"],
            "peak_bytes": peak_bytes(),
            "peak_bytes_after_import": after_import,
            "peak_bytes_after_load": after_load,
        })  # fmt: skip
    return rows


def peak_bytes() -> int:
    """Read the most memory this process ever had resident.

    Returns:
        Bytes. On Linux of this program alone: `ru_maxrss` there starts with the memory of the
        process that started this one.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        if "VmHWM" in lines:
            return int(lines["VmHWM"].split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _photo() -> bytes:
    stream = io.BytesIO()
    draw(seed=0).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def _picture_stages(runtime: Runtime, photo: bytes, seconds: float) -> dict[str, Any]:
    image, config = load_image(photo), runtime.config.preprocess
    return {
        "decode": asdict(time_calls(partial(load_image, photo), seconds=seconds)),
        "preprocess": asdict(time_calls(partial(preprocess, image, config), seconds=seconds)),
    }


def _batch_stages(runtime: Runtime, photo: bytes, batch: int, seconds: float) -> dict[str, Any]:
    pixels = np.stack([runtime.pixels(photo)] * batch)  # (N, 3, S, S)
    photos = [photo] * batch
    return {
        "forward": asdict(time_calls(partial(runtime.outputs, pixels), seconds=seconds)),
        "classify": asdict(time_calls(partial(runtime.classify, photos), seconds=seconds)),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(json.loads(sys.argv[1]))))
