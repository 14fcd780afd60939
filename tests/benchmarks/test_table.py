"""The arithmetic of the table: ratios, goals, limits, lines, and what is kept between runs."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import __main__ as suite
from benchmarks import cold_start, demo_row, full_peers, growth, head_peers, one_picture
from benchmarks.apart import watch
from benchmarks.limit import Rates
from benchmarks.results import Results, digest_code
from benchmarks.row import Kind, against, at_most, render
from benchmarks.trainers.order import Clock, Order, projected_s

ORDER = Order("ours", "data", "start", "out", "resnet18", trained=2860, tested=715)
STEADY = {"epoch_s": 2.0, "step_s": 0.5, "tests_s": 1.0}
MACHINE = Rates(macs_per_second=1e9, bytes_per_second=1e9, decode_s=0.01, threads=2)


def test_of_a_time_less_is_better_and_the_fastest_peer_counts():
    row = against("x", 2.0, {"slow": 30.0, "fast": 10.0}, Kind("s", 5), limit=0.5)
    assert (row.ratio, row.reached, row.peer, row.limit) == (5.0, True, "10 s (fast)", 4.0)


def test_of_a_rate_more_is_better():
    row = against("x", 20.0, {"slow": 5.0, "fast": 16.0}, Kind("/s", 1.3, is_rate=True), limit=50.0)
    assert (row.ratio, row.reached, row.peer, row.limit) == (1.25, False, "16 /s (fast)", 2.5)


def test_without_a_peer_nothing_is_claimed():
    row = against("x", 2.0, {}, Kind("s", 5), note="all were left out")
    assert (row.ratio, row.reached) == (None, None)
    assert "| cannot be said |" in render([row])
    assert "- x: all were left out" in render([row])


def test_a_share_is_held_against_the_most_it_may_be():
    assert at_most("x", 0.05, 0.05).reached
    assert not at_most("x", 0.051, 0.05).reached


def test_a_peer_of_another_accuracy_is_left_out_by_name():
    runs = {
        "ours": [{"seconds": 8.0, "peak_bytes": 2e9, "accuracy": 0.98, **STEADY}],
        "timm": [{"seconds": 74.0, "peak_bytes": 1e9, "accuracy": 0.975, **STEADY}],
        "fastai": [{"seconds": 20.0, "peak_bytes": 1e9, "accuracy": 0.90, **STEADY}],
    }
    ours = [{"seconds": 10.0, "peak_bytes": 2e9}]
    short = replace(ORDER, epochs=2)
    time, memory = head_peers.compare((ORDER, short), runs, ours, floor_s=5.0)
    assert "10 epochs, peers from 2 of 2860: time" in time.name
    assert (time.ratio, time.reached, time.limit) == (9.0, True, 2.0)
    assert "left out, too far apart: fastai" in time.note
    assert (memory.ratio, memory.reached) == (0.5, False)


def test_full_training_compares_rate_first_epoch_and_memory():
    order = replace(ORDER, epochs=1, batch=26)
    cost = {**STEADY, "peak_bytes": 1e9, "accuracy": 0.9}
    runs = {
        "ours": [cost | {"step_s": 2.0, "seconds": 10.0}] * 3,
        "timm": [cost | {"step_s": s, "seconds": 12.0} for s in (0.3, 2.6, 2.9)],
        "lazy": [cost | {"step_s": 0.1, "seconds": 1.0, "accuracy": 0.5}],
    }
    rate, epoch, memory = full_peers.compare((order, order), runs, 26.0, 5.0)
    assert "left out, too far apart: lazy" in rate.note
    assert (rate.ratio, rate.limit) == (1.3, 2.0)
    assert (epoch.ratio, epoch.limit, epoch.reached) == (1.2, 2.0, False)
    assert memory.ratio == 1.0


def test_own_parts_are_no_peers_of_one_picture():
    ms = {"ours": (20.0, 30.0), "timm": (50.0, 90.0), "parts": (15.0, 20.0), "decode": (1.0, 2.0)}
    p50, p95 = one_picture.compare("m", {"ms": ms, "network": (10**6, 10**6)}, MACHINE)
    assert (p50.ratio, p95.ratio) == (2.5, 3.0)
    assert p50.limit == pytest.approx(20 / (10 + 1))


def test_each_way_to_ask_the_demo_is_held_against_the_plain_page():
    measured = {
        "plain": {"rate": 4.0, "p95_ms": 300.0, "errors": 0},
        "demo": {"rate": 6.0, "p95_ms": 200.0, "errors": 1},
        "demo, POST /classify": {"rate": 10.0, "p95_ms": 100.0, "errors": 0},
    }
    networks = [[10**7, 10**6], [10**7, 10**7]]
    rows = demo_row.compare(8, measured, MACHINE, networks)
    assert [row.ratio for row in rows] == [1.5, 1.5, 2.5, 3.0]
    assert rows[0].note == "1 requests failed"
    assert rows[2].limit == pytest.approx(1 / 0.025 / 10)


def test_a_start_with_another_answer_is_refused():
    one = {"start to answer": 1.0, "import": 0.5, "load": 0.1, "peak_bytes": 10**8}
    runs = {
        "ours": [one | {"answer": {"cat": 0.7, "dog": 0.3}}],
        "timm": [one | {"answer": {"cat": 0.6, "dog": 0.4}}],
    }
    with pytest.raises(SystemExit, match="timm: another answer"):
        cold_start.compare("resnet18", runs, 0.1)
    runs["timm"][0]["answer"] = {"cat": 0.7001, "dog": 0.2999}
    assert [row.ratio for row in cold_start.compare("resnet18", runs, 0.1)] == [1.0] * 4


def test_the_floor_of_a_pass_is_operations_or_bytes_whichever_is_longer():
    assert MACHINE.pass_s(10**6, 10**7) == 0.01
    assert MACHINE.pass_s(10**6, 10**7, images=100) == 0.1
    assert MACHINE.decoding_s(1) == 0.01
    assert MACHINE.decoding_s(10) == 0.05


def test_a_straight_line_through_three_sizes_is_found():
    images = np.array([100.0, 400.0, 1600.0])
    start_s, each_s = growth.line(images, 3 + 0.02 * images)
    assert (start_s, each_s) == pytest.approx((3, 0.02))
    assert growth.line(images, images**1.5)[0] == 0.0


def test_growth_that_is_not_linear_or_not_flat_is_said():
    linear = [(3 + 0.02 * n, 10**9) for n in (100, 400, 1600)]
    assert [row.reached for row in growth.judge("x", (100, 400, 1600), linear)] == [True, True]
    worse = [(n**1.3, 10**9 + n * 10**5) for n in (100, 400, 1600)]
    assert [row.reached for row in growth.judge("x", (100, 400, 1600), worse)] == [False, False]


def test_a_steady_step_is_one_after_the_first_quarter(monkeypatch):
    times = iter([0.0, 10.0, 20.0, 21.0, 22.0, 23.0, 24.0, 25.0, 26.0, 30.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(times))
    clock = Clock()
    for _ in range(8):
        clock.step()
    clock.epoch()
    assert clock.last_epoch == {"epoch_s": 30.0, "step_s": 1.0, "tests_s": 4.0}


def test_a_whole_run_is_computed_from_a_short_one():
    whole = replace(ORDER, trained=320, tested=80, epochs=10)
    short = replace(whole, trained=64, tested=40, epochs=2)
    start_s, step_s, test_s = 7.0, 0.5, 0.025

    def seconds(order: Order) -> float:
        return start_s + order.epochs * (order.trained / 32 * step_s + order.tested * test_s)

    run = {"seconds": seconds(short), "epoch_s": 2.0, "step_s": 0.5, "tests_s": 1.0}
    assert projected_s(run, short, whole) == pytest.approx(seconds(whole))
    assert projected_s(run, short, short) == run["seconds"]


def test_what_was_measured_is_not_measured_again(tmp_path: Path):
    calls = []
    for _ in range(2):
        results = Results(tmp_path / "results.json")
        value = results.once({"way": "ours", "round": 0}, lambda: calls.append(1) or 7)
        assert value == 7
    results.once({"way": "ours", "round": 1}, lambda: calls.append(1))
    assert len(calls) == 2


def test_what_other_code_measured_is_measured_anew_and_not_shown(tmp_path: Path):
    results = Results(tmp_path / "results.json")
    results.once({"way": "ours"}, lambda: 7)
    results.put_rows("folder", [at_most("x", 0.1, 0.2)])
    content = (tmp_path / "results.json").read_text()
    (tmp_path / "results.json").write_text(content.replace(digest_code(), "0" * 64))
    older = Results(tmp_path / "results.json")
    assert (older.rows("folder"), older.commits) == ([], [])
    assert older.once({"way": "ours"}, lambda: 8) == 8
    assert older.once({"way": "ours"}, lambda: 9) == 8


def test_results_of_another_machine_are_not_mixed_in(tmp_path: Path):
    path = tmp_path / "results.json"
    Results(path).put_rows("folder", [at_most("x", 0.1, 0.2)])
    assert "| x | 10.0% |" in suite.table(Results(path))
    content = json.loads(path.read_text())
    content["machine"]["versions"]["torch"] = "0.1"
    path.write_text(json.dumps(content))
    with pytest.raises(SystemExit, match="of another machine or versions"):
        Results(path)


def test_a_watched_process_is_timed_and_weighed_and_its_failure_said():
    code = "import time; x = b'1' * 50_000_000; time.sleep(0.5); print('a'); print('[1]')"
    found = watch([sys.executable, "-c", code], threads=1)
    assert found.answer == [1]
    assert found.seconds > 0.5
    assert 50e6 < found.peak_bytes < 200e6
    with pytest.raises(SystemExit, match="NameError"):
        watch([sys.executable, "-c", "nonsense"], threads=1)


@pytest.mark.parametrize("size", [0, 1])
def test_the_suite_gives_every_family_arguments_it_knows(size, tmp_path: Path, capsys):
    for family in suite.FAMILIES:
        main = __import__(f"benchmarks.{family}", fromlist=["main"]).main
        sizes = suite.FAMILIES[family][size].split()
        words = [*sizes, "--results", str(tmp_path / "r"), "--no-such"]
        with pytest.raises(SystemExit, match="2"):
            main(words)
        assert capsys.readouterr().err.strip().endswith("unrecognized arguments: --no-such")
