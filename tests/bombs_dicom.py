"""DICOM files that were made to harm a reader: each is refused."""

import io
import struct
import zlib
from collections.abc import Callable

import imagecodecs
import numpy as np
from dicom_cases import RAMP8, compress, encode, make_dataset, make_lut
from PIL import Image
from pydicom import uid
from pydicom.encaps import encapsulate

MEGABYTES = 1000  # what a deflated bomb inflates to
MANY = 1_000_000  # elements, items or fragments of 8 bytes: 8 MB
UNDEFINED = b"\xff\xff\xff\xff"
ITEM = b"\xfe\xff\0\xe0"
EMPTY_ITEM = ITEM + bytes(4)
END_OF_ITEM, END_OF_SEQUENCE = (
    b"\xfe\xff\x0d\xe0" + bytes(4),
    b"\xfe\xff\xdd\xe0" + bytes(4),
)
VOI_LUTS = b"\x28\0\x10\x30SQ\0\0"
PRIVATE = b"\x29\0\x10\x10SQ\0\0"


def native(**values: object) -> bytes:
    return encode(make_dataset(RAMP8, **values))


def with_element(element: bytes) -> bytes:
    """A sound file with an element before its pixels."""
    data = native()
    place = data.index(b"\xe0\x7f\x10\0")
    return data[:place] + element + data[place:]


def deflated(head: bytes) -> bytes:
    """A file whose body inflates to a gigabyte, after an element's head."""
    data = encode(make_dataset(RAMP8), uid.DeflatedExplicitVRLittleEndian)
    length = int.from_bytes(data[140:144], "little")  # of the meta information
    start = 144 + length
    body = zlib.decompress(data[start:], -zlib.MAX_WBITS)
    place = body.index(b"\xe0\x7f\x10\0")
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    start_of_body = squeezer.compress(body[:place] + head)
    start_of_body += squeezer.flush(zlib.Z_FULL_FLUSH)
    zeros = squeezer.compress(bytes(10**6)) + squeezer.flush(zlib.Z_FULL_FLUSH)
    rest = squeezer.compress(body[place:]) + squeezer.flush()
    return data[:start] + start_of_body + zeros * MEGABYTES + rest


def deflated_pixels() -> bytes:
    return deflated(b"\xe0\x7f\x10\0OW\0\0" + struct.pack("<I", MEGABYTES * 10**6))


def deflated_header() -> bytes:
    return deflated(b"\x29\0\x10\x10OW\0\0" + struct.pack("<I", MEGABYTES * 10**6))


def framed(
    syntax: uid.UID, frame: bytes, pixels: np.ndarray = RAMP8, **values: object
) -> bytes:
    return compress(pixels, frame, syntax, **values)


def larger_jpeg() -> bytes:
    frame = bytearray(imagecodecs.jpeg8_encode(RAMP8))
    place = frame.index(b"\xff\xc0") + 5
    frame[place : place + 4] = struct.pack(">HH", 65_500, 65_500)
    return framed(uid.JPEGBaseline8Bit, bytes(frame))


def larger_jpeg_ls() -> bytes:
    frame = bytearray(imagecodecs.jpegls_encode(RAMP8))
    place = frame.index(b"\xff\xf7") + 5
    frame[place : place + 4] = struct.pack(">HH", 65_500, 65_500)
    return framed(uid.JPEGLSLossless, bytes(frame))


def larger_jpeg_2000() -> bytes:
    frame = bytearray(imagecodecs.jpeg2k_encode(RAMP8, codecformat="j2k"))
    frame[8:16] = struct.pack(">II", 10**9, 10**9)
    return framed(uid.JPEG2000Lossless, bytes(frame))


def jpeg_2000(*, tile: int = 5_000, layers: int = 1, precincts: bytes = b"") -> bytes:
    """A codestream of 5,000 by 5,000 pixels, most of which are not there."""
    plain = {"level": 0, "codecformat": "j2k", "reversible": True}
    frame = imagecodecs.jpeg2k_encode(np.zeros((64, 64), np.uint8), **plain)
    sizes = struct.pack(">6I", 5_000, 5_000, 0, 0, tile, tile)  # table A.9
    frame = frame[:8] + sizes + frame[32:]
    start = frame.index(b"\xff\x52")
    style = bytearray(frame[start : start + 14])  # table A.13: without precincts
    style[4] |= bool(precincts)
    style[6:8] = layers.to_bytes(2, "big")
    style[2:4] = (12 + len(precincts)).to_bytes(2, "big")
    frame = frame[:start] + style + precincts + frame[start + 14 :]
    pixels = np.broadcast_to(np.uint8(0), (5_000, 5_000))
    return framed(uid.JPEG2000Lossless, frame, pixels)


def many_scans() -> bytes:
    stream = io.BytesIO()
    Image.new("L", (4_000, 4_000), 90).save(stream, "JPEG", progressive=True)
    data = stream.getvalue()
    frame = data[:-2] + data[data.rfind(b"\xff\xda") : -2] * 2_000 + data[-2:]
    pixels = np.broadcast_to(np.uint8(0), (4_000, 4_000))
    return framed(uid.JPEGBaseline8Bit, frame, pixels)


def runs_that_swell() -> bytes:
    frame = struct.pack("<16I", 1, 64, *[0] * 14) + b"\x81\0" * 5_000_000
    return framed(uid.RLELossless, frame)


def many_fragments() -> bytes:
    frame = imagecodecs.jpeg8_encode(RAMP8)
    data = framed(uid.JPEGBaseline8Bit, frame)
    place = data.index(ITEM)
    return data[:place] + EMPTY_ITEM * MANY + data[place:]


def offset_table() -> bytes:
    frame = imagecodecs.jpeg8_encode(RAMP8)
    table = ITEM + (8 * MANY).to_bytes(4, "little") + bytes(8 * MANY)
    pixels = table + encapsulate([frame], has_bot=False)[8:]
    return framed(uid.JPEGBaseline8Bit, frame, PixelData=pixels)


def endless_pixels() -> bytes:
    """Pixels of undefined length, and no delimiter."""
    data = framed(uid.JPEGBaseline8Bit, imagecodecs.jpeg8_encode(RAMP8))
    return data[: data.rindex(END_OF_SEQUENCE)] + bytes(8 * MANY)


def nested(levels: int, head: bytes) -> bytes:
    opened = (head + UNDEFINED + ITEM + UNDEFINED) * levels
    return with_element(opened + (END_OF_ITEM + END_OF_SEQUENCE) * levels)


def nested_with_lengths() -> bytes:
    body = b""
    for _ in range(5_000):
        item = ITEM + struct.pack("<I", len(body)) + body
        body = VOI_LUTS + struct.pack("<I", len(item)) + item
    return with_element(body)


def sequence(head: bytes, body: bytes, *, undefined: bool = False) -> bytes:
    if undefined:
        return with_element(head + UNDEFINED + body + END_OF_SEQUENCE)
    return with_element(head + struct.pack("<I", len(body)) + body)


def as_numbers() -> bytes:
    """Pixels that call themselves a list of four million texts."""
    data = with_element(b"")
    place = data.index(b"\xe0\x7f\x10\0")
    numbers = b"1\\" * 4 * MANY
    head = b"\xe0\x7f\x10\0UC\0\0" + struct.pack("<I", len(numbers))
    return data[:place] + head + numbers


def window() -> bytes:
    """A window's center of four million numbers, with the length of a long text."""
    numbers = b"1\\" * 4 * MANY
    return with_element(
        b"\x28\0\x50\x10UC\0\0" + struct.pack("<I", len(numbers)) + numbers
    )


def of_meta() -> bytes:
    data = native()
    return data[:132] + b"\2\0\2\1OB\0\0\0\0\0\0" * MANY + data[132:]


TOO_LONG = "of [0-9,]+ bytes"
ELEMENTS = "more elements than a radiograph has"
LARGER = "under a header of 16 by 16 by 1"
BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "deflated pixels.dcm": (deflated_pixels, "at most 67,108,864 bytes when inflated"),
    "deflated header.dcm": (deflated_header, "at most 67,108,864 bytes when inflated"),
    "65,535 by 65,535.dcm": (
        lambda: native(Rows=65_535, Columns=65_535),
        "at most 25,000,000 pixels. Received: 65,535 by 65,535",
    ),
    "few values.dcm": (lambda: native(Rows=5_000, Columns=5_000), "pixel data is less"),
    "no rows.dcm": (lambda: native(Rows=0), "at least 16 pixels"),
    "frames.dcm": (
        lambda: native(NumberOfFrames=2_000_000_000),
        "one picture. Received: 2,000,000,000 frames",
    ),
    "digits.dcm": (
        lambda: with_element(b"\x28\0\x08\0IS\x0c\x001E9999999999"),
        "NumberOfFrames that is no integer",
    ),
    "larger.jpg.dcm": (larger_jpeg, f"65,500 by 65,500 by 1 {LARGER}"),
    "larger.jls.dcm": (larger_jpeg_ls, f"65,500 by 65,500 by 1 {LARGER}"),
    "larger.j2k.dcm": (larger_jpeg_2000, "1,000,000,000 by 1,000,000,000 by 1 under"),
    "tiles.j2k.dcm": (lambda: jpeg_2000(tile=20), "JPEG 2000 of 62,500 tiles"),
    "layers.j2k.dcm": (
        lambda: jpeg_2000(layers=65_535),
        "JPEG 2000 of 65,535 layers",
    ),
    "precincts.j2k.dcm": (
        lambda: jpeg_2000(precincts=b"\0" + b"\x11" * 3),
        "JPEG 2000 of [0-9,]+ precincts",
    ),
    "scans.dcm": (many_scans, "at most 30 scans"),
    "runs.dcm": (runs_that_swell, "must be decodable DICOM"),
    "fragments.dcm": (many_fragments, f"{ELEMENTS}|more than 10,000 fragments"),
    "offsets.dcm": (offset_table, "an offset table of 8,000,000 bytes"),
    "endless pixels.dcm": (endless_pixels, "without pixel data"),
    "lut without entries.dcm": (
        lambda: native(VOILUTSequence=[make_lut([1] * 16, 0, 16)]).replace(
            b"US\6\0\x10\0", b"US\6\0\0\0"
        ),
        "a LUT of 32 entries, not 65,536",
    ),
    "entries.dcm": (
        lambda: sequence(VOI_LUTS, ITEM + UNDEFINED + bytes(8 * MANY)),
        f"VOILUTSequence {TOO_LONG}",
    ),
    "luts.dcm": (
        lambda: sequence(VOI_LUTS, EMPTY_ITEM * MANY),
        f"VOILUTSequence {TOO_LONG}",
    ),
    "endless luts.dcm": (
        lambda: sequence(VOI_LUTS, EMPTY_ITEM * MANY, undefined=True),
        "must be decodable DICOM",
    ),
    "endless private items.dcm": (
        lambda: sequence(PRIVATE, EMPTY_ITEM * MANY, undefined=True),
        "must be decodable DICOM",
    ),
    "nested luts.dcm": (lambda: nested(100_000, VOI_LUTS), "must be decodable DICOM"),
    "nested private.dcm": (lambda: nested(100_000, PRIVATE), "must be decodable DICOM"),
    "nested with lengths.dcm": (nested_with_lengths, "must be decodable DICOM"),
    "elements.dcm": (lambda: with_element(b"\x29\0\x10\x10US\0\0" * MANY), ELEMENTS),
    "elements before the header.dcm": (of_meta, ELEMENTS),
    "numbers for pixels.dcm": (as_numbers, "PixelData of another kind than OB or OW"),
    "window.dcm": (window, "WindowCenter of another kind than DS"),
}
# These have a sound header, and are found out when pixels or LUTs are looked at.
FOUND_WHILE_DECODING = (
    "few values.dcm",
    "runs.dcm",
    "lut without entries.dcm",
    "nested with lengths.dcm",
)
