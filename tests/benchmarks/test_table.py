"""The arithmetic of the table: ratios, goals, limits, lines, and what is kept between runs."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import __main__ as suite
from benchmarks import cold_start, demo_row, full_peers, growth, head_peers, one_picture
from benchmarks.apart import watch
from benchmarks.limit import Rates
from benchmarks.results import Results
from benchmarks.row import Kind, against, at_most, render
from benchmarks.trainers.order import Clock, Order

ORDER = Order("ours", "data", "start", "out", "resnet18")
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
        "ours": [{"seconds": 10.0, "peak_bytes": 2e9, "accuracy": 0.98}],
        "timm": [{"seconds": 90.0, "peak_bytes": 1e9, "accuracy": 0.975}],
        "fastai": [{"seconds": 20.0, "peak_bytes": 1e9, "accuracy": 0.90}],
    }
    time, memory = head_peers.compare(ORDER, runs, floor_s=5.0)
    assert (time.ratio, time.reached, time.limit) == (9.0, True, 2.0)
    assert "left out, over half a point apart: fastai" in time.note
    assert (memory.ratio, memory.reached) == (0.5, False)


def test_full_training_compares_rate_first_epoch_and_memory():
    cost = {"peak_bytes": 1e9, "accuracy": 0.9}
    runs = {
        "ours": [{"rate": 13.0, "seconds": 10.0, **cost}] * 3,
        "timm": [{"rate": r, "seconds": 12.0, **cost} for r in (9.0, 10.0, 99.0)],
    }
    rate, epoch, memory = full_peers.compare(ORDER, runs, 26.0, 5.0)
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


def test_the_steady_rate_leaves_out_the_first_quarter():
    clock = Clock(8)
    clock.ends_s = [10.0, 20.0, 21.0, 22.0, 23.0, 24.0, 25.0, 26.0]
    assert clock.images_per_second(batch=4) == 4.0


def test_what_was_measured_is_not_measured_again(tmp_path: Path):
    calls = []
    for _ in range(2):
        results = Results(tmp_path / "results.json")
        value = results.once({"way": "ours", "round": 0}, lambda: calls.append(1) or 7)
        assert value == 7
    results.once({"way": "ours", "round": 1}, lambda: calls.append(1))
    assert len(calls) == 2


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
    assert 0.5 < found.seconds < 30
    assert 50e6 < found.peak_bytes < 200e6
    with pytest.raises(SystemExit, match="NameError"):
        watch([sys.executable, "-c", "nonsense"], threads=1)


def test_the_quick_suite_gives_every_family_arguments_it_knows(tmp_path: Path, capsys):
    for family in suite.FAMILIES:
        main = __import__(f"benchmarks.{family}", fromlist=["main"]).main
        words = [*suite.FAMILIES[family].split(), "--results", str(tmp_path / "r"), "--no-such"]
        with pytest.raises(SystemExit, match="2"):
            main(words)
        assert capsys.readouterr().err.strip().endswith("unrecognized arguments: --no-such")
