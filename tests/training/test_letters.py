"""The letters drawn in matplotlib's fonts, as a data set on disk."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data import load_data
from training.letters import FONTS, main


def test_every_letter_is_drawn_in_every_font_and_test_has_fonts_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "letters"), "--pictures", "2"]) == 0
    assert "train 240, test 180" in capsys.readouterr().out
    data = load_data(str(tmp_path / "letters"))
    assert data.label_names == tuple("ABCDEFGHIJ")
    assert np.bincount(data.splits["test"]["target"][:]).tolist() == [18] * 10
    fonts = {
        split: {path.stem.rsplit("-", 1)[0] for path in tmp_path.glob(f"letters/{split}/A/*.png")}
        for split in FONTS
    }
    assert fonts == {split: set(names) for split, names in FONTS.items()}
    assert not fonts["train"] & fonts["test"]


def test_no_two_pictures_are_alike_and_each_shows_something(tmp_path: Path) -> None:
    assert main([str(tmp_path / "letters"), "--pictures", "1"]) == 0
    pictures = [Image.open(path) for path in sorted(tmp_path.glob("letters/*/*/*.png"))]
    levels = [np.asarray(picture.convert("L"), float) for picture in pictures]
    assert {picture.size for picture in pictures} == {(96, 96)}
    assert len({level.tobytes() for level in levels}) == len(levels) == 210
    assert min(np.ptp(level) for level in levels) > 50
    assert main([str(tmp_path / "again"), "--pictures", "1"]) == 0
    for path in tmp_path.glob("letters/*/*/*.png"):
        again = tmp_path / "again" / path.relative_to(tmp_path / "letters")
        assert path.read_bytes() == again.read_bytes()


def test_a_folder_with_something_in_it_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert main([str(tmp_path)]) == 1
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
