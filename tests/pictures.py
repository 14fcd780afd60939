"""Pictures made in code: photographs, hard cases and bombs."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

JPEG_START_OF_FRAME = b"\xff\xc0\x00\x11\x08"  # then height and width, 2 bytes each

# Stored this way, a camera writes this orientation.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def photo(width: int, height: int) -> Image.Image:
    """An RGB picture with detail at every scale and no symmetry."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    red = 127 + 80 * np.sin(x / 7) * np.cos(y / 5) + 47 * x / width
    green = 200 * y / height + 27 * np.sin((x + 2 * y) / 3)
    blue = np.where((x - width / 3) ** 2 + (y - height / 4) ** 2 < (height / 5) ** 2, 240, 60)
    levels = np.stack([red, green, blue], axis=-1).clip(0, 255)
    return Image.fromarray(levels.astype(np.uint8))


def flat(mode: str, color: object, size: tuple[int, int] = (8, 6)) -> Image.Image:
    return Image.new(mode, size, color)  # type: ignore[arg-type]


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def png(width: int, height: int, bits: int, color_type: int, compressed: bytes) -> bytes:
    """A PNG of rows compressed by the caller, for what Pillow does not write."""
    header = struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", compressed), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def png_bomb(side: int) -> bytes:
    """A valid black PNG of side × side: small on disk, side² bytes once decoded."""
    row = b"\0" * (side + 1)
    packer = zlib.compressobj(9)
    start = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    one_row = packer.compress(row) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = 1
    for _ in range(side):  # after a full flush each row is packed into the same bytes
        checksum = zlib.adler32(row, checksum)
    compressed = start + one_row * side + b"\x03\x00" + struct.pack(">I", checksum)
    return png(side, side, 8, 0, compressed)


def jpeg_claiming(width: int, height: int) -> bytes:
    """A small JPEG whose header claims other sides."""
    content = bytearray(encode(photo(64, 48), "JPEG"))
    at = content.index(JPEG_START_OF_FRAME) + len(JPEG_START_OF_FRAME)
    content[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(content)


def gif_claiming(width: int, height: int) -> bytes:
    content = bytearray(encode(photo(64, 48), "GIF"))
    content[6:10] = struct.pack("<HH", width, height)
    return bytes(content)


def webp_claiming(width: int, height: int) -> bytes:
    content = bytearray(encode(photo(64, 48), "WEBP", lossless=True))
    at = content.index(b"VP8L") + 9  # after the length and the signature byte
    bits = int.from_bytes(content[at : at + 4], "little") >> 28 << 28
    bits |= (width - 1) | (height - 1) << 14
    content[at : at + 4] = bits.to_bytes(4, "little")
    return bytes(content)


def bmp_claiming(width: int, height: int) -> bytes:
    content = bytearray(encode(photo(64, 48), "BMP"))
    content[18:26] = struct.pack("<ii", width, height)
    return bytes(content)
