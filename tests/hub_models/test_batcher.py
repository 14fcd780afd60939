import gc
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from hub_models.batcher import MAX_BATCH, Batcher
from tests.processes import HANG_S


class Network:
    """Gives back sums of its input; waits where a test wants requests to queue up."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.threads: set[int] = set()
        self.may_go = threading.Event()
        self.started = threading.Event()

    def __call__(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        self.sizes.append(len(batch))
        self.threads.add(threading.get_ident())
        self.started.set()
        assert self.may_go.wait(HANG_S)
        if np.isnan(batch).any():
            raise ValueError("NaN came in")
        return batch.sum(axis=(2, 3)), batch


def images(*values: float) -> NDArray[np.float32]:
    return np.stack([np.full((3, 2, 2), value, np.float32) for value in values])


@pytest.fixture
def network() -> Iterator[Network]:
    network = Network()
    yield network
    network.may_go.set()


def test_requests_that_wait_share_a_pass_and_each_gets_its_own_answer(network: Network) -> None:
    batcher = Batcher(network)
    first = batcher.submit(images(0))
    assert network.started.wait(HANG_S)
    waiting = [batcher.submit(images(n, n + 0.5)) for n in range(1, 6)]
    network.may_go.set()
    assert first.result(HANG_S)[0].tolist() == [[0, 0, 0]]
    for n, answer in enumerate(waiting, start=1):
        logits, feature_map = answer.result(HANG_S)
        assert logits[:, 0].tolist() == [4 * n, 4 * n + 2]
        np.testing.assert_array_equal(feature_map, images(n, n + 0.5))
    assert network.sizes == [1, 10]


def test_a_pass_is_never_larger_than_the_limit_and_keeps_the_order(network: Network) -> None:
    batcher = Batcher(network)
    batcher.submit(images(0))
    assert network.started.wait(HANG_S)
    size = MAX_BATCH // 2 + 1
    waiting = [batcher.submit(images(*[n] * size)) for n in range(3)]
    network.may_go.set()
    assert [a.result(HANG_S)[0][0, 0] for a in waiting] == [0, 4, 8]
    assert network.sizes == [1, size, size, size]


def test_one_thread_runs_the_network_however_many_ask(network: Network) -> None:
    network.may_go.set()
    batcher = Batcher(network)
    wrong: list[int] = []

    def ask(n: int) -> None:
        for _ in range(20):
            if batcher.submit(images(n)).result(HANG_S)[0][0, 0] != 4 * n:
                wrong.append(n)

    askers = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(HANG_S)
    assert wrong == []
    assert len(network.threads) == 1
    assert sum(network.sizes) == 160


def test_an_error_reaches_those_who_asked_and_no_one_after_them(network: Network) -> None:
    network.may_go.set()
    batcher = Batcher(network)
    with pytest.raises(ValueError, match="NaN came in"):
        batcher.submit(images(float("nan"))).result(HANG_S)
    assert batcher.submit(images(1)).result(HANG_S)[0][0, 0] == 4


def test_a_request_that_was_given_up_is_not_computed(network: Network) -> None:
    batcher = Batcher(network)
    batcher.submit(images(0))
    assert network.started.wait(HANG_S)
    given_up, wanted = batcher.submit(images(1, 1)), batcher.submit(images(2))
    assert given_up.cancel()
    network.may_go.set()
    assert wanted.result(HANG_S)[0][0, 0] == 8
    assert network.sizes == [1, 1]


def test_the_worker_ends_with_its_batcher(network: Network) -> None:
    network.may_go.set()
    before = set(threading.enumerate())
    batcher = Batcher(network)
    answer = batcher.submit(images(1))
    (worker,) = set(threading.enumerate()) - before
    del batcher
    gc.collect()
    assert answer.result(HANG_S)[0][0, 0] == 4  # what was asked before is still answered
    worker.join(HANG_S)
    assert not worker.is_alive()
