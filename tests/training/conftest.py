"""Data sets drawn in the test, small enough to learn in a second."""

from pathlib import Path

import numpy as np
import pytest
from accelerate import Accelerator, DataLoaderConfiguration
from PIL import Image

CHANNELS = {"red": 0, "green": 1, "blue": 2}


def draw(label: str, seed: int, size: tuple[int, int] = (50, 40)) -> Image.Image:
    """A noisy picture whose class is its brightest channel."""
    levels = np.random.default_rng(seed).integers(0, 120, (size[1], size[0], 3), dtype=np.uint8)
    levels[..., CHANNELS[label]] += 100
    return Image.fromarray(levels)


def photo(seed: int, side: int = 160) -> Image.Image:
    """A smooth picture unlike that of any other seed, as photographs are."""
    levels = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(levels).resize((side, side * 3 // 4), Image.Resampling.BICUBIC)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or fills the cache of whoever runs it."""
    monkeypatch.setenv("HUB_MODELS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def accelerator() -> Accelerator:
    return Accelerator(dataloader_config=DataLoaderConfiguration(split_batches=True))


@pytest.fixture
def class_folders(tmp_path: Path) -> Path:
    """A folder of three class folders, 20 pictures each."""
    for number, label in enumerate(CHANNELS):
        folder = tmp_path / "data" / label
        folder.mkdir(parents=True)
        for i in range(20):
            draw(label, 100 * number + i).save(folder / f"{label}-{i:02}.jpg")
    return tmp_path / "data"


@pytest.fixture
def tiny_recipe(class_folders: Path, tmp_path: Path) -> dict[str, object]:
    """Keys of a run that takes a second: 32 px, width 0.25, no workers."""
    return {
        "data": str(class_folders),
        "out": str(tmp_path / "run"),
        "architecture": "mobilenetv2_025",
        "weights": "none",
        "freeze": "none",
        "image_size": 32,
        "batch_size": 16,
        "epochs": 2,
        "workers": 0,
        "validation_fraction": 0.2,
    }
