"""A DICOM file's pixels to 8-bit gray, by the steps that PS3.3 lays down.

1. Stored values: as many bits as `BitsStored` says, signed or not (C.7.6.3).
2. Modality values: the modality LUT, or rescale slope and intercept (C.11.1).
3. The VOI LUT, or the window: the first of several; LINEAR, LINEAR_EXACT or SIGMOID
   (C.11.2). Without either, the full range: of what 8 bits or fewer can store, so that
   an 8-bit file without a window keeps its values; else of the values that are there.
4. MONOCHROME1 is turned round, once, and last: also where `PresentationLUTShape` says
   INVERSE, which means the same (C.8.11.3.1.2).
5. Padding (`PixelPaddingValue`) is black, and counts for no range.

What comes out are P-values (PS3.14), taken as gray levels.

At most 16 bits are stored, and so all steps are taken on a table of the stored values,
not on the pixels. RGB and YBR become luma, as in PNG and JPEG. Pixels that are not square
need no thought: every picture is stretched to a square.

Where pydicom's `apply_modality_lut` and `apply_voi_lut` are not used: 3.0 refuses a
modality LUT of 12 bits, cuts the index into an 8-bit VOI LUT to 8 bits, and looks a
rescaled value up as a float. A window that leaves no contrast is refused: it was meant
for other values.
"""

import io
import re
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
from PIL import Image

from dualnet.data.dicom_codecs import check_fragments, check_frame, find_plugin
from dualnet.data.dicom_file import check_extra, check_values, read_dataset
from dualnet.data.limits import check_size, explain
from dualnet.errors import ImageError

if TYPE_CHECKING:
    from pydicom import Dataset

MAX_BITS = 16
_ADDRESS = r" ?<[^<>]* at 0x[0-9a-f]+>"  # another each time, where reasons are compared

_KEYWORDS = (
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PixelRepresentation",
    "PlanarConfiguration",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "ModalityLUTSequence",
    "RescaleSlope",
    "RescaleIntercept",
    "VOILUTSequence",
    "VOILUTFunction",
    "WindowCenter",
    "WindowWidth",
    "PixelData",
)
_COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_GRAYS = ("MONOCHROME1", "MONOCHROME2")


def read_gray(data: bytes, name: str) -> Image.Image:
    """Reads a DICOM file's picture as gray values.

    Args:
        data: The file.
        name: Its name, for the error.

    Returns:
        Gray values 0 to 255, mode `L`, of the file's own size.

    Raises:
        ImageError: If the file is damaged, holds no picture or several, or one that is
            too large or too small, or of a kind that no radiograph has.
    """
    check_extra(name)
    try:
        return _read_gray(data, name)
    except ImageError:
        raise
    except Exception as error:  # pydicom's errors have no base class of their own
        raise ImageError(explain(name, "decodable DICOM", _shorten(error))) from error


def read_size(stream: BinaryIO, name: str) -> tuple[int, int, str]:
    """Reads a DICOM picture's size from the header.

    Args:
        stream: The file, open for reading.
        name: Its name, for the error.

    Returns:
        Width and height in pixels, and the photometric interpretation.

    Raises:
        ImageError: If the file is damaged or tells no size.
    """
    check_extra(name)
    keywords = ("Columns", "Rows", "PhotometricInterpretation")
    try:
        dataset = read_dataset(stream, keywords, name=name, header_only=True)
        width, height = int(dataset.Columns), int(dataset.Rows)
        return width, height, str(dataset.get("PhotometricInterpretation", ""))[:16]
    except ImageError:
        raise
    except Exception as error:  # pydicom's errors have no base class of their own
        raise ImageError(explain(name, "a DICOM picture", _shorten(error))) from error


def _read_gray(data: bytes, name: str) -> Image.Image:
    stream = io.BytesIO(data)
    dataset = read_dataset(stream, _KEYWORDS, name=name, header_only=False)
    _check_header(dataset, name)
    pixels = _decode(dataset, name)
    if pixels.ndim == 3:
        return Image.fromarray(pixels).convert("L")
    return Image.fromarray(_to_gray(pixels, dataset, name))


def _shorten(error: Exception) -> str:
    text = re.sub(_ADDRESS, "", " ".join(str(error).split()))
    return text.rpartition("plugins: ")[2][:80] or type(error).__name__


def _check_header(dataset: "Dataset", name: str) -> None:
    if "PixelData" not in dataset:
        raise ImageError(explain(name, "a picture", "DICOM without pixel data"))
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames != 1:
        raise ImageError(explain(name, "one picture", f"{frames:,} frames"))
    check_size(int(dataset.Columns), int(dataset.Rows), name)
    photometric = str(dataset.PhotometricInterpretation)
    samples = int(dataset.get("SamplesPerPixel") or 1)
    kinds = {1: _GRAYS, 3: _COLOURS}.get(samples, ())
    if photometric not in kinds:
        wanted = f"of {', '.join((*_GRAYS, *_COLOURS))}"
        received = f"{photometric[:16]!r} of {samples} samples a pixel"
        raise ImageError(explain(name, wanted, received))
    allocated, stored = int(dataset.BitsAllocated), int(dataset.BitsStored)
    most = MAX_BITS if samples == 1 else 8
    if allocated not in (8, 16) or not 1 <= stored <= min(allocated, most):
        wanted = f"of 8 or 16 bits a value, at most {most} of them stored"
        raise ImageError(explain(name, wanted, f"{stored} stored of {allocated}"))
    high = dataset.get("HighBit")
    if high is not None and high != stored - 1:  # pydicom would take the lowest bits
        wanted = f"stored in the lowest {stored} bits"
        raise ImageError(explain(name, wanted, f"bits up to the {high + 1}th"))


def _decode(dataset: "Dataset", name: str) -> np.ndarray:
    """Returns stored values, or RGB; shape (rows, columns) or (rows, columns, 3)."""
    from pydicom.encaps import get_frame
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import RLELossless

    syntax = dataset.file_meta.TransferSyntaxUID
    plugin = ""
    if syntax.is_encapsulated:
        plugin = find_plugin(syntax)
        check_fragments(dataset.PixelData)
        if syntax != RLELossless:
            frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
            samples = int(dataset.get("SamplesPerPixel") or 1)
            check_frame(frame, (dataset.Rows, dataset.Columns, samples), name)
    else:
        _cut_excess(dataset)
    pixels, _ = get_decoder(syntax).as_array(dataset, index=0, decoding_plugin=plugin)
    return pixels


def _cut_excess(dataset: "Dataset") -> None:
    """Leaves out bytes after the last pixel: pydicom would warn of them."""
    samples = int(dataset.get("SamplesPerPixel") or 1)
    size = dataset.Rows * dataset.Columns * samples * dataset.BitsAllocated // 8
    if dataset.PhotometricInterpretation == "YBR_FULL_422":
        size = size // 3 * 2
    dataset.PixelData = dataset.PixelData[: size + size % 2]


class _Values(NamedTuple):
    """All stored values from the least to the greatest that occurs, shape (n,).

    `seen` are those that occur in the picture and are no padding.
    """

    stored: np.ndarray
    seen: np.ndarray
    padding: np.ndarray


def _to_gray(pixels: np.ndarray, dataset: "Dataset", name: str) -> np.ndarray:
    values = _tabulate(pixels, dataset)
    modality = _apply_modality(values.stored, dataset)
    share = _apply_voi(modality, values, dataset, name)  # 0 to 1, black to white
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        share = 1 - share
    gray = np.floor(255 * share + 0.5).astype(np.uint8)
    gray[values.padding] = 0
    shown = gray[values.seen]
    if values.seen.sum() > 1 and shown.min() == shown.max():
        wanted = "a picture whose window or LUT leaves some contrast"
        raise ImageError(explain(name, wanted, f"all pixels of gray {shown[0]}"))
    return gray[pixels - values.stored[0]]


def _tabulate(pixels: np.ndarray, dataset: "Dataset") -> _Values:
    pixels = pixels.astype(np.int32)
    least = int(pixels.min())
    stored = np.arange(least, int(pixels.max()) + 1)
    seen = np.zeros(len(stored), dtype=bool)
    seen[pixels - least] = True
    padding = np.zeros(len(stored), dtype=bool)
    first = dataset.get("PixelPaddingValue")
    if first is not None:
        last = dataset.get("PixelPaddingRangeLimit")
        ends = [_as_stored(end, dataset) for end in (first, last) if end is not None]
        padding = (stored >= min(ends)) & (stored <= max(ends))
    return _Values(stored, seen & ~padding, padding)


def _as_stored(value: int, dataset: "Dataset") -> int:
    """Returns an attribute's value as the pixels would have it (C.7.5.1.1.2)."""
    bits = dataset.BitsStored
    value = int(value) % 2**bits
    if dataset.PixelRepresentation == 1 and value >= 2 ** (bits - 1):
        value -= 2**bits
    return value


def _apply_modality(stored: np.ndarray, dataset: "Dataset") -> np.ndarray:
    if dataset.get("ModalityLUTSequence"):
        entries, _ = _look_up(stored, dataset.ModalityLUTSequence[0], dataset)
        return entries
    slope, intercept = dataset.get("RescaleSlope"), dataset.get("RescaleIntercept")
    if slope is None or intercept is None:
        return stored
    return stored * float(slope) + float(intercept)


def _apply_voi(
    modality: np.ndarray, values: _Values, dataset: "Dataset", name: str
) -> np.ndarray:
    """Returns how bright each value is, from 0 to 1."""
    if dataset.get("VOILUTSequence"):
        entries, bits = _look_up(modality, dataset.VOILUTSequence[0], dataset)
        return entries / (2**bits - 1)
    center, width = (
        _first(dataset.get(keyword)) for keyword in ("WindowCenter", "WindowWidth")
    )
    if center is not None and width is not None:
        shape = str(dataset.get("VOILUTFunction") or "LINEAR").strip().upper()
        return _apply_window(modality, center, width, shape, name)
    return _stretch(modality, values, dataset)


def _first(value: Any) -> float | None:
    if value is None or isinstance(value, int | float):
        return value
    return float(value[0]) if len(value) else None


def _apply_window(
    modality: np.ndarray, center: float, width: float, shape: str, name: str
) -> np.ndarray:
    wide = width >= 1 if shape == "LINEAR" else width > 0
    if not (wide and np.isfinite([center, width]).all()):
        received = f"center {center:g}, width {width:g}"
        raise ImageError(explain(name, "under a window of some width", received))
    if shape == "SIGMOID":
        with np.errstate(over="ignore"):
            return 1 / (1 + np.exp(-4 * (modality - center) / width))
    if shape == "LINEAR":  # C.11.2.1.2: whole values, from 0 to width - 1
        center, width = center - 0.5, width - 1
    elif shape != "LINEAR_EXACT":
        wanted = "under a window of LINEAR, LINEAR_EXACT or SIGMOID"
        raise ImageError(explain(name, wanted, repr(shape[:16])))
    if width == 0:
        return (modality > center).astype(np.float64)
    return np.clip((modality - center) / width + 0.5, 0, 1)


def _stretch(modality: np.ndarray, values: _Values, dataset: "Dataset") -> np.ndarray:
    ends = modality[values.seen]
    if dataset.BitsStored <= 8:
        least = -(2 ** (dataset.BitsStored - 1)) if dataset.PixelRepresentation else 0
        full = np.array([least, least + 2**dataset.BitsStored - 1])
        ends = _apply_modality(full, dataset)
    low, high = (ends.min(), ends.max()) if len(ends) else (0, 0)
    if low == high:
        return np.zeros(len(modality))
    return np.clip((modality - low) / (high - low), 0, 1)


def _look_up(
    values: np.ndarray, item: "Dataset", dataset: "Dataset"
) -> tuple[np.ndarray, int]:
    """Looks values up in a LUT; what lies beside it takes the entry at that end.

    Returns:
        The entries, and of how many bits they are (C.11.1.1, C.11.2.1.1).
    """
    check_values(item)
    number, first, bits = (int(part) for part in item.LUTDescriptor)
    number = number % 2**16 or 2**16
    if first >= 2**15 and values.min() < 0:
        first -= 2**16  # signed, whatever the file calls it: it is in the values' terms
    entries = _read_entries(item, number, dataset)
    bits = max(bits, int(entries.max()).bit_length())
    places = np.clip(np.floor(values + 0.5).astype(np.int64) - first, 0, number - 1)
    return entries[places], bits


def _read_entries(item: "Dataset", number: int, dataset: "Dataset") -> np.ndarray:
    """Returns a LUT's entries: a word each, or two in a word where they have 8 bits."""
    order = "<" if dataset.file_meta.TransferSyntaxUID.is_little_endian else ">"
    told = item.LUTData
    words = (
        np.frombuffer(told[: len(told) // 2 * 2], f"{order}u2")
        if isinstance(told, bytes)
        else np.atleast_1d(np.asarray(told, dtype=np.int64)) % 2**16
    )
    if len(words) < number:
        words = np.frombuffer(words.astype("<u2").tobytes(), np.uint8)
    if len(words) < number:
        raise ValueError(f"a LUT of {len(words):,} entries, not {number:,}")
    return words[:number].astype(np.int64)
