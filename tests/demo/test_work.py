import threading
import time

from demo.work import Work
from tests.processes import HANG_S


def test_closing_waits_for_what_runs():
    work, release, done = Work(), threading.Event(), []

    def job():
        with work.piece():
            release.wait()
            done.append(True)

    threading.Thread(target=job).start()
    while not work.running:
        time.sleep(0.001)
    threading.Timer(0.2, release.set).start()
    work.finish(HANG_S)
    assert work.is_closing
    assert done == [True]
    assert work.running == 0


def test_closing_does_not_wait_for_ever():
    work = Work()
    with work.piece():
        work.finish(0.2)
        assert work.running == 1


def test_work_that_fails_is_done_too():
    work = Work()
    try:
        with work.piece():
            raise ValueError
    except ValueError:
        assert work.running == 0
