from pathlib import Path

import datasets
import numpy as np
import pytest
from PIL import Image

from hub_models.errors import ConfigError
from tests.training.conftest import draw
from training.audit import audit
from training.class_table import check_trained, class_rows
from training.data import Pictures, decode, load_data


def save_parquet(folder: Path, features: datasets.Features, rows: dict[str, list]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    table = datasets.Dataset.from_dict(rows, features=features)
    table.to_parquet(folder / "train-00000-of-00001.parquet")
    return folder


def encoded(label: str, seed: int, folder: Path) -> dict[str, object]:
    path = folder / f"{label}{seed}.jpg"
    draw(label, seed).save(path)
    return {"bytes": path.read_bytes(), "path": path.name}


def test_class_folders_become_labels_in_alphabetical_order(class_folders: Path) -> None:
    data = load_data(str(class_folders), validation_fraction=0.25)
    assert data.label_names == ("blue", "green", "red")
    assert {name: len(split) for name, split in data.splits.items()} == {
        "train": 45,
        "validation": 15,
    }
    row = data.splits["train"][0]
    expected = Path(row["image"]["path"]).parent.name
    assert data.label_names[row["target"]] == expected


def test_the_split_is_stratified_and_depends_on_the_seed_alone(class_folders: Path) -> None:
    def chosen(seed: int) -> list[str]:
        data = load_data(str(class_folders), validation_fraction=0.2, seed=seed)
        validation = data.splits["validation"]
        assert [validation["target"][:].count(target) for target in range(3)] == [4, 4, 4]
        return [row["image"]["path"] for row in validation]

    assert chosen(1) == chosen(1)
    assert chosen(1) != chosen(2)


def test_splits_of_their_own_are_kept_and_test_is_not_touched(class_folders: Path) -> None:
    for split, numbers in {"train": range(12), "test": range(12, 20)}.items():
        for label in ("red", "green", "blue"):
            target = class_folders / split / label
            target.mkdir(parents=True)
            for i in numbers:
                (class_folders / label / f"{label}-{i:02}.jpg").rename(target / f"{i}.jpg")
    for label in ("red", "green", "blue"):
        (class_folders / label).rmdir()
    data = load_data(str(class_folders), validation_fraction=0.25)
    assert {n: len(s) for n, s in data.splits.items()} == {"train": 27, "validation": 9, "test": 24}


def test_columns_are_found_by_type_whatever_their_names(tmp_path: Path) -> None:
    features = datasets.Features(
        {"img": datasets.Image(), "labels": datasets.ClassLabel(names=["green", "red"])}
    )
    images = [encoded(label, i, tmp_path) for i in range(10) for label in ("green", "red")]
    folder = save_parquet(tmp_path / "data", features, {"img": images, "labels": [0, 1] * 10})
    data = load_data(str(folder), validation_fraction=0.2)
    assert data.label_names == ("green", "red")
    assert data.splits["train"].column_names == ["image", "target"]


def test_strings_become_classes(tmp_path: Path) -> None:
    features = datasets.Features({"image": datasets.Image(), "kind": datasets.Value("string")})
    images = [encoded(label, i, tmp_path) for i in range(10) for label in ("red", "green")]
    folder = save_parquet(
        tmp_path / "data", features, {"image": images, "kind": ["red", "green"] * 10}
    )
    data = load_data(str(folder), validation_fraction=0.2)
    assert data.label_names == ("green", "red")
    assert sorted(data.splits["validation"]["target"][:]) == [0, 0, 1, 1]


def test_two_label_columns_are_asked_about(tmp_path: Path) -> None:
    names = datasets.ClassLabel(names=["green", "red"])
    features = datasets.Features({"image": datasets.Image(), "fine": names, "coarse": names})
    images = [encoded("red", i, tmp_path) for i in range(10)]
    rows = {"image": images, "fine": [0, 1] * 5, "coarse": [1, 0] * 5}
    folder = save_parquet(tmp_path / "data", features, rows)
    with pytest.raises(ConfigError, match=r"\(fine, coarse\); use --label_column"):
        load_data(str(folder))
    assert load_data(str(folder), label_column="coarse", validation_fraction=0.4).label_names == (
        "green",
        "red",
    )
    with pytest.raises(ConfigError, match="image_column: no column 'picture'"):
        load_data(str(folder), image_column="picture")


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--data FOLDER takes a folder of class folders"):
        load_data(str(tmp_path / "nothing"))


@pytest.mark.parametrize("file", ["", "notes.xyz"])
def test_a_folder_without_pictures_is_one_sentence(file: str, tmp_path: Path) -> None:
    if file:
        (tmp_path / file).write_text("no picture")
    with pytest.raises(ConfigError, match=f"no pictures in class folders: a sub-.*{file}"):
        load_data(str(tmp_path))


def test_one_class_is_too_few(tmp_path: Path) -> None:
    (tmp_path / "only").mkdir()
    for i in range(4):
        draw("red", i).save(tmp_path / "only" / f"{i}.jpg")
    data = load_data(str(tmp_path), validation_fraction=0.5)
    with pytest.raises(ConfigError, match="two classes are needed, and 'only' is the only one"):
        check_trained(data, class_rows(data, ()))


def test_one_label_is_too_few(tmp_path: Path) -> None:
    features = datasets.Features({"image": datasets.Image(), "kind": datasets.Value("string")})
    images = [encoded("red", i, tmp_path) for i in range(4)]
    folder = save_parquet(tmp_path / "data", features, {"image": images, "kind": ["red"] * 4})
    with pytest.raises(ConfigError, match="at least two classes are needed, 'kind' has 1"):
        load_data(str(folder))


def test_a_split_too_small_to_stratify_is_one_sentence(tmp_path: Path) -> None:
    for label in ("red", "green"):
        (tmp_path / label).mkdir()
        draw(label, 0).save(tmp_path / label / "0.jpg")
    with pytest.raises(ConfigError, match=r"one picture only of 'green', 'red', and a validation"):
        load_data(str(tmp_path))
    for label in ("red", "green"):
        for i in (1, 2, 3):
            draw(label, i).save(tmp_path / label / f"{i}.jpg")
    for fraction in (0.1, 0.9):
        with pytest.raises(ConfigError, match=f"no validation split of {fraction} can be cut"):
            load_data(str(tmp_path), validation_fraction=fraction)
    assert len(load_data(str(tmp_path), validation_fraction=0.25).splits["validation"]) == 2


def test_unreadable_pictures_are_found_named_and_dropped(class_folders: Path) -> None:
    whole = (class_folders / "red" / "red-00.jpg").read_bytes()
    (class_folders / "red" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (class_folders / "blue" / "text.jpg").write_text("not a picture")
    (class_folders / "green" / "zero.png").write_bytes(b"")
    data = load_data(str(class_folders), validation_fraction=0.2)
    unreadable = audit(data, quiet=True).unreadable
    reasons = " ".join(bad.reason for bad in unreadable)
    assert len(unreadable) == 3
    for name in ("cut.jpg", "text.jpg", "zero.png"):
        assert name in reasons
    kept = data.without(unreadable)
    assert sum(len(split) for split in kept.splits.values()) == 60
    assert audit(kept, quiet=True).unreadable == ()


def test_a_split_with_nothing_readable_is_an_error(class_folders: Path) -> None:
    for path in class_folders.rglob("*.jpg"):
        path.write_bytes(b"broken")
    data = load_data(str(class_folders))
    with pytest.raises(ConfigError, match="no readable picture in the split 'train'"):
        data.without(audit(data, quiet=True).unreadable)


def test_targets_follow_a_model_s_order_of_labels(class_folders: Path) -> None:
    data = load_data(str(class_folders))
    aligned = data.aligned(("red", "blue", "green"))
    for before, after in zip(data.splits["train"], aligned.splits["train"], strict=True):
        assert data.label_names[before["target"]] == aligned.label_names[after["target"]]
    with pytest.raises(
        ConfigError, match=r"its classes are blue, green, red, the model's cat, dog"
    ):
        data.aligned(("cat", "dog"))


def test_pictures_are_decoded_upright(class_folders: Path) -> None:
    image = draw("red", 1)
    exif = image.getexif()
    exif[0x0112] = 6
    path = class_folders / "red" / "turned.jpg"
    image.save(path, exif=exif)
    assert decode({"bytes": None, "path": str(path)}).size == (40, 50)


class Recorder:
    """A view that notes what it is given."""

    def __init__(self) -> None:
        self.taken: list[object] = []
        self.finished: list[object] = []

    def take(self, image: Image.Image, key: tuple[int, int]) -> np.ndarray:
        self.taken.append((image.size, key))
        return np.full((3, 2, 2), key[1], np.uint8)

    def finish(self, squares: np.ndarray, keys: list[tuple[int, int]]) -> np.ndarray:
        self.finished.append(keys)
        return squares.astype(np.float32)


def test_a_row_becomes_pixels_and_target(class_folders: Path) -> None:
    data, view = load_data(str(class_folders)), Recorder()
    pixels, target = Pictures(data.splits["train"], view)[(4, 7)]
    assert (tuple(pixels.shape), target) == ((3, 2, 2), data.splits["train"][7]["target"])
    assert view.taken == [((50, 40), (4, 7))]


def test_a_batch_is_taken_image_by_image_and_finished_at_once(class_folders: Path) -> None:
    train, view = load_data(str(class_folders)).splits["train"], Recorder()
    keys = [(0, 5), (0, 2), (0, 9)]
    pixels, targets = Pictures(train, view).__getitems__(keys)
    assert pixels[:, 0, 0, 0].tolist() == [5, 2, 9]
    assert targets.tolist() == [train[index]["target"] for index in (5, 2, 9)]
    assert view.finished == [keys]


def test_stored_images_are_taken_instead_of_decoding(class_folders: Path) -> None:
    train, view = load_data(str(class_folders)).splits["train"], Recorder()
    stored = [Image.new("RGB", (index + 1, 1)) for index in range(len(train))]
    Pictures(train, view, stored)[(0, 3)]
    assert view.taken == [((4, 1), (0, 3))]
