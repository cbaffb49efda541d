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
import stat
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from imagecodecs import png_decode
from PIL import Image, ImageChops
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from dualnet.data.dicom_file import is_dicom
from dualnet.data.dicom_pixels import read_gray
from dualnet.data.limits import MAX_BYTES, check_size, explain
from dualnet.errors import ImageError

PREPROCESSING = "gray-area-stretch-1"  # named in a cache's manifest; serving must match

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_SIGNATURE = b"\xff\xd8\xff"
_ORIENTATION_TAG = 0x0112
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
    name = path.name
    data = _read_bytes(path)
    try:
        gray = read_gray(data, name) if is_dicom(data) else _read_gray(data, name)
    except ImageError:
        raise
    except _DECODER_ERRORS as error:
        reason = " ".join(str(error).split())[:80] or type(error).__name__
        raise ImageError(explain(name, "decodable to its end", reason)) from error
    return _resize(gray, image_size)


def _read_gray(data: bytes, name: str) -> Image.Image:
    chunks = _check_chunks(data, name) if data.startswith(_PNG_SIGNATURE) else set()
    with _open_picture(data, name) as picture:
        check_size(*picture.size, name)
        pixels = _load(picture, data, chunks)
        return _upright(_to_gray(pixels, name), pixels.info.get("exif", b""))


def _read_bytes(path: Path) -> bytes:
    try:
        status = path.stat()
        regular = stat.S_ISREG(status.st_mode)
        data = path.read_bytes() if regular and status.st_size <= MAX_BYTES else b""
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ImageError(explain(path.name, "a readable file", reason)) from error
    if not regular:
        raise ImageError(explain(path.name, "a file", "a folder or a device"))
    if status.st_size > MAX_BYTES:
        wanted, size = f"at most {MAX_BYTES:,} bytes", f"{status.st_size:,}"
        raise ImageError(explain(path.name, wanted, size))
    if not data:
        raise ImageError(explain(path.name, "a picture", "an empty file"))
    return data


def _open_picture(data: bytes, name: str) -> Image.Image:
    """Reads the header. `Image.open` would warn of large pictures; these do not."""
    if data.startswith(_PNG_SIGNATURE):
        return PngImageFile(io.BytesIO(data))
    if data.startswith(_JPEG_SIGNATURE):
        return _Jpeg(io.BytesIO(data))
    raise ImageError(
        explain(name, "a PNG, JPEG or DICOM picture", "another kind of file")
    )


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
    """Whether a PNG is 8-bit gray, row by row, upright and without transparency."""
    return (
        b"IDAT" in chunks
        and chunks.isdisjoint({b"tRNS", b"eXIf"})
        and isinstance(picture, PngImageFile)
        and picture.tile[0].args == "L"
        and "interlace" not in picture.info
    )


def _check_chunks(data: bytes, name: str) -> set[bytes]:
    """Checks each PNG chunk's checksum, which Pillow does not do for the pixels.

    Without it, 2 of 150 flipped bits in an NIH picture passed unnoticed.

    Returns:
        The kinds of chunk that the file has.

    Raises:
        ImageError: If a chunk is damaged, the last one is absent, or it is animated.
    """
    kinds = set()
    for kind, body, checksum in _chunks(data):
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
    view, start, kind = memoryview(data), len(_PNG_SIGNATURE), b""
    while kind != b"IEND" and start + 12 <= len(data):
        length = int.from_bytes(view[start : start + 4], "big")
        end = start + 8 + length
        kind = bytes(view[start + 4 : start + 8])
        if end + 4 > len(data):
            return
        yield kind, view[start + 4 : end], int.from_bytes(view[end : end + 4], "big")
        start = end + 4


def _to_gray(picture: Image.Image, name: str) -> Image.Image:
    if picture.mode.startswith("I;16"):
        return Image.fromarray(_from_16_bits(picture, name))
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
        wanted = "16-bit gray values that use their range"
        raise ImageError(
            explain(name, wanted, f"a greatest value of {greatest}, as of 12 bits")
        )
    transparent = picture.info.get("transparency")
    gray = ((np.minimum(values, 65407) + np.uint16(128)) // 257).astype(np.uint8)
    if isinstance(transparent, int):
        gray[values == transparent] = 0
    return gray


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
