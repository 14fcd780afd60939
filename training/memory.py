"""Memory that was freed is kept for the next step, instead of going back to the system.

A step on the CPU allocates its activations and frees them again. The C library asks the system for
every block above some size anew, which clears it page by page: for MobileNetV2 at 224 px, 660,000
pages and a second a step (`python -m benchmarks.allocation`).
"""

import ctypes
import sys
from contextlib import suppress
from typing import Final

_M_TRIM_THRESHOLD: Final = -1  # names and numbers of malloc.h
_M_MMAP_MAX: Final = -4
_NEVER: Final = -1


def keep_freed_memory() -> None:
    """Let this process, and those it forks, keep what they free; peaks are up to a third higher.

    Only the GNU C library has this switch; elsewhere nothing happens. Source: mallopt(3).
    """
    if sys.platform != "linux":
        return
    with suppress(AttributeError):  # a C library without it, as musl
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_MAX, 0)  # no block is a mapping of its own
        mallopt(_M_TRIM_THRESHOLD, _NEVER)  # the heap's end stays


def give_back_freed_memory() -> None:
    """Give the system what is kept and not in use: before processes are forked, which hold it too.

    Pages that parent and child share are copied when the parent writes: what a step freed would
    be there twice. Costs as much as asking for them once more. Source: malloc_trim(3).
    """
    if sys.platform != "linux":
        return
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
