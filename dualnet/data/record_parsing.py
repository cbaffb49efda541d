"""Text to records: each row checked, each value given its type, or a reason."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from dualnet.data.records import REJECT_COLUMNS, SEXES, TEXT, VIEW_POSITIONS
from dualnet.errors import ConfigError, RecordError
from dualnet.findings import Vocabulary
from dualnet.wording import describe_more, number_of

MAX_AGE_YEARS = 120  # DICOM allows 999Y; nobody on record has lived past 122
_UNITS_PER_YEAR = {"Y": 1.0, "M": 12.0, "W": 365.25 / 7, "D": 365.25}


def parse_records(
    text: pd.DataFrame,
    *,
    vocabulary: Vocabulary,
    where: str,
    on_bad_row: str = "error",
    problems: Mapping[int, str] | None = None,
    nested: bool = False,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Checks the rows of a table and gives them their types.

    Args:
        text: The columns of `COLUMNS` except `path` and `source`, as text, empty
            where unknown; the index is the line in the file.
        vocabulary: The findings that may occur, joined by `|`.
        where: The file's name, for the error.
        on_bad_row: `error`, or `set_aside` to put bad rows into the rejects.
        problems: What is already known to be wrong, by line.
        nested: Whether an `image_id` may be a path, parted by `/`.

    Returns:
        The records, typed as `RecordSet.table` is, and the rejects.

    Raises:
        RecordError: If a row is bad and not to be set aside, or no row is good.
    """
    check_on_bad_row(on_bad_row)
    columns, reasons = _parse_columns(text, vocabulary, nested=nested)
    reasons = {**_find_duplicates(columns["image_id"]), **reasons, **(problems or {})}
    if reasons and on_bad_row == "error":
        raise RecordError(f"{where} {_describe_first(reasons)}")
    table = pd.DataFrame(columns, index=text.index)
    table = table.loc[~text.index.isin(list(reasons))].reset_index(drop=True)
    if table.empty:
        raise RecordError(
            f"{where}: must hold at least one good row. "
            f"Received: {number_of(len(reasons), 'bad row')}. "
            "Use the dataset's own table."
        )
    return table, _make_rejects(reasons, text)


def check_on_bad_row(on_bad_row: str) -> None:
    """Checks what is to be done with a bad row.

    Args:
        on_bad_row: `error`, or `set_aside`.

    Raises:
        ConfigError: If it is neither.
    """
    if on_bad_row not in ("error", "set_aside"):
        raise ConfigError(
            "on_bad_row: must be error or set_aside. "
            f"Received: {on_bad_row!r}. Choose one of the two."
        )


def parse_age(text: str) -> float:
    """Converts an age as NIH's tables and DICOM write it.

    Args:
        text: Years, as in `"58"`, or digits and a unit, as in `"058Y"`, `"009M"`,
            `"002W"`, `"012D"`; empty is unknown.

    Returns:
        Age in years, in [0, 120]; NaN if unknown.

    Raises:
        RecordError: If it is not an age, or above 120 years.

    Example:
        >>> parse_age("006M")
        0.5

    Reference:
        DICOM PS3.5 section 6.2, value representation AS.
    """
    if not text:
        return float("nan")
    match = re.fullmatch(r"(\d{1,3})([YMWD])|(\d{1,3}(?:\.\d+)?)", text, re.ASCII)
    if match is None:
        raise RecordError(
            f"`age` must be years, or digits and one of Y, M, W, D. "
            f"Received: age={_short(text)}."
        )
    number, unit, years = match.groups()
    age = float(years) if years else int(number) / _UNITS_PER_YEAR[unit]
    if age > MAX_AGE_YEARS:
        raise RecordError(
            f"`age` must be at most {MAX_AGE_YEARS} years. Received: age={text!r}."
        )
    return age


def parse_column(
    text: pd.Series, parse: Callable[[str], object], dtype: Any
) -> tuple[pd.Series, dict[int, str]]:
    """Parses a column of text; each distinct text once.

    Args:
        text: Cells; the index is the line in the file.
        parse: Of one cell, without blanks around it; `RecordError` with the reason
            where it cannot be parsed.
        dtype: Of the values.

    Returns:
        The values, missing where they could not be parsed, and why not, by line.
    """
    # each distinct text is parsed once: 96 ages and 836 label strings in NIH's table
    # with NA among them, since the code -1 would take the last one's value
    codes, distinct = pd.factorize(text, use_na_sentinel=False)
    values, reasons = _parse_all([one.strip() for one in distinct.tolist()], parse)
    column = pd.Series(values, dtype=dtype).take(codes).set_axis(text.index)
    rows = np.flatnonzero(np.isin(codes, list(reasons)))
    lines = text.index.to_numpy()[rows].tolist()
    return column, {
        line: reasons[code]
        for line, code in zip(lines, codes[rows].tolist(), strict=True)
    }


def parse_findings(text: str, *, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Splits a label string.

    Args:
        text: Findings, joined by `|`.
        vocabulary: The findings that may occur.

    Returns:
        The findings, in the order they are written.

    Raises:
        RecordError: If one is not of the vocabulary, stands twice, or stands beside
            the negative class.
    """
    names = tuple(name.strip() for name in text.split("|"))
    unknown = [name for name in names if name not in vocabulary.class_names]
    if unknown:
        raise RecordError(
            f"`findings` must be labels of the {vocabulary.name} vocabulary. "
            f"Received: {_short(unknown[0])}."
        )
    if len(set(names)) < len(names) or (vocabulary.negative in names and names[1:]):
        raise RecordError(
            "`findings` must each stand once, and "
            f"{vocabulary.negative!r} alone. Received: {_short(text)}."
        )
    return names


def _parse_columns(
    text: pd.DataFrame, vocabulary: Vocabulary, *, nested: bool
) -> tuple[dict[str, pd.Series], dict[int, str]]:
    parsers: dict[str, tuple[Callable[[str], object], Any]] = {
        "image_id": (partial(_parse_image_id, nested=nested), TEXT),
        "patient_id": (_parse_patient_id, TEXT),
        "age_years": (parse_age, "float64"),
        "sex": (partial(_parse_choice, name="sex", choices=SEXES), TEXT),
        "view_position": (
            partial(_parse_choice, name="view_position", choices=VIEW_POSITIONS),
            TEXT,
        ),
        "follow_up": (_parse_follow_up, "Int64"),
        "findings": (partial(parse_findings, vocabulary=vocabulary), "object"),
    }
    columns, reasons = {}, {}
    for name, (parse, dtype) in parsers.items():
        columns[name], bad = parse_column(text.loc[:, name], parse, dtype)
        reasons = {**bad, **reasons}
    return columns, reasons


def _parse_all(
    texts: list[str], parse: Callable[[str], object]
) -> tuple[list[object], dict[int, str]]:
    """Returns the parsed texts, and why one could not be parsed by its position."""
    try:
        return [parse(text) for text in texts], {}
    except RecordError:
        outcomes = [_try(parse, text) for text in texts]
    reasons = {code: reason for code, (_, reason) in enumerate(outcomes) if reason}
    return [value for value, _ in outcomes], reasons


def _try(parse: Callable[[str], object], text: str) -> tuple[object, str]:
    try:
        return parse(text), ""
    except RecordError as error:
        return None, str(error)


def _parse_image_id(text: str, *, nested: bool) -> str:
    if not text or "\\" in text or ("/" in text and not nested):
        expected = "file name or its path below a folder" if nested else "file name"
        raise RecordError(
            f"`image_id` must be the picture's {expected}. Received: {_short(text)}."
        )
    return text


def _parse_patient_id(text: str) -> str:
    if not text:
        raise RecordError("`patient_id` must not be empty. Received: ''.")
    return text


def _parse_choice(text: str, *, name: str, choices: tuple[str, ...]) -> str | None:
    if text and text not in choices:
        raise RecordError(
            f"`{name}` must be {', '.join(choices)} or empty. "
            f"Received: {name}={_short(text)}."
        )
    return text or None


def _parse_follow_up(text: str) -> int | None:
    if text and not re.fullmatch(r"\d{1,4}", text, re.ASCII):
        raise RecordError(
            "`follow_up` must be a whole number from 0. "
            f"Received: follow_up={_short(text)}."
        )
    return int(text) if text else None


def _find_duplicates(image_id: pd.Series) -> dict[int, str]:
    names, lines = image_id.tolist(), image_id.index.tolist()
    if len(set(names)) == len(names):
        return {}
    first: dict[str, int] = {}
    reasons = {}
    for name, line in zip(names, lines, strict=True):
        if first.setdefault(name, line) != line:
            reasons[line] = (
                f"`image_id` must be unique. Received: {_short(name)}, which stands "
                f"on line {first[name]} too."
            )
    return reasons


def _describe_first(reasons: Mapping[int, str]) -> str:
    line = min(reasons)
    return (
        f"line {line}: {reasons[line]} {describe_more(len(reasons) - 1, 'row')}"
        "Correct the row, or set bad rows aside with data.on_bad_row=set_aside."
    )


def _make_rejects(reasons: Mapping[int, str], text: pd.DataFrame) -> pd.DataFrame:
    lines = sorted(reasons)
    names = text["image_id"].reindex(lines).fillna("")
    return pd.DataFrame(
        {
            "image_id": names.to_numpy(),
            "line": lines,
            "reason": [reasons[line] for line in lines],
        },
        columns=list(REJECT_COLUMNS),
    )


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")
