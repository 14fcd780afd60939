"""Letters in the fonts that come with matplotlib: a data set of colour pictures, drawn here.

    python -m training.letters LETTERS [--pictures 25]

A to J (the classes of notMNIST) become LETTERS/train/A … J and LETTERS/test/A … J: turned, of any
size and place, in two colours, with noise. `test` is in other typefaces than `train`: DejaVu there,
STIX and Computer Modern here. The pictures are nobody's: use them as you like. The fonts' licences
(Bitstream Vera's, OFL, BaKoMa) come with matplotlib and allow drawings made with them.
"""

import argparse
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Final

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hub_models.errors import ConfigError
from training.command_line import run_script

LETTERS: Final = "ABCDEFGHIJ"
SIDE: Final = 96  # px
FONTS: Final = {
    "train": [
        f"DejaVu{family}{style}"
        for family, styles in {
            "Sans": ("", "-Bold", "-Oblique", "-BoldOblique"),
            "SansMono": ("", "-Bold", "-Oblique", "-BoldOblique"),
            "Serif": ("", "-Bold", "-Italic", "-BoldItalic"),
        }.items()
        for style in styles
    ],
    "test": [
        *("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta"),
        *("cmb10", "cmr10", "cmss10", "cmti10", "cmtt10"),
    ],
}
_HEIGHTS: Final = (0.35, 0.8)  # of a letter, as a share of the side
_DEGREES: Final = 25.0  # turned by at most so many either way
_LEAST_CONTRAST: Final = 60.0  # levels between the two colours' greys
_GREY: Final = (0.299, 0.587, 0.114)  # ITU-R BT.601
_NOISE: Final = 12.0  # standard deviation, levels


def draw_letter(letter: str, font: Path, draws: np.random.Generator) -> Image.Image:
    """Draw a letter.

    Args:
        letter: One character that the font has.
        font: TrueType file.
        draws: Where size, place, turn, colours and noise come from.

    Returns:
        RGB image of SIDE × SIDE px.
    """
    typeface = ImageFont.truetype(font, round(SIDE * draws.uniform(*_HEIGHTS) / 0.72))
    room = (SIDE - 1) / 2
    shift = draws.uniform(-0.12, 0.12, 2) * SIDE
    ink = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(ink).text(tuple(room + shift), letter, fill=255, font=typeface, anchor="mm")
    ink = ink.rotate(draws.uniform(-_DEGREES, _DEGREES), Image.Resampling.BICUBIC)
    colours = draws.uniform(0, 255, (2, 3))
    while abs(np.subtract(*(colours @ _GREY))) < _LEAST_CONTRAST:
        colours = draws.uniform(0, 255, (2, 3))
    share = np.asarray(ink, np.float64)[..., None] / 255
    levels = share * colours[0] + (1 - share) * colours[1]
    levels += draws.normal(0, draws.uniform(0, _NOISE), levels.shape)
    return Image.fromarray(np.clip(np.round(levels), 0, 255).astype(np.uint8))


def write_letters(folder: Path, pictures: int) -> dict[str, int]:
    """Write the pictures as PNG files.

    Args:
        folder: Must not exist yet, or be empty.
        pictures: Of each letter in each font.

    Returns:
        How many pictures each split has.

    Raises:
        ConfigError: If there is something in the folder, or it cannot be written.
    """
    fonts, draws = Path(matplotlib.get_data_path(), "fonts", "ttf"), np.random.default_rng(0)
    written = dict.fromkeys(FONTS, 0)
    try:
        if folder.is_dir() and any(folder.iterdir()):
            raise ConfigError(f"{folder} is not empty; name a folder that is not there yet")
        for split, names in FONTS.items():
            for letter, name in product(LETTERS, names):
                path = folder / split / letter
                path.mkdir(parents=True, exist_ok=True)
                for number in range(pictures):
                    picture = draw_letter(letter, fonts / f"{name}.ttf", draws)
                    picture.save(path / f"{name}-{number:03}.png")
                written[split] += pictures
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written ({error})") from error
    return written


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script.

    Args:
        arguments: What was typed after its name; the process's own if None.

    Returns:
        0 done, 1 an error said in one sentence on stderr; wrong usage exits with 2.
    """
    parser = argparse.ArgumentParser(description="Draw letters as class folders.")
    parser.add_argument("folder", type=Path, metavar="LETTERS")
    parser.add_argument(
        "--pictures", type=int, default=25, help="of each letter in each font (%(default)s)"
    )
    options = parser.parse_args(arguments)
    if options.pictures < 1:
        parser.error("--pictures must be at least 1")

    def work() -> None:
        counts = write_letters(options.folder, options.pictures)
        print(
            f"{options.folder}: " + ", ".join(f"{name} {count:,}" for name, count in counts.items())
        )

    return run_script("letters", work)


if __name__ == "__main__":
    sys.exit(main())
