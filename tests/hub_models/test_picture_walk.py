import os
import shutil
from pathlib import Path

import pytest

from hub_models import ConfigError
from hub_models.picture_walk import plan_walk


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in ("b.JPG", "a/2.png", "a/10.webp", "a/.hidden.jpg", ".git/c.jpg", "notes.txt"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "photos"


def test_a_folder_is_walked_in_order_and_named_from_itself(photos: Path) -> None:
    walk = plan_walk([str(photos)])
    assert walk.base == str(photos)
    assert list(walk.names()) == ["a/10.webp", "a/2.png", "b.JPG"]


def test_several_are_named_as_typed_and_each_picture_comes_once(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos.parent)
    walk = plan_walk(["photos/notes.txt", "photos/a", "photos/a/2.png", "./photos/a/"])
    assert walk.base == str(photos.parent)
    assert list(walk.names()) == ["photos/notes.txt", "photos/a/10.webp", "photos/a/2.png"]


def test_links_are_followed_but_not_round_in_circles(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "far.jpg").touch()
    (photos / "c").symlink_to(tmp_path / "elsewhere")
    (photos / "a" / "up").symlink_to(photos)
    names = ["a/10.webp", "a/2.png", "b.JPG", "c/far.jpg"]
    assert list(plan_walk([str(photos)]).names()) == names


def test_a_name_that_is_no_utf8_is_a_name(photos: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    (photos / name).touch()
    assert name in list(plan_walk([str(photos)]).names())


@pytest.mark.parametrize("path", ["gone", "g\0ne"])
def test_what_is_not_there_is_named(path: str) -> None:
    with pytest.raises(ConfigError, match=f"{path}: no such folder or picture"):
        plan_walk([path])


def test_a_folder_that_goes_away_is_named_and_a_broken_link_is_not_a_folder(photos: Path) -> None:
    (photos / "0.jpg").touch()
    (photos / "1").symlink_to(photos / "1")
    names = plan_walk([str(photos)]).names()
    assert next(names) == "0.jpg"
    shutil.rmtree(photos / "a")
    with pytest.raises(ConfigError, match=r"photos/a: cannot be read"):
        list(names)
