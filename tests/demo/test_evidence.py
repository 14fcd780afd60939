import base64
import io

import numpy as np
from PIL import Image

from demo.evidence import draw_map


def drawn(cells):
    head, _, data = draw_map(cells).partition(",")
    assert head == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        return np.asarray(image.convert("L")).astype(int)


def test_the_strongest_cell_is_the_brightest():
    bright = drawn(((0.0, 0.0, 0.0), (0.0, 0.0, 5.0), (0.0, 0.0, 0.0)))
    row, column = np.unravel_index(bright.argmax(), bright.shape)
    assert 32 <= row < 64
    assert column >= 64
    assert bright.max() > 200
    assert bright[:, :20].max() < 20


def test_what_speaks_against_the_class_is_dark():
    assert drawn(((-1.0, -2.0), (-3.0, -4.0))).max() < 10
    assert drawn(((0.0,),)).max() < 10
