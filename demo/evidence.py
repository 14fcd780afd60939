"""A class activation map to a small picture for the page."""

import base64
import io
from typing import Final

import numpy as np
from PIL import Image

from demo.outcome import ClassMap

SIDE_PX: Final = 96  # the browser enlarges it; a map has 49 cells or so
# Dark to bright, close to matplotlib's inferno: it stays ordered in grey and for the colour-blind.
_RAMP: Final = np.array([(0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)])


def draw_map(cells: ClassMap) -> str:
    """Draw a map, the strongest cell brightest; what speaks against the class stays dark.

    Args:
        cells: h rows of w shares of a logit.

    Returns:
        A PNG of SIDE_PX × SIDE_PX as a data: address.
    """
    shares = np.array(cells, np.float32)  # (h, w)
    smooth = Image.fromarray(shares).resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC)
    strength = np.clip(np.asarray(smooth) / max(float(shares.max()), 1e-12), 0, 1)
    steps = np.linspace(0, 1, len(_RAMP))
    colours = [np.interp(strength, steps, _RAMP[:, channel]) for channel in range(3)]
    image = Image.fromarray(np.stack(colours, axis=-1).round().astype(np.uint8))
    stream = io.BytesIO()
    image.quantize(64).save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
