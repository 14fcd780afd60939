"""Run the installed `hub-models` command, as a person would."""

import subprocess
import sys
from pathlib import Path

HANG_S = 900  # a guard against a hang, never a limit of how fast a machine must be
COMMAND = str(Path(sys.executable).with_name("hub-models"))
# A small parent between us and the command: a forked child starts with its parent's peak memory.
_MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print("peak", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024, file=sys.stderr)
sys.exit(code)
"""


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `hub-models` and wait for it."""
    command = [COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, check=False)


def run_measured(command: list[object]) -> tuple[subprocess.CompletedProcess[str], int]:
    """Run any command; return what it did and its peak resident memory in MB."""
    command = [sys.executable, "-c", _MEASURE, *map(str, command)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, check=False)
    done.stderr, _, peak = done.stderr.rpartition("peak ")
    return done, int(peak)


def run_python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter and wait for it."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, check=False)
