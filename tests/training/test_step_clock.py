import itertools
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from accelerate import Accelerator, DataLoaderConfiguration

from hub_models import ImageClassifier, PreprocessConfig
from training import step_clock
from training.config import Recipe
from training.data import load_data
from training.loop import set_up
from training.state import Progress
from training.step_clock import PARTS, StepClock, report_epoch

CPU = torch.device("cpu")


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock of the clock: one number, which only the test moves."""
    now_s = [0.0]
    monkeypatch.setattr(step_clock, "time", SimpleNamespace(perf_counter=lambda: now_s[0]))
    return now_s


def run_steps(clock: StepClock, steps: int, watch: list[float]) -> None:
    clock.start_epoch()
    for _ in range(steps):
        for name, seconds in {"data": 1, "forward": 3, "backward": 6}.items():
            with clock.part(name):
                watch[0] += seconds
        with clock.part("data"):  # of the second micro-batch
            watch[0] += 1
        watch[0] += 2
        clock.end_step()


def test_a_report_says_what_the_time_went_into(watch: list[float]) -> None:
    clock = StepClock(CPU, is_on=True)
    run_steps(clock, 3, watch)
    report = clock.report(1)
    assert (report["epoch"], report["steps"], report["step_ms"]) == (1, 3, 13_000)
    seconds = {"data": 2, "forward": 3, "backward": 6, "update": 0, "other": 2}
    assert list(report["parts"]) == list(seconds)
    for name, part_s in seconds.items():
        assert report["parts"][name]["share"] == pytest.approx(part_s / 13)
        assert report["parts"][name]["ms"] == 1000 * part_s


def test_each_epoch_is_reported_for_itself_and_a_repeated_one_replaced(
    watch: list[float], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = StepClock(CPU, is_on=True)
    for epoch, steps in ((1, 1), (2, 2), (2, 3)):
        run_steps(clock, steps, watch)
        report_epoch(clock, tmp_path, epoch)
    reports = json.loads((tmp_path / "profile.json").read_text())
    assert [(report["epoch"], report["steps"]) for report in reports] == [(1, 1), (2, 3)]
    line = capsys.readouterr().out.splitlines()[-1]
    for part in PARTS:
        assert f"{part} " in line
    assert line.startswith(f"step {reports[1]['step_ms']:.1f} ms: data ")


def test_a_clock_that_is_off_keeps_and_writes_nothing(
    watch: list[float], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = StepClock(CPU, is_on=False)
    run_steps(clock, 1, watch)
    report_epoch(clock, tmp_path, 1)
    assert clock.steps == []
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("micro_batches", [1, 3])
def test_the_loop_measures_every_part_of_every_step(
    micro_batches: int, class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every look at the clock is a tick, so a part takes a tick for each of its blocks."""
    ticks = itertools.count()
    monkeypatch.setattr(step_clock, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    recipe = Recipe(
        freeze="none", image_size=32, batch_size=16, workers=0, micro_batches=micro_batches,
        profile=True,
    )  # fmt: skip
    data = load_data(str(class_folders), validation_fraction=0.2)
    model = ImageClassifier.create(
        "mobilenetv2_025", data.label_names, preprocess=PreprocessConfig(resize=36, crop=32)
    )
    accelerator = Accelerator(dataloader_config=DataLoaderConfiguration(split_batches=True))
    training = set_up(accelerator, recipe, data, model)
    assert training.train_epoch(Progress(), lambda _: False)
    steps = training.clock.steps
    assert len(steps) == training.sampler.steps == 3
    parts = {"data": micro_batches, "forward": micro_batches, "backward": micro_batches}
    later = {**parts, "update": 1, "step": 2 * (3 * micro_batches + 1) + 1}
    first = {**later, "data": micro_batches + 1, "step": later["step"] + 2}  # starts the workers
    assert steps == [first, later, later]
