from pathlib import Path

import pytest

from tests.training.test_split import names
from training.data import load_data
from training.subset import main


def test_a_drawn_subset_has_its_share_of_every_class(class_folders: Path, tmp_path: Path) -> None:
    drawn = tmp_path / "drawn.json"
    asked = ["--data", str(class_folders), "--images", "30", "--validation_fraction", "0.2"]
    assert main([*asked, "--out", str(drawn)]) == 0
    data = load_data(str(class_folders), split_file=drawn)
    counts = {
        name: [split["target"].count(target) for target in range(3)]
        for name, split in data.splits.items()
    }
    assert counts == {"train": [8, 8, 8], "validation": [2, 2, 2]}
    again = tmp_path / "again.json"
    assert main([*asked, "--out", str(again)]) == 0
    assert again.read_bytes() == drawn.read_bytes()
    assert main([*asked, "--seed", "1", "--out", str(again)]) == 0
    assert names(load_data(str(class_folders), split_file=again)) != names(data)


@pytest.mark.parametrize("images", ["0", "61", "4"])
def test_a_subset_that_cannot_be_drawn_is_one_sentence(
    images: str, class_folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "split.json"
    assert main(["--data", str(class_folders), "--images", images, "--out", str(out)]) == 1
    assert "--images" in capsys.readouterr().err
    assert not out.exists()
