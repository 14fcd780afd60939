"""What a forked process needs: no pass cut in two by the fork, and new threads in the child.

A child of fork has one thread, and copies of locks that nobody will release. So a fork waits for
the passes that run, and what has threads makes them again in the child.
"""

import contextlib
import os
import sys
import threading
import weakref
from collections.abc import Iterator
from typing import Final, Protocol

_PATIENCE_S: Final = 10.0  # of a fork, for passes: one of a large batch may take seconds


class Renewable(Protocol):
    """Something with threads or locks of its own."""

    def renew(self) -> None:
        """Make them again; called in a forked child, so it raises nothing."""


_renewable: "weakref.WeakSet[Renewable]" = weakref.WeakSet()


class _Passes:
    """Counts the passes that run, and lets no other begin while somebody forks."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = 0
        self._forks = 0
        self.takes_torch_along = False

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._forks)
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running = max(0, self._running - 1)  # a child that was forked in a pass
                self._changed.notify_all()

    def before_fork(self) -> None:
        with self._changed:
            self._forks += 1
            self._changed.wait_for(lambda: not self._running, timeout=_PATIENCE_S)

    def after_in_parent(self) -> None:
        with self._changed:
            self._forks -= 1
            self._changed.notify_all()

    def after_in_child(self) -> None:
        self._changed, self._running, self._forks = threading.Condition(), 0, 0
        if self.takes_torch_along:
            # OpenMP's threads are gone, and it would wait for them forever. Workers of PyTorch's
            # own DataLoader use one core too.
            sys.modules["torch"].set_num_threads(1)
        for one in list(_renewable):
            one.renew()


_passes = _Passes()
if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(
        before=_passes.before_fork,
        after_in_parent=_passes.after_in_parent,
        after_in_child=_passes.after_in_child,
    )


def forward_pass() -> contextlib.AbstractContextManager[None]:
    """Run a pass of a network inside this, so that no fork cuts it in two.

    Returns:
        A context manager; it waits while another thread forks.
    """
    return _passes.one()


def renew_in_children(one: Renewable) -> None:
    """Have something made again in every forked child, for as long as it is in use.

    Args:
        one: Called by `renew`.
    """
    _renewable.add(one)


def expect_torch_in_children() -> None:
    """Have PyTorch use one core in children forked from now on, where it would hang with more."""
    _passes.takes_torch_along = True
