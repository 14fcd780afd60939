import shutil
from pathlib import Path

import pytest

from hub_models import ImageClassifier, PreprocessConfig
from hub_models.drawn import draw
from training.eval_size import at_side, main

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def source(lively_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(lively_folder, tmp_path / "model"))


@pytest.fixture
def data(source: Path, tmp_path: Path) -> Path:
    labels = ImageClassifier.from_pretrained(source).config.label_names
    for number, split in enumerate(("train", "validation", "test")):
        for index, label in enumerate(labels):
            folder = tmp_path / "pictures" / split / label
            folder.mkdir(parents=True)
            for i in range(4):
                draw(100 * number + 10 * index + i).save(folder / f"{label}-{i}.png")
    return tmp_path / "pictures"


def rows(said: str) -> dict[int, tuple[float, float, bool]]:
    lines = [line.split() for line in said.splitlines()[2:]]
    return {int(w[0]): (float(w[1][:-1]), float(w[2]), w[-1] == "best") for w in lines}


def test_the_best_side_of_validation_is_marked_and_saved(
    source: Path, lively_folder: Path, data: Path, capsys: Captured
) -> None:
    asked = ["--model", str(source), "--data", str(data), "--workers", "0"]
    assert main([*asked, "--eval_size", "32,64,96", "--save"]) == 0
    table = rows(capsys.readouterr().out)
    assert list(table) == [32, 64, 96]
    best = min(table, key=lambda side: (-table[side][0], table[side][1]))
    assert [side for side in table if table[side][2]] == [best]
    own = ImageClassifier.from_pretrained(lively_folder).config.preprocess
    saved = ImageClassifier.from_pretrained(source).config.preprocess
    assert (saved.crop, saved.resize) == (best, round(best * own.resize / own.crop))
    assert len({loss for _, loss, _ in table.values()}) == 3  # the sides were really tried


def test_numbers_of_another_side_are_dropped_and_without_save_nothing_changes(
    source: Path, data: Path, capsys: Captured
) -> None:
    from training.evaluate import main as evaluate

    asked = ["--model", str(source), "--data", str(data), "--workers", "0"]
    assert evaluate([*asked, "--split", "test", "--save"]) == 0
    before = (source / "config.json").read_bytes()
    assert main([*asked, "--eval_size", "64,96"]) == 0
    assert (source / "config.json").read_bytes() == before
    assert main([*asked, "--eval_size", "96", "--save"]) == 0
    config = ImageClassifier.from_pretrained(source).config
    assert config.preprocess.crop == 96
    assert config.results == {}


def test_sides_around_its_own_are_tried_unless_some_are_named(
    source: Path, data: Path, capsys: Captured
) -> None:
    assert main(["--model", str(source), "--data", str(data), "--workers", "0"]) == 0
    assert list(rows(capsys.readouterr().out)) == [32, 48]


def test_a_side_out_of_range_is_one_sentence(source: Path, data: Path, capsys: Captured) -> None:
    asked = ["--model", str(source), "--data", str(data), "--eval_size", "0"]
    assert main(asked) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_the_share_of_the_picture_that_is_seen_stays() -> None:
    plain = PreprocessConfig(resize=256, crop=224)
    assert at_side(plain, 112) == PreprocessConfig(resize=128, crop=112)
