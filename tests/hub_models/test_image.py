import contextlib
import io
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from hub_models import ImageError, load_image
from hub_models.image_file import DRAFT_SIDE, ImageLimits
from hub_models.image_modes import to_rgb
from tests import pictures
from tests.pictures import STORED, encode, flat
from tests.processes import COMMAND, run_measured


def _exif(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def _stored(image: Image.Image, orientation: int) -> Image.Image:
    method = STORED[orientation]
    return image if method is None else image.transpose(method)


def _palette(transparency: int | bytes) -> bytes:
    image = flat("P", 1)
    image.putpalette([0, 0, 200, 40, 80, 120])
    return encode(image, "PNG", transparency=transparency)


def _png_rows(bits: int, color_type: int, pixel: bytes) -> bytes:
    return pictures.png(8, 6, bits, color_type, zlib.compress((b"\0" + pixel * 8) * 6))


def _animation() -> bytes:
    first, second = flat("RGB", (200, 0, 0)), flat("RGB", (0, 0, 200))
    return encode(first, "GIF", save_all=True, append_images=[second])


# name -> (a flat picture of 8 × 6 px, the RGB colour it must show, off by at most)
HARD_CASES = {
    "JPEG": (encode(flat("RGB", (200, 100, 50)), "JPEG", quality=95), (200, 100, 50), 3),
    "progressive JPEG": (encode(flat("RGB", (9, 9, 9)), "JPEG", progressive=True), (9, 9, 9), 3),
    "grey JPEG": (encode(flat("L", 90), "JPEG"), (90, 90, 90), 1),
    "CMYK JPEG": (encode(flat("CMYK", (0, 255, 255, 0)), "JPEG", quality=95), (255, 0, 0), 6),
    "PNG": (encode(flat("RGB", (1, 2, 3)), "PNG"), (1, 2, 3), 0),
    "grey": (encode(flat("L", 90), "PNG"), (90, 90, 90), 0),
    "1-bit": (encode(flat("1", 1), "PNG"), (255, 255, 255), 0),
    "16-bit grey": (encode(flat("I;16", 0x64FF), "PNG"), (0x64, 0x64, 0x64), 0),
    "16-bit RGB": (_png_rows(16, 2, b"\x10\x80\x20\x80\x30\x80"), (0x10, 0x20, 0x30), 0),
    "16-bit RGBA, clear": (_png_rows(16, 6, b"\x10\0\x20\0\x30\0\0\0"), (255, 255, 255), 0),
    "RGBA, half clear": (encode(flat("RGBA", (255, 0, 0, 128)), "PNG"), (255, 127, 127), 1),
    "RGBA, clear": (encode(flat("RGBA", (9, 9, 9, 0)), "PNG"), (255, 255, 255), 0),
    "LA, half clear": (encode(flat("LA", (0, 128)), "PNG"), (127, 127, 127), 1),
    "palette": (encode(flat("RGB", (40, 80, 120)).quantize(4), "PNG"), (40, 80, 120), 0),
    "palette, this colour clear": (_palette(1), (255, 255, 255), 0),
    "palette, another colour clear": (_palette(0), (40, 80, 120), 0),
    "palette, each colour its own": (_palette(b"\xff\x00"), (255, 255, 255), 0),
    "grey, one level clear": (encode(flat("L", 9), "PNG", transparency=9), (255, 255, 255), 0),
    "RGB, one colour clear": (
        encode(flat("RGB", (9, 8, 7)), "PNG", transparency=(9, 8, 7)),
        (255, 255, 255),
        0,
    ),
    "GIF": (encode(flat("L", 90), "GIF"), (90, 90, 90), 0),
    "animated GIF, first frame": (_animation(), (200, 0, 0), 0),
    "BMP": (encode(flat("RGB", (1, 2, 3)), "BMP"), (1, 2, 3), 0),
    "1-bit BMP": (encode(flat("1", 0), "BMP"), (0, 0, 0), 0),
    "WebP": (encode(flat("RGB", (1, 2, 3)), "WEBP", lossless=True), (1, 2, 3), 0),
    "WebP, clear": (
        encode(flat("RGBA", (1, 2, 3, 0)), "WEBP", lossless=True, exact=True),
        (255, 255, 255),
        0,
    ),
}


@pytest.mark.parametrize("case", HARD_CASES)
def test_a_hard_picture_becomes_rgb_of_the_colours_a_person_sees(case: str) -> None:
    content, color, tolerance = HARD_CASES[case]
    image = load_image(content)
    assert (image.mode, image.size) == ("RGB", (8, 6))
    levels = np.asarray(image).astype(int)
    assert np.abs(levels - color).max() <= tolerance, levels[0, 0]


def test_a_picture_of_one_pixel_is_read() -> None:
    assert load_image(encode(flat("RGB", (1, 2, 3), (1, 1)), "PNG")).getpixel((0, 0)) == (1, 2, 3)


@pytest.mark.parametrize("orientation", STORED)
def test_every_exif_orientation_gives_the_same_upright_picture(orientation: int) -> None:
    upright = pictures.photo(64, 48)
    stored = encode(_stored(upright, orientation), "PNG", exif=_exif(orientation))
    assert np.array_equal(load_image(stored), upright)


@pytest.mark.parametrize("orientation", STORED)
def test_a_rotated_jpeg_is_as_upright_as_pillow_would_make_it(orientation: int) -> None:
    stored = encode(pictures.photo(64, 48), "JPEG", exif=_exif(orientation))
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(stored)))
    assert np.array_equal(load_image(stored), expected)


BROKEN_EXIF = {
    "not TIFF at all": b"Exif\0\0garbage",
    "nothing after the mark": b"Exif\0\0",
    "directory past the end": b"Exif\0\0II*\0\xff\xff\xff\x7f",
    "more tags than bytes": b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0",
    "orientation 99": _exif(99),
    "orientation 0": _exif(0),
    "orientation is text": b"Exif\0\0II*\0\x08\0\0\0"
    + struct.pack("<HHHI4sI", 1, 0x0112, 2, 3, b"up", 0),
}


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")  # Pillow's; it reads on
@pytest.mark.parametrize("exif", BROKEN_EXIF.values(), ids=BROKEN_EXIF)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_with_broken_exif_is_still_read(kind: str, exif: bytes) -> None:
    assert load_image(encode(pictures.photo(64, 48), kind, exif=exif)).size == (64, 48)


def test_a_path_a_string_and_bytes_give_the_same_pixels(photo: Path) -> None:
    from_path = load_image(photo)
    assert np.array_equal(from_path, load_image(str(photo)))
    assert np.array_equal(from_path, load_image(photo.read_bytes()))


def test_the_kind_is_told_by_content_not_by_file_name(tmp_path: Path) -> None:
    path = tmp_path / "really-a-png.jpg"
    path.write_bytes(encode(pictures.photo(8, 6), "PNG"))
    assert np.array_equal(load_image(path), pictures.photo(8, 6))


JPEG = encode(pictures.photo(64, 48), "JPEG")
PNG = encode(pictures.photo(64, 48), "PNG")
DAMAGED = {
    "truncated JPEG": (JPEG[: len(JPEG) // 2], "damaged or truncated"),
    "truncated PNG": (PNG[: len(PNG) // 2], "damaged or truncated"),
    "truncated WebP": (encode(pictures.photo(64, 48), "WEBP")[:100], "damaged|known kind"),
    "truncated GIF": (encode(pictures.photo(64, 48), "GIF")[:900], "damaged or truncated"),
    "truncated BMP": (encode(pictures.photo(64, 48), "BMP")[:900], "damaged or truncated"),
    "JPEG cut in its header": (JPEG[:30], "damaged|known kind"),
    "text": (b"dear reader, this is no picture", "not a picture of a known kind"),
    "SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture of a known kind"),
    "PCX, which is not read": (encode(flat("L", 0), "PCX"), "not a picture of a known kind"),
    "zero bytes": (b"", r"empty \(0 bytes\)"),
    "PNG with a wrong checksum": (PNG.replace(b"IDAT", b"IDAU", 1), "damaged|known kind"),
    "GIF, no frame": (b"GIF89a" + struct.pack("<HHBBB", 8, 6, 0, 0, 0) + b";", "damaged|known"),
    "zero pixels wide": (pictures.bmp_claiming(0, 48), "damaged|known kind|pixels"),
}


@pytest.mark.parametrize(("content", "message"), DAMAGED.values(), ids=DAMAGED)
def test_what_is_no_whole_picture_is_refused_in_one_line_with_its_name(
    content: bytes, message: str
) -> None:
    with pytest.raises(ImageError, match=message) as raised:
        load_image(content, name="upload.jpg")
    assert str(raised.value).startswith("upload.jpg: ")
    assert "\n" not in str(raised.value)


def test_every_cut_of_a_picture_is_read_or_refused_but_never_crashes() -> None:
    for content in (JPEG, PNG):
        for end in range(1, len(content), 37):
            with pytest.raises(ImageError, match=r"^image: "):
                load_image(content[:end])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP"])
def test_bytes_changed_at_random_are_read_or_refused_but_never_crash(kind: str) -> None:
    original = encode(pictures.photo(64, 48), kind)
    random = np.random.default_rng(0)
    for _ in range(200):
        content = bytearray(original)
        for at in random.integers(0, len(content), 4):
            content[at] = random.integers(0, 256)
        with contextlib.suppress(ImageError):
            assert load_image(bytes(content)).mode == "RGB"


def test_a_missing_file_a_folder_and_a_strange_path_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"^gone\.jpg: no such file$"):
        load_image(tmp_path / "gone.jpg")
    with pytest.raises(ImageError, match=rf"^{tmp_path.name}: not a file$"):
        load_image(tmp_path)
    with pytest.raises(ImageError, match="no such file"):
        load_image("nul\0byte.jpg")
    with pytest.raises(ImageError, match="cannot be read"):
        load_image("x" * 300)  # longer than any name may be


OVER_A_LIMIT = {
    "bytes": (ImageLimits(max_bytes=100), r"bytes, the limit is 100 bytes"),
    "pixels": (ImageLimits(max_pixels=64 * 48 - 1), r"64 × 48 pixels, the limit is 3,071 pixels"),
    "side": (ImageLimits(max_side=63), r"the limit for a side is 63 pixels"),
    "aspect ratio": (ImageLimits(max_aspect_ratio=1.3), r"one side over 1\.3 times the other"),
}


@pytest.mark.parametrize(("limits", "message"), OVER_A_LIMIT.values(), ids=OVER_A_LIMIT)
def test_a_picture_over_a_limit_is_refused_with_the_limit(
    limits: ImageLimits, message: str
) -> None:
    with pytest.raises(ImageError, match=message):
        load_image(JPEG, limits=limits)


def test_a_file_over_the_byte_limit_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.jpg"
    with path.open("wb") as file:
        file.truncate(10**12)  # sparse: takes no room
    with pytest.raises(ImageError, match=r"^huge\.jpg: 1,000,000,000,000 bytes, the limit"):
        load_image(path)


def test_a_picture_at_the_limits_is_read() -> None:
    limits = ImageLimits(len(JPEG), max_pixels=64 * 48, max_side=64, max_aspect_ratio=64 / 48)
    assert load_image(JPEG, limits=limits).size == (64, 48)


def test_a_thin_strip_is_refused_before_resizing_could_blow_it_up() -> None:
    strip = encode(Image.new("RGB", (5100, 100)), "PNG")
    with pytest.raises(ImageError, match="one side over 50 times the other"):
        load_image(strip)


def test_a_large_photograph_is_decoded_smaller_but_not_under_the_draft_side() -> None:
    content = encode(pictures.photo(600, 400).resize((6000, 4000)), "JPEG", quality=60)
    image = load_image(content)
    assert DRAFT_SIDE <= min(image.size) < 4000
    assert image.width / image.height == pytest.approx(6000 / 4000, rel=0.01)


@pytest.mark.parametrize(("side", "decoded"), [(2047, 2047), (2048, 1024)])
def test_a_photograph_under_twice_the_draft_side_is_decoded_whole(side: int, decoded: int) -> None:
    content = encode(pictures.photo(side // 8, side // 8).resize((side + 64, side)), "JPEG")
    image = load_image(content)
    assert image.height == decoded
    if side == decoded:
        assert np.array_equal(image, Image.open(io.BytesIO(content)).convert("RGB"))


def test_an_image_in_memory_is_turned_to_rgb_and_left_as_it_was() -> None:
    clear = flat("RGBA", (9, 9, 9, 0))
    assert to_rgb(clear).getpixel((0, 0)) == (255, 255, 255)
    assert clear.mode == "RGBA"
    assert clear.getpixel((0, 0)) == (9, 9, 9, 0)


BOMBS = {
    "PNG of 20,000 × 20,000 black pixels": pictures.png_bomb(20_000),
    "JPEG that claims 65,000 × 65,000": pictures.jpeg_claiming(65_000, 65_000),
    "GIF that claims 65,000 × 65,000": pictures.gif_claiming(65_000, 65_000),
    "WebP that claims 16,383 × 16,383": pictures.webp_claiming(16_383, 16_383),
    "BMP that claims 10,000 × 10,000": pictures.bmp_claiming(10_000, 10_000),
}


@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS)
def test_a_picture_too_large_is_refused_from_its_header(content: bytes) -> None:
    assert len(content) < 2**20
    with pytest.raises(ImageError, match=r"^bomb: .*pixels.*(40|50|200),000,000"):
        load_image(content, name="bomb")


def _peak_mb(path: Path) -> tuple[str, int]:
    """Decode one picture in a process of its own: the error, and the peak memory in MB."""
    code = "import sys; from hub_models.image import load_image; load_image(sys.argv[1])"
    done, peak_mb = run_measured([sys.executable, "-c", code, path])
    return done.stderr, peak_mb


@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS)
def test_a_bomb_takes_no_more_memory_than_the_interpreter(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(content)
    error, peak_mb = _peak_mb(path)
    assert "ImageError: bomb: " in error
    assert peak_mb < 100


@pytest.mark.parametrize("kind", ["jpeg", "gif", "webp", "bmp"])
def test_a_header_that_claims_all_the_limits_allow_stays_within_the_promise(
    kind: str, tmp_path: Path
) -> None:
    path = tmp_path / "claim"
    path.write_bytes(getattr(pictures, f"{kind}_claiming")(16_000, 3_100))
    assert _peak_mb(path)[1] < 660


@pytest.mark.parametrize("mode", ["RGBA", "I;16", "LA", "P"])
def test_the_largest_picture_stays_within_the_promised_memory(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    options = {"transparency": 1} if mode == "P" else {}
    Image.new(mode, (8000, 6000)).save(path, compress_level=1, exif=_exif(6), **options)
    error, peak_mb = _peak_mb(path)
    assert error == ""
    assert peak_mb < 660  # ImageLimits.max_pixels promises 620; the rest is the interpreter


# What each kind may be at most, stored so that it takes most.
LARGEST = {
    "WebP": ((8000, 5000), "RGB", "WEBP", {"method": 0}),
    "WebP with transparency": ((7000, 4700), "RGBA", "WEBP", {"method": 0}),
    "AVIF with transparency": ((8000, 5200), "RGBA", "AVIF", {"speed": 10}),
    "JPEG 2000": ((6400, 4800), "RGB", "JPEG2000", {}),
    "progressive JPEG": ((11_000, 9_000), "RGB", "JPEG", {"progressive": True, "subsampling": 0}),
    "JPEG": ((16_320, 12_240), "RGB", "JPEG", {}),
}


@pytest.mark.slow
@pytest.mark.parametrize(("size", "mode", "kind", "options"), LARGEST.values(), ids=LARGEST)
def test_the_largest_of_each_kind_stays_within_the_promised_memory(
    size: tuple[int, int], mode: str, kind: str, options: dict[str, object], tmp_path: Path
) -> None:
    path = tmp_path / "large"
    Image.new(mode, size, (90, 40, 200, 128)[: len(mode)]).save(path, kind, **options)
    error, peak_mb = _peak_mb(path)
    assert error == ""
    assert peak_mb < 660


@pytest.mark.slow
def test_the_command_answers_the_good_picture_among_bombs_in_no_more_memory(
    photo: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    bombs = [tmp_path / f"bomb{i}" for i in range(len(BOMBS))]
    for path, content in zip(bombs, BOMBS.values(), strict=True):
        path.write_bytes(content)
    alone, peak_alone_mb = run_measured([COMMAND, "classify", photo, "--model", tiny_folder])
    command = [COMMAND, "classify", *bombs, photo, "--model", tiny_folder]
    among, peak_mb = run_measured(command)
    assert among.stdout == alone.stdout != ""
    assert (alone.returncode, among.returncode) == (0, 1)
    sentences = among.stderr.splitlines()
    assert [line.split(": ")[:2] for line in sentences] == [
        ["hub-models", str(path)] for path in bombs
    ]
    # Against the same command without them: importing PyTorch alone takes 250 to 800 MB.
    assert peak_mb < peak_alone_mb + 50
