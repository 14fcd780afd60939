import json
import os
import shutil
import struct
import zlib
from pathlib import Path

import datasets
import numpy as np
import pytest
from PIL import Image, ImageFile

from hub_models import ModelConfig
from hub_models.card import render_card
from hub_models.config_json import parse_config, render_config
from tests import pictures
from tests.training.conftest import draw, photo
from training.audit import Audit, audit
from training.audit_report import as_origin, render_json, render_markdown, write_audit
from training.data import Data, load_data


def broken_png() -> bytes:
    content = bytearray(pictures.encode(pictures.photo(64, 48), "PNG"))
    content[content.index(b"IDAT") + 40] ^= 0xFF  # the chunk's checksum no longer fits
    return bytes(content)


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def broken_exif(image: Image.Image) -> bytes:
    """A whole JPEG whose one EXIF tag points far behind the end of the tags."""
    tags = b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0x010E, 2, 9000, 0xFFFFF) + b"\0" * 4
    return pictures.encode(image, "JPEG", exif=b"Exif\0\0" + tags)


BAD = {
    "cut.jpg": half(pictures.encode(pictures.photo(64, 48), "JPEG")),
    "cut.gif": half(pictures.encode(pictures.photo(64, 48), "GIF")),
    "cut.webp": half(pictures.encode(pictures.photo(64, 48), "WEBP")),
    "text.jpg": b"<html>404 not found</html>",
    "empty.jpg": b"",
    "chunk.png": broken_png(),
    "bomb.png": pictures.png(60_000, 60_000, 8, 2, zlib.compress(b"\0" * 1000)),
    "bomb.jpg": pictures.jpeg_claiming(60_000, 60_000),
}
FINE = {
    "exif.jpg": broken_exif(pictures.photo(64, 48)),
    "really_a_jpeg.png": pictures.encode(pictures.photo(64, 48), "JPEG"),
}


def wait_for_a_tick(folder: Path) -> None:
    """Wait until the file system gives new files another time: some count whole seconds."""
    (folder / "tick").touch()
    before = (folder / "tick").stat().st_mtime_ns
    while (folder / "tick").stat().st_mtime_ns == before:
        (folder / "tick").touch()


def shown_bars(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err


def test_eight_bad_files_are_named_with_their_reason_and_odd_ones_are_kept(
    class_folders: Path, tmp_path: Path
) -> None:
    for name, content in (BAD | FINE).items():
        (class_folders / "red" / name).write_bytes(content)
    data = load_data(str(class_folders), validation_fraction=0.2)
    found = audit(data, quiet=True)
    named = {}
    for bad in found.unreadable:
        path = Path(data.splits[bad.split][bad.index]["image"]["path"])
        named[path.name] = bad.reason
        assert bad.reason.startswith(f"{bad.split}[{bad.index}]: {path.name}: ")
    assert set(named) == set(BAD)
    assert "damaged or truncated" in named["cut.jpg"]
    assert "damaged or truncated" in named["chunk.png"]
    assert "not a picture of a known kind" in named["text.jpg"]
    assert "0 bytes" in named["empty.jpg"]
    assert "pixels" in named["bomb.png"]
    kept = data.without(found.unreadable)
    assert sum(len(split) for split in kept.splits.values()) == 62
    assert sum(facts.pictures for facts in found.splits.values()) == 62
    assert sum(facts.classes["red"] for facts in found.splits.values()) == 22
    text = render_markdown(found)
    assert all(name in text for name in BAD)
    assert not any(name in text for name in FINE)
    assert str(tmp_path) not in text + render_json(found)  # nobody's business


def test_rows_without_a_label_or_a_picture_are_named(tmp_path: Path) -> None:
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])}
    )
    for split in ("train", "validation"):
        rows = [{"bytes": pictures.encode(photo(i), "JPEG"), "path": f"{i}.jpg"} for i in range(4)]
        images = [*rows, None]
        table = datasets.Dataset.from_dict(
            {"image": images, "label": [0, 1, None, 1, 0]}, features=features
        )
        table.to_parquet(tmp_path / f"{split}-00000-of-00001.parquet")
    found = audit(load_data(str(tmp_path)), quiet=True)
    assert [bad.reason for bad in found.unreadable if bad.split == "train"] == [
        "train[2]: no label",
        "train[4]: the row has no picture",
    ]


def test_sides_formats_and_turned_pictures_are_counted(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    for split in ("train", "validation"):
        for label in ("a", "b"):
            (tmp_path / split / label).mkdir(parents=True)
            photo(1, side=120).save(tmp_path / split / label / "1.png")
            photo(2, side=200).save(tmp_path / split / label / "2.jpg", exif=turned)
            photo(3, side=160).save(tmp_path / split / label / "3.webp")
    shutil.rmtree(tmp_path / "train" / "b")
    (tmp_path / "train" / "b").mkdir()
    camera = [photo(4, side=400), photo(5, side=100)]  # a JPEG with a preview inside
    camera[0].save(
        tmp_path / "train" / "b" / "4.jpg", format="MPO", save_all=True, append_images=camera[1:]
    )
    photo(6, side=140).save(tmp_path / "train" / "b" / "5.tif", exif=turned)
    facts = audit(load_data(str(tmp_path)), quiet=True).splits
    assert facts["train"].classes == {"a": 3, "b": 2}
    assert facts["train"].formats == {"JPEG": 2, "PNG": 1, "WEBP": 1, "TIFF": 1}
    assert facts["train"].turned == 2
    assert facts["train"].shorter_side == (90, 120, 300)
    assert facts["train"].longer_side == (120, 160, 400)
    assert facts["validation"].classes == {"a": 3, "b": 3}


def png_of_16_bits(levels: np.ndarray) -> bytes:
    """Encode RGB of 16 bits, which Pillow reads and cannot write."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", levels.shape[1], levels.shape[0], 16, 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in levels)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


@pytest.mark.parametrize(("bits", "dim"), [(12, 8), (13, 8), (15, 0), (16, 0)])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PGM", "RGB PNG", "PPM"])
def test_16_bits_of_which_a_quarter_is_used_are_counted(
    kind: str, bits: int, dim: int, tmp_path: Path
) -> None:
    for i in range(8):
        levels = np.random.default_rng(i).integers(0, 2**bits, (9, 9, 3), np.uint16)
        path = tmp_path / "ab"[i % 2] / f"{i}.{kind.split()[-1].lower()}"
        path.parent.mkdir(exist_ok=True)
        levels[0, 0] = 2**bits - 1
        match kind:
            case "RGB PNG":
                path.write_bytes(png_of_16_bits(levels))
            case "PPM":
                path.write_bytes(b"P6 9 9 65535\n" + levels.astype(">u2").tobytes())
            case "PGM":
                path.write_bytes(b"P5 9 9 65535\n" + levels[..., 0].astype(">u2").tobytes())
            case _:
                Image.fromarray(levels[..., 0]).save(path)
    found = audit(load_data(str(tmp_path), validation_fraction=0.25), quiet=True)
    assert sum(facts.dim for facts in found.splits.values()) == dim


def test_a_second_audit_decodes_nothing(
    class_folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (class_folders / "red" / "cut.jpg").write_bytes(BAD["cut.jpg"])
    first = audit(load_data(str(class_folders)))
    assert "reading train" in shown_bars(capsys)

    def refuse(*args: object, **options: object) -> None:
        raise AssertionError("a picture was opened")

    monkeypatch.setattr(Image, "open", refuse)
    assert audit(load_data(str(class_folders))) == first
    assert "reading" not in shown_bars(capsys)
    again = audit(load_data(str(class_folders), seed=5, validation_fraction=0.3))
    assert "reading" not in shown_bars(capsys)  # another split of the same pictures
    assert len(again.unreadable) == 1


@pytest.mark.parametrize("keeps_time", [False, True], ids=["later", "its time put back"])
def test_a_changed_file_is_audited_again(class_folders: Path, keeps_time: bool) -> None:
    path = class_folders / "blue" / "blue-07.jpg"
    before = path.stat()
    assert audit(load_data(str(class_folders)), quiet=True).unreadable == ()
    wait_for_a_tick(class_folders.parent)
    content = bytearray(path.read_bytes())
    content[:4] = b"text"
    path.write_bytes(content)  # of the same size
    if keeps_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    (bad,) = audit(load_data(str(class_folders)), quiet=True).unreadable
    assert "blue-07.jpg" in bad.reason


def test_pictures_inside_a_table_are_audited_once(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
) -> None:
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])}
    )

    def save(images: list[bytes]) -> None:
        cells = [{"bytes": content, "path": None} for content in images]
        rows = {"image": cells, "label": [0, 1] * 5}
        table = datasets.Dataset.from_dict(rows, features=features)
        table.to_parquet(tmp_path / "train-00000-of-00001.parquet")

    images = [pictures.encode(photo(i), "JPEG") for i in range(10)]
    save(images)
    assert audit(load_data(str(tmp_path), validation_fraction=0.4)).unreadable == ()
    assert "reading train" in shown_bars(capsys)
    assert audit(load_data(str(tmp_path), validation_fraction=0.2)).unreadable == ()
    assert "reading" not in shown_bars(capsys)
    wait_for_a_tick(tmp_path_factory.mktemp("clock"))
    save([*images[:9], half(images[9])])
    found = audit(load_data(str(tmp_path), validation_fraction=0.2))
    assert "image: damaged or truncated" in found.unreadable[0].reason


def test_an_interrupted_audit_goes_on_where_it_stopped(
    class_folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = load_data(str(class_folders))
    opened, really_open = [], ImageFile.ImageFile.__init__

    def interrupt(*args: object, **options: object) -> None:
        opened.append(1)
        if len(opened) > 100:  # each picture is opened for its pixels, then for its header
            raise KeyboardInterrupt
        really_open(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(ImageFile.ImageFile, "__init__", interrupt)
    with pytest.raises(KeyboardInterrupt):
        audit(data)
    monkeypatch.undo()
    capsys.readouterr()
    assert sum(facts.pictures for facts in audit(data).splits.values()) == 60
    left = int(shown_bars(capsys).split("reading train:")[1].split("/")[1].split()[0])
    assert 0 < left < 54


def test_a_damaged_memory_is_made_anew(class_folders: Path) -> None:
    data = load_data(str(class_folders))
    first = audit(data, quiet=True)
    for path in (Path(datasets.config.HF_DATASETS_CACHE) / "hub_models_scans").iterdir():
        path.write_bytes(b"\x10")
    assert audit(data, quiet=True) == first


def audited(folder: Path) -> tuple[Data, Audit]:
    data = load_data(str(folder), validation_fraction=0.2)
    return data, audit(data, quiet=True)


def test_a_run_folder_and_a_card_say_what_was_found(class_folders: Path, tmp_path: Path) -> None:
    (class_folders / "red" / "cut.jpg").write_bytes(BAD["cut.jpg"])
    data, found = audited(class_folders)
    write_audit(tmp_path / "run", data, found)
    report = json.loads((tmp_path / "run" / "audit.json").read_text())
    assert report["splits"]["train"]["classes"] == {"blue": 16, "green": 16, "red": 16}
    assert "cut.jpg" in report["unreadable"][0]["reason"]
    assert "| class red | 16 | 4 |" in (tmp_path / "run" / "audit.md").read_text()

    labels = ("blue", "green", "red")
    config = ModelConfig("resnet18", labels, 512, "conv1", "fc", origin=as_origin(found))
    assert parse_config(render_config(config)).origin == as_origin(found)
    card = render_card(config, "colours")
    assert "| Photographs by class | train: blue 16, green 16, red 16; validation" in card
    assert "| Pairs that look the same in two splits | none found |" in card


def test_many_classes_and_many_bad_pictures_stay_short(tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"class{number:02}").mkdir()
        for i in range(4):
            draw("red", 10 * number + i).save(tmp_path / f"class{number:02}" / f"{i}.jpg")
        for i in range(5):
            (tmp_path / f"class{number:02}" / f"bad{i}.jpg").write_bytes(b"bad")
    data = load_data(str(tmp_path), validation_fraction=0.3)
    found = audit(data, quiet=True)
    assert len(found.unreadable) == 60
    text = render_markdown(found)
    assert "… and 10 more in audit.json" in text
    assert "in each of 12 classes" in as_origin(found)["class_counts"]
