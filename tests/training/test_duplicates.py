import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.training.conftest import draw, photo
from training.audit import audit
from training.audit_report import as_origin, render_markdown
from training.data import Data, load_data
from training.duplicates import MAX_DISTANCE, find_pairs


def flipped(hashes: np.ndarray, bits: int) -> np.ndarray:
    """The hashes with their lowest bits turned over."""
    return hashes ^ np.uint64((1 << bits) - 1)


@pytest.fixture
def hashes() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2**64, 300, dtype=np.uint64)


def test_pairs_are_found_up_to_the_distance_and_no_further(hashes: np.ndarray) -> None:
    right = np.concatenate([flipped(hashes[:3], bits) for bits in range(MAX_DISTANCE + 3)])
    pairs, count = find_pairs(hashes, right, limit=100)
    expected = [(i, 3 * bits + i, bits) for bits in range(MAX_DISTANCE + 1) for i in range(3)]
    assert sorted(map(tuple, pairs.tolist())) == sorted(expected)
    assert count == len(expected)
    assert pairs[:, 2].tolist() == sorted(pairs[:, 2].tolist())


def test_a_flood_of_equal_pictures_is_counted_and_the_closest_are_listed() -> None:
    left, right = np.full(3000, 5, np.uint64), np.full(2000, 5, np.uint64)
    right[-7:] = 4
    pairs, count = find_pairs(right, left, limit=10)
    assert count == 6_000_000
    assert len(pairs) == 10
    assert (pairs[:, 2] == 0).all()


def test_an_empty_split_has_no_pairs(hashes: np.ndarray) -> None:
    none = np.empty(0, np.uint64)
    for left, right in ((none, hashes), (hashes, none)):
        pairs, count = find_pairs(left, right, limit=5)
        assert (pairs.shape, count) == ((0, 3), 0)


def test_forty_million_pairs_are_compared_in_blocks_of_memory() -> None:
    many = np.random.default_rng(1).integers(0, 2**64, 20_000, dtype=np.uint64)
    few = flipped(many[::10], 2)
    tracemalloc.start()
    pairs, _ = find_pairs(many, few, limit=10_000)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(pairs) == 2000
    assert peak_bytes < len(many) * len(few) * 8 / 2  # half of all differences at once


def splits_of(folder: Path, **images: dict[str, Image.Image]) -> Data:
    """Splits of two classes, twelve pictures each, and the named images in the class red."""
    for number, (split, more) in enumerate(images.items()):
        for label in ("blue", "red"):
            target = folder / split / label
            target.mkdir(parents=True)
            for i in range(6):
                seed = 1000 * number + 10 * i + (label == "red")
                photo(seed).save(target / f"{label}-{i}.jpg")
        for name, image in more.items():
            image.save(folder / split / "red" / name)
    return load_data(str(folder))


def recoded(image: Image.Image, path: Path, **options: object) -> Image.Image:
    image.save(path, **options)
    with Image.open(path) as stored:
        return stored.copy()


def test_copies_across_splits_are_found_and_look_alikes_are_not(tmp_path: Path) -> None:
    original = photo(7, side=240)
    x, y = original.size
    worse = recoded(original, tmp_path / "worse.jpg", quality=30)
    data = splits_of(
        tmp_path / "data",
        train={"original.png": original},
        test={
            "worse.png": worse,
            "smaller.png": original.resize((x * 9 // 10, y * 9 // 10)),
            "squashed.png": original.resize((150, 150)),
            "grey.png": original.convert("L"),
            "brighter.png": original.point(lambda level: level * 0.8 + 40),
            "mirrored.png": original.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
            "turned.png": original.transpose(Image.Transpose.ROTATE_180),
            "other.png": photo(8, side=240),
        },
    )
    found = audit(data, quiet=True)
    copies = {pair.other.name for pair in found.pairs if pair.picture.name == "original.png"}
    assert copies == {"worse.png", "smaller.png", "squashed.png", "grey.png", "brighter.png"}
    assert not any(pair.same_file for pair in found.pairs)
    assert {(pair.picture.split, pair.other.split) for pair in found.pairs} <= {
        ("train", "test"),
        ("validation", "test"),
    }


def test_the_same_file_is_told_apart_from_a_copy_and_a_wrong_label_is_shouted(
    tmp_path: Path,
) -> None:
    original = photo(7)
    splits_of(tmp_path / "data", train={"a.png": original}, validation={"b.png": original}, test={})
    original.save(tmp_path / "data" / "test" / "blue" / "c.webp")
    data = load_data(str(tmp_path / "data"))
    found = audit(data, quiet=True)
    pairs = [(p.picture.name, p.other.name, p.same_file) for p in found.pairs]
    assert pairs[0] == ("a.png", "b.png", True)
    assert set(pairs[1:]) == {("a.png", "c.webp", False), ("b.png", "c.webp", False)}
    assert found.pairs_found == 3
    for pair in found.pairs:
        for end in (pair.picture, pair.other):
            path = Path(data.splits[end.split][end.index]["image"]["path"])
            assert (path.name, path.parent.name) == (end.name, end.label)
    text = render_markdown(found)
    assert "3 pairs" in text
    assert text.count("LABELS DIFFER") == 2
    assert as_origin(found)["near_duplicates"] == "3 pairs, 1 of the same file"


def test_pictures_without_detail_are_the_same_only_as_the_same_file(tmp_path: Path) -> None:
    flat = {"white.png": "white", "black.png": "black"}
    images = {name: Image.new("RGB", (50, 50), colour) for name, colour in flat.items()}
    splits_of(tmp_path / "data", train=images, validation=images)
    found = audit(load_data(str(tmp_path / "data")), quiet=True)
    assert [(p.picture.name, p.other.name, p.same_file) for p in found.pairs] == [
        ("black.png", "black.png", True),
        ("white.png", "white.png", True),
    ]


def test_a_leak_into_a_validation_split_of_our_own_is_found(class_folders: Path) -> None:
    for label in ("red", "green", "blue"):
        for i in range(20):
            image = draw(label, 100 + i)
            image.save(class_folders / label / f"copy-{i}.png")
    data = load_data(str(class_folders), validation_fraction=0.5)
    found = audit(data, quiet=True)
    assert found.pairs_found == len(found.pairs) > 10
    assert all(pair.other.split == "validation" for pair in found.pairs)
