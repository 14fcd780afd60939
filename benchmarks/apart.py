"""Run a measurement in a process of its own: so many cores, an empty cache, memory watched."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psutil

_EVERY_S = 0.2  # between two looks at the memory


@dataclass(frozen=True)
class Watched:
    """What a process said and cost.

    Attributes:
        answer: The JSON value on the last line of its output.
        seconds: From before its start to after its end.
        peak_bytes: The most memory it and its children had together; pages that several of them
            share count once.
    """

    answer: Any
    seconds: float
    peak_bytes: int


def run_apart(module: str, order: dict[str, Any]) -> Any:
    """Run `python -m module --row ORDER`, which may use so many cores and no more.

    Args:
        module: Prints one JSON value on its last line.
        order: With `threads`, the number of cores; plain values.

    Returns:
        The value.

    Raises:
        SystemExit: If there are fewer cores, or the process fails.
    """
    return watch([sys.executable, "-m", module, "--row", json.dumps(order, default=str)],
                 threads=order["threads"]).answer  # fmt: skip


def watch(command: Sequence[str], *, threads: int, cache: str | None = None) -> Watched:
    """Run a command on so many cores, look at its memory, and read its last line.

    Args:
        command: What to run; what it says on stderr is shown if it fails.
        threads: Cores it may use.
        cache: Folder for HUB_MODELS_CACHE; an empty one that goes away if None.

    Returns:
        What it said and cost; the answer is None if its last line is no JSON.

    Raises:
        SystemExit: If there are fewer cores, or the process fails.
    """
    cores = sorted(os.sched_getaffinity(0))[:threads]
    if len(cores) < threads:
        raise SystemExit(f"{threads} cores are asked for, {len(cores)} are here")
    with tempfile.TemporaryDirectory() as empty, tempfile.TemporaryFile("w+") as errors:
        environment = os.environ | {"HF_HUB_OFFLINE": "1", "HUB_MODELS_CACHE": cache or empty}
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        peak = _Peak(process.pid)
        said = process.communicate()[0]
        seconds = time.perf_counter() - began
        if process.returncode:
            errors.seek(0)
            raise SystemExit(f"{errors.read()[-3000:]}\n{' '.join(command)[:300]}: failed")
    return Watched(_last_json(said), seconds, peak.stop())


class _Peak:
    """Looks at the memory of a process and its children until it is stopped."""

    def __init__(self, pid: int) -> None:
        self._bytes = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, args=(pid,), daemon=True)
        self._thread.start()

    def stop(self) -> int:
        self._is_over.set()
        self._thread.join()
        return self._bytes

    def _look(self, pid: int) -> None:
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            while not self._is_over.is_set():
                family = [process, *process.children(recursive=True)]
                self._bytes = max(self._bytes, sum(_share(member) for member in family))
                self._is_over.wait(_EVERY_S)


def _share(process: psutil.Process) -> int:
    with suppress(psutil.Error, OSError):
        share: int = process.memory_full_info().pss
        return share
    return 0  # it has ended meanwhile


def _last_json(said: str) -> Any:
    lines = said.strip().splitlines()
    with suppress(ValueError):
        return json.loads(lines[-1]) if lines else None
    return None
