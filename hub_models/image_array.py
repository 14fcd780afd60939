"""A numpy array or a torch tensor of levels to an image, or a sentence that says what it lacks."""

import sys
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hub_models.errors import ImageError

_CHANNELS: Final = (1, 3, 4)  # grey, RGB, RGBA


def is_tensor(held: object) -> bool:
    """Tell whether something is a torch tensor, without importing PyTorch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(held, torch.Tensor)


def is_array(held: object) -> bool:
    """Tell whether something is a numpy array or a torch tensor, or gives itself as an array."""
    return hasattr(held, "__array__") and not isinstance(held, Image.Image)


def from_array(held: Any, name: str) -> Image.Image:
    """Turn levels in memory into an image.

    Args:
        held: uint8 array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), in RGB order; or uint8 tensor
            (H, W), (1, H, W), (3, H, W) or (4, H, W), on any device.
        name: What messages call the picture.

    Returns:
        Grey, RGB or RGBA image, a copy.

    Raises:
        ImageError: If it has another dtype or shape; the message says what would be right.
    """
    axis = 0 if is_tensor(held) else 2
    try:
        levels, dtype = _levels_of(held)
    except Exception as error:  # on the device "meta", an array of a GPU: whatever its library says
        raise ImageError(f"{name}: {type(held).__name__} without readable levels") from error
    remedies = [_other_dtype(levels, dtype, axis), _other_shape(levels.shape, axis)]
    if any(remedies) or not levels.size:
        what = f"{dtype} {'tensor' if axis == 0 else 'array'} of shape {levels.shape}"
        shapes = "(H, W), (3, H, W) or (4, H, W)" if axis == 0 else "(H, W), (H, W, 3 or 4)"
        hints = " and ".join(filter(None, remedies)) or "it is empty"
        raise ImageError(f"{name}: {what}; uint8 of shape {shapes} is needed: {hints}")
    if levels.ndim == 3:
        levels = np.moveaxis(levels, axis, -1)  # (H, W, channels)
        levels = levels[:, :, 0] if levels.shape[2] == 1 else levels
    return Image.fromarray(np.ascontiguousarray(levels))


def _levels_of(held: Any) -> tuple[NDArray[Any], str]:
    if not is_tensor(held):
        levels = np.asarray(held)
        return levels, str(levels.dtype)
    dense = held.detach().to_dense().cpu()
    dtype = str(dense.dtype).removeprefix("torch.")
    return (dense.float() if dense.is_floating_point() else dense).numpy(), dtype


def _other_dtype(levels: NDArray[Any], dtype: str, axis: int) -> str:
    """Say what makes uint8 of another dtype; "" if it is uint8."""
    if dtype == "uint8":
        return ""
    call = "x.to(torch.uint8)" if axis == 0 else "x.astype('uint8')"
    if dtype == "bool":
        return f"{call} * 255"
    if levels.dtype.kind not in "iuf" or not levels.size:
        return "levels of 0 to 255"
    low, high = levels.min(), levels.max()
    values = f"its levels are {low:g} to {high:g}, "
    if not (low >= 0 and high <= 65_535):
        return values + "give the picture as it was before it was normalised"  # NaN comes here too
    if levels.dtype.kind == "f":
        scaled = "(x * 255).round()" if high <= 1 else "x.round()"
        return values + (call.replace("x", scaled, 1) if high <= 255 else "scale them to 0 to 255")
    return values + (call if high <= 255 else call.replace("x", "(x // 257)", 1))


def _other_shape(shape: tuple[int, ...], axis: int) -> str:
    """Say what makes one picture of another shape; "" if it is one."""
    if len(shape) == 2 or (len(shape) == 3 and shape[axis] in _CHANNELS):
        return ""
    if len(shape) == 3 and shape[2 - axis] in _CHANNELS:
        if axis == 0:
            return "x.permute(2, 0, 1) puts the channels first"
        return "np.moveaxis(x, 0, -1) puts the channels last"
    if len(shape) == 4:
        return "these are several pictures, give them one by one"
    return "a picture has height, width and 1, 3 or 4 channels"
