import json
import time
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator, DataLoaderConfiguration

from hub_models import ImageClassifier, PreprocessConfig
from training.config import Recipe
from training.data import load_data
from training.loop import set_up
from training.state import Progress
from training.step_clock import PARTS, StepClock, report_epoch

CPU = torch.device("cpu")


def run_steps(clock: StepClock, steps: int) -> None:
    clock.start_epoch()
    for _ in range(steps):
        for name, seconds in {"data": 0.01, "forward": 0.03, "backward": 0.06}.items():
            with clock.part(name):
                time.sleep(seconds)
        with clock.part("data"):  # of the second micro-batch
            time.sleep(0.01)
        time.sleep(0.02)
        clock.end_step()


def test_a_report_says_what_the_time_went_into() -> None:
    clock = StepClock(CPU, is_on=True)
    run_steps(clock, 3)
    report = clock.report(1)
    assert (report["epoch"], report["steps"]) == (1, 3)
    assert sum(part["share"] for part in report["parts"].values()) == pytest.approx(1)
    assert sum(part["ms"] for part in report["parts"].values()) == pytest.approx(
        report["step_ms"], rel=0.1
    )
    shares = {"data": 2 / 13, "forward": 3 / 13, "backward": 6 / 13, "update": 0, "other": 2 / 13}
    for name, share in shares.items():
        assert report["parts"][name]["share"] == pytest.approx(share, abs=0.05)
    assert report["parts"]["data"]["ms"] >= 20


def test_each_epoch_is_reported_for_itself_and_a_repeated_one_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = StepClock(CPU, is_on=True)
    for epoch, steps in ((1, 1), (2, 2), (2, 3)):
        run_steps(clock, steps)
        report_epoch(clock, tmp_path, epoch)
    reports = json.loads((tmp_path / "profile.json").read_text())
    assert [(report["epoch"], report["steps"]) for report in reports] == [(1, 1), (2, 3)]
    line = capsys.readouterr().out.splitlines()[-1]
    for part in PARTS:
        assert f"{part} " in line
    assert line.startswith(f"step {reports[1]['step_ms']:.1f} ms: data ")


def test_a_clock_that_is_off_keeps_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = StepClock(CPU, is_on=False)
    run_steps(clock, 1)
    report_epoch(clock, tmp_path, 1)
    assert clock.steps == []
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("micro_batches", [1, 3])
def test_the_loop_measures_every_part_of_every_step(
    micro_batches: int, class_folders: Path
) -> None:
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
    for step in steps:
        assert min(step.values()) > 0
        assert 0.5 * step["step"] < sum(step[name] for name in PARTS) <= step["step"]
        assert step["backward"] > step["data"]
