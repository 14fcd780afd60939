import os
import shutil
from pathlib import Path

import pytest

from hub_models import ConfigError, image_kinds
from hub_models.picture_walk import LeftOut, plan_walk
from tests import pictures


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


def test_what_is_left_out_is_counted_by_suffix_and_ten_are_named(photos: Path) -> None:
    for number in range(12):
        (photos / "a" / f"{number:02}.json").touch()
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store", "a/label.XML", "a/README"):
        (photos / name).touch()
    left_out = LeftOut()
    list(plan_walk([str(photos)]).names(left_out))
    assert left_out.reasons() == "12 .json, 1 without suffix, 1 .xml, 1 .txt"
    assert str(left_out).endswith(
        ": a/00.json, a/README, a/label.XML, notes.txt, a/01.json, a/02.json, a/03.json, "
        "a/04.json, a/05.json, a/06.json, …"
    )


def test_a_picture_is_told_by_its_first_bytes_where_the_suffix_says_nothing(photos: Path) -> None:
    whole = pictures.encode(pictures.photo(8, 8), "JPEG")
    for name in ("a/photo", "a/photo.jpg_large", "a/photo.dat", "a/raw.dng"):
        (photos / name).write_bytes(whole)
    os.mkfifo(photos / "a" / "pipe")
    left_out = LeftOut()
    names = list(plan_walk([str(photos)]).names(left_out))
    taken = ["a/10.webp", "a/2.png", "a/photo", "a/photo.dat", "a/photo.jpg_large", "b.JPG"]
    assert names == taken
    assert left_out.names["special file"] == ["a/pipe"]
    assert left_out.names[".dng (a camera's own format: export as JPEG)"] == ["a/raw.dng"]


def test_a_kind_that_cannot_be_read_here_is_named_with_the_remedy(photos: Path) -> None:
    (photos / "a" / "phone").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    left_out = LeftOut()
    taken = "a/phone" in list(plan_walk([str(photos)]).names(left_out))
    remedy = image_kinds.prepare("HEIF")
    assert taken == (remedy is None)
    assert taken or left_out.names[f"without suffix ({remedy})"] == ["a/phone"]


def test_a_circle_of_links_and_our_own_output_are_said(photos: Path) -> None:
    (photos / "a" / "up").symlink_to(photos)
    for name in ("report.json", "confusion.png"):
        (photos / "report").mkdir(exist_ok=True)
        (photos / "report" / name).touch()
    left_out = LeftOut()
    assert list(plan_walk([str(photos)]).names(left_out)) == ["a/10.webp", "a/2.png", "b.JPG"]
    assert left_out.names == {
        "link to a folder it lies in": ["a/up/"],
        ".txt": ["notes.txt"],
        "our report folder": ["report/"],
    }
