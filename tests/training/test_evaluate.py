import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from hub_models import ImageClassifier, PreprocessConfig, load_image
from hub_models.preprocess import preprocess
from tests.training.conftest import CHANNELS, draw
from training.calibration import fit_temperature
from training.evaluate import main as evaluate

LABELS = ("blue", "green", "red")
FILES = ["confusion.png", "mistakes.png", "reliability.png", "report.json"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A classifier of colours that is often wrong."""
    torch.manual_seed(1)
    preprocess = PreprocessConfig(resize=36, crop=32)
    model = ImageClassifier.create("mobilenetv2_025", LABELS, preprocess=preprocess)
    torch.nn.init.normal_(model.head.weight)
    model.save_pretrained(tmp_path / "a" / "checkpoint")
    return tmp_path / "a" / "checkpoint"


@pytest.fixture
def splits(tmp_path: Path) -> Path:
    """Class folders in three splits, seven pictures a class in each."""
    for number, split in enumerate(("train", "validation", "test")):
        for label in CHANNELS:
            folder = tmp_path / "pictures" / split / label
            folder.mkdir(parents=True)
            for i in range(7):
                draw(label, 100 * number + i).save(folder / f"{label}-{i}.png")
    return tmp_path / "pictures"


def words(source: Path, data: Path, *more: object) -> list[str]:
    options = ["--model", str(source), "--data", str(data), "--workers", "0"]
    return [*options, *map(str, more)]


def measured(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> list[dict[str, Any]]:
    assert evaluate([*arguments, "--json"]) == 0
    rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return rows


def test_the_numbers_are_those_of_the_model_s_own_answers(
    source: Path, splits: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (row,) = measured(capsys, words(source, splits, "--split", "test"))
    model = ImageClassifier.from_pretrained(source)
    confusion = np.zeros((3, 3), int)
    for path in sorted((splits / "test").rglob("*.png")):
        said = model.classify(path, top=1)[0].label
        confusion[LABELS.index(path.parent.name), LABELS.index(said)] += 1
    assert row["confusion"] == confusion.tolist()
    assert row["images"] == 21
    assert row["accuracy"] == pytest.approx(confusion.trace() / 21)
    assert [score["label"] for score in row["per_class"]] == list(LABELS)
    assert [score["support"] for score in row["per_class"]] == [7, 7, 7]
    assert 0 <= row["ece"] <= 1


def test_the_temperature_is_fitted_on_validation_and_never_on_test(
    source: Path, splits: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = ["--split", "test", "--split", "validation"]
    test, validation = measured(capsys, words(source, splits, *both))
    (alone,) = measured(capsys, words(source, splits, "--split", "validation"))
    model = ImageClassifier.from_pretrained(source)
    paths = sorted((splits / "validation").rglob("*.png"))
    with torch.inference_mode():
        pixels = [preprocess(load_image(path), model.config.preprocess) for path in paths]
        logits = model(torch.from_numpy(np.stack(pixels))).numpy()
    expected = fit_temperature(logits, np.array([LABELS.index(p.parent.name) for p in paths]))
    assert test["temperature"] == validation["temperature"] == alone["temperature"]
    assert alone["temperature"] == pytest.approx(expected, rel=1e-3)
    assert test["ece_calibrated"] != test["ece"]


def test_without_the_validation_split_there_is_no_temperature_and_it_says_so(
    source: Path, splits: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(words(source, splits)) == 0
    printed = capsys.readouterr()
    assert "no temperature: only --split validation fits one" in printed.err
    (row,) = measured(capsys, words(source, splits))
    assert not {"temperature", "ece_calibrated"} & row.keys()


def test_a_report_is_pictures_and_everything_as_json(
    source: Path, splits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new" / "report"
    arguments = words(source, splits, "--split", "validation", "--report", folder)
    (row,) = measured(capsys, [*arguments, "--mistakes", "4"])
    assert sorted(path.name for path in folder.iterdir()) == FILES
    for name in FILES[:3]:
        with Image.open(folder / name) as picture:
            assert picture.format == "PNG"
    content = json.loads((folder / "report.json").read_text())
    assert {key: content[key] for key in row if key != "model"} == {
        key: number for key, number in row.items() if key != "model"
    }
    assert sum(each["images"] for each in content["bins"]) == 21
    assert len(content["mistakes"]) == min(4, row["images"] - row["correct"])
    assert str(tmp_path) not in (folder / "report.json").read_text()


def test_the_listed_mistakes_are_the_model_s_most_confident_ones(
    source: Path, splits: Path, tmp_path: Path
) -> None:
    assert evaluate(words(source, splits, "--report", tmp_path / "report")) == 0
    model = ImageClassifier.from_pretrained(source)
    expected = []
    for path in (splits / "test").rglob("*.png"):
        first = model.classify(path, top=1)[0]
        if first.label != path.parent.name:
            expected.append((first.probability, f"{path.parent.name}/{path.name}", first.label))
    expected.sort(reverse=True)
    listed = json.loads((tmp_path / "report" / "report.json").read_text())["mistakes"]
    assert expected
    assert [(m["file"], m["said"]) for m in listed] == [each[1:] for each in expected]
    assert [m["probability"] for m in listed] == pytest.approx([each[0] for each in expected])
    assert all(m["file"].startswith(m["label"]) for m in listed)


def test_several_models_and_splits_have_a_folder_each_and_names_that_differ(
    source: Path, splits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "b" / "checkpoint"
    ImageClassifier.from_pretrained(source).save_pretrained(other)
    arguments = words(source, splits, "--model", other, "--split", "validation", "--split", "test")
    assert evaluate([*arguments, "--report", str(tmp_path / "report")]) == 0
    table = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in table[1:]] == [
        ["a/checkpoint", "validation"],
        ["a/checkpoint", "test"],
        ["b/checkpoint", "validation"],
        ["b/checkpoint", "test"],
    ]
    written = [path.relative_to(tmp_path / "report") for path in tmp_path.rglob("report.json")]
    assert sorted(map(str, written)) == [
        f"{model}/checkpoint/{split}/report.json"
        for model in "ab"
        for split in ("test", "validation")
    ]


def test_saved_numbers_are_read_back_strictly_and_shown_on_the_card(
    source: Path, splits: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = words(source, splits, "--split", "validation", "--save")
    (row,) = measured(capsys, arguments)
    config = ImageClassifier.from_pretrained(source).config
    saved = dict(config.results["validation"])
    assert saved.pop("command") == (
        "python -m training.evaluate --model FOLDER --data DATA --split validation"
    )
    assert saved == {key: row[key] for key in row if key not in ("model", "split")}
    results = json.loads((source / "results.json").read_text())
    assert results == {"validation": config.results["validation"]}
    card = (source / "README.md").read_text()
    assert f"| validation | {row['macro_f1']:.4f} | {row['auc']:.4f} | {row['ece']:.2%} |" in card
    assert "### Confusion, validation" in card
    assert config.temperature == row["temperature"]  # `classify` answers with it from now on
    assert "| blue | 7 | " in card


def test_a_report_that_cannot_be_written_is_one_sentence_before_the_work(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    arguments = words(source, tmp_path / "no data", "--report", tmp_path / "file")
    assert evaluate(arguments) == 1
    assert f"--report {tmp_path / 'file'}: no folder can be made there" in capsys.readouterr().err


@pytest.mark.parametrize("count", ["0", "-1", "many", "241"])
def test_a_number_of_mistakes_that_is_none_is_wrong_usage(
    count: str, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        evaluate(words(source, Path("x"), "--mistakes", count))
    assert "a whole number from 1 to 240" in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_count_every_image_once_and_find_the_same(
    source: Path, splits: Path, tmp_path: Path
) -> None:
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_machines", "1"]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no"]
    arguments = words(source, splits, "--batch_size", 4, "--split", "validation")
    contents = []
    for processes in ("1", "2"):
        report = tmp_path / f"report-{processes}"
        command = [*launch, "--num_processes", processes, "training/evaluate.py", *arguments]
        done = subprocess.run(
            [*command, "--report", str(report)],
            capture_output=True,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            check=False,
        )
        assert done.returncode == 0, done.stderr
        contents.append(json.loads((report / "report.json").read_text()))
    one, two = contents
    assert two["images"] == 21
    assert two["confusion"] == one["confusion"]
    assert [m["file"] for m in two["mistakes"]] == [m["file"] for m in one["mistakes"]]
    assert two["temperature"] == pytest.approx(one["temperature"], rel=1e-4)
