import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch

from hub_models import ImageClassifier, PreprocessConfig
from tests.processes import HANG_S
from tests.training.finetune_and_wait import WAITS_AT
from training.evaluate import main as evaluate
from training.finetune import main as finetune
from training.plots import main as draw_runs
from training.state import Progress, load_state


def typed(recipe: dict[str, object], **changes: object) -> list[str]:
    return [
        word for key, value in {**recipe, **changes}.items() for word in (f"--{key}", str(value))
    ]


def rows(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_a_run_leaves_a_checkpoint_metrics_config_and_state(
    tiny_recipe: dict[str, object], tmp_path: Path
) -> None:
    assert finetune(typed(tiny_recipe)) == 0
    run = tmp_path / "run"
    assert sorted(path.name for path in run.iterdir()) == [
        "audit.json",
        "audit.md",
        "checkpoint",
        "config.toml",
        "environment.json",
        "metrics.jsonl",
        "split.json",
        "state",
        "tracker",
    ]
    assert [row["epoch"] for row in rows(run)] == [1, 2]
    assert tomllib.loads((run / "config.toml").read_text())["batch_size"] == 16
    model = ImageClassifier.from_pretrained(run / "checkpoint")
    assert model.config.label_names == ("blue", "green", "red")
    assert model.config.preprocess.crop == 32
    assert model.config.origin["train_images"] == 48


def test_the_checkpoint_is_the_best_epoch_not_the_last(
    tiny_recipe: dict[str, object], tmp_path: Path
) -> None:
    assert finetune(typed(tiny_recipe, epochs=4, learning_rate=0.02)) == 0
    best = max(rows(tmp_path / "run"), key=lambda row: row["validation_accuracy"])
    config = ImageClassifier.from_pretrained(tmp_path / "run" / "checkpoint").config
    assert config.origin["best_epoch"] == best["epoch"]  # max() takes the first of equal ones
    assert config.results["validation"]["accuracy"] == best["validation_accuracy"]


def launch(
    processes: int, words: list[str], script: str = "training/finetune.py"
) -> "subprocess.Popen[str]":
    """Start the script as a file under `accelerate launch`, in a process group of its own."""
    command = [sys.executable, "-m", "accelerate.commands.launch", "--cpu"]
    command += ["--num_processes", str(processes), "--num_machines", "1"]
    command += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    return subprocess.Popen(
        [*command, script, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )


def final_state(run: Path) -> dict[str, Any]:
    state, progress, _ = load_state(run / "state")
    kept = {k: getattr(progress, k) for k in ("epoch", "step", "best_accuracy", "best_epoch")}
    history = [{k: v for k, v in row.items() if k != "seconds"} for row in progress.rows]
    return {**state, **kept, "history": history}


def assert_bit_equal(one: Any, other: Any, where: str = "state") -> None:
    match one:
        case torch.Tensor():
            assert torch.equal(one, other), where
        case dict():
            assert one.keys() == other.keys(), where
            for key in one:
                assert_bit_equal(one[key], other[key], f"{where}.{key}")
        case list() | tuple():
            assert len(one) == len(other), where
            for i, (a, b) in enumerate(zip(one, other, strict=True)):
                assert_bit_equal(a, b, f"{where}[{i}]")
        case _:
            assert one == other, where


THOROUGH = {  # everything that has a state: momentum, moving average, best epochs, dropout, mixing
    "epochs": 3,
    "batch_size": 8,
    "save_every": 1,
    "ema_decay": 0.9,
    "average_best": 2,
    "mixup": 0.2,
    "schedule": "plateau",
    "patience": 0,
}


@pytest.fixture
def taught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """A teacher of other classes, so that a head is fitted to it, with soft targets and hints."""
    monkeypatch.setenv("HUB_MODELS_CACHE", str(tmp_path / "cache"))
    torch.manual_seed(5)
    view = PreprocessConfig(resize=36, crop=32)
    teacher = ImageClassifier.create("resnet18", ["cat", "dog", "owl", "red"], preprocess=view)
    teacher.save_pretrained(tmp_path / "teacher")
    return {"teacher": tmp_path / "teacher", "hint_weight": 1.0, "mixup": 0.0, "micro_batches": 2}


@pytest.mark.parametrize(
    "view", ["none", *(pytest.param(v, marks=pytest.mark.slow) for v in ("centre", "student"))]
)
def test_a_run_stopped_by_a_signal_resumes_to_the_bits_of_an_uninterrupted_one(
    view: str,
    taught: dict[str, object],
    tiny_recipe: dict[str, object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = THOROUGH if view == "none" else {**THOROUGH, **taught, "teacher_view": view}
    whole = typed(tiny_recipe, **keys, out=tmp_path / "whole")
    cut = typed(tiny_recipe, **keys, out=tmp_path / "cut")
    assert finetune(whole) == 0

    import training.finetune as script

    real_save = script.save_state

    def save_and_send_signal(folder: Path, content: dict[str, Any], progress: Progress) -> None:
        real_save(folder, content, progress)
        if (progress.epoch, progress.step) == (1, 2):
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(script, "save_state", save_and_send_signal)
    assert finetune(cut) == 128 + signal.SIGTERM
    monkeypatch.undo()
    assert load_state(tmp_path / "cut" / "state")[1].step == 3  # one more step, then it stopped
    assert finetune([*cut, "--resume"]) == 0
    assert_bit_equal(final_state(tmp_path / "cut"), final_state(tmp_path / "whole"))
    weights = [(tmp_path / run / "checkpoint/model.safetensors") for run in ("cut", "whole")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "view"), [(1, "none"), (2, "none"), (2, "centre")])
def test_a_killed_run_resumes_to_the_bits_of_an_uninterrupted_one(
    processes: int,
    view: str,
    taught: dict[str, object],
    tiny_recipe: dict[str, object],
    tmp_path: Path,
) -> None:
    keys = THOROUGH if view == "none" else {**THOROUGH, **taught, "micro_batches": 1}
    runs = {name: tmp_path / name for name in ("whole", "killed")}
    words = {name: typed(tiny_recipe, **keys, out=out) for name, out in runs.items()}
    whole = launch(processes, words["whole"])
    killed = launch(processes, words["killed"], "tests/training/finetune_and_wait.py")
    while not (runs["killed"] / "state" / WAITS_AT).exists():
        assert killed.poll() is None, killed.communicate()[0]
        time.sleep(0.05)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    said = whole.communicate(timeout=HANG_S)[0]
    assert whole.returncode == 0, said
    assert len(rows(runs["killed"])) == 1
    resumed = launch(processes, [*words["killed"], "--resume"])
    said = resumed.communicate(timeout=HANG_S)[0]
    assert resumed.returncode == 0, said
    assert "resuming at epoch 2, step 3" in said
    assert_bit_equal(final_state(runs["killed"]), final_state(runs["whole"]))


@pytest.mark.slow
def test_two_processes_make_the_run_of_one(
    tiny_recipe: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_MODELS_CACHE", str(tmp_path / "cache"))
    keys = {"freeze_batch_norm": "true", "epochs": 2, "average_best": 0, "pixel_cache_gib": 0.1}
    runs = {n: tmp_path / str(n) for n in (1, 2)}
    started = [launch(n, typed(tiny_recipe, **keys, out=out)) for n, out in runs.items()]
    for process in started:
        said = process.communicate(timeout=HANG_S)[0]
        assert process.returncode == 0, said
    one, two = rows(runs[1]), rows(runs[2])
    for key in ("backbone_learning_rate", "head_learning_rate"):
        assert [row[key] for row in one] == [row[key] for row in two]
    for a, b in zip(one, two, strict=True):  # dropout differs, so the losses nearly agree
        assert a["train_loss"] == pytest.approx(b["train_loss"], rel=0.05)
        assert a["validation_loss"] == pytest.approx(b["validation_loss"], rel=0.05)
    steps = [final_state(run)["schedule"]["steps"] for run in runs.values()]
    assert steps == [6, 6]


def test_a_profiled_run_says_where_the_time_of_each_epoch_went(
    tiny_recipe: dict[str, object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetune(typed(tiny_recipe, profile="true")) == 0
    reports = json.loads((tmp_path / "run" / "profile.json").read_text())
    assert [(report["epoch"], report["steps"]) for report in reports] == [(1, 3), (2, 3)]
    assert capsys.readouterr().out.count(" ms: data ") == 2


@pytest.mark.slow
def test_two_processes_are_taught_as_one_is(
    tiny_recipe: dict[str, object], taught: dict[str, object], tmp_path: Path
) -> None:
    keys = {**taught, "freeze_batch_norm": "true", "teacher_weight": 1.0, "hint_weight": 5.0}
    runs = {n: tmp_path / str(n) for n in (1, 2)}
    started = [launch(n, typed(tiny_recipe, **keys, out=out)) for n, out in runs.items()]
    for process in started:
        said = process.communicate(timeout=HANG_S)[0]
        assert process.returncode == 0, said
    for a, b in zip(rows(runs[1]), rows(runs[2]), strict=True):  # dropout differs
        assert a["train_loss"] == pytest.approx(b["train_loss"], rel=0.05)


def test_a_teacher_is_named_on_the_card_and_nothing_of_it_is_in_the_checkpoint(
    tiny_recipe: dict[str, object],
    taught: dict[str, object],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert finetune(typed(tiny_recipe, **taught, epochs=1)) == 0
    run = tmp_path / "run"
    assert "a head for blue, green, red was fitted to its features" in capsys.readouterr().out
    sentence = (
        "the whole network, taught by teacher (view centre, soft targets 0.5 at temperature 4, "
        "hints 1)"
    )
    assert sentence in (run / "checkpoint" / "README.md").read_text()
    assert str(tmp_path) not in (run / "checkpoint" / "config.json").read_text()
    assert ImageClassifier.from_pretrained(run / "checkpoint").config.origin["epochs"] == 1
    assert set(final_state(run)["lesson"]) == {
        "mean",
        "head.weight",
        "head.bias",
        "projection.weight",
        "projection.bias",
    }
    recipe = tomllib.loads((run / "config.toml").read_text())
    assert (recipe["teacher"], recipe["hint_weight"]) == (str(tmp_path / "teacher"), 1.0)


def test_a_run_is_not_written_over(
    tiny_recipe: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetune(typed(tiny_recipe, epochs=1)) == 0
    assert finetune(typed(tiny_recipe, epochs=1)) == 1
    assert "holds a run; --resume continues it" in capsys.readouterr().err


def test_unreadable_pictures_are_named_dropped_and_counted_on_the_card(
    tiny_recipe: dict[str, object],
    class_folders: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (class_folders / "red" / "broken.jpg").write_text("not a picture")
    assert finetune(typed(tiny_recipe, epochs=1)) == 0
    out = capsys.readouterr().out
    assert "broken.jpg: not a picture of a known kind" in out
    assert "dropped 1 unreadable" in out
    card = (tmp_path / "run" / "checkpoint" / "README.md").read_text()
    assert "| Unreadable pictures dropped | 1 |" in card


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": "no/such-data"}, "data set 'no/such-data' cannot be loaded"),
        ({"weights": "nowhere/at-all"}, "--weights none | FOLDER | REPO_ID"),
        ({"architecture": "vgg16"}, "architecture 'vgg16' is not known"),
        ({"teacher": "nowhere/at-all"}, "teacher: nowhere/at-all: no such folder"),
        ({"learning_rate": 1e20, "freeze": "none"}, "learning_rate must be from 0 to 100"),
    ],
)
def test_what_cannot_be_had_is_one_sentence(
    changes: dict[str, object],
    message: str,
    tiny_recipe: dict[str, object],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert finetune(typed(tiny_recipe, **changes)) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("finetune: ")
    assert message in error
    assert not (tmp_path / "run" / "checkpoint").exists()


def test_another_run_s_split_is_used_exactly(
    tiny_recipe: dict[str, object], tmp_path: Path
) -> None:
    assert finetune(typed(tiny_recipe, epochs=1)) == 0
    split = tmp_path / "run" / "split.json"
    other = typed(tiny_recipe, epochs=1, seed=9, out=tmp_path / "other", split_file=split)
    assert finetune(other) == 0
    assert (tmp_path / "other" / "split.json").read_text() == split.read_text()


def test_an_unknown_key_is_wrong_usage() -> None:
    with pytest.raises(SystemExit, match="2"):
        finetune(["--epoch", "3"])


def test_evaluating_a_checkpoint_repeats_the_number_of_the_run(
    tiny_recipe: dict[str, object],
    class_folders: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert finetune(typed(tiny_recipe)) == 0
    folder = tmp_path / "run" / "checkpoint"
    before = ImageClassifier.from_pretrained(folder).config.results["validation"]
    capsys.readouterr()
    # The same seed and fraction cut the same validation split.
    words = ["--model", str(folder), "--data", str(class_folders), "--split", "validation"]
    words += ["--validation_fraction", "0.2"]
    assert evaluate([*words, "--save", "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)[0]
    assert {key: measured[key] for key in before} == pytest.approx(before)
    assert json.loads((folder / "results.json").read_text())["validation"]["images"] == 12
    assert "python -m training.evaluate" in (folder / "README.md").read_text()


def test_a_missing_split_is_one_sentence(
    tiny_folder: Path, class_folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(["--model", str(tiny_folder), "--data", str(class_folders)]) == 1
    # Nothing is cut for a test that is not there: `validation` would be cut from train
    assert capsys.readouterr().err == "evaluate: data: no split 'test'; there are train\n"


def test_early_stopping_ends_a_run_that_no_longer_improves(
    tiny_recipe: dict[str, object], tmp_path: Path
) -> None:
    still = {"learning_rate": 0.0, "freeze_batch_norm": "true"}
    assert finetune(typed(tiny_recipe, **still, epochs=9, early_stopping=2)) == 0
    assert len(rows(tmp_path / "run")) == 3


def test_the_mean_of_the_best_epochs_is_tried_at_the_end(
    tiny_recipe: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetune(typed(tiny_recipe, epochs=3, average_best=2)) == 0
    assert "mean of the epochs [" in capsys.readouterr().out


def test_a_damaged_state_is_said_and_the_one_before_is_used(
    tiny_recipe: dict[str, object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetune(typed(tiny_recipe)) == 0
    newest = max((tmp_path / "run" / "state").iterdir())
    newest.write_bytes(newest.read_bytes()[:-1])
    assert finetune([*typed(tiny_recipe), "--resume"]) == 0
    assert f"{newest.name} is damaged: using the state before it" in capsys.readouterr().out
    assert [row["epoch"] for row in rows(tmp_path / "run")] == [1, 2]


def test_a_resumed_run_needs_no_more_than_its_folder(
    tiny_recipe: dict[str, object], tmp_path: Path
) -> None:
    assert finetune(typed(tiny_recipe)) == 0
    run = tmp_path / "run"
    newest = max((run / "state").iterdir())
    newest.unlink()  # as if it had been killed before the end
    assert finetune(["--out", str(run), "--resume"]) == 0
    assert newest.exists()
    assert [row["epoch"] for row in rows(run)] == [1, 2]


def test_a_resumed_run_refuses_another_recipe(
    tiny_recipe: dict[str, object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetune(typed(tiny_recipe, epochs=1)) == 0
    assert finetune([*typed(tiny_recipe, epochs=1, learning_rate=0.5), "--resume"]) == 1
    error = capsys.readouterr().err.strip()
    assert error.endswith(
        "config.toml: this run has learning_rate = 0.001, not 0.5; a resumed run keeps its recipe, "
        "all but data, out, workers, profile, save_every, tracker, push_to"
    )
    changes = {"save_every": 1, "workers": 1}  # change where it computes, and no number
    assert finetune([*typed(tiny_recipe, epochs=1, **changes), "--resume"]) == 0


def test_a_resumed_run_refuses_other_data(
    tiny_recipe: dict[str, object], class_folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetune(typed(tiny_recipe, epochs=1)) == 0
    (class_folders / "red" / "red-00.jpg").unlink()
    assert finetune([*typed(tiny_recipe, epochs=1), "--resume"]) == 1
    assert "split.json: made from other data: 'train' had 60 rows" in capsys.readouterr().err


def test_the_training_pictures_own_mean_and_std_go_with_the_model(
    tiny_recipe: dict[str, object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetune(typed(tiny_recipe, epochs=1, normalisation="measured")) == 0
    preprocess = ImageClassifier.from_pretrained(tmp_path / "run/checkpoint").config.preprocess
    # Each channel is even noise of 0 to 119, and 100 brighter in a third of the pictures.
    assert preprocess.mean == pytest.approx([(59.5 + 100 / 3) / 255] * 3, abs=0.02)
    assert f"mean {preprocess.mean}" in capsys.readouterr().out


def test_a_grey_run_starts_from_rgb_weights_and_leaves_a_grey_model(
    tiny_recipe: dict[str, object], tmp_path: Path
) -> None:
    weights = tmp_path / "weights"
    rgb = ImageClassifier.create("mobilenetv2_025", ["a"], preprocess=PreprocessConfig(36, 32))
    rgb.save_pretrained(weights)
    keys = {"weights": str(weights), "channels": 1, "freeze": "head", "epochs": 1}
    assert finetune(typed(tiny_recipe, **keys)) == 0
    grey = ImageClassifier.from_pretrained(tmp_path / "run/checkpoint")
    assert grey.config.preprocess.mean == (0.449,)
    batch = torch.randn(2, 1, 32, 32)
    expected = rgb.eval().feature_map(batch.expand(-1, 3, -1, -1))
    torch.testing.assert_close(grey.feature_map(batch), expected, rtol=1e-3, atol=1e-4)


def test_tensorboard_gets_every_epoch_and_the_recipe(
    tiny_recipe: dict[str, object], tmp_path: Path
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert finetune(typed(tiny_recipe)) == 0
    run = tmp_path / "run"
    events = EventAccumulator(str(run / "tracker")).Reload()
    for tag in ("train_loss", "validation_accuracy", "head_learning_rate"):
        assert [event.step for event in events.Scalars(tag)] == [1, 2]
    told = [event.value for event in events.Scalars("validation_loss")]
    assert told == pytest.approx([row["validation_loss"] for row in rows(run)])
    assert "batch_size: 16" in next((run / "tracker").glob("*/hparams.yml")).read_text()


def test_without_a_tracker_there_is_none(tiny_recipe: dict[str, object], tmp_path: Path) -> None:
    assert finetune(typed(tiny_recipe, epochs=1, tracker="")) == 0
    assert not (tmp_path / "run" / "tracker").exists()


def test_the_curves_of_a_run_can_be_drawn(tiny_recipe: dict[str, object], tmp_path: Path) -> None:
    assert finetune(typed(tiny_recipe, epochs=1, tracker="")) == 0
    assert draw_runs([str(tmp_path / "run"), "--out", str(tmp_path / "curves.png")]) == 0
    assert (tmp_path / "curves.png").stat().st_size > 0
