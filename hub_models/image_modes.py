"""An image in any of Pillow's modes to upright RGB."""

import logging
import math
from typing import Final

from PIL import Image

from hub_models.errors import ImageError

_ORIENTATION_TAG: Final = 0x0112
_UPRIGHT: Final = {  # EXIF orientation -> what makes the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTED: Final = ("exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp")
_log: Final = logging.getLogger(__name__)


def read_orientation(image: Image.Image) -> int:
    """Read the EXIF orientation of a file.

    A picture with one unreadable tag is still a picture: refusing it, or crashing on it, is what
    users of other tools complain about (huggingface/datasets#7668).

    Args:
        image: As Pillow opened it, decoded or not; TIFF files are turned when they are decoded.

    Returns:
        2 to 8 if the picture is stored turned or mirrored; 1 if upright or the tags are broken;
        any other number means upright too.
    """
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:
        return 1


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Turn an image as its EXIF orientation says.

    Args:
        image: As it is stored.
        orientation: As `read_orientation` gives it.

    Returns:
        The image itself if it is upright already.
    """
    method = _UPRIGHT.get(orientation)
    if method is None:
        return image
    turned = image.transpose(method)
    for key in _ORIENTED:  # else whoever is given this image would turn it once more
        turned.info.pop(key, None)
    return turned


def to_rgb(image: Image.Image, name: str = "image") -> Image.Image:
    """Turn a decoded image of any mode into RGB, transparency over white.

    Args:
        image: Any mode of Pillow's; orientation is left alone.
        name: What messages call the picture.

    Returns:
        RGB image of the same size; the image itself if it is one.

    Raises:
        ImageError: If levels have no known scale: in mode F they must be 0 to 1 or 0 to 255, in
            modes I and I;16 0 to 255 or 0 to 65,535.
    """
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return _eight_bits(image, name).convert("RGB")
    if image.has_transparency_data:
        if image.mode == "La":  # premultiplied; Pillow knows one way out of it
            image = image.convert("LA")
        layer = image if image.mode == "RGBA" else image.convert("RGBA")
        white = Image.new("RGB", layer.size, "white")
        white.paste(layer, mask=layer.getchannel("A"))
        return white
    return image.convert("RGB")


def _eight_bits(image: Image.Image, name: str) -> Image.Image:
    mode = image.mode
    if mode.startswith("I;"):  # 16 bits in some order of bytes
        image = image.convert("I")
    low, high = image.getextrema()  # numbers: these modes have one channel
    average = image.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))  # NaN if one level is
    wanted = "0 to 1 or 0 to 255" if mode == "F" else "0 to 255 or 0 to 65,535"
    if not math.isfinite(average) or low < 0 or high > (255 if mode == "F" else 65_535):  # type: ignore[arg-type, operator]
        raise ImageError(
            f"{name}: mode {mode} with levels {low:g} to {high:g}, which have no known scale: "
            f"levels of {wanted} are read"
        )
    if mode == "F":
        scale = 255 if high <= 1 else 1  # type: ignore[operator]
        return image.point(lambda level: level * scale + 0.5).convert("L")
    if high > 255:  # type: ignore[operator]
        return image.point(lambda level: level * (1 / 256)).convert("L")  # the high byte
    if mode != "I" and high:
        _log.warning("%s: mode %s with no level above 255, read as levels of 8 bits", name, mode)
    return image.convert("L")
