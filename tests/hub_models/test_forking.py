"""A model that was used is used in other processes too: the ways of `tests.workers`."""

import json
import os
import re
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

from hub_models import load_runtime
from hub_models.export_cache import cached_export
from hub_models.forking import _Passes
from tests.processes import HANG_S
from tests.workers import WAYS

ROOT = Path(__file__).parents[2]
KINDS = ("onnx", "torch", "classifier")
HANDED = ("process", "pool", "loader")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, lively_folder: Path) -> dict[str, str]:
    """PyTorch has threads here, unlike in other tests: they are what a fork loses."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUB_MODELS_CACHE", str(cache))
        cached_export(lively_folder)
    return os.environ | {"HUB_MODELS_CACHE": str(cache), "OMP_NUM_THREADS": "2"}


def hand_over(
    folder: Path, kind: str, photo: Path, ways: list[str], environment: dict[str, str]
) -> list[str]:
    command = [sys.executable, "-m", "tests.workers", folder, kind, photo, *ways]
    done = subprocess.run(
        list(map(str, command)),
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [line.strip() for line in done.stdout.splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_children_of_a_fork_answer(
    kind: str, lively_folder: Path, photo: Path, environment: dict[str, str]
) -> None:
    ways = [*WAYS, *(f"{way}-fork" for way in HANDED)]
    assert hand_over(lively_folder, kind, photo, ways, environment) == [
        "fork 2 of 2",
        "fork-thread 2 of 2",
        "fork-busy 6 of 6",
        "grandchildren 2 of 2",
        "process-fork 2 of 2",
        "pool-fork 4 of 4",
        "loader-fork 4 of 4",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
@pytest.mark.parametrize("kind", KINDS)
def test_workers_that_start_afresh_are_handed_the_model(
    kind: str, method: str, lively_folder: Path, photo: Path, environment: dict[str, str]
) -> None:
    ways = [f"{way}-{method}" for way in HANDED]
    assert hand_over(lively_folder, kind, photo, ways, environment) == [
        f"process-{method} 2 of 2",
        f"pool-{method} 4 of 4",
        f"loader-{method} 4 of 4",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_workers_of_gunicorn_answer_with_what_was_loaded_before_them(
    engine: str, lively_folder: Path, photo: Path, environment: dict[str, str]
) -> None:
    names = {"MODEL": str(lively_folder), "ENGINE": engine, "PHOTO": str(photo)}
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--preload", "--workers", "2", "--timeout", str(HANG_S),
         "--bind", "127.0.0.1:0", "tests.served:application"],
        cwd=ROOT, env=environment | names, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    guard = threading.Timer(HANG_S, server.kill)
    guard.start()
    log = []
    try:
        assert server.stderr is not None
        for line in server.stderr:
            log.append(line)
            if found := re.search(r"Listening at: (http://\S+)", line):
                break
        else:
            pytest.fail("".join(log))
        request = urllib.request.Request(found[1], data=photo.read_bytes())
        answers = []
        for _ in range(4):
            with urllib.request.urlopen(request, timeout=HANG_S) as response:
                answers.append(json.load(response))
    finally:
        server.terminate()
        server.communicate()
        guard.cancel()
    label = load_runtime(lively_folder, engine="torch").classify(photo)[0].label
    assert [answer["labels"][0] for answer in answers] == [label] * 4
    assert all(answer["process"] != server.pid for answer in answers)


def test_a_fork_waits_for_passes_and_passes_for_a_fork() -> None:
    passes, order = _Passes(), []
    inside, may_end, is_forking = threading.Event(), threading.Event(), threading.Event()

    def run() -> None:
        with passes.one():
            inside.set()
            may_end.wait(HANG_S)
            order.append("the pass ends")

    def fork() -> None:
        is_forking.set()
        passes.before_fork()
        order.append("the fork")
        passes.after_in_parent()

    threads = [threading.Thread(target=run), threading.Thread(target=fork)]
    threads[0].start()
    assert inside.wait(HANG_S)
    threads[1].start()
    assert is_forking.wait(HANG_S)
    may_end.set()
    for thread in threads:
        thread.join(HANG_S)
    assert order == ["the pass ends", "the fork"]
    with passes.one():  # and the gate is open again
        order.append("another pass")
    assert order[-1] == "another pass"


def test_a_pass_begins_only_when_the_fork_is_over() -> None:
    passes, order = _Passes(), []

    def run() -> None:
        with passes.one():
            order.append("the pass")

    passes.before_fork()
    thread = threading.Thread(target=run)
    thread.start()
    order.append("the fork")
    passes.after_in_parent()
    thread.join(HANG_S)
    assert order == ["the fork", "the pass"]
