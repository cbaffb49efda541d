"""Columns of another table, brought to radiographs by their name."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dualnet.data.readers.image_rows import read_image_rows
from dualnet.errors import ConfigError, RecordError
from dualnet.wording import number_of

KEYS = ("image_id", "Image Index")
MOST_GROUPS = 12


@dataclass(frozen=True, kw_only=True)
class JoinedColumns:
    """What another table says of radiographs.

    Args:
        file: The table.
        columns: One text a radiograph, empty where it is not known, by column.
        num_matched: How many radiographs have a row.
        num_images: How many radiographs there are.
        num_rows_unused: How many rows of the table are of none of them.
        left_out: Columns with too many values to be groups, if none was named.
    """

    file: Path
    columns: dict[str, list[str]]
    num_matched: int
    num_images: int
    num_rows_unused: int
    left_out: tuple[str, ...]

    @property
    def line(self) -> str:
        """Says what was matched, and what was not."""
        without = self.num_images - self.num_matched
        many = ", ".join(self.left_out)
        return (
            f"--join {self.file.name}: {number_of(self.num_matched, 'radiograph')} "
            f"matched, {without:,} without a row; "
            f"{number_of(self.num_rows_unused, 'row')} of other radiographs"
            + (f"; more than {MOST_GROUPS} values in {many}, left out" if many else "")
        )


def parse_join(text: str) -> tuple[Path, tuple[str, ...]]:
    """Parts a table's path from the columns that are wanted of it.

    Args:
        text: `TABLE` or `TABLE:column,column`.

    Returns:
        The path, and the columns; none: all.

    Raises:
        ConfigError: If a column's name is empty.

    Example:
        >>> parse_join("provenance.csv:source,scanner")
        (PosixPath('provenance.csv'), ('source', 'scanner'))
    """
    path, colon, names = text.rpartition(":")
    if not colon or Path(text).is_file():
        return Path(text), ()
    columns = tuple(name.strip() for name in names.split(","))
    if not path or not all(columns):
        raise ConfigError(
            f"--join: must be TABLE or TABLE:column,column. Received: {text!r}. "
            "Name a CSV file, and columns of it."
        )
    return Path(path), columns


def read_joined(
    file: Path, columns: Sequence[str], image_ids: Sequence[str]
) -> JoinedColumns:
    """Reads columns of a CSV file for some radiographs.

    Args:
        file: A comma-separated file with a header, with one of `KEYS`.
        columns: Which; none: all but the key that have at most `MOST_GROUPS` values.
        image_ids: The radiographs.

    Returns:
        The columns, in the order of the radiographs.

    Raises:
        RecordError: If the file cannot be read, lacks a column, names a radiograph
            twice, or a column that was named has more than `MOST_GROUPS` values.
    """
    header = _read_header(file)
    key = next((name for name in KEYS if name in header), None)
    if key is None:
        raise RecordError(
            f"{file.name} line 1: the header must name {' or '.join(KEYS)}. "
            f"Received: {number_of(len(header), 'column')}, none of them. "
            "Name the column of the radiographs so."
        )
    wanted = list(columns) or [name for name in dict.fromkeys(header) if name]
    names = [name for name in dict.fromkeys(wanted) if name != key]
    rows = read_image_rows(
        file,
        key=key,
        columns=names,
        once=f"a radiograph must stand once in `{key}`",
        if_irregular="Correct the row.",
        if_repeated="Leave one row a radiograph.",
    ).set_index(key)
    found = rows.reindex(pd.Index(image_ids))
    values = {name: found[name].fillna("").tolist() for name in names}
    many = [name for name in names if len({*values[name]} - {""}) > MOST_GROUPS]
    if many and columns:
        number = len({*values[many[0]]} - {""})
        raise RecordError(
            f"{file.name}: `{many[0]}` must have at most {MOST_GROUPS} different "
            f"values. Received: {number:,}. Name another column."
        )
    matched = pd.Index(image_ids).isin(rows.index)
    return JoinedColumns(
        file=file,
        columns={name: values[name] for name in names if name not in many},
        num_matched=int(matched.sum()),
        num_images=len(image_ids),
        num_rows_unused=int((~rows.index.isin(image_ids)).sum()),
        left_out=tuple(many),
    )


def _read_header(file: Path) -> list[str]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            return [name.strip() for name in next(csv.reader(stream), [])]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecordError(
            f"{file}: must be a readable CSV file, UTF-8. Received: "
            f"{getattr(error, 'strerror', None) or type(error).__name__}. "
            "Check the path of --join."
        ) from error
