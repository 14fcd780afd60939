import io
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from hub_models import image_kinds, load_image
from hub_models.image_kinds import FIRST_BYTES, FORMATS, SUFFIXES, kind_of, kind_of_file, prepare
from tests.pictures import encode, flat

WRITTEN = [kind for kind in FORMATS if kind != "HEIF"]
NO_PICTURES = {
    "nothing": b"",
    "text": b"PLEASE read me",
    "text like a BMP": b"BMX bikes, and how to ride them",
    "text like a PPM": b"P1 is the first of us",
    "a table": b"path,label\na.jpg,cat\n",
    "zip": b"PK\x03\x04" + bytes(60),
    "video": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom",
    "sound in a RIFF": b"RIFF\0\0\0\0WAVEfmt ",
}


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_kind_is_told_by_its_first_bytes_and_read(kind: str, tmp_path: Path) -> None:
    image = flat("RGB", (10, 200, 60), (16, 16))
    content = encode(image, kind)
    (tmp_path / "no-suffix").write_bytes(content)
    assert kind_of(content[:FIRST_BYTES]) == kind_of_file(tmp_path / "no-suffix") == kind
    assert load_image(content).getpixel((8, 8)) == pytest.approx((10, 200, 60), abs=6)


def test_heic_is_told_and_read_where_the_extra_is_installed() -> None:
    heif = pytest.importorskip("pillow_heif")
    content = heif.from_pillow(flat("RGB", (10, 200, 60), (64, 64)))
    stream = io.BytesIO()
    content.save(stream)
    assert kind_of(stream.getvalue()[:FIRST_BYTES]) == "HEIF"
    assert load_image(stream.getvalue()).getpixel((8, 8)) == pytest.approx((10, 200, 60), abs=6)


@pytest.mark.parametrize("start", NO_PICTURES.values(), ids=NO_PICTURES)
def test_what_is_no_picture_has_no_kind(start: bytes) -> None:
    assert kind_of(start) is None


def test_a_file_that_cannot_be_read_has_no_kind(tmp_path: Path) -> None:
    assert kind_of_file(tmp_path / "gone") is kind_of_file(tmp_path) is kind_of_file("\0") is None


def test_suffixes_are_lower_case_and_known_to_pillow() -> None:
    Image.init()
    for suffix in SUFFIXES - {".apng", ".heic", ".heif", ".hif"}:
        assert suffix == suffix.lower()
        assert Image.EXTENSION[suffix] in {*FORMATS, "MPO"}


def test_a_kind_that_this_installation_does_not_read_has_a_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(image_kinds, "FORMATS", ("JPEG",))
    assert "hub-models[heic]" in str(prepare("HEIF"))
    assert "convert it" in str(prepare("AVIF"))
    assert prepare("JPEG") is None


def test_a_plain_picture_is_read_without_importing_every_plug_in(tmp_path: Path) -> None:
    path = tmp_path / "a.webp"
    path.write_bytes(encode(flat("RGB", (1, 2, 3)), "WEBP"))
    code = (
        "import sys; from hub_models import load_image; load_image(sys.argv[1]);"
        "print([m for m in ('PIL.PsdImagePlugin', 'pillow_heif', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
