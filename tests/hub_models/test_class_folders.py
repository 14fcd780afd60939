from pathlib import Path

import pytest

from hub_models.class_folders import LabelledPicture, cut, read_class_folders, thin
from hub_models.errors import ConfigError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("dog/b.jpg", "dog/a.PNG", "cat/c.webp", "cat/notes.txt", ".hidden/x.jpg"):
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "pictures"


def test_a_pictures_target_is_the_index_of_its_folder_among_the_labels(root: Path) -> None:
    assert read_class_folders(root, ["dog", "owl", "cat"]) == [
        LabelledPicture(root / "dog/a.PNG", 0),
        LabelledPicture(root / "dog/b.jpg", 0),
        LabelledPicture(root / "cat/c.webp", 2),
    ]


def test_a_folder_that_is_no_label_is_named(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"pictures/dog: not one of the model's labels \(cat\)"):
        read_class_folders(root, ["cat"])


def test_no_folder_and_no_pictures_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="gone: no such folder"):
        read_class_folders(tmp_path / "gone", ["cat"])
    with pytest.raises(ConfigError, match="no pictures in sub-folders named a, b, c, d, e, …"):
        read_class_folders(tmp_path, list("abcdef"))


def test_a_quarter_of_each_class_calibrates_and_no_picture_is_in_both_parts() -> None:
    pictures = [LabelledPicture(Path(f"{t}/{i}"), t) for t in (0, 1) for i in range(8)]
    calibration, measured = cut(pictures)
    assert [p.target for p in calibration] == [0, 0, 1, 1]
    assert len(measured) == 12
    assert not set(calibration) & set(measured)


def test_thinning_keeps_every_class() -> None:
    pictures = [LabelledPicture(Path(f"{t}/{i}"), t) for t in range(4) for i in range(100)]
    assert [p.target for p in thin(pictures, 8)] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert thin(pictures[:3], 8) == pictures[:3]
