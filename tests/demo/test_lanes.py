import threading

import pytest

from demo.lanes import Lanes
from tests.processes import HANG_S


@pytest.mark.parametrize(
    ("cores", "count", "threads"), [(1, 1, 1), (2, 2, 1), (3, 2, 1), (4, 2, 2), (64, 2, 32)]
)
def test_two_passes_share_the_cores_and_never_take_more(cores, count, threads):
    lanes = Lanes(cores)
    assert (lanes.count, lanes.threads) == (count, threads)
    assert lanes.count * lanes.threads <= cores


def test_no_more_passes_run_at_once_than_there_are_lanes():
    lanes, running, most = Lanes(2), [], []
    two = threading.Barrier(2)  # nobody leaves a lane before the other one is taken too

    def work():
        with lanes.lane():
            running.append(1)
            two.wait(HANG_S)
            most.append(len(running))
            running.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 8
    assert max(most) == 2
