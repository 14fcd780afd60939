"""The comparison of two tiny models on drawn pictures; the speed is measured in one test only."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hub_models import ImageClassifier, PreprocessConfig, hub
from hub_models.comparison import Comparison, read_comparison
from tests.training.conftest import CHANNELS, draw
from training import answers
from training.compare import main as compare
from training.significance import mcnemar

Captured = pytest.CaptureFixture[str]
MODELS = {"a": ("blue", "green", "red"), "b": ("red", "blue", "green")}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classifiers that are often wrong, with labels in unlike order; 21 pictures to test on."""
    root = tmp_path_factory.mktemp("compare")
    for seed, (name, labels) in enumerate(MODELS.items()):
        torch.manual_seed(seed)
        preprocess = PreprocessConfig(resize=36, crop=32)
        model = ImageClassifier.create("mobilenetv2_025", labels, preprocess=preprocess)
        torch.nn.init.normal_(model.head.weight)
        model.save_pretrained(root / name)
    for number, split in enumerate(("train", "test")):
        for label in CHANNELS:
            folder = root / "pictures" / split / label
            folder.mkdir(parents=True)
            for i in range(7):
                draw(label, 100 * number + i).save(folder / f"{label}-{i}.png")
    return root


def words(shared: Path, out: Path, *more: object) -> list[str]:
    models = [word for name in MODELS for word in ("--model", str(shared / name))]
    options = ["--data", str(shared / "pictures"), "--workers", "0", "--out", str(out)]
    return [*models, *options, *map(str, more)]


def compared(shared: Path, out: Path, *more: object) -> Comparison:
    assert compare(words(shared, out, "--no-profile", *more)) == 0
    return read_comparison(out)


def said(folder: Path, pictures: Path) -> list[str]:
    model = ImageClassifier.from_pretrained(folder)
    paths = sorted(pictures.rglob("*.png"))
    return [found[0].label for found in model.classify(paths, top=1)]


def test_the_numbers_are_those_of_the_models_own_answers(
    shared: Path, tmp_path: Path, capsys: Captured
) -> None:
    comparison = compared(shared, tmp_path / "new" / "c.json")
    test = shared / "pictures" / "test"
    truth = np.array([path.parent.name for path in sorted(test.rglob("*.png"))])
    first, second = (np.array(said(shared / name, test)) for name in MODELS)
    a, b = comparison.models
    assert (a.correct, b.correct) == ((first == truth).sum(), (second == truth).sum())
    assert a.accuracy == pytest.approx(a.correct / 21)
    assert comparison.agreement[0][1] == pytest.approx((first == second).mean())
    (pair,) = comparison.pairs
    only_first = ((first == truth) & (second != truth)).sum()
    only_second = ((first != truth) & (second == truth)).sum()
    assert (pair.only_first_right, pair.only_second_right) == (only_first, only_second)
    assert pair.p_value == mcnemar(only_first, only_second)
    out = capsys.readouterr().out
    assert "21 images of pictures, test" in out
    assert "is better than" in out or "can be shown" in out


def test_it_says_what_was_measured_how_and_on_which_weights_without_paths(
    shared: Path, tmp_path: Path
) -> None:
    comparison = compared(shared, tmp_path / "c.json")
    model = ImageClassifier.from_pretrained(shared / "a")
    first = comparison.models[0]
    assert (first.name, first.source, first.revision) == ("a", "a", None)
    assert first.parameters == sum(p.numel() for p in model.parameters())
    weights = hub.weights_path(shared / "a")
    assert first.bytes == weights.stat().st_size
    assert len(first.weights_sha256) == 64
    assert (first.architecture, first.side_px) == ("mobilenetv2_025", 32)
    assert first.macs > 0
    assert 0 <= first.ece <= 1
    assert (comparison.data, comparison.split, comparison.images) == ("pictures", "test", 21)
    assert {"python", "torch"} <= comparison.machine.versions.keys()
    assert comparison.command == (
        "python -m training.compare --model a --model b --data DATA --out c.json --split test "
        "--no-profile"
    )
    assert str(tmp_path) not in (tmp_path / "c.json").read_text()


def test_answers_are_remembered_until_weights_or_pictures_change(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that stopped, or one with a model more, asks only what was not asked yet."""
    asked: list[str] = []
    ask = answers.answer

    def counting(*arguments: object) -> object:
        asked.append(str(arguments[3]))
        return ask(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(answers, "answer", counting)
    root = Path(shutil.copytree(shared, tmp_path / "copy"))
    before = compared(root, tmp_path / "c.json")
    assert asked == ["a: test", "b: test"]
    assert compared(root, tmp_path / "c.json") == before
    assert len(asked) == 2
    model = ImageClassifier.from_pretrained(root / "b")
    torch.nn.init.zeros_(model.head.weight)
    model.save_pretrained(root / "b")
    assert compared(root, tmp_path / "c.json") != before
    assert asked[2:] == ["b: test"]
    config = hub.read_config(root / "b")
    larger = replace(config.preprocess, resize=40)
    hub.write_config(root / "b", replace(config, preprocess=larger))
    compared(root, tmp_path / "c.json")
    assert asked[3:] == ["b: test"]
    for path in (tmp_path / "cache").rglob("*.npy"):
        path.write_bytes(path.read_bytes()[:-1])  # damaged: asked again
    (root / "pictures" / "test" / "red" / "red-0.png").unlink()
    assert compared(root, tmp_path / "c.json").images == 20
    assert asked[4:] == ["a: test", "b: test"]


@pytest.mark.slow
def test_speed_and_memory_are_measured_and_drawn(
    shared: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.speed.usable_cores", lambda: 1)
    monkeypatch.setattr("training.speed.is_onnx_installed", lambda: False)  # half the processes
    out = tmp_path / "c.json"
    quick = ["--profile-seconds", "0.02", "--profile-rounds", "1"]
    typed = words(shared, out, *quick)
    assert compare(typed[2:]) == 0  # without the first model: a process less
    assert sorted(path.name for path in tmp_path.glob("c.*")) == ["c.json", "c.png", "c.svg"]
    (model,) = read_comparison(out).models
    (measured,) = model.measurements
    assert (measured.engine, measured.threads, measured.batch) == ("torch", 1, 8)
    assert measured.peak_bytes > 50e6
    assert measured.file_bytes == model.bytes
    printed = capsys.readouterr().out
    assert "one picture, p50 and p95 in ms" in printed
    assert printed.endswith(f"written: {out} {tmp_path / 'c.png'} {tmp_path / 'c.svg'}\n")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--out": "c.txt"}, "--out must end in .json, not c.txt"),
        ({"--model": "{a}"}, "stands there twice"),
        ({"--split": "holdout"}, "data: no split 'holdout'; there are train, "),
        ({"--model": "{root}/gone"}, "gone: no such folder"),
        ({"--out": "{root}/a/config.json/c.json"}, "no folder can be made there"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    change: dict[str, str], message: str, shared: Path, tmp_path: Path, capsys: Captured
) -> None:
    typed = words(shared, tmp_path / "c.json", "--no-profile")
    for option, value in change.items():
        typed += [option, value.format(root=shared, a=shared / "a")]
    assert compare(typed) == 1
    err = capsys.readouterr().err
    assert message in err
    assert err.startswith("compare: ")


def test_models_with_other_classes_than_the_data_are_refused(
    shared: Path, tiny_folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    typed = words(shared, tmp_path / "c.json", "--no-profile", "--model", tiny_folder)
    assert compare(typed) == 1
    assert "its classes are" in capsys.readouterr().err


def test_weights_that_answer_nan_are_named(shared: Path, tmp_path: Path, capsys: Captured) -> None:
    model = ImageClassifier.from_pretrained(shared / "a")
    with torch.no_grad():
        model.head.bias[0] = float("nan")
    model.save_pretrained(tmp_path / "broken")
    typed = words(shared, tmp_path / "c.json", "--no-profile", "--model", tmp_path / "broken")
    assert compare(typed) == 1
    assert "broken: test: a logit is NaN or infinite" in capsys.readouterr().err
    assert not (tmp_path / "c.json").exists()


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "soon", "1e9"])
def test_seconds_that_are_none_are_wrong_usage(
    seconds: str, shared: Path, tmp_path: Path, capsys: Captured
) -> None:
    with pytest.raises(SystemExit, match="2"):
        compare(words(shared, tmp_path / "c.json", f"--profile-seconds={seconds}"))
    assert "seconds above 0, at most 3600" in capsys.readouterr().err


@pytest.mark.parametrize("rounds", ["0", "-1", "1.5", "101"])
def test_rounds_that_are_none_are_wrong_usage(
    rounds: str, shared: Path, tmp_path: Path, capsys: Captured
) -> None:
    with pytest.raises(SystemExit, match="2"):
        compare(words(shared, tmp_path / "c.json", f"--profile-rounds={rounds}"))
    assert "a whole number from 1 to 100" in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_find_the_same_and_write_once(shared: Path, tmp_path: Path) -> None:
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_machines", "1"]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no", "--num_processes", "2"]
    out = tmp_path / "two.json"
    done = subprocess.run(
        [*launch, "training/compare.py", *words(shared, out, "--batch_size", 4, "--no-profile")],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "HUB_MODELS_CACHE": str(tmp_path / "other")},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("21 images of pictures") == 1
    two, one = read_comparison(out), compared(shared, tmp_path / "one.json")
    assert two.pairs == one.pairs
    assert [m.correct for m in two.models] == [m.correct for m in one.models]
    assert two.images == 21
