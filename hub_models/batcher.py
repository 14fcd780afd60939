"""One worker thread per network: requests that queue up while it works share its next pass.

A convolutional network uses every core by itself, so two passes at once would only take turns on
the cores and on their caches. And PyTorch keeps one set of OpenMP threads for every thread that
calls it: with one worker there is one set, however many callers there are.
"""

import queue
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

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
        requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._requests = requests
        # The worker knows the queue, not this object, which can thus be collected.
        worker = threading.Thread(target=_work, args=(network, requests), daemon=True)
        worker.name = "hub-models-forward"
        worker.start()
        weakref.finalize(self, requests.put, None)

    def submit(self, batch: NDArray[np.float32]) -> "Future[Arrays]":
        """Ask for one batch's outputs.

        Args:
            batch: float32 (N, 3, S, S) with N at least 1; the same S in every request.

        Returns:
            Logits (N, C) and feature map (N, K, h, w), or the network's error.
        """
        request = _Request(batch)
        self._requests.put(request)
        return request.answer


def _work(network: Network, requests: "queue.SimpleQueue[_Request | None]") -> None:
    held: _Request | None = None
    while True:
        first = held or requests.get()
        if first is None:
            return
        group, held, is_last = _gather(first, requests)
        _answer(network, group)
        if is_last:
            return
        del first, group  # else the last answers stay in memory until the next request


def _gather(
    first: _Request, requests: "queue.SimpleQueue[_Request | None]"
) -> tuple[list[_Request], _Request | None, bool]:
    """Take what waits already, up to MAX_BATCH images; what does not fit is held back."""
    group, count = [first], len(first.batch)
    while count < MAX_BATCH:
        try:
            following = requests.get_nowait()
        except queue.Empty:
            break
        if following is None:
            return group, None, True
        count += len(following.batch)
        if count > MAX_BATCH:
            return group, following, False
        group.append(following)
    return group, None, False


def _answer(network: Network, group: list[_Request]) -> None:
    group = [request for request in group if request.answer.set_running_or_notify_cancel()]
    if not group:
        return
    batches = [request.batch for request in group]
    try:
        logits, feature_map = network(np.concatenate(batches) if len(batches) > 1 else batches[0])
    except BaseException as error:  # whatever it is, it is the callers' to see
        for request in group:
            request.answer.set_exception(error)
        return
    start = 0
    for request in group:
        end = start + len(request.batch)
        request.answer.set_result((logits[start:end], feature_map[start:end]))
        start = end
