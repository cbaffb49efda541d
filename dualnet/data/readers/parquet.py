"""A Parquet file as text, row by row."""

import importlib
import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from dualnet.data.readers.text_table import TextTable
from dualnet.data.records import TEXT
from dualnet.errors import RecordError
from dualnet.files import sha256
from dualnet.wording import number_of

SUFFIXES = (".parquet", ".pq")


def read_parquet_table(
    file: Path, *, columns: Sequence[str], date_format: str
) -> TextTable:
    """Reads the wanted columns of a Parquet file as text.

    Args:
        file: The file.
        columns: The wanted columns.
        date_format: How dates are to be written, as for strftime.

    Returns:
        The rows; their `line` counts from 1. Whole numbers have no decimal places,
        lists are written as Python writes them, missing values are empty.

    Raises:
        RecordError: If the extra `parquet` is not installed, or the file cannot be
            read, lacks a column or has no row.
    """
    _check_installed(file)
    table = _read(file, columns)
    if table.empty:
        raise RecordError(
            f"{file.name}: must hold at least one row. Received: 0. "
            "Copy the table again."
        )
    rows = pd.DataFrame(
        {name: _write_text(table.loc[:, name], date_format) for name in columns}
    )
    rows.index = pd.RangeIndex(1, len(rows) + 1, name="line")
    return TextTable(rows=rows, problems={}, digest=sha256(file))


def read_parquet_header(file: Path) -> list[str]:
    """Reads the names of a Parquet file's columns.

    Args:
        file: The file.

    Returns:
        The names.

    Raises:
        RecordError: If the extra `parquet` is not installed, or the file cannot be read.
    """
    _check_installed(file)
    try:
        return importlib.import_module("pyarrow.parquet").read_schema(file).names
    except (OSError, ValueError, NotImplementedError) as error:  # as pyarrow's are
        raise RecordError(_describe_unreadable(file, error)) from error


def _check_installed(file: Path) -> None:
    if importlib.util.find_spec("pyarrow") is None:
        raise RecordError(
            f"{file.name}: pyarrow must be there to read it. Received: no such "
            'package. Install "dualnet[parquet]", or save the table as CSV.'
        )


def _describe_unreadable(file: Path, error: Exception) -> str:
    return (
        f"{file.name}: must be a readable Parquet table. "
        f"Received: {type(error).__name__}. Copy it again."
    )


def _read(file: Path, columns: Sequence[str]) -> pd.DataFrame:
    try:
        names = importlib.import_module("pyarrow.parquet").read_schema(file).names
        missing = [name for name in columns if names.count(name) != 1]
        table = pd.DataFrame() if missing else _load(file, columns)
    except (OSError, ValueError, NotImplementedError) as error:  # as pyarrow's are
        raise RecordError(_describe_unreadable(file, error)) from error
    if missing:
        raise RecordError(
            f"{file.name}: must have one column `{missing[0]}`. "
            f"Received: {names.count(missing[0])} of {number_of(len(names), 'column')}. "
            "Use the dataset's own table."
        )
    return table


def _load(file: Path, columns: Sequence[str]) -> pd.DataFrame:
    return pd.read_parquet(file, columns=list(columns), engine="pyarrow")


def _write_text(column: pd.Series, date_format: str) -> pd.Series:
    known = column.notna()
    if pd.api.types.is_datetime64_any_dtype(column):
        return column.dt.strftime(date_format).where(known, "").astype(TEXT)
    if pd.api.types.is_float_dtype(column):
        whole = known & column.mod(1).eq(0) & column.abs().lt(2**53)
        written = column.where(whole, 0).astype("int64").astype(TEXT)
        return written.where(whole, column.astype(TEXT)).where(known, "")
    if column.dtype == "object":
        column = column.map(_write_cell)
    return column.astype(TEXT).where(known, "")


def _write_cell(cell: object) -> str:
    if isinstance(cell, Iterable) and not isinstance(cell, str | bytes):
        return repr([str(one) for one in cell])
    return str(cell)
