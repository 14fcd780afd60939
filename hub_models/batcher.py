"""One worker thread per network: requests that queue up while it works share its next pass.

A convolutional network uses every core by itself, so two passes at once would only take turns on
the cores and on their caches. And PyTorch keeps one set of OpenMP threads for every thread that
calls it: with one worker there is one set, however many callers there are.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hub_models.forking import forward_pass, renew_in_children
from hub_models.session import Arrays

MAX_BATCH: Final = 32  # images per pass: bounds its memory

Network = Callable[[NDArray[np.float32]], Arrays]


@dataclass(frozen=True)
class _Request:
    batch: NDArray[np.float32]
    answer: "Future[Arrays]" = field(default_factory=Future)


class Batcher:
    """Runs a network for any number of threads; the worker ends with this object.

    Args:
        network: Batch (N, 3, S, S) to logits (N, C) and feature map (N, K, h, w).
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self.renew()
        renew_in_children(self)

    def renew(self) -> None:
        """Start with no requests and a new worker: those of before a fork are the parent's."""
        self._waiting: deque[_Request] = deque()
        # An executor's thread is joined before the interpreter goes; a daemon thread that holds
        # PyTorch's thread-local state would end the process by `terminate called`.
        self._worker = ThreadPoolExecutor(1, "hub-models-forward")

    def submit(self, batch: NDArray[np.float32]) -> "Future[Arrays]":
        """Ask for one batch's outputs.

        Args:
            batch: float32 (N, 3, S, S) with N at least 1; the same S in every request.

        Returns:
            Logits (N, C) and feature map (N, K, h, w), or the network's error.
        """
        request = _Request(batch)
        self._waiting.append(request)
        self._worker.submit(_serve, self._network, self._waiting)
        return request.answer


def _serve(network: Network, waiting: deque[_Request]) -> None:
    """Answer what waits, up to MAX_BATCH images; nothing if an earlier pass took it all."""
    group: list[_Request] = []
    count = 0
    while waiting and (not group or count + len(waiting[0].batch) <= MAX_BATCH):
        group.append(waiting.popleft())
        count += len(group[-1].batch)
    _answer(network, group)


def _answer(network: Network, group: list[_Request]) -> None:
    group = [request for request in group if request.answer.set_running_or_notify_cancel()]
    if not group:
        return
    batches = [request.batch for request in group]
    try:
        with forward_pass():
            logits, feature_map = network(
                np.concatenate(batches) if len(batches) > 1 else batches[0]
            )
    except BaseException as error:  # whatever it is, it is the callers' to see
        for request in group:
            request.answer.set_exception(error)
        return
    start = 0
    for request in group:
        end = start + len(request.batch)
        request.answer.set_result((logits[start:end], feature_map[start:end]))
        start = end
