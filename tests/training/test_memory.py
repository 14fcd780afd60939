import ctypes
import platform
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from training.accelerator import make_accelerator
from training.finetune import main as finetune
from training.memory import give_back_freed_memory, keep_freed_memory

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="a switch of the GNU C library"
)
BLOCK = 64 << 20  # bytes, as an activation of a batch


@pytest.fixture(autouse=True)
def a_process_that_has_just_started() -> Iterator[None]:
    """Give back what is free, as the C library does by default, before and after."""
    _by_default()
    yield
    _by_default()


def _by_default() -> None:
    libc = ctypes.CDLL(None)
    libc.mallopt(-4, 65536)  # M_MMAP_MAX
    libc.mallopt(-3, 128 << 10)  # M_MMAP_THRESHOLD
    libc.mallopt(-1, 128 << 10)  # M_TRIM_THRESHOLD
    libc.malloc_trim(0)


def pages_fetched_again() -> int:
    """Count the system's pages for a block that has just been freed and is allocated again."""
    bytearray(BLOCK)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bytearray(BLOCK)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def is_kept() -> bool:
    return pages_fetched_again() < BLOCK // resource.getpagesize() // 100


def test_a_freed_block_is_used_again_without_asking_the_system() -> None:
    # In a process whose heap is small: in a large one a block may lie where others were freed.
    command = [sys.executable, "-m", "tests.training.test_memory"]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[2])


def _first_given_back_then_kept() -> None:
    assert not is_kept()
    keep_freed_memory()
    assert is_kept()
    before = resident_bytes()
    give_back_freed_memory()
    assert resident_bytes() < before - BLOCK // 2


def test_training_and_measuring_on_a_cpu_keep_what_they_free(
    tiny_recipe: dict[str, object],
) -> None:
    words = [word for key, value in tiny_recipe.items() for word in (f"--{key}", str(value))]
    assert finetune([*words, "--epochs", "1"]) == 0
    assert is_kept()
    _by_default()
    make_accelerator()
    assert is_kept()


if __name__ == "__main__":
    _first_given_back_then_kept()
