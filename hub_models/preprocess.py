"""Image to pixels with Pillow and numpy alone: the one preprocessing of training and inference."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hub_models.config import PreprocessConfig
from hub_models.errors import ImageError

Pixels = NDArray[np.float32]

_FILTERS: Final = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
}


def preprocess(image: Image.Image, config: PreprocessConfig) -> Pixels:
    """Turn one image into the pixels the model was trained on.

    Resizes the shorter side to `config.resize`, keeps the centre square of `config.crop`, then
    normalises each channel. The result equals torchvision's Resize, CenterCrop and Normalize on
    a PIL image, and timm's evaluation transform.

    Args:
        image: Upright RGB image, as `load_image` returns it.
        config: Sizes in pixels; mean and std on the 0-1 scale, in RGB order.

    Returns:
        float32 array of shape (3, crop, crop), channels in RGB order.

    Raises:
        ImageError: If `image` is not in RGB mode.
    """
    square = _squash(image, config) if config.crop_mode == "squash" else _centre(image, config)
    return normalise(square, config.mean, config.std)


def normalise(image: Image.Image, mean: Sequence[float], std: Sequence[float]) -> Pixels:
    """Turn an RGB image into normalised pixels of the same size: the last step of every path.

    Args:
        image: RGB image of H × W pixels.
        mean: Per channel, on the 0-1 scale.
        std: Per channel, on the 0-1 scale.

    Returns:
        float32 array of shape (3, H, W).

    Raises:
        ImageError: If `image` is not in RGB mode.
    """
    if image.mode != "RGB":
        raise ImageError(f"an RGB image is needed, not one in mode {image.mode}")
    levels = np.asarray(image).transpose(2, 0, 1).astype(np.float32, order="C")  # 0-255
    levels /= np.float32(255)
    levels -= np.asarray(mean, np.float32)[:, None, None]
    levels /= np.asarray(std, np.float32)[:, None, None]
    return levels  # (3, H, W)


def _squash(image: Image.Image, config: PreprocessConfig) -> Image.Image:
    return image.resize((config.crop, config.crop), _FILTERS[config.interpolation])


def _centre(image: Image.Image, config: PreprocessConfig) -> Image.Image:
    shorter = min(image.size)
    width, height = (int(config.resize * side / shorter) for side in image.size)
    resized = image.resize((width, height), _FILTERS[config.interpolation])
    # round() as torchvision's center_crop: half to even, so the same pixels at every parity.
    left, top = round((width - config.crop) / 2), round((height - config.crop) / 2)
    return resized.crop((left, top, left + config.crop, top + config.crop))
