"""One DICOM file: told by its prefix, read within limits, only what is asked for.

What is not asked for, a patient's name above all, is never interpreted. A deflated file
(PS3.5 section A.5) is inflated up to a limit: pydicom itself inflates all of it before it
looks, and took 2 GB of memory for a file of 1 MB. How many steps a file takes, how long
its values are and of which kind is limited too: pydicom makes an object of each element
and item, a list of each number and text, and 20 MB of empty items took it minutes.

pydicom is an extra and is imported only where a DICOM file is read.
"""

import importlib.util
import io
import logging
import re
import warnings
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO, cast

from dualnet.data.limits import MAX_BYTES, explain
from dualnet.errors import ConfigError, ImageError

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import BaseTag

PREFIX = b"DICM"
PREFIX_END = 132  # PS3.10 section 7.1: after a preamble of 128 bytes
MAX_HEADER_BYTES = 2**20  # of a deflated file, before its pixels
MAX_READS = 50_000  # one to three for an element; radiographs have some hundred
MAX_VALUE_BYTES = 1024  # 64 characters, or a window's center for each of its names
MAX_SEQUENCE_BYTES = 2**19  # three LUTs of 65,536 entries

_META_GROUP = 0x0002
_PIXEL_GROUP = 0x7FE0
_INTEGERS = {"US", "SS", "US or SS"}
_NUMBERS = {*_INTEGERS, "IS", "DS", "FL", "FD"}
# The kinds (VR) that may stand for the dictionary's kind; for others, all but sequences.
_KINDS = {
    "SQ": {"SQ"},
    "US": _INTEGERS,
    "US or SS": _INTEGERS,
    "IS": _NUMBERS,
    "DS": _NUMBERS,
    "OB or OW": {"OB", "OW", "OB or OW"},  # pixels; others become a list of numbers
    "US or OW": {"US", "SS", "OB", "OW", "US or OW"},  # a LUT's entries
}
_SIZES = {"SQ": MAX_SEQUENCE_BYTES, "US or OW": MAX_SEQUENCE_BYTES}
_SIZES["OB or OW"] = MAX_BYTES
_INTEGER_STRING = re.compile(rb"[-+ .0-9\\\0]{0,16}")
_IGNORED = ("ignore", None, UserWarning, re.compile(r"pydicom\."), 0)


class ExcessError(ValueError):
    """A file holds more than a radiograph has, or another kind of value."""


def is_dicom(start: bytes) -> bool:
    """Tells a DICOM file by its prefix.

    Args:
        start: Its first 132 bytes, or more.

    Returns:
        Whether `DICM` stands where PS3.10 section 7.1 puts it.
    """
    return start[PREFIX_END - len(PREFIX) : PREFIX_END] == PREFIX


def check_extra(where: str) -> None:
    """Checks that pydicom is installed.

    Args:
        where: What is to be read, for the error.

    Raises:
        ConfigError: If it is not.
    """
    if importlib.util.find_spec("pydicom") is None:
        raise ConfigError(
            f"{where}: pydicom must be there to read DICOM files. Received: no such "
            'package. Install "dualnet[dicom]".'
        )


def read_dataset(
    stream: BinaryIO, keywords: Sequence[str], *, name: str, header_only: bool
) -> "Dataset":
    """Reads some attributes of a DICOM file.

    Args:
        stream: The file, open for reading.
        keywords: The attributes' keywords, as in `"PatientAge"`; no others are
            interpreted.
        name: The file's name, for the error.
        header_only: Whether to stop before the pixels.

    Returns:
        The dataset, with its `file_meta`.

    Raises:
        ImageError: If a deflated file is larger than the limit when inflated.
        ExcessError: If there are too many elements, or a value is too long.
        Exception: What pydicom raises on damaged files: it has no one base class.
    """
    from pydicom import config, dcmread
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    config.settings.reading_validation_mode = config.IGNORE
    _silence()
    stream = _limit(stream)
    stream.seek(PREFIX_END)
    meta = _read_meta(stream)
    check_values(meta)
    if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        body = _inflate(stream.read(MAX_BYTES), name, header_only=header_only)
        dataset = _read_inflated(body, meta, keywords, header_only=header_only)
    else:
        stream.seek(0)
        tags = list(keywords)
        dataset = dcmread(stream, stop_before_pixels=header_only, specific_tags=tags)
    check_values(dataset)
    return dataset


def check_values(dataset: "Dataset") -> None:
    """Checks the kinds and lengths of values that are not yet interpreted.

    Args:
        dataset: A file's, or a sequence's item.

    Raises:
        ExcessError: If a value is too long, or of a kind that would swell.
    """
    from pydicom.dataelem import RawDataElement

    for tag in list(dataset.keys()):
        element = dataset.get_item(tag)
        if isinstance(element, RawDataElement):
            _check_value(element)


def _check_value(element: "RawDataElement") -> None:
    from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag

    if not dictionary_has_tag(element.tag):  # in an item: never interpreted
        return
    wanted = dictionary_VR(element.tag)
    kind = wanted if element.VR in (None, "UN") else str(element.VR)
    value = element.value or b""
    name = keyword_for_tag(element.tag)
    if kind == "SQ" if wanted not in _KINDS else kind not in _KINDS[wanted]:
        raise ExcessError(f"{name} of another kind than {wanted}")
    if len(value) > _SIZES.get(wanted, MAX_VALUE_BYTES):
        raise ExcessError(f"{name} of {len(value):,} bytes")
    if kind == "IS" and not _INTEGER_STRING.fullmatch(value):
        raise ExcessError(f"{name} that is no integer")


def _silence() -> None:
    """Lets pydicom say nothing of ill-formed values: it would print them.

    A birth date perhaps, or a name. What cannot be read is refused with a reason; a
    misspelt character set is not worth a radiograph.
    """
    if _IGNORED not in warnings.filters:  # they are the process's, not the thread's
        warnings.filterwarnings("ignore", category=UserWarning, module=r"pydicom\.")
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)


class _Limited:
    """A stream that can be read in so many steps."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.num_reads = 0
        self.seek = stream.seek
        self.tell = stream.tell

    def read(self, size: int = -1) -> bytes:
        self.num_reads += 1
        if self.num_reads > MAX_READS:
            raise ExcessError("more elements than a radiograph has")
        return self.stream.read(size)


def _limit(stream: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, _Limited(stream))


def _read_meta(stream: BinaryIO) -> "Dataset":
    from pydicom.filereader import read_dataset

    return read_dataset(stream, False, True, stop_when=_is_beyond_meta)


def _is_beyond_meta(tag: "BaseTag", *_: object) -> bool:
    return tag.group != _META_GROUP


def _is_pixels(tag: "BaseTag", *_: object) -> bool:
    return tag.group >= _PIXEL_GROUP


def _inflate(data: bytes, name: str, *, header_only: bool) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    if header_only:
        return inflater.decompress(data, MAX_HEADER_BYTES)
    size, rest = 0, data
    while rest:  # counted before it is kept
        size += len(inflater.decompress(rest, MAX_HEADER_BYTES))
        rest = inflater.unconsumed_tail
        if size > MAX_BYTES:
            wanted = f"at most {MAX_BYTES:,} bytes when inflated"
            raise ImageError(explain(name, wanted, "more"))
    return zlib.decompress(data, -zlib.MAX_WBITS)


def _read_inflated(
    body: bytes, meta: "Dataset", keywords: Sequence[str], *, header_only: bool
) -> "Dataset":
    from pydicom.dataset import FileMetaDataset
    from pydicom.filereader import read_dataset
    from pydicom.tag import Tag

    dataset = read_dataset(
        _limit(io.BytesIO(body)),
        False,
        True,
        stop_when=_is_pixels if header_only else None,
        specific_tags=[Tag(keyword) for keyword in keywords],
    )
    dataset.file_meta = FileMetaDataset(meta)
    dataset.set_original_encoding(is_implicit_vr=False, is_little_endian=True)
    return dataset
