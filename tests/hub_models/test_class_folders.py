import shutil
from pathlib import Path

import pytest

from hub_models.class_folders import LabelledPicture, check_outside, cut, read_class_folders, thin
from hub_models.errors import ConfigError
from hub_models.picture_walk import LeftOut


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
    with pytest.raises(ConfigError, match="no pictures in class folders"):
        read_class_folders(tmp_path, list("abcdef"))


def test_what_training_reads_calibrates_and_the_rest_is_counted(root: Path) -> None:
    for name in ("dog/puppies/d.jpg", "dog/photo", "stray.jpg"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).touch()
    (root / "dog" / "photo").write_bytes(b"\xff\xd8\xff\xe0")
    left_out = LeftOut()
    found = read_class_folders(root, ["dog", "cat"], left_out)
    assert [p.path.relative_to(root).as_posix() for p in found] == [
        "dog/a.PNG", "dog/b.jpg", "dog/photo", "dog/puppies/d.jpg", "cat/c.webp"
    ]  # fmt: skip
    said = "left out 1 outside of the class folders, 1 .txt: stray.jpg, cat/notes.txt"
    assert str(left_out) == said


def test_of_splits_one_must_be_named(root: Path) -> None:
    shutil.rmtree(root / "dog")
    shutil.rmtree(root / "cat")
    for split in ("Train", "val"):
        (root / split / "dog").mkdir(parents=True)
        (root / split / "dog" / "a.jpg").touch()
    with pytest.raises(ConfigError, match=r"holds splits \(Train, val\); name the one to use"):
        read_class_folders(root, ["dog", "cat"])


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


def test_nothing_is_written_into_the_data_by_whatever_path(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root.parent / "link").symlink_to(root)
    monkeypatch.chdir(root)
    for place in (root, root / "a" / "b", root.parent / "link" / "x", "report", "../pictures/y"):
        with pytest.raises(ConfigError, match=rf"--out {place}: lies inside the data"):
            check_outside(place, root, "--out")
    check_outside(root.parent / "pictures2", root, "--out")
    check_outside("report", "owner/data", "--out")
