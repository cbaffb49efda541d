"""What a PNG or JPEG file is made of, checked before anything in it is decoded.

The limits are for files that were made to keep a reader busy: 60 MB of empty chunks took
16 s and 700 MB, 182 kB of empty scans over 25 million pixels 18 s.
"""

import zlib
from collections.abc import Iterator

from dualnet.data.limits import explain
from dualnet.errors import ImageError

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"
MAX_CHUNKS = 50_000  # libpng makes one for each 8 KiB, which is 8,192 in 64 MiB
MAX_SCANS = 30  # libjpeg makes 10 for a progressive picture in colour, 18 in CMYK
MAX_SEGMENTS = 5_000  # before the first scan; cameras make some dozens

_START_OF_SCAN = 0xDA
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}  # TEM, RSTn and SOI: ITU-T T.81, table B.1


def check_chunks(data: bytes, name: str) -> set[bytes]:
    """Checks each PNG chunk's checksum, which Pillow does not do for the pixels.

    Without it, 2 of 150 flipped bits in an NIH picture passed unnoticed.

    Args:
        data: The file.
        name: Of the file, for the error.

    Returns:
        The kinds of chunk that the file has.

    Raises:
        ImageError: If a chunk is damaged, the last one is absent, there are too many,
            or it is animated.
    """
    kinds = set()
    for number, (kind, body, checksum) in enumerate(_chunks(data), start=1):
        if number > MAX_CHUNKS:
            raise ImageError(explain(name, f"at most {MAX_CHUNKS:,} chunks", "more"))
        if zlib.crc32(body) != checksum:
            raise ImageError(
                explain(name, "undamaged", "a chunk with a wrong checksum")
            )
        kinds.add(kind)
    if b"IEND" not in kinds:
        raise ImageError(explain(name, "whole", "a truncated PNG file"))
    if b"acTL" in kinds:
        raise ImageError(explain(name, "one picture", "an animated PNG"))
    return kinds


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview, int | None]]:
    """Yields kind, kind with content, and checksum, up to the chunk named IEND."""
    view, start, kind = memoryview(data), len(PNG_SIGNATURE), b""
    while kind != b"IEND" and start + 12 <= len(data):
        length = int.from_bytes(view[start : start + 4], "big")
        end = start + 8 + length
        kind = bytes(view[start + 4 : start + 8])
        if end + 4 > len(data):
            return
        yield kind, view[start + 4 : end], int.from_bytes(view[end : end + 4], "big")
        start = end + 4


def check_markers(data: bytes, name: str) -> None:
    """Checks how many segments and scans a JPEG has; each scan passes over all pixels.

    Args:
        data: The file.
        name: Of the file, for the error.

    Raises:
        ImageError: If there are too many.
    """
    # Within a scan's data no marker can occur: T.81, section B.1.1.5.
    if data.count(bytes([0xFF, _START_OF_SCAN])) > MAX_SCANS:
        raise ImageError(explain(name, f"of at most {MAX_SCANS} scans", "more"))
    for number, _ in enumerate(_segments(data), start=1):
        if number > MAX_SEGMENTS:
            wanted = f"of at most {MAX_SEGMENTS:,} segments before the picture"
            raise ImageError(explain(name, wanted, "more"))


def _segments(data: bytes) -> Iterator[int]:
    """Yields each marker, and each byte of padding or junk, up to the first scan."""
    start, marker = 2, 0
    while marker != _START_OF_SCAN and start + 4 <= len(data):
        marker = data[start + 1] if data[start] == 0xFF else 0xFF
        yield marker
        if marker == 0xFF:
            start += 1
        elif marker in _WITHOUT_LENGTH or marker == 0:
            start += 2
        else:
            start += 2 + int.from_bytes(data[start + 2 : start + 4], "big")
