"""Draw the two example pictures that are not photographs: `python demo/examples/draw.py`."""

from pathlib import Path

from PIL import Image, ImageDraw

SIDE = 448
SCALE = 4  # drawn larger and resized: smooth edges


def new_sheet(colour: str) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """Start a picture with a floor.

    Args:
        colour: Of the wall.

    Returns:
        The picture and its pen, in units of SIDE × SCALE pixels.
    """
    sheet = Image.new("RGB", (SIDE * SCALE, SIDE * SCALE), colour)
    pen = ImageDraw.Draw(sheet)
    oval(pen, (-120, 350, 568, 620), "#e8dcc8")
    return sheet, pen


def oval(pen: ImageDraw.ImageDraw, box: tuple[int, int, int, int], colour: str) -> None:
    """Fill an ellipse; the box is left, top, right, bottom in pixels of the result."""
    pen.ellipse([value * SCALE for value in box], fill=colour)


def shape(pen: ImageDraw.ImageDraw, points: list[tuple[int, int]], colour: str) -> None:
    """Fill a polygon; points in pixels of the result."""
    pen.polygon([(x * SCALE, y * SCALE) for x, y in points], fill=colour)


def line(pen: ImageDraw.ImageDraw, points: list[tuple[int, int]], colour: str, width: int) -> None:
    """Draw a line with round joints; points and width in pixels of the result."""
    scaled = [(x * SCALE, y * SCALE) for x, y in points]
    pen.line(scaled, fill=colour, width=width * SCALE, joint="curve")


def draw_cat() -> Image.Image:
    """Draw an orange cat with stripes.

    Returns:
        RGB image of SIDE × SIDE pixels.
    """
    fur, dark, cream = "#e0924a", "#a65f24", "#fbe9d3"
    sheet, pen = new_sheet("#bcd3d9")
    oval(pen, (120, 250, 328, 470), fur)
    oval(pen, (175, 300, 273, 470), cream)
    for left, tip, right, inner in (
        ((112, 190), (118, 58), (206, 112), "#e9b0a0"),
        ((336, 190), (330, 58), (242, 112), "#e9b0a0"),
    ):
        shape(pen, [left, tip, right], fur)
        shrunk = [
            (
                (x * 6 + (left[0] + tip[0] + right[0]) * 4 // 3) // 10,
                (y * 6 + (left[1] + tip[1] + right[1]) * 4 // 3) // 10,
            )
            for x, y in (left, tip, right)
        ]
        shape(pen, shrunk, inner)
    oval(pen, (96, 96, 352, 318), fur)
    for x in (198, 224, 250):
        line(pen, [(x, 102), (x + (x - 224) // 4, 146)], dark, 9)
    oval(pen, (160, 214, 234, 296), cream)
    oval(pen, (214, 214, 288, 296), cream)
    for x in (166, 282):
        oval(pen, (x - 28, 166, x + 28, 222), "#f3f6d8")
        oval(pen, (x - 22, 170, x + 22, 218), "#8fae3c")
        oval(pen, (x - 8, 172, x + 8, 216), "#1d1d1b")
        oval(pen, (x - 3, 178, x + 6, 187), "#ffffff")
    shape(pen, [(208, 226), (240, 226), (224, 244)], "#d9737a")
    line(pen, [(224, 242), (224, 256), (208, 268), (194, 264)], dark, 4)
    line(pen, [(224, 256), (240, 268), (254, 264)], dark, 4)
    for direction in (-1, 1):
        for height in (236, 250, 264):
            start = (224 + direction * 50, 252)
            line(pen, [start, (224 + direction * 156, height + (height - 250))], "#fff8ee", 3)
    return sheet.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def draw_dog() -> Image.Image:
    """Draw a brown dog with hanging ears.

    Returns:
        RGB image of SIDE × SIDE pixels.
    """
    fur, dark, cream = "#b98250", "#6d4526", "#f4e3cf"
    sheet, pen = new_sheet("#cfdcb8")
    oval(pen, (116, 262, 332, 490), fur)
    oval(pen, (170, 300, 278, 490), cream)
    oval(pen, (112, 74, 336, 310), fur)
    oval(pen, (196, 78, 252, 240), cream)
    oval(pen, (74, 96, 150, 276), dark)
    oval(pen, (298, 96, 374, 276), dark)
    oval(pen, (150, 196, 298, 334), cream)
    for x in (176, 272):
        oval(pen, (x - 20, 152, x + 20, 194), "#ffffff")
        oval(pen, (x - 15, 156, x + 15, 190), "#3a2416")
        oval(pen, (x - 2, 162, x + 8, 172), "#ffffff")
        line(pen, [(x - 18, 136), (x, 128), (x + 18, 134)], dark, 6)
    oval(pen, (208, 288, 240, 346), "#d9646c")
    line(pen, [(224, 250), (224, 288), (196, 300), (176, 290)], dark, 5)
    line(pen, [(224, 288), (252, 300), (272, 290)], dark, 5)
    oval(pen, (190, 206, 258, 258), "#2a2220")
    oval(pen, (204, 212, 228, 224), "#6b605c")
    line(pen, [(130, 352), (180, 372), (268, 372), (318, 352)], "#c0392b", 18)
    oval(pen, (206, 366, 242, 402), "#f0c040")
    return sheet.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    folder = Path(__file__).resolve().parent
    draw_cat().save(folder / "cat-drawing.jpg", quality=90)
    draw_dog().save(folder / "dog-drawing.jpg", quality=90)
