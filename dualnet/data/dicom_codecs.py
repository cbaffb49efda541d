"""imagecodecs as pydicom's decoder of compressed pixels.

pydicom's own choice for lossless JPEG, which most CR and DX archives use, is under the
GPL; libjpeg-turbo, CharLS and OpenJPEG, which imagecodecs brings anyway, are not, and are
fuzzed by others day and night. What pydicom decodes without any extra stays with it.

A codestream has a shape of its own. It must be the header's, and that is looked up before
anything is decoded: 16 by 16 pixels in the header say nothing of a JPEG 2000 codestream
of 60,000 by 60,000, or of 16,384 samples a pixel.

Reference:
    DICOM PS3.5 section 8.2 and annex A.4; ITU-T T.81 annex B (JPEG), T.87 annex C
    (JPEG-LS), T.800 annex A (JPEG 2000); pydicom's guide to decoder plugins.
"""

import struct
import threading
from typing import TYPE_CHECKING

import imagecodecs
import numpy as np

from dualnet.data.image_headers import JPEG_SIGNATURE, check_markers
from dualnet.data.jpeg_2000_header import check_codestream

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import DecodeRunner
    from pydicom.uid import UID

PLUGIN = "imagecodecs"
DECODER_DEPENDENCIES: dict[str, tuple[str, ...]] = {}  # pydicom asks for it

_JPEG = (
    "1.2.840.10008.1.2.4.51",  # extended, 8 or 12 bits
    "1.2.840.10008.1.2.4.57",  # lossless
    "1.2.840.10008.1.2.4.70",  # lossless, first-order prediction
)
_BASELINE = "1.2.840.10008.1.2.4.50"  # Pillow knows more of its colours
_JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")
_JPEG_2000 = (
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.201",  # high throughput, as are the next two
    "1.2.840.10008.1.2.4.202",
    "1.2.840.10008.1.2.4.203",
)
_RLE = "1.2.840.10008.1.2.5"

_J2K_START = b"\xff\x4f\xff\x51"  # SOC, then SIZ
_JP2_START = b"\0\0\0\x0cjP  \r\n\x87\n"  # T.800 annex I.5.1
_NO_FRAME = {0xC4, 0xC8, 0xCC}  # Huffman tables, reserved, arithmetic conditioning
_FRAMES = {*range(0xC0, 0xD0), 0xF7} - _NO_FRAME  # SOF0 to SOF15, and JPEG-LS's
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length

_ITEM = b"\xfe\xff\0\xe0"  # PS3.5 section A.4
_END_OF_IMAGE = b"\xff\xd9"
MAX_FRAGMENTS = 10_000
MAX_OFFSETS_BYTES = 4096  # of the offset table; that of one frame has 4 bytes

_registering = threading.Lock()


def find_plugin(transfer_syntax: "UID") -> str:
    """Returns which of pydicom's decoders reads a transfer syntax.

    Args:
        transfer_syntax: A compressed one.

    Returns:
        The plugin's name, for `Decoder.as_array`; empty where pydicom may choose.
    """
    from pydicom.pixels.decoders.base import get_decoder

    if transfer_syntax == _BASELINE:
        return "pillow"
    if not is_available(transfer_syntax):
        return ""
    decoder = get_decoder(transfer_syntax)
    with _registering:
        if PLUGIN not in decoder.available_plugins:
            decoder.add_plugin(PLUGIN, (__name__, "decode_frame"))
    return PLUGIN


def is_available(uid: str) -> bool:
    """Tells pydicom which transfer syntaxes `decode_frame` reads."""
    return uid in (*_JPEG, *_JPEG_LS, *_JPEG_2000, _RLE)


def decode_frame(frame: bytes, runner: "DecodeRunner") -> bytes | bytearray:
    """Decodes one frame, as pydicom asks its plugins to.

    Args:
        frame: The codestream.
        runner: What the header says of it; told what the pixels came out as.

    Returns:
        The pixels, row by row, colour by pixel (RLE: colour by plane).
    """
    syntax = runner.transfer_syntax
    if syntax == _RLE:
        return _decode_rle(frame, runner)
    if syntax in _JPEG_2000:
        pixels = imagecodecs.jpeg2k_decode(frame)
        if runner.photometric_interpretation in ("YBR_ICT", "YBR_RCT"):
            runner.set_option("photometric_interpretation", "RGB")
    elif syntax in _JPEG_LS:
        pixels = imagecodecs.jpegls_decode(frame)
        # the codestream knows no sign and may call 12 bits 16: pydicom goes by this
        runner.set_option("jls_precision", runner.bits_stored)
    else:
        pixels = imagecodecs.jpeg8_decode(frame)
        if runner.samples_per_pixel == 3:  # libjpeg goes by the codestream's markers
            runner.set_option("photometric_interpretation", "RGB")
    runner.set_option("planar_configuration", 0)
    runner.set_option("bits_allocated", 8 * pixels.dtype.itemsize)
    return pixels.tobytes()


def check_fragments(pixel_data: bytes) -> None:
    """Checks how many fragments encapsulated pixels have, and that they are whole.

    Args:
        pixel_data: The offset table and the fragments.

    Raises:
        ValueError: If there are too many, or the last is cut short.
    """
    start = number = 0
    while pixel_data.startswith(_ITEM, start):
        length = int.from_bytes(pixel_data[start + 4 : start + 8], "little")
        if number == 0 and length > MAX_OFFSETS_BYTES:
            raise ValueError(f"an offset table of {length:,} bytes for one frame")
        start += 8 + length
        number += 1
        if number > MAX_FRAGMENTS:
            raise ValueError(f"more than {MAX_FRAGMENTS:,} fragments")
    if start > len(pixel_data):
        raise ValueError("a truncated fragment")


def check_frame(frame: bytes, shape: tuple[int, int, int], name: str) -> None:
    """Checks a codestream before it is decoded.

    libjpeg fills what is missing with gray; CharLS, without an end, went on for 2.8 s.

    Args:
        frame: JPEG, JPEG-LS or JPEG 2000.
        shape: The header's rows, columns and samples a pixel.
        name: The file's name, for the error.

    Raises:
        ImageError: If it has too many scans or segments.
        ValueError: If it is of another shape, has no end, or more parts than a
            radiograph's.
    """
    told = read_frame_shape(frame)
    if told != shape:
        received = "no size" if told is None else _describe(told)
        raise ValueError(
            f"a codestream of {received} under a header of {_describe(shape)}"
        )
    if frame.startswith(JPEG_SIGNATURE):  # JPEG-LS's too; some pad with 0xFF
        if not frame.rstrip(b"\0\xff").endswith(_END_OF_IMAGE):
            raise ValueError("a codestream without its end")
        check_markers(frame, name)
    else:
        check_codestream(frame, _skip_boxes(frame))


def _describe(shape: tuple[int, int, int]) -> str:
    rows, columns, samples = shape
    return f"{columns:,} by {rows:,} by {samples}"


def read_frame_shape(frame: bytes) -> tuple[int, int, int] | None:
    """Returns the rows, columns and samples that a codestream tells; none: it does not.

    Args:
        frame: JPEG, JPEG-LS or JPEG 2000.
    """
    start = _skip_boxes(frame)
    if not frame.startswith(_J2K_START, start):
        return _read_jpeg_shape(frame)
    if len(frame) < start + 42:
        return None
    right, bottom, left, top = struct.unpack_from(">4I", frame, start + 8)
    (samples,) = struct.unpack_from(">H", frame, start + 40)
    return bottom - top, right - left, samples


def _skip_boxes(frame: bytes) -> int:
    """Returns where a JP2 file's codestream begins, which some put whole into DICOM."""
    start = 0
    while frame.startswith(_JP2_START) and start + 8 <= len(frame):
        length, kind = struct.unpack_from(">I4s", frame, start)
        if kind == b"jp2c":
            return start + 8
        if length < 8:  # of 64 bits, or to the end: no writer's, and easily misread
            return 0
        start += length
    return 0


def _read_jpeg_shape(frame: bytes) -> tuple[int, int, int] | None:
    position = 2
    while position + 10 <= len(frame) and frame[position] == 0xFF:
        marker = frame[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
        elif marker in _ALONE:
            position += 2
        elif marker in _FRAMES:
            return struct.unpack_from(">2HB", frame, position + 5)
        else:
            position += 2 + int.from_bytes(frame[position + 2 : position + 4], "big")
    return None


def _decode_rle(frame: bytes, runner: "DecodeRunner") -> bytearray:
    """Decodes into as much memory as the header tells, however much is in the frame."""
    dtype = np.dtype(f"<u{runner.bits_allocated // 8}")
    size = runner.rows * runner.columns * runner.samples_per_pixel * dtype.itemsize
    pixels = bytearray(size)
    imagecodecs.dicomrle_decode(frame, dtype, out=pixels)
    runner.set_option("planar_configuration", 1)
    return pixels
