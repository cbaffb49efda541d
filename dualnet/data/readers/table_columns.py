"""Columns of a table to the texts that `parse_records` takes."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

import numpy as np
import pandas as pd

from dualnet.data.readers.mapping import (
    PLACEHOLDER,
    AgeMapping,
    ColumnPart,
    FollowUpMapping,
    SexColumn,
    StudyDate,
    TableMapping,
    ViewColumn,
)
from dualnet.data.readers.mapping_findings import plain_value
from dualnet.data.record_parsing import MAX_AGE_YEARS, parse_column
from dualnet.data.records import TEXT
from dualnet.errors import RecordError

Column = tuple[pd.Series, dict[int, str]]
"""A column of text, and why a row's cell is bad, by line."""


def read_part(rows: pd.DataFrame, part: ColumnPart) -> Column:
    """Reads a column, or what a pattern finds in it.

    Args:
        rows: Text; the index is the line in the file.
        part: Which.

    Returns:
        The column. A bad cell is not echoed: it may hold a patient's number.
    """
    cells = rows.loc[:, part.column]
    pattern = part.pattern
    if pattern is None:
        return cells.str.strip(), {}

    def parse(text: str) -> str:
        match = pattern.search(text)
        if match is None:
            raise RecordError(
                f"`{part.column}` must hold {pattern.pattern!r}. Received: other text."
            )
        return match.group(1 if pattern.groups else 0) or ""

    found, bad = parse_column(cells, parse, TEXT)
    return found.fillna(""), bad


def read_choice(
    rows: pd.DataFrame, steps: Sequence[SexColumn] | Sequence[ViewColumn], *, name: str
) -> Column:
    """Reads sex or view from the first column that tells it.

    Args:
        rows: Text; the index is the line in the file.
        steps: The columns, in the order in which they are asked.
        name: `sex` or `view`, for the error.

    Returns:
        The column, empty where it is not known.
    """
    told = pd.Series("", index=rows.index, dtype=TEXT)
    problems: dict[int, str] = {}
    for step in steps:
        untold = told.eq("").to_numpy()
        parse = partial(_parse_choice, step=step, name=name)
        found, bad = parse_column(rows.loc[untold, step.column], parse, TEXT)
        told = told.where(~untold, found.fillna("").reindex(told.index))
        problems = {**bad, **problems}
    return told, problems


def read_study_dates(rows: pd.DataFrame, date: StudyDate | None) -> Column:
    """Reads when radiographs were taken.

    Args:
        rows: Text; the index is the line in the file.
        date: Which column, in which form; None: nowhere.

    Returns:
        Dates, NaT where they are not known.
    """
    if date is None:
        return pd.Series(pd.NaT, index=rows.index, dtype="datetime64[s]"), {}

    def parse(text: str) -> datetime | None:
        try:
            return datetime.strptime(text, date.format) if text else None
        except ValueError:
            raise RecordError(
                f"`{date.column}` must be a date such as {date.format}. "
                f"Received: {text[:40]!r}."
            ) from None

    return parse_column(rows.loc[:, date.column], parse, "datetime64[s]")


def read_age(rows: pd.DataFrame, age: AgeMapping | None, dates: pd.Series) -> Column:
    """Reads the age, or reckons it from the year of birth.

    Args:
        rows: Text; the index is the line in the file.
        age: Where it is told; None: nowhere.
        dates: Of the studies.

    Returns:
        Years, empty where they are not known. From the year of birth they are whole,
        and one too many before the birthday.
    """
    if age is None:
        return _empty(rows), {}
    if age.birth_year is None:
        return rows.loc[:, str(age.column)], {}
    born, problems = parse_column(rows.loc[:, age.birth_year], _parse_year, "float64")
    years = dates.dt.year - born
    outside = years.lt(0) | years.gt(MAX_AGE_YEARS)
    for line, value in years[outside].items():
        problems.setdefault(
            int(str(line)),
            f"`age`, the study's year less `{age.birth_year}`, must be from 0 to "
            f"{MAX_AGE_YEARS}. Received: {value:g}.",
        )
    known = years.notna() & ~outside
    whole = years.where(known, 0).astype("int64").astype(TEXT)
    return whole.where(known, ""), problems


def read_follow_up(
    rows: pd.DataFrame,
    follow_up: FollowUpMapping | None,
    dates: pd.Series,
    patients: pd.Series,
) -> Column:
    """Reads the follow-up number, or counts a patient's study dates.

    Args:
        rows: Text; the index is the line in the file.
        follow_up: Where it is told; None: nowhere.
        dates: Of the studies.
        patients: Whose they are.

    Returns:
        Whole numbers from 0, empty where they are not known. Radiographs of one day
        have one number.
    """
    if follow_up is None:
        return _empty(rows), {}
    if follow_up.column is not None:
        return parse_column(rows.loc[:, follow_up.column], plain_value, TEXT)
    ranks = dates.groupby(patients).rank(method="dense") - 1
    known = ranks.notna()
    return ranks.where(known, 0).astype("int64").astype(TEXT).where(known, ""), {}


def find_unwanted(rows: pd.DataFrame, mapping: TableMapping) -> dict[str, np.ndarray]:
    """Finds the rows that are not to be kept.

    Args:
        rows: Text.
        mapping: `keep` lists the values of the rows to keep.

    Returns:
        Whether a row is left out, bool of shape (rows,), by the column that says so; a
        row stands under the first such column only.
    """
    left_out: dict[str, np.ndarray] = {}
    gone = np.zeros(len(rows), dtype=bool)
    for column, values in mapping.keep.items():
        cells, _ = parse_column(rows.loc[:, column], plain_value, TEXT)
        outside = ~cells.isin(list(values)).to_numpy()
        left_out[column] = outside & ~gone
        gone |= outside
    return left_out


def fill_path(template: str, image_id: pd.Series, rows: pd.DataFrame) -> pd.Series:
    """Fills a path's placeholders.

    Args:
        template: Such as `{ImageDir}/{id}`.
        image_id: For `{id}`.
        rows: Text, for the others, with the same index.

    Returns:
        The paths.
    """
    filled = pd.Series("", index=image_id.index, dtype=TEXT)
    # text and names in turn: "a/{b}.png" is split into "a/", "b" and ".png"
    for place, piece in enumerate(PLACEHOLDER.split(template)):
        if place % 2 == 0:
            filled += piece
        else:
            filled += image_id if piece == "id" else rows.loc[:, piece].str.strip()
    return filled


def _parse_choice(text: str, *, step: SexColumn | ViewColumn, name: str) -> str:
    meaning = step.values  # noqa: PD011 - no DataFrame's
    if text and plain_value(text) not in meaning:
        raise RecordError(
            f"`{step.column}` must be a value that the mapping's `{name}` lists "
            f"({', '.join(meaning)}). Received: {text[:40]!r}."
        )
    return meaning.get(plain_value(text)) or ""


def _parse_year(text: str) -> int | None:
    year = plain_value(text)
    if year and not (len(year) == 4 and year.isdecimal()):
        raise RecordError("the year of birth must have four digits. Received: others.")
    return int(year) if year else None


def _empty(rows: pd.DataFrame) -> pd.Series:
    return pd.Series("", index=rows.index, dtype=TEXT)
