"""One DICOM file: told by its prefix, read within limits, only what is asked for.

What is not asked for, a patient's name above all, is never interpreted. A deflated file
(PS3.5 section A.5) is inflated up to a limit: pydicom itself inflates all of it before it
looks, and took 2 GB of memory for a file of 1 MB.

pydicom is an extra and is imported only where a DICOM file is read.
"""

import importlib.util
import io
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO

from dualnet.data.limits import MAX_BYTES, explain
from dualnet.errors import ConfigError, ImageError

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.tag import BaseTag

PREFIX = b"DICM"
PREFIX_END = 132  # PS3.10 section 7.1: after a preamble of 128 bytes
MAX_HEADER_BYTES = 2**20  # of a deflated file, before its pixels

_META_GROUP = 0x0002
_PIXEL_GROUP = 0x7FE0


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
        Exception: What pydicom raises on damaged files: it has no one base class.
    """
    from pydicom import config, dcmread
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    # A warning of an ill-formed value would print the value, a birth date perhaps.
    config.settings.reading_validation_mode = config.IGNORE
    stream.seek(PREFIX_END)
    meta = _read_meta(stream)
    if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        body = _inflate(stream.read(MAX_BYTES), name, header_only=header_only)
        return _read_inflated(body, meta, keywords, header_only=header_only)
    stream.seek(0)
    return dcmread(stream, stop_before_pixels=header_only, specific_tags=list(keywords))


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
        io.BytesIO(body),
        False,
        True,
        stop_when=_is_pixels if header_only else None,
        specific_tags=[Tag(keyword) for keyword in keywords],
    )
    dataset.file_meta = FileMetaDataset(meta)
    dataset.set_original_encoding(is_implicit_vr=False, is_little_endian=True)
    return dataset
