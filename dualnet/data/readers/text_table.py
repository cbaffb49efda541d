"""A CSV file as text, row by row, each with the line it stands on."""

import codecs
import csv
import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pandas as pd

from dualnet.errors import RecordError
from dualnet.wording import number_of

# PadChest's lists of codes wrap after 75 characters, over a handful of lines; a quote
# that is never closed is not to swallow the rest of the table
MAX_LINE_BREAKS = 20


@dataclass(frozen=True, kw_only=True)
class TextTable:
    """The wanted columns of a CSV file, nothing interpreted.

    Args:
        rows: Text, one column a wanted field; the index is the line in the file.
        problems: Why a line is not a row, by line; such lines are not in `rows`.
        digest: SHA-256 of the file.
    """

    rows: pd.DataFrame
    problems: Mapping[int, str]
    digest: str


def read_text_table(
    file: Path,
    *,
    columns: Mapping[str, str],
    normalize: Callable[[str], str] = str.strip,
    line_breaks: bool = False,
) -> TextTable:
    """Reads the wanted columns of a CSV file as text.

    Args:
        file: A comma-separated file with a header, UTF-8.
        columns: The header of each wanted column, to the name it is to have.
        normalize: Applied to headers, wanted and found, before they are compared.
        line_breaks: Whether a quoted field may go on in the next lines; the row then
            has the number of its first line.

    Returns:
        The rows, empty lines left out.

    Raises:
        RecordError: If the file cannot be read, lacks a column or has no row.
    """
    data = _read_bytes(file)
    lines = dict(enumerate(_decode(data, where=file.name).split("\n"), start=1))
    header = _split(lines.pop(1))
    positions = _find_columns(header, columns, normalize, where=file.name)
    if line_breaks:
        lines = _join_open_quotes(lines, len(header))
    irregular = _find_irregular(lines, len(header))
    good = [number for number in lines if number not in irregular]
    problems = {number: reason for number, reason in irregular.items() if reason}
    if not good and not problems:
        raise RecordError(
            f"{file.name}: must hold at least one row. Received: only a header. "
            "Copy the table again."
        )
    text = "\n".join([lines[number] for number in good])
    lines.clear()  # NIH's table is 10 MB, 36 MB as lines: gone before it is read
    rows = _parse(text, positions)
    rows.index = pd.Index(good, name="line")
    return TextTable(
        rows=rows, problems=problems, digest=hashlib.sha256(data).hexdigest()
    )


def read_header(file: Path) -> list[str]:
    """Reads the names of a CSV file's columns.

    Args:
        file: A comma-separated file with a header, UTF-8.

    Returns:
        The names, as they are written.

    Raises:
        RecordError: If the file cannot be read, or is empty.
    """
    try:
        with file.open("rb") as stream:
            first = stream.readline()
    except OSError as error:
        raise RecordError(_describe_unreadable(file, error)) from error
    text = _decode(first, where=file.name).partition("\n")[0]
    header = _split(text) if text.strip() else []
    if not header:
        raise RecordError(
            f"{file.name} line 1: must name the columns. Received: no column. "
            "Copy the table again."
        )
    return header


def _read_bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise RecordError(_describe_unreadable(file, error)) from error


def _describe_unreadable(file: Path, error: OSError) -> str:
    return (
        f"{file}: must be readable. Received: {error.strerror}. "
        "Check the file's permissions and its disk."
    )


def _decode(data: bytes, *, where: str) -> str:
    data = data.removeprefix(codecs.BOM_UTF8)  # Excel writes one
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RecordError(
            f"{where} line {line}: must be UTF-8 text. "
            f"Received: byte 0x{data[error.start]:02x}. Save the table as CSV, UTF-8."
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _find_columns(
    header: list[str],
    columns: Mapping[str, str],
    normalize: Callable[[str], str],
    *,
    where: str,
) -> dict[int, str]:
    found = [normalize(name) for name in header]
    for name in columns:
        times = found.count(normalize(name))
        if times != 1:
            # the header is not echoed: without one, it is a patient's row
            raise RecordError(
                f"{where} line 1: the header must name one column `{name}`. "
                f"Received: {times} of {number_of(len(header), 'column')}. "
                "Use the dataset's own table."
            )
    return {found.index(normalize(name)): to for name, to in columns.items()}


def _join_open_quotes(lines: Mapping[int, str], num_fields: int) -> dict[int, str]:
    """Joins a line whose quote stays open with those up to the one that closes it."""
    odd = [n for n, line in lines.items() if '"' in line and line.count('"') % 2]
    joined = dict(lines)
    closed = 0
    for start, end in pairwise(odd):
        if start > closed and end - start <= MAX_LINE_BREAKS:
            row = "\n".join(lines[number] for number in range(start, end + 1))
            if len(_split(row)) == num_fields:  # two quotes left open are no row
                joined[start] = row
                for number in range(start + 1, end + 1):
                    del joined[number]
                closed = end
    return joined


def _find_irregular(lines: Mapping[int, str], num_fields: int) -> dict[int, str]:
    """Returns, by line, why it is not a row; empty for a blank line."""
    found = {
        number: _split(line) if line.strip() else None
        for number, line in lines.items()
        if line.count(",") != num_fields - 1 or '"' in line
    }
    return {
        number: ""
        if fields is None
        else f"must have {number_of(num_fields, 'field')}, as the header has. "
        f"Received: {number_of(len(fields), 'field') if fields else 'a quote left open'}."
        for number, fields in found.items()
        if fields is None or len(fields) != num_fields
    }


def _split(line: str) -> list[str]:
    """Returns a line's fields; none if a quote stays open and swallows the next."""
    try:
        return next(csv.reader([line]), []) if line.count('"') % 2 == 0 else []
    except csv.Error:  # a field beyond the csv module's limit of 131,072 characters
        return []


def _parse(text: str, positions: Mapping[int, str]) -> pd.DataFrame:
    if not text:
        return pd.DataFrame(columns=list(positions.values()), dtype="str")
    rows = pd.read_csv(
        io.BytesIO(text.encode()),  # StringIO keeps four bytes a letter
        header=None,
        usecols=list(positions),
        dtype="str",
        na_filter=False,
        skip_blank_lines=False,
    )
    return rows.rename(columns=dict(positions))
