"""One picture file to a square gray uint8 array: limits first, then decode, then area.

What a file may be is read from its header before a pixel is decoded. PNG and JPEG of
every common kind become 8-bit gray:

* palette, RGB and CMYK: luma, ITU-R 601-2; what is gray already stays as it is;
* alpha or a transparent colour: laid over black, the background of a radiograph;
* 16-bit gray: its full range, `round(value / 257)` (PNG third edition, section 13.12);
  12-bit values in a 16-bit file would come out black and are refused;
* a camera's rotation (EXIF orientation): turned upright.

What becomes of a DICOM file's values is told in `dicom_pixels`.

Then the picture is stretched to the square, each pixel the mean of the area it covers.
"""

import contextlib
import functools
import io
import logging
import stat
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from imagecodecs import png_decode
from PIL import Image, ImageChops
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from dualnet.data.dicom_file import PREFIX_END, is_dicom
from dualnet.data.dicom_pixels import read_gray, read_size
from dualnet.data.image_headers import (
    JPEG_SIGNATURE,
    PNG_SIGNATURE,
    check_chunks,
    check_markers,
)
from dualnet.data.limits import MAX_BYTES, check_size, explain
from dualnet.errors import ImageError

# It logs libpng's warnings; without a handler they would be printed for each file.
logging.getLogger("imagecodecs").addHandler(logging.NullHandler())
# Pillow's, where a header alone is read; pictures with such a chunk are refused.
warnings.filterwarnings("ignore", "Invalid APNG", UserWarning)

PREPROCESSING = "gray-area-stretch-1"  # named in a cache's manifest; serving must match

# Before the picture: 10 MB of padding took Pillow 3 s, only to read the size.
_MAX_HEADER_BYTES = 2**20
_PNG_DEPTH = 24  # where IHDR, the first chunk, has the bit depth
# Transparency, rotation, and what is compressed: Pillow refuses a bomb among these.
_NOT_PLAIN = {b"tRNS", b"eXIf", b"zTXt", b"iTXt", b"iCCP"}
_ORIENTATION_TAG = 0x0112
_FULL_RANGE = "16-bit gray values that use their range"
_UPRIGHT = {  # EXIF 2.32, section 4.6.4 A: what turns each orientation upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# What Pillow's parsers were seen to raise on damaged files.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    ArithmeticError,
    struct.error,
    zlib.error,
)


def read_image(path: Path, *, image_size: int = 256) -> np.ndarray:
    """Reads one picture as a square of gray values.

    Each pixel is the exact mean of the area it covers, half rounded up, also where
    that cuts through pixels of the file; a picture of just this size keeps its values.
    A picture with a smaller side is brought to size bilinearly.

    Args:
        path: A PNG, JPEG or DICOM file; its first bytes tell which.
        image_size: Side of the result, in pixels.

    Returns:
        Gray values 0 to 255, uint8, shape (image_size, image_size).

    Raises:
        ImageError: If the file is absent, empty, truncated, damaged, animated, too
            large or too small, or no PNG, JPEG or DICOM; its file name is named.
    """
    return _resize(_decode(path), image_size)


def read_original(path: Path) -> np.ndarray:
    """Reads one picture at its own size, to be looked at.

    Args:
        path: A PNG, JPEG or DICOM file.

    Returns:
        Gray values 0 to 255, uint8, shape (height, width).
    """
    return np.asarray(_decode(path))


def _decode(path: Path) -> Image.Image:
    name = path.name
    data = _read_bytes(path)
    try:
        return read_gray(data, name) if is_dicom(data) else _read_gray(data, name)
    except ImageError:
        raise
    except _DECODER_ERRORS as error:
        reason = " ".join(str(error).split())[:80] or type(error).__name__
        raise ImageError(explain(name, "decodable to its end", reason)) from error


def _read_gray(data: bytes, name: str) -> Image.Image:
    chunks = _check_structure(data, name)
    with _open_picture(data) as picture:
        check_size(*picture.size, name)
        pixels = _load(picture, data, chunks)
        gray = _to_gray(pixels, name)
        if data.startswith(PNG_SIGNATURE) and data[_PNG_DEPTH] == 16:
            _check_range(pixels, name)
        return _upright(gray, pixels.info.get("exif", b""))


def read_header(path: Path) -> tuple[int, int, str]:
    """Reads a picture's size from its header; no pixel is decoded.

    Args:
        path: A PNG, JPEG or DICOM file.

    Returns:
        Width and height in pixels, and Pillow's name of the mode, such as `L`; of a
        DICOM file the photometric interpretation, such as `MONOCHROME2`.

    Raises:
        ImageError: If the file cannot be read, or is no PNG, JPEG or DICOM.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(PREFIX_END)
            if is_dicom(start):
                return read_size(stream, path.name)
            is_png = start.startswith(PNG_SIGNATURE)
            head = _Head(stream.raw)
            head.seek(0)  # what `stream` has read is behind it
            with PngImageFile(head) if is_png else _Jpeg(head) as picture:
                return (*picture.size, picture.mode)
    except ImageError:
        raise
    except _DECODER_ERRORS as error:
        reason = " ".join(str(error).split())[:80] or type(error).__name__
        wanted = "a PNG, JPEG or DICOM picture"
        raise ImageError(explain(path.name, wanted, reason)) from error


class _Head(io.BufferedReader):
    """A file of which the start alone may be read."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() > _MAX_HEADER_BYTES:
            raise OSError(f"more than {_MAX_HEADER_BYTES:,} bytes before the picture")
        return super().read(size)


def _read_bytes(path: Path) -> bytes:
    try:
        status = path.stat()
        regular, small = stat.S_ISREG(status.st_mode), status.st_size <= MAX_BYTES
        data = _read(path, status.st_size) if regular and small else b""
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ImageError(explain(path.name, "a readable file", reason)) from error
    if not regular:
        raise ImageError(explain(path.name, "a file", "a folder or a device"))
    if not small:
        wanted, size = f"at most {MAX_BYTES:,} bytes", f"{status.st_size:,}"
        raise ImageError(explain(path.name, wanted, size))
    if not data:
        raise ImageError(explain(path.name, "a picture", "an empty file"))
    return data


def _read(path: Path, num_bytes: int) -> bytes:
    with path.open("rb") as stream:
        return stream.read(num_bytes)  # it may have grown since, or never end


def _check_structure(data: bytes, name: str) -> set[bytes]:
    """Checks what a file is made of; returns the kinds of chunk of a PNG."""
    if data.startswith(PNG_SIGNATURE):
        return check_chunks(data, name)
    if data.startswith(JPEG_SIGNATURE):
        check_markers(data, name)
        return set()
    raise ImageError(
        explain(name, "a PNG, JPEG or DICOM picture", "another kind of file")
    )


def _open_picture(data: bytes) -> Image.Image:
    """Reads the header. `Image.open` would warn of large pictures; these do not."""
    kind = PngImageFile if data.startswith(PNG_SIGNATURE) else _Jpeg
    return kind(io.BytesIO(data))


class _Jpeg(JpegImageFile):
    def _read_dpi_from_exif(self) -> None:
        """Does nothing: nobody asks for the resolution, and damaged EXIF would warn."""


def _load(picture: Image.Image, data: bytes, chunks: set[bytes]) -> Image.Image:
    """Decodes the pixels; plain PNGs by libpng, a tenth faster and the same."""
    if _is_plain(picture, chunks):
        with contextlib.suppress(RuntimeError):  # Pillow will say what is wrong
            return Image.fromarray(png_decode(data))
    picture.load()
    return picture


def _is_plain(picture: Image.Image, chunks: set[bytes]) -> bool:
    """Whether a PNG is 8-bit gray, row by row, and no other chunk matters."""
    return (
        b"IDAT" in chunks
        and chunks.isdisjoint(_NOT_PLAIN)
        and isinstance(picture, PngImageFile)
        and picture.tile[0].args == "L"
        and "interlace" not in picture.info
    )


def _to_gray(picture: Image.Image, name: str) -> Image.Image:
    if picture.mode.startswith("I;16"):
        return Image.fromarray(_from_16_bits(picture, name))
    if picture.mode == "P" and picture.palette is None:
        raise ImageError(
            explain(name, "whole", "a palette picture without its palette")
        )
    if picture.has_transparency_data:
        gray, alpha = picture.convert("RGBA").convert("LA").split()
        return ImageChops.multiply(gray, alpha)
    if picture.mode == "CMYK":  # Pillow undoes Adobe's inversion while decoding
        picture = picture.convert("RGB")
    return picture if picture.mode == "L" else picture.convert("L")


def _from_16_bits(picture: Image.Image, name: str) -> np.ndarray:
    values = np.asarray(picture, dtype=np.uint16)
    greatest = int(values.max())
    if greatest < 2**12:
        raise ImageError(
            explain(name, _FULL_RANGE, f"a greatest value of {greatest}, as of 12 bits")
        )
    transparent = picture.info.get("transparency")
    gray = ((np.minimum(values, 65407) + np.uint16(128)) // 257).astype(np.uint8)
    if isinstance(transparent, int):
        gray[values == transparent] = 0
    return gray


def _check_range(picture: Image.Image, name: str) -> None:
    """Refuses 12-bit values in 16 bits of colour too, of which the upper 8 are left."""
    gray_alone = picture.mode.startswith("I;16")  # checked with all its bits
    if not gray_alone and np.asarray(picture.convert("L")).max() < 2**12 >> 8:
        received = f"a greatest value below {2**12:,}, as of 12 bits"
        raise ImageError(explain(name, _FULL_RANGE, received))


def _upright(gray: Image.Image, exif: bytes) -> Image.Image:
    turn = _UPRIGHT.get(_read_orientation(exif))
    return gray if turn is None else gray.transpose(turn)


def _read_orientation(exif: bytes) -> int:
    """Returns EXIF's orientation; 1, upright, where there is none to be read.

    Pillow's own reader warns of damaged EXIF, and a warning cannot be silenced for
    one thread alone.
    """
    body = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(body[:2])
    if order is None or len(body) < 8:
        return 1
    (start,) = struct.unpack_from(f"{order}I", body, 4)
    if start + 2 > len(body):
        return 1
    (count,) = struct.unpack_from(f"{order}H", body, start)
    for entry in range(start + 2, min(start + 2 + 12 * count, len(body) - 11), 12):
        tag, _, _, value = struct.unpack_from(f"{order}HHIH", body, entry)
        if tag == _ORIENTATION_TAG:
            return value
    return 1


def _resize(gray: Image.Image, image_size: int) -> np.ndarray:
    width, height = gray.size
    if min(width, height) < image_size:
        side = (image_size, image_size)
        return np.array(gray.resize(side, Image.Resampling.BILINEAR))
    factors = (width // image_size, height // image_size)
    if gray.size == (factors[0] * image_size, factors[1] * image_size) and all(
        factor.bit_count() == 1 for factor in factors
    ):
        return np.array(gray.reduce(factors))  # exact for powers of two, and faster
    return _area_means(np.asarray(gray), image_size)


def _area_means(pixels: np.ndarray, image_size: int) -> np.ndarray:
    """Means of areas that cut through pixels, half rounded up."""
    sums = _area_sums(_area_sums(pixels, image_size).T, image_size).T
    means = (sums + pixels.size // 2) // pixels.size
    return means.astype(np.uint8, order="C")  # the cache writes memory as it lies


def _area_sums(values: np.ndarray, image_size: int) -> np.ndarray:
    """Sums rows into `image_size` rows, in units of 1/image_size of a row, float64."""
    # Every overlap is an integer in these units, and so each sum is exact.
    num_rows = len(values)
    sums = np.empty((image_size, values.shape[1]))
    for row, weights in enumerate(_overlaps(num_rows, image_size)):
        first = row * num_rows // image_size
        end = -(-(row + 1) * num_rows // image_size)
        sums[row] = weights[first:end] @ values[first:end]
    return sums


@functools.lru_cache(maxsize=8)  # the pictures of a dataset have few sizes
def _overlaps(num_rows: int, image_size: int) -> np.ndarray:
    """How much of each row to come each row covers, shape (image_size, num_rows)."""
    start = np.arange(image_size)[:, np.newaxis] * num_rows
    row = np.arange(num_rows) * image_size
    end = np.minimum(start + num_rows, row + image_size)
    return np.maximum(end - np.maximum(start, row), 0).astype(np.float64)
