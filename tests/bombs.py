"""Files that were made to harm a reader: each small, each refused."""

import importlib.util
import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable

import numpy as np
from picture_cases import chunk, encoded, gray_png, pattern, png
from PIL import Image

MEGABYTES = 1000  # what a bomb's text or profile unpacks to


def huge_png() -> bytes:
    rows = zlib.compress(bytes(10**6))
    data = png(b"", (30_000, 30_000))
    return data.replace(chunk(b"IDAT", zlib.compress(b"")), chunk(b"IDAT", rows))


def with_chunk(kind: bytes, head: bytes, *, after: bool = False) -> bytes:
    """A small PNG with a chunk that unpacks to much."""
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = squeezer.compress(bytes(10**6)) + squeezer.flush(zlib.Z_FULL_FLUSH)
    checksum = (MEGABYTES * 10**6 % 65_521) << 16 | 1  # of zeros: RFC 1950, section 8
    end = b"\x03\0" + checksum.to_bytes(4, "big")
    bomb = chunk(kind, head + b"\x78\xda" + zeros * MEGABYTES + end)
    data = gray_png(pattern())
    place = -12 if after else 33  # before IEND, or after IHDR
    return data[:place] + bomb + data[place:]


def many_chunks(kind: bytes) -> bytes:
    data = gray_png(pattern())
    return data[:33] + chunk(kind, b"") * 300_000 + data[33:]


def frames(kind: str) -> bytes:
    pictures = [Image.fromarray(pattern(seed=seed)) for seed in range(50)]
    stream = io.BytesIO()
    pictures[0].save(stream, kind, save_all=True, append_images=pictures[1:])
    return stream.getvalue()


def jpeg(size: int = 32, **options: object) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (size, size), 90).save(stream, "JPEG", **options)  # pyright: ignore
    return stream.getvalue()


def huge_jpeg() -> bytes:
    """A JPEG that says it is 65,500 pixels high and wide."""
    data = jpeg()
    place = data.index(b"\xff\xc0") + 5
    return data[:place] + struct.pack(">HH", 65_500, 65_500) + data[place + 4 :]


def many_scans() -> bytes:
    data = jpeg(4_000, progressive=True)
    return data[:-2] + data[data.rfind(b"\xff\xda") : -2] * 2_000 + data[-2:]


def before_the_picture(junk: bytes) -> bytes:
    data = jpeg()
    return data[:20] + junk + data[20:]  # after its first segment


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../outside.png", encoded("PNG"))
        archive.writestr("zeros", bytes(10**7))
    return stream.getvalue()


def tarred() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        member = tarfile.TarInfo("../../outside.png")
        archive.addfile(member)
    return stream.getvalue()


OTHER = "another kind of file"
TOO_MUCH = "Decompressed data too large"
SEGMENTS = "at most 5,000 segments before the picture"
BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "30,000 by 30,000.png": (huge_png, "30,000 by 30,000"),
    "text.png": (lambda: with_chunk(b"zTXt", b"C\0\0"), TOO_MUCH),
    "text after the pixels.png": (
        lambda: with_chunk(b"zTXt", b"C\0\0", after=True),
        TOO_MUCH,
    ),
    "international text.png": (
        lambda: with_chunk(b"iTXt", b"C\0\x01\0\0\0"),
        TOO_MUCH,
    ),
    "profile.png": (lambda: with_chunk(b"iCCP", b"C\0\0"), TOO_MUCH),
    "chunks.png": (lambda: many_chunks(b"aaAa"), "at most 50,000 chunks"),
    "empty rows.png": (lambda: many_chunks(b"IDAT"), "at most 50,000 chunks"),
    "frames.png": (lambda: frames("PNG"), "an animated PNG"),
    "frames.gif": (lambda: frames("GIF"), OTHER),
    "frames of a gif.png": (lambda: frames("GIF"), OTHER),
    "frames.tiff": (lambda: frames("TIFF"), OTHER),
    "65,500 by 65,500.jpg": (huge_jpeg, "65,500 by 65,500"),
    "scans.jpg": (many_scans, "at most 30 scans"),
    "segments.jpg": (lambda: before_the_picture(b"\xff\xe5\0\2" * 10**6), SEGMENTS),
    "padding.jpg": (lambda: before_the_picture(b"\xff" * 10**7), SEGMENTS),
    "junk.jpg": (lambda: before_the_picture(bytes(10**7)), SEGMENTS),
    "archive.zip.png": (zipped, OTHER),
    "archive.tar.png": (tarred, OTHER),
    "values.png": (
        lambda: gray_png(np.zeros((1, 25_000_000), np.uint8)),
        "at least 16 pixels",
    ),
}
FOUND_WHILE_DECODING: tuple[str, ...] = ("text after the pixels.png",)
if importlib.util.find_spec("pydicom"):
    import bombs_dicom

    BOMBS |= bombs_dicom.BOMBS
    FOUND_WHILE_DECODING += bombs_dicom.FOUND_WHILE_DECODING
