import json
from pathlib import Path

import numpy as np
import pytest
import torch

from hub_models import ImageClassifier, PreprocessConfig
from hub_models.drawn import draw as draw_scene
from tests.training.conftest import CHANNELS, draw
from training.evaluate import main as evaluate
from training.robustness import CHANGES
from training.robustness import main as robustness

LABELS = ("blue", "green", "red")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A classifier that answers by the mean colour alone."""
    preprocess = PreprocessConfig(resize=36, crop=32)
    model = ImageClassifier.create("mobilenetv2_025", LABELS, preprocess=preprocess)
    torch.nn.init.normal_(model.head.weight)
    model.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for number, split in enumerate(("train", "validation", "test")):
        for label in CHANNELS:
            folder = tmp_path / "pictures" / split / label
            folder.mkdir(parents=True)
            for i in range(2):
                draw(label, 100 * number + i).save(folder / f"{label}-{i}.png")
    return tmp_path / "pictures"


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_gives_an_rgb_image_and_leaves_the_original(name: str) -> None:
    image = draw_scene(seed=3)
    before = np.asarray(image).copy()
    changed = CHANGES[name](image)
    assert changed.mode == "RGB"
    assert np.array_equal(np.asarray(image), before)
    same = changed.size == image.size and np.array_equal(np.asarray(changed), before)
    assert same == (name == "as it is")


def test_a_stretched_picture_is_twice_as_wide_and_a_turned_one_stands() -> None:
    image = draw_scene(seed=3)
    sizes = {name: change(image).size for name, change in CHANGES.items()}
    assert sizes["stretched 2 : 1"] == (2 * image.width, image.height)
    assert sizes["turned by 90°"] == (image.height, image.width)
    assert min(sizes["shorter side 48 px"]) == 48


def test_the_first_row_is_the_plain_evaluation_and_saved_rows_survive_a_later_one(
    source: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--model", str(source), "--data", str(data), "--workers", "0"]
    assert robustness([*words, "--json", "--save"]) == 0
    (rows,) = json.loads(capsys.readouterr().out).values()
    assert [row["change"] for row in rows] == list(CHANGES)
    assert evaluate([*words, "--split", "test", "--json", "--save"]) == 0
    (plain,) = json.loads(capsys.readouterr().out)
    assert {key: plain[key] for key in ("accuracy", "accuracy_low", "images")} == {
        key: rows[0][key] for key in ("accuracy", "accuracy_low", "images")
    }
    saved = ImageClassifier.from_pretrained(source).config.results["test"]
    assert saved["robustness"] == rows
    assert saved["accuracy"] == plain["accuracy"]
    assert f"| grey | {rows[6]['accuracy']:.2%} |" in (source / "README.md").read_text()


def test_a_missing_model_is_one_sentence(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert robustness(["--model", str(tmp_path / "none"), "--data", str(data)]) == 1
    assert "none" in capsys.readouterr().err


def test_a_repository_is_not_changed(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert robustness(["--model", "owner/name", "--data", str(data), "--save"]) == 1
    assert "--save needs local folders" in capsys.readouterr().err
