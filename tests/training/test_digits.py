"""The digits that come with scikit-learn, as a data set on disk."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from training.data import load_data
from training.digits import main


def test_a_fifth_of_every_class_is_held_out_and_nothing_changes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "digits"
    assert main([str(folder)]) == 0
    assert "train 1,437, test 360" in capsys.readouterr().out
    data = load_data(str(folder))
    assert data.label_names == tuple("0123456789")
    counts = np.bincount(data.splits["test"]["target"][:])
    whole = np.bincount(load_digits().target)
    assert np.abs(counts - whole / 5).max() <= 1
    files = sorted(folder.glob("*/*/*.png"))
    assert len({path.name for path in files}) == len(files) == 1797
    digits = load_digits()
    for path in files[::100]:
        row = int(path.stem)
        assert int(path.parent.name) == digits.target[row]
        with Image.open(path) as image:
            assert image.mode == "L"
            assert np.array_equal(np.round(np.asarray(image) * (16 / 255)), digits.images[row])


def test_a_folder_with_something_in_it_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert main([str(tmp_path)]) == 1
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
