"""Image to pixels with Pillow and numpy alone: the one preprocessing of training and inference."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hub_models.config import PreprocessConfig
from hub_models.errors import ImageError

Pixels = NDArray[np.float32]
_MODES: Final = {3: "RGB", 1: "L"}  # Pillow's, by channels

FILTERS: Final = {
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
    a PIL image, and timm's evaluation transform; with one mean, on the image in Pillow's mode L.

    Args:
        image: Upright RGB image, as `load_image` returns it.
        config: Sizes in pixels; mean and std on the 0-1 scale, in RGB order or one of grey.

    Returns:
        float32 array of shape (3, crop, crop), channels in RGB order; (1, crop, crop) if grey.

    Raises:
        ImageError: If `image` is not in RGB mode.
    """
    return normalise(cut_square(image, config), config.mean, config.std)


def cut_square(image: Image.Image, config: PreprocessConfig) -> Image.Image:
    """Resize and crop an image as the model wants it: `preprocess` without its last step.

    Args:
        image: Upright RGB image.
        config: Sizes in pixels, filter, crop mode and channels.

    Returns:
        RGB or grey image of `config.crop` × `config.crop` pixels.
    """
    image = in_channels(image, config.channels)
    if config.crop_mode == "squash":
        return image.resize((config.crop, config.crop), FILTERS[config.interpolation])
    width, height = scaled(image.size, config.resize)
    resized = image.resize((width, height), FILTERS[config.interpolation])
    # round() as torchvision's center_crop: half to even, so the same pixels at every parity.
    left, top = round((width - config.crop) / 2), round((height - config.crop) / 2)
    return resized.crop((left, top, left + config.crop, top + config.crop))


def in_channels(image: Image.Image, channels: int) -> Image.Image:
    """Turn an image into what so many channels hold.

    Args:
        image: RGB image; or a grey one, for one channel.
        channels: 3, or 1 for grey (ITU-R BT.601, Pillow's mode L).

    Returns:
        The image itself, or its grey levels.

    Raises:
        ImageError: If `image` is in another mode.
    """
    mode = _MODES[channels]
    if image.mode == mode:
        return image
    if image.mode != "RGB":
        raise ImageError(f"an RGB image is needed, not one in mode {image.mode}")
    return image.convert(mode)


def scaled(size: tuple[int, int], shorter_side: int) -> tuple[int, int]:
    """Scale a picture's size, as torchvision's Resize does.

    Args:
        size: Width and height in pixels.
        shorter_side: That it is to have, in pixels.

    Returns:
        Width and height; the longer side rounded down.
    """
    width, height = (int(shorter_side * side / min(size)) for side in size)
    return width, height


def normalise(image: Image.Image, mean: Sequence[float], std: Sequence[float]) -> Pixels:
    """Turn an image into normalised pixels of the same size: the last step of every path.

    Args:
        image: RGB image of H × W pixels, or a grey one if there is one mean.
        mean: Per channel, on the 0-1 scale.
        std: Per channel, on the 0-1 scale.

    Returns:
        float32 array of shape (3, H, W), or (1, H, W).

    Raises:
        ImageError: If `image` is in another mode.
    """
    pixels = levels_of(image, len(mean)).astype(np.float32, order="C")  # 0-255
    normalise_levels(pixels, mean, std)
    return pixels


def levels_of(image: Image.Image, channels: int) -> NDArray[np.uint8]:
    """Give the levels of an image, channels first.

    Args:
        image: RGB image of H × W pixels, or a grey one for one channel.
        channels: 3 or 1.

    Returns:
        uint8 (channels, H, W), a view of (H, W, channels).

    Raises:
        ImageError: If `image` is in another mode.
    """
    levels = np.atleast_3d(np.asarray(in_channels(image, channels)))  # (H, W, channels)
    return levels.transpose(2, 0, 1)


def normalise_levels(levels: Pixels, mean: Sequence[float], std: Sequence[float]) -> None:
    """Normalise pixels where they are: the arithmetic of `normalise`, of one image or of many.

    Args:
        levels: float32 (channels, H, W) or (N, channels, H, W), 0 to 255; changed to pixels.
        mean: Per channel, on the 0-1 scale.
        std: Per channel, on the 0-1 scale.
    """
    levels /= np.float32(255)
    levels -= np.asarray(mean, np.float32)[:, None, None]
    levels /= np.asarray(std, np.float32)[:, None, None]
