import io
import os
import struct
import zipfile

import pytest

from demo import archive
from demo.archive import count_items, open_items
from tests import pictures

JPEG = pictures.encode(pictures.photo(64, 48), "JPEG")


@pytest.fixture
def pack(tmp_path):
    def packed(entries, name="pictures.zip", **options):
        with zipfile.ZipFile(tmp_path / name, "w", **options) as file:
            for entry, content in entries:
                file.writestr(entry, content)
        return tmp_path / name

    return packed


def problems(path, name="pictures.zip"):
    return [(item.name, item.problem) for item in open_items([(path, name)])]


def test_pictures_and_archives_come_out_one_after_the_other(pack, tmp_path):
    (tmp_path / "a.jpg").write_bytes(JPEG)
    path = pack([("b.jpg", JPEG), ("folder/c.jpg", JPEG)])
    files = [(tmp_path / "a.jpg", "mine.jpg"), (path, "p.zip")]
    items = list(open_items(files))
    assert [item.name for item in items] == ["mine.jpg", "b.jpg", "folder/c.jpg"]
    assert all(item.content == JPEG for item in items)
    assert count_items(files) == 3


def test_folders_and_hidden_files_are_left_out(pack):
    path = pack(
        [("folder/", b""), ("__MACOSX/._a.jpg", b"x"), (".DS_Store", b"x"), ("a.jpg", JPEG)]
    )
    assert problems(path) == [("a.jpg", "")]


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../a.jpg", "a/../../b.jpg", "\\\\host\\a.jpg", "C:\\a.jpg"]
)
def test_a_name_that_leads_out_of_the_archive_is_refused(pack, name):
    assert problems(pack([(name, JPEG)])) == [(name, "bad_name")]


def test_what_unpacks_to_far_more_than_it_is_is_refused(pack):
    path = pack([("a.bmp", bytes(5_000_000))], compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10_000
    assert problems(path) == [("a.bmp", "bomb")]


def test_a_header_that_lies_about_the_size_does_not_get_past_the_limit(pack):
    path = pack([("a.bmp", bytes(5_000_000))], compression=zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    real, said = struct.pack("<I", 5_000_000), struct.pack("<I", 10)
    assert content.count(real) == 2
    path.write_bytes(content.replace(real, said))
    (item,) = open_items([(path, "p.zip")])
    assert item.problem
    assert item.content == b""


def test_a_picture_over_the_limit_is_refused_before_it_is_unpacked(pack, monkeypatch):
    monkeypatch.setattr(archive, "LIMITS", archive.LIMITS.__class__(max_bytes=100))
    assert problems(pack([("a.jpg", os.urandom(101))])) == [("a.jpg", "too_large")]


def test_more_pictures_than_a_batch_takes_are_left_out(pack, monkeypatch):
    monkeypatch.setattr(archive, "MAX_PICTURES", 2)
    path = pack([(f"{i}.jpg", JPEG) for i in range(5)])
    assert [problem for _, problem in problems(path)] == ["", "", "too_many"]
    assert count_items([(path, "p.zip")]) == 3


def test_more_bytes_than_a_batch_takes_are_left_out(pack, monkeypatch):
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 2 * len(JPEG))
    path = pack([(f"{i}.jpg", JPEG) for i in range(5)])
    assert [problem for _, problem in problems(path)] == ["", "", "too_much"]


def test_an_archive_of_too_many_entries_is_refused(pack, monkeypatch):
    monkeypatch.setattr(archive, "MAX_ENTRIES", 2)
    assert problems(pack([(f"{i}/", b"") for i in range(3)])) == [("pictures.zip", "bad_archive")]


def test_a_link_is_not_followed(pack):
    link = zipfile.ZipInfo("a.jpg")
    link.external_attr = 0o120777 << 16
    assert problems(pack([(link, "/etc/passwd")])) == [("a.jpg", "link")]


def test_a_password_is_named(pack):
    path = pack([("a.jpg", JPEG)])
    content = bytearray(path.read_bytes())
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + at] |= 1
    path.write_bytes(content)
    assert problems(path) == [("a.jpg", "encrypted")]


def test_a_damaged_entry_leaves_the_others_alone(pack):
    path = pack([("a.jpg", JPEG), ("b.jpg", JPEG)])
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF  # inside the first picture: its CRC no longer fits
    path.write_bytes(content)
    assert problems(path) == [("a.jpg", "bad_entry"), ("b.jpg", "")]


def test_what_is_no_archive_is_one_row(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 and then nothing")
    assert problems(tmp_path / "a.zip", "a.zip") == [("a.zip", "bad_archive")]


def test_an_archive_inside_an_archive_is_not_opened(pack):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as file:
        file.writestr("a.jpg", JPEG)
    (item,) = open_items([(pack([("inner.zip", inner.getvalue())]), "p.zip")])
    assert item.content == inner.getvalue()


def test_an_upload_that_is_gone_is_a_row(tmp_path):
    assert problems(tmp_path / "gone.jpg", "gone.jpg") == [("gone.jpg", "gone")]
