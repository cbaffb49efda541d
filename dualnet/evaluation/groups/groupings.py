"""Which group of patients each radiograph is of: by its record, or by another table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

AGE_EDGES = (0, 20, 40, 60, 80, np.inf)  # years; the bands of Seyyed-Kalantari et al.
AGE_BANDS = ("<20", "20-39", "40-59", "60-79", "80+")
UNKNOWN = -1
RECORD_GROUPINGS = ("view", "sex", "age", "visit")  # what `group_by_record` parts by


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """One way to part radiographs.

    Args:
        name: What they are parted by, such as `view`.
        groups: Names of the groups that occur.
        codes: The group of each row, its place in `groups`, `UNKNOWN` where it is
            not known; int64, shape (n,).
    """

    name: str
    groups: tuple[str, ...]
    codes: np.ndarray

    @property
    def num_unknown(self) -> int:
        """How many rows are of no known group."""
        return int((self.codes == UNKNOWN).sum())


def group_by_record(table: pd.DataFrame) -> list[Grouping]:
    """Parts radiographs by view, sex, age band, and first visit or follow-up.

    Args:
        table: Records; columns that it lacks count as unknown.

    Returns:
        The groupings of which some row knows its group.
    """
    groupings = [
        _group("view", _texts(table, "view_position"), ("PA", "AP", "LATERAL")),
        _group("sex", _texts(table, "sex"), ("F", "M")),
        _group("age", _age_bands(table), AGE_BANDS),
        _group("visit", _visits(table), ("first", "follow-up")),
    ]
    return [grouping for grouping in groupings if grouping.groups]


def group_by_columns(columns: Mapping[str, Sequence[str]]) -> list[Grouping]:
    """Parts radiographs by the values of columns.

    Args:
        columns: One text a row, empty where it is not known, by the column's name.

    Returns:
        The groupings of which some row knows its group; groups in sorted order.
    """
    groupings = [
        _group(name, np.asarray(values, dtype=object), tuple(sorted({*values} - {""})))
        for name, values in columns.items()
    ]
    return [grouping for grouping in groupings if grouping.groups]


def _group(name: str, values: np.ndarray, order: Sequence[str]) -> Grouping:
    groups = tuple(group for group in order if (values == group).any())
    codes = np.full(len(values), UNKNOWN, dtype=np.int64)
    for code, group in enumerate(groups):
        codes[values == group] = code
    return Grouping(name=name, groups=groups, codes=codes)


def _texts(table: pd.DataFrame, column: str) -> np.ndarray:
    if column not in table:
        return np.full(len(table), "", dtype=object)
    return table[column].astype(object).where(table[column].notna(), "").to_numpy()


def _numbers(table: pd.DataFrame, column: str) -> np.ndarray:
    if column not in table:
        return np.full(len(table), np.nan)
    return table[column].to_numpy("float64", na_value=np.nan)


def _age_bands(table: pd.DataFrame) -> np.ndarray:
    ages = _numbers(table, "age_years")
    bands = np.full(len(ages), "", dtype=object)
    for number, band in enumerate(AGE_BANDS):
        bands[(ages >= AGE_EDGES[number]) & (ages < AGE_EDGES[number + 1])] = band
    return bands


def _visits(table: pd.DataFrame) -> np.ndarray:
    visits = _numbers(table, "follow_up")
    names = np.where(visits == 0, "first", "follow-up").astype(object)
    names[np.isnan(visits)] = ""
    return names
