"""Picture files for tests, written byte by byte where no library would."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

ADAM7 = (
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
)


def chunk(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def png(
    raw: bytes,
    size: tuple[int, int],
    *,
    depth: int = 8,
    colour: int = 0,
    interlaced: bool = False,
    extra: bytes = b"",
) -> bytes:
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, interlaced)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(raw))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def gray_png(pixels: np.ndarray, **options: object) -> bytes:
    """A PNG of 8- or 16-bit gray values, without row filters."""
    depth = 8 * pixels.dtype.itemsize
    rows = pixels.astype(f">u{pixels.dtype.itemsize}")
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    return png(raw, pixels.shape[::-1], depth=depth, **options)  # pyright: ignore


def pattern(height: int = 32, width: int = 32, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).integers(0, 256, (height, width))
    return values.astype(np.uint8)


def smooth(side: int = 32) -> np.ndarray:
    """A ramp that JPEG keeps nearly: dark at the top left, bright at the bottom."""
    y, x = np.mgrid[:side, :side]
    return ((6 * y + x) * 255 // (7 * (side - 1))).astype(np.uint8)


def save(path: Path, picture: Image.Image, **options: object) -> Path:
    picture.save(path, **options)  # pyright: ignore
    return path


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def encoded(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pattern()).save(stream, kind)
    return stream.getvalue()


def repaired(data: bytes) -> bytes:
    """Gives each chunk of a damaged PNG its right checksum again."""
    whole, start = data[:8], 8
    while start + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, start)
        body = data[start + 8 : start + 8 + min(length, len(data))]
        whole += chunk(data[start + 4 : start + 8], body)
        start += 12 + length
    return whole
