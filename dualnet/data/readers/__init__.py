"""Readers: a folder to records. `read_records` finds the one that fits."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dualnet.data.readers import chest_xray, covid_radiography, dicom
from dualnet.data.readers.nih import (
    TABLES,
    find_nih_table,
    find_pictures,
    read_nih,
    read_official_lists as read_official_lists,
)
from dualnet.data.readers.table import NEEDS as TABLE_NEEDS, find_mapping, read_table
from dualnet.data.records import RecordSet
from dualnet.errors import ConfigError, RecordError


class Read(Protocol):
    """Reads a dataset's folder."""

    def __call__(self, folder: Path, *, on_bad_row: str) -> RecordSet:
        """Returns the folder's records."""
        ...


@dataclass(frozen=True, kw_only=True)
class Reader:
    """One dataset's format.

    Args:
        fits: Whether a folder is of this format.
        read: Reads it.
        needs: What such a folder holds, for the error.
    """

    fits: Callable[[Path], bool]
    read: Read
    needs: str


NAMING_PICTURES = ("nih", "table")  # their tables name pictures that may lie elsewhere
READERS = {
    "nih": Reader(
        fits=lambda folder: find_nih_table(folder) is not None,
        read=read_nih,
        needs=" or ".join(TABLES),
    ),
    "chest_xray": Reader(
        fits=lambda folder: chest_xray.find_chest_xray(folder) is not None,
        read=chest_xray.read_chest_xray,
        needs=chest_xray.NEEDS,
    ),
    "covid_radiography": Reader(
        fits=lambda folder: (
            covid_radiography.find_covid_radiography(folder) is not None
        ),
        read=covid_radiography.read_covid_radiography,
        needs=covid_radiography.NEEDS,
    ),
    "dicom": Reader(
        fits=lambda folder: dicom.find_dicom(folder) is not None,
        read=dicom.read_dicom,
        needs=dicom.NEEDS,
    ),
    "table": Reader(
        fits=lambda folder: find_mapping(folder) is not None,
        read=read_table,
        needs=TABLE_NEEDS,
    ),
}


def read_records(
    folder: Path,
    *,
    format: str | None = None,  # noqa: A002, its name in the configuration
    on_bad_row: str = "error",
    mapping: str | None = None,
    pictures: Path | None = None,
) -> RecordSet:
    """Reads a dataset's folder.

    Args:
        folder: The dataset's folder.
        format: One of `READERS`; none: the one that fits the folder.
        on_bad_row: `error`, or `set_aside` to put bad rows into the rejects.
        mapping: What a table's columns mean, by name or file; the format is then
            `table`. None: as the folder says.
        pictures: Another folder that the table's pictures lie in; none: `folder`.

    Returns:
        The records, checked.

    Raises:
        ConfigError: If the format is not known, a mapping stands beside another one,
            or pictures apart beside one of class folders or of DICOM files.
        RecordError: If a folder is not one, or of no known format, or of several.
    """
    if format is not None and format not in READERS:
        raise ConfigError(
            f"format: must be one of {', '.join(READERS)}. Received: {format!r}. "
            "Leave it out to have it found."
        )
    _check_folder(folder, "a dataset's folder", "holds the dataset")
    if mapping is not None:
        _check_mapped(format)
    name = "table" if mapping is not None else format or _find_format(folder)
    if pictures is not None:
        _check_pictures(pictures, name)
    if name == "table":
        return read_table(
            folder, on_bad_row=on_bad_row, mapping=mapping, pictures=pictures
        )
    if name == "nih":
        return read_nih(folder, on_bad_row=on_bad_row, pictures=pictures)
    return READERS[name].read(folder, on_bad_row=on_bad_row)


def _check_folder(folder: Path, wanted: str, does: str) -> None:
    if not folder.is_dir():
        received = "a file" if folder.exists() else "no such folder"
        raise RecordError(
            f"{folder}: must be {wanted}. Received: {received}. "
            f"Name the folder that {does}."
        )


def _check_pictures(pictures: Path, format: str) -> None:  # noqa: A002
    if format not in NAMING_PICTURES:
        raise ConfigError(
            "data.pictures: must be left out, or the format be "
            f"{' or '.join(NAMING_PICTURES)}. Received: a {format} dataset. "
            "Its pictures are the dataset: name their folder with --data."
        )
    _check_folder(pictures, "the pictures' folder", "the pictures lie in")


def _check_mapped(format: str | None) -> None:  # noqa: A002
    if format not in (None, "table"):
        raise ConfigError(
            "data.mapping: must be left out, or the format be table. "
            f"Received: data.format={format!r}. Leave one of the two out."
        )


def _find_format(folder: Path) -> str:
    if READERS["table"].fits(folder):
        return "table"  # its mapping was written for dualnet; what else fits is found
    fitting = [name for name, reader in READERS.items() if reader.fits(folder)]
    if not fitting:
        known = "; ".join(f"{name}: {reader.needs}" for name, reader in READERS.items())
        raise RecordError(
            f"{folder}: must hold a dataset of a known format ({known}). "
            f"Received: none. {_advise(folder)}"
        )
    if len(fitting) > 1:
        raise RecordError(
            f"{folder}: must hold one dataset. Received: {' and '.join(fitting)}. "
            "Name one with --format or data.format, or name its own folder."
        )
    return fitting[0]


def _advise(folder: Path) -> str:
    if find_pictures(folder):
        return (
            "Name the folder of the pictures' table with --data, and this one with "
            "--pictures."
        )
    return (
        "Name the folder that they lie in, or say what the columns of its table mean "
        "(docs/tables.md)."
    )
