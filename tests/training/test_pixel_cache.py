import os
import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from accelerate import Accelerator

from hub_models import PreprocessConfig
from hub_models.machine import cache_folder
from hub_models.preprocess import preprocess
from tests.training.conftest import draw, photo
from training.augment import StoredView
from training.data import Data, Pictures, decode, load_data
from training.pixel_cache import PixelCache, pixel_caches
from training.reduction import EvaluationSquare, Reduction, ShorterSide

PREPROCESS = PreprocessConfig(resize=36, crop=32)


@pytest.fixture
def data(class_folders: Path) -> Data:
    for i in range(30):  # more than one record batch; two sizes
        draw("red", 1000 + i, size=(33, 47)).save(class_folders / "red" / f"more-{i}.jpg")
    return load_data(str(class_folders), validation_fraction=0.2)


def reductions(side: int = 30) -> dict[str, Reduction]:
    return {"train": ShorterSide(side, "bilinear"), "validation": EvaluationSquare(PREPROCESS)}


def stored(accelerator: Accelerator, data: Data, side: int = 30) -> dict[str, PixelCache]:
    caches = pixel_caches(accelerator, data, reductions(side), budget_gib=1.0)
    assert caches is not None
    return caches


def files() -> list[Path]:
    return sorted(cache_folder("pixels").glob("*"))


def test_every_training_picture_is_stored_as_it_was_resized(
    accelerator: Accelerator, data: Data
) -> None:
    train = stored(accelerator, data)["train"]
    assert len(train) == len(data.splits["train"]) > 64
    for index, row in enumerate(data.splits["train"]):
        expected = ShorterSide(30, "bilinear")(decode(row["image"]))
        assert train[index].size == expected.size
        assert train[index].tobytes() == expected.tobytes()


@pytest.mark.parametrize("channels", [3, 1])
def test_validation_pixels_are_those_of_preprocess_to_the_bit(
    channels: int, accelerator: Accelerator, data: Data
) -> None:
    config, split = PREPROCESS.in_channels(channels), data.splits["validation"]
    reduction: dict[str, Reduction] = {"validation": EvaluationSquare(config)}
    caches = pixel_caches(accelerator, data, reduction, budget_gib=1.0)
    assert caches is not None
    pictures = Pictures(split, StoredView(config), caches["validation"])
    pixels, targets = pictures.__getitems__([(0, index) for index in range(len(split))])
    for row, one, target in zip(split, pixels, targets, strict=True):
        assert np.array_equal(one, preprocess(decode(row["image"]), config))
        assert row["target"] == target


def test_pictures_are_stored_once(accelerator: Accelerator, data: Data) -> None:
    stored(accelerator, data)
    before = [path.stat().st_mtime_ns for path in files()]
    stored(accelerator, data)
    assert [path.stat().st_mtime_ns for path in files()] == before
    assert [path.suffix for path in files()] == [".arrow", ".arrow"]


def test_other_sizes_or_pictures_are_another_file(accelerator: Accelerator, data: Data) -> None:
    stored(accelerator, data)
    stored(accelerator, data, side=20)
    assert len(files()) == 3
    row = data.splits["validation"][0]
    shutil.copy(data.splits["validation"][1]["image"]["path"], row["image"]["path"])
    stored(accelerator, data)
    assert len(files()) == 4


@pytest.mark.parametrize("damage", ["cut", "flipped bit", "offsets", "empty", "not Arrow"])
def test_a_damaged_file_is_made_anew(damage: str, accelerator: Accelerator, data: Data) -> None:
    path = stored(accelerator, data)["train"].path
    whole = path.read_bytes()
    broken = bytearray(whole)
    if damage == "cut":
        del broken[-1000:]
    elif damage == "flipped bit":
        broken[len(whole) // 2] ^= 1
    elif damage == "offsets":
        first = ShorterSide(30, "bilinear")(decode(data.splits["train"][0]["image"]))
        second_offset = len(first.tobytes()).to_bytes(8, "little")
        at = whole.index(bytes(8) + second_offset) + 8
        broken[at : at + 8] = (2**62).to_bytes(8, "little")
    else:
        broken = bytearray(b"" if damage == "empty" else b"x" * 5000)
    path.write_bytes(broken)
    assert stored(accelerator, data)["train"].path == path
    assert path.read_bytes() == whole


def test_a_budget_too_small_is_said_and_nothing_is_written(
    accelerator: Accelerator, data: Data, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pixel_caches(accelerator, data, reductions(), budget_gib=1e-4) is None
    sizes = [
        ShorterSide(30, "bilinear").size(decode(r["image"]).size) for r in data.splits["train"]
    ]
    total = sum(3 * width * height for width, height in sizes)
    total += 3 * 32 * 32 * len(data.splits["validation"])
    expected = f"it would take {total / 2**30:.3g} GiB, pixel_cache_gib allows 0.0001 GiB"
    assert f"no pixel cache: {expected}\n" in capsys.readouterr().out
    assert files() == []


def test_a_disk_too_full_is_said_and_nothing_is_written(
    accelerator: Accelerator,
    data: Data,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    full = shutil.disk_usage("/")._replace(free=100_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: full)
    assert pixel_caches(accelerator, data, reductions(), budget_gib=1.0) is None
    assert "pixels has 9.31e-05 GiB free" in capsys.readouterr().out
    assert files() == []


def test_a_folder_that_cannot_be_written_costs_the_cache_not_the_run(
    accelerator: Accelerator, data: Data, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert pixel_caches(accelerator, data, reductions(), budget_gib=1.0) is None
    assert "no pixel cache: it cannot be written (" in capsys.readouterr().out


def test_what_a_killed_run_left_is_deleted_once_nobody_writes_to_it(
    accelerator: Accelerator, data: Data
) -> None:
    path = stored(accelerator, data)["train"].path
    path.unlink()
    abandoned, busy = path.with_suffix(".123.writing"), path.with_suffix(".456.writing")
    for left in (abandoned, busy):
        left.write_bytes(b"half")
    os.utime(abandoned, (time.time() - 7200,) * 2)
    stored(accelerator, data)
    assert path.exists()
    assert busy.exists()
    assert not abandoned.exists()


def test_a_cache_is_sent_to_a_process_as_its_path(accelerator: Accelerator, data: Data) -> None:
    train = stored(accelerator, data)["train"]
    sent = pickle.dumps(train)
    assert len(sent) < 1000
    assert pickle.loads(sent)[70].tobytes() == train[70].tobytes()


PEAK = """
import re, sys
import torch
from accelerate import Accelerator, DataLoaderConfiguration
from hub_models import ImageClassifier
from training.config import Recipe
from training.data import load_data
from training.loop import set_up
from training.state import Progress

torch.set_num_threads(1)
recipe = Recipe(data=sys.argv[1], freeze="none", weights="none", image_size=16, workers=0,
                batch_size=8, epochs=1, warmup_epochs=0.0, pixel_cache_gib=float(sys.argv[2]))
data = load_data(recipe.data)
model = ImageClassifier.create("mobilenetv2_025", data.label_names)
accelerator = Accelerator(dataloader_config=DataLoaderConfiguration(split_batches=True))
training = set_up(accelerator, recipe, data, model)
assert training.train_epoch(Progress(), lambda _: False)
training.validate()
# Not getrusage: its maximum is the parent's where that was larger.
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize("budget_gib", [0, 1])
def test_peak_memory_does_not_grow_with_the_number_of_pictures(
    budget_gib: int, tmp_path: Path
) -> None:
    """150 more pictures, 1.4 MB each when decoded, take under half of that: heaps settle slowly."""
    peaks = []
    for count in (25, 100):
        for label, first in (("red", 0), ("green", 1000)):
            (tmp_path / str(count) / label).mkdir(parents=True)
            for i in range(first, first + count):
                photo(i, side=800).save(tmp_path / str(count) / label / f"{i}.jpg")
        command = [sys.executable, "-c", PEAK, str(tmp_path / str(count)), str(budget_gib)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        peaks.append(int(result.stdout.splitlines()[-1]) / 1024)
    assert peaks[1] - peaks[0] < 150 * 1.4 / 2, peaks
