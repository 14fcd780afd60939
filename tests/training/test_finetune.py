import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch

from hub_models import ImageClassifier
from training.evaluate import main as evaluate
from training.finetune import main as finetune


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
        "checkpoint",
        "config.toml",
        "environment.json",
        "metrics.jsonl",
        "state",
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


def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(
    tiny_recipe: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert finetune(typed(tiny_recipe, epochs=3, out=tmp_path / "whole")) == 0

    import training.finetune as script

    saved = script.save_state

    def save_then_die(folder: Path, content: dict[str, Any]) -> None:
        saved(folder, content)
        raise KeyboardInterrupt

    monkeypatch.setattr(script, "save_state", save_then_die)
    with pytest.raises(KeyboardInterrupt):
        finetune(typed(tiny_recipe, epochs=3, out=tmp_path / "cut"))
    monkeypatch.undo()
    assert finetune([*typed(tiny_recipe, epochs=3, out=tmp_path / "cut"), "--resume"]) == 0
    states = [
        torch.load(tmp_path / run / "state" / "last.pt", weights_only=True)["model"]
        for run in ("whole", "cut")
    ]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


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
    assert "no split 'test'; there are train, validation" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_it_runs_as_a_file_under_accelerate_launch(
    processes: int, tiny_recipe: dict[str, object], tmp_path: Path
) -> None:
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--cpu"]
    launch += ["--num_processes", str(processes), "--num_machines", "1"]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no"]
    done = subprocess.run(
        [*launch, "training/finetune.py", *typed(tiny_recipe)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(rows(tmp_path / "run")) == 2  # one process writes
    assert rows(tmp_path / "run")[-1]["train_images_per_second"] > 0
    ImageClassifier.from_pretrained(tmp_path / "run" / "checkpoint")
