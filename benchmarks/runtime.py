"""Which options ONNX Runtime should run with: one caller, eight callers, memory.

    python benchmarks/runtime.py FOLDER [FOLDER ...]

About a minute per folder. Each row is a process of its own. `p50` is one caller's wait for one
picture's pass, `cores` how many cores are busy meanwhile, `8 callers` how many pictures a second
eight threads get, from JPEG bytes to probabilities, and `peak` the memory after that and after a
pass of 32. hub_models.session and hub_models.batcher use the rows marked by *.
"""

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count, cycle
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from hub_models import batcher
from hub_models.drawn import draw
from hub_models.machine import describe_machine, usable_cores
from hub_models.profile_worker import peak_bytes
from hub_models.runtime import Runtime
from hub_models.session import INPUT, OUTPUTS, Session
from hub_models.timing import time_calls

SECONDS = 2.0
CALLERS = 8
CORES = usable_cores()
ROWS: dict[str, dict[str, Any]] = {
    "* all cores, no spinning, arena": {},
    "  one core": {"threads": 1},
    "  spinning": {"spinning": True},
    "  no arena": {"arena": False},
    "  no batching of requests": {"most": 1},
    "  a session per core": {"threads": 1, "sessions": CORES},
}


def main() -> None:
    """Print one table per folder."""
    from hub_models.export_cache import cached_export  # brings PyTorch, which no row should hold

    print(json.dumps(describe_machine()))
    for folder in sys.argv[1:]:
        path = cached_export(Path(folder))
        print(f"\n{folder}\n{'':34} p50 ms  cores  8 callers/s  peak MB")
        for title, options in ROWS.items():
            order = json.dumps({"path": str(path)} | options)
            done = subprocess.run(
                [sys.executable, __file__, "--row", order], stdout=subprocess.PIPE, check=True
            )
            row = json.loads(done.stdout)
            print(
                f"{title:34} {row['p50_ms']:6.2f}  {row['cores']:5.2f}  {row['callers']:11.1f}  "
                f"{row['peak_mb']:7.0f}",
                flush=True,
            )


def measure(order: dict[str, Any]) -> dict[str, float]:
    """Measure one row in this process."""
    batcher.MAX_BATCH = order.get("most", batcher.MAX_BATCH)
    config = Session(Path(order["path"])).config
    runtimes = [Runtime(open_network(order), config, "onnx") for _ in range(sessions(order))]
    photos = [encode(seed) for seed in range(16)]
    pixels = runtimes[0].pixels(photos[0])[None]  # (1, 3, S, S)
    wall_s, busy_s = time.perf_counter(), time.process_time()
    latency = time_calls(lambda: runtimes[0].outputs(pixels), seconds=SECONDS)
    cores = (time.process_time() - busy_s) / (time.perf_counter() - wall_s)
    callers = serve(runtimes, photos)
    runtimes[0].outputs(np.repeat(pixels, 32, axis=0))
    peak_mb = peak_bytes() / 1e6
    return {"p50_ms": latency.p50, "cores": cores, "callers": callers, "peak_mb": peak_mb}


def sessions(order: dict[str, Any]) -> int:
    """Say how many sessions share the machine."""
    return int(order.get("sessions", 1))


def open_network(order: dict[str, Any]) -> Callable[[Any], Any]:
    """Open a session with the options of a row."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = order.get("threads", CORES)
    options.enable_cpu_mem_arena = order.get("arena", True)
    spinning = "1" if order.get("spinning") else "0"
    options.add_session_config_entry("session.intra_op.allow_spinning", spinning)
    session = onnxruntime.InferenceSession(
        order["path"], options, providers=["CPUExecutionProvider"]
    )
    return lambda batch: session.run(OUTPUTS, {INPUT: batch})


def serve(runtimes: list[Runtime], photos: list[bytes]) -> float:
    """Count the pictures a second that eight callers get, each asking for one at a time."""
    answered = count()
    deadline = time.perf_counter() + SECONDS

    def ask(number: int) -> None:
        runtime = runtimes[number % len(runtimes)]
        for photo in cycle(photos):
            if time.perf_counter() > deadline:
                return
            runtime.classify(photo)
            next(answered)

    started = time.perf_counter()
    with ThreadPoolExecutor(CALLERS) as callers:
        list(callers.map(ask, range(CALLERS)))
    return next(answered) / (time.perf_counter() - started)


def encode(seed: int) -> bytes:
    """Draw a JPEG."""
    stream = io.BytesIO()
    draw(seed).save(stream, "JPEG", quality=90)
    return stream.getvalue()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--row"]:
        print(json.dumps(measure(json.loads(sys.argv[2]))))
    else:
        main()
