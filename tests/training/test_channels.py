from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hub_models import PreprocessConfig
from hub_models.errors import ConfigError
from hub_models.preprocess import preprocess
from training.channels import measure_statistics
from training.data import decode, load_data


def test_measured_statistics_are_those_of_all_pixels_the_model_is_evaluated_on(
    class_folders: Path,
) -> None:
    train = load_data(str(class_folders)).splits["train"]
    config = PreprocessConfig(resize=36, crop=32)
    mean, std = measure_statistics(train, config, quiet=True)
    plain = PreprocessConfig(resize=36, crop=32, mean=(0, 0, 0), std=(1, 1, 1))
    pixels = np.stack([preprocess(decode(row["image"]), plain) for row in train])
    np.testing.assert_allclose(mean, pixels.mean((0, 2, 3), np.float64), atol=5e-5)
    np.testing.assert_allclose(std, pixels.std((0, 2, 3), np.float64), atol=5e-5)

    measured = PreprocessConfig(resize=36, crop=32, mean=mean, std=std)
    normal = np.stack([preprocess(decode(row["image"]), measured) for row in train])
    np.testing.assert_allclose(normal.mean((0, 2, 3)), 0, atol=1e-3)
    np.testing.assert_allclose(normal.std((0, 2, 3)), 1, atol=1e-3)


def test_the_same_pictures_give_the_same_statistics(class_folders: Path) -> None:
    train = load_data(str(class_folders)).splits["train"]
    config = PreprocessConfig(resize=32, crop=32)
    other = PreprocessConfig(resize=32, crop=32, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    first = measure_statistics(train, config, quiet=True)
    assert measure_statistics(train, other, quiet=True) == first


def test_a_channel_that_never_varies_is_an_error(tmp_path: Path) -> None:
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for i in range(4):
            image = Image.new("RGB", (16, 16), (20 * i, 30 * i, 7))
            image.save(tmp_path / label / f"{i}.png")
    train = load_data(str(tmp_path), validation_fraction=0.25).splits["train"]
    with pytest.raises(ConfigError, match="mean and std: a channel hardly varies"):
        measure_statistics(train, PreprocessConfig(resize=16, crop=16), quiet=True)


def test_grey_pictures_have_one_mean_and_std(class_folders: Path) -> None:
    train = load_data(str(class_folders)).splits["train"]
    config = PreprocessConfig(resize=36, crop=32).in_channels(1)
    mean, std = measure_statistics(train, config, quiet=True)
    plain = PreprocessConfig(resize=36, crop=32, mean=(0.0,), std=(1.0,))
    pixels = np.stack([preprocess(decode(row["image"]), plain) for row in train])
    assert (mean, std) == (
        pytest.approx([pixels.mean(dtype=np.float64)], abs=5e-5),
        pytest.approx([pixels.std(dtype=np.float64)], abs=5e-5),
    )
