import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import InterpolationMode, transforms

from hub_models import ImageClassifier, ImageError, PreprocessConfig
from hub_models.preprocess import cut_square, normalise, normalise_levels, preprocess
from tests import pictures

SIZES = [
    (1, 1),
    (2, 3),
    (7, 5),
    (32, 32),
    (33, 47),
    (47, 33),
    (36, 36),
    (37, 36),
    (64, 48),
    (99, 100),
    (100, 99),
    (101, 223),
    (224, 224),
    (257, 256),
    (333, 500),
    (500, 333),
    (500, 375),
    (11, 500),
    (640, 427),
]
CONFIGS = {
    "256 to 224": PreprocessConfig(),
    "232 to 224": PreprocessConfig(resize=232, crop=224),
    "36 to 32": PreprocessConfig(resize=36, crop=32),
    "odd": PreprocessConfig(resize=37, crop=32, mean=(0.5, 0.4, 0.3), std=(0.1, 0.2, 0.3)),
    "no crop": PreprocessConfig(resize=32, crop=32),
    "bicubic": PreprocessConfig(resize=73, crop=64, interpolation="bicubic"),
    "lanczos": PreprocessConfig(resize=41, crop=32, interpolation="lanczos"),
    "nearest": PreprocessConfig(resize=41, crop=32, interpolation="nearest"),
    "squash": PreprocessConfig(resize=48, crop=48, crop_mode="squash"),
}


def _torchvision(config: PreprocessConfig) -> transforms.Compose:
    squash = config.crop_mode == "squash"
    return transforms.Compose(
        [
            transforms.Resize(
                (config.crop, config.crop) if squash else config.resize,
                interpolation=InterpolationMode(config.interpolation),
            ),
            transforms.CenterCrop(config.crop),
            transforms.ToTensor(),
            transforms.Normalize(config.mean, config.std),
        ]
    )


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_pixels_equal_torchvisions_to_the_last_bit(config: PreprocessConfig) -> None:
    theirs = _torchvision(config)
    for size in SIZES:
        image = pictures.photo(*size)
        assert np.array_equal(preprocess(image, config), theirs(image).numpy()), size


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_timm_reading_the_saved_config_makes_equal_pixels(
    config: PreprocessConfig, tmp_path: Path
) -> None:
    timm_data = pytest.importorskip("timm.data")
    ImageClassifier.create("mobilenetv2_025", ["a"], preprocess=config).save_pretrained(tmp_path)
    pretrained_cfg = json.loads((tmp_path / "config.json").read_text())["pretrained_cfg"]
    options = timm_data.resolve_data_config({}, pretrained_cfg=pretrained_cfg)
    theirs = timm_data.create_transform(**options)
    for size in SIZES:
        image = pictures.photo(*size)
        assert np.array_equal(preprocess(image, config), theirs(image).numpy()), size


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_grey_pixels_equal_torchvisions_of_pillows_grey(config: PreprocessConfig) -> None:
    config = config.in_channels(1)
    theirs = _torchvision(config)
    for size in SIZES:
        image = pictures.photo(*size)
        expected = theirs(image.convert("L")).numpy()
        assert np.array_equal(preprocess(image, config), expected), size
        assert np.array_equal(preprocess(image.convert("L"), config), expected), size


def test_pixels_are_contiguous_float32_of_the_crop() -> None:
    pixels = preprocess(pictures.photo(64, 48), PreprocessConfig(resize=36, crop=32))
    assert (pixels.shape, pixels.dtype) == ((3, 32, 32), np.float32)
    assert pixels.flags.c_contiguous


def test_the_callers_image_is_left_alone() -> None:
    image = pictures.photo(32, 32)
    preprocess(image, PreprocessConfig(resize=32, crop=32))
    assert np.array_equal(image, pictures.photo(32, 32))


def test_squash_keeps_the_edges_that_the_centre_crop_cuts() -> None:
    image = Image.new("RGB", (96, 32))
    image.paste((255, 0, 0), (0, 0, 16, 32))
    plain = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    cut = preprocess(image, PreprocessConfig(resize=32, crop=32, **plain))
    squashed = preprocess(image, PreprocessConfig(resize=32, crop=32, crop_mode="squash", **plain))
    assert cut[0].max() == 0
    assert squashed[0, :, 0].min() == 1


def test_normalise_keeps_the_size_and_puts_the_mean_at_zero() -> None:
    pixels = normalise(pictures.flat("RGB", (255, 0, 51)), (1.0, 0.5, 0.2), (0.5, 0.5, 0.5))
    assert pixels.shape == (3, 6, 8)
    assert pixels[:, 0, 0] == pytest.approx([0, -1, 0], abs=1e-6)


@pytest.mark.parametrize("mode", ["RGBA", "CMYK", "LA"])
def test_grey_pixels_of_an_image_in_another_mode_are_refused(mode: str) -> None:
    with pytest.raises(ImageError, match=f"RGB image is needed, not one in mode {mode}"):
        preprocess(Image.new(mode, (40, 40)), PreprocessConfig(mean=(0.5,), std=(0.5,)))


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK"])
def test_an_image_in_another_mode_is_refused(mode: str) -> None:
    with pytest.raises(ImageError, match=f"RGB image is needed, not one in mode {mode}"):
        preprocess(Image.new(mode, (40, 40)), PreprocessConfig(resize=36, crop=32))


@pytest.mark.parametrize("crop_mode", ["center", "squash"])
def test_a_batch_of_cut_squares_is_normalised_to_the_bits_of_preprocess(crop_mode: str) -> None:
    config = PreprocessConfig(
        resize=40 if crop_mode == "center" else 32, crop=32, crop_mode=crop_mode
    )
    images = [pictures.photo(61 + i, 50) for i in range(5)]
    squares = np.stack([np.asarray(cut_square(image, config)) for image in images])
    pixels = squares.transpose(0, 3, 1, 2).astype(np.float32)
    normalise_levels(pixels, config.mean, config.std)
    for image, one in zip(images, pixels, strict=True):
        assert np.array_equal(one, preprocess(image, config))
