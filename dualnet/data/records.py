"""The records table that every reader returns: its columns and their types."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from dualnet.errors import RecordError
from dualnet.findings import Vocabulary
from dualnet.wording import number_of

COLUMNS = (
    "image_id",
    "path",
    "patient_id",
    "age_years",
    "sex",
    "view_position",
    "follow_up",
    "findings",
    "source",
)
SEXES = ("M", "F")
VIEW_POSITIONS = ("PA", "AP", "LATERAL")
REJECT_COLUMNS = ("image_id", "line", "reason")
TEXT = pd.Series(["text"]).dtype  # "str" since pandas 3, "object" before
_TYPES = {"age_years": "float64", "follow_up": "Int64", "findings": "object"}


@dataclass(frozen=True, kw_only=True)
class RecordSet:
    """Radiographs as a table, with what is known of where they came from.

    Args:
        table: One row a radiograph, with exactly `COLUMNS`: `image_id` (str,
            unique), `path` (str, NA where the picture is not on disk),
            `patient_id` (str), `age_years` (float, NaN is unknown), `sex` (M, F,
            NA), `view_position` (PA, AP, LATERAL, NA), `follow_up` (Int64, NA is
            unknown), `findings` (tuple of names; empty in all rows where the dataset
            has none), `source` (str).
        vocabulary: The label vocabulary that `findings` are taken from.
        folder: The dataset's folder.
        digests: SHA-256 of each table that was read, by its file name.
        rejects: Rows set aside, if that was asked for: `image_id` (empty where it
            could not be read), `line` of the file (NA where there is no table),
            `reason`.
        details: What the dataset says besides, one row a radiograph: `image_id`,
            then columns of the dataset's own; no more columns where it says nothing.
        notes: Counts of the dataset's own, told beside `counts`.
        num_excluded: Rows left out with the findings that were excluded.
        num_neither: Rows left out that are of neither of two classes asked for.
    """

    table: pd.DataFrame
    vocabulary: Vocabulary
    folder: Path
    digests: Mapping[str, str] = field(default_factory=dict)
    rejects: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=list(REJECT_COLUMNS))
    )
    details: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=["image_id"])
    )
    notes: Mapping[str, int] = field(default_factory=dict)
    num_excluded: int = 0
    num_neither: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """How many rows were read, set aside, left out, and have no picture."""
        left_out = {
            "excluded": self.num_excluded,
            "of_neither_class": self.num_neither,
        }
        return {
            "read": len(self.table) + len(self.rejects) + sum(left_out.values()),
            "set_aside": len(self.rejects),
            "without_picture": self.num_without_picture,
            **{name: count for name, count in left_out.items() if count},
            **self.notes,
        }

    @property
    def num_without_picture(self) -> int:
        """How many rows have no picture on disk."""
        return int(self.table["path"].isna().to_numpy().sum())

    def without(self, findings: Collection[str]) -> Self:
        """Leaves out the radiographs with any of some findings, and those classes.

        Args:
            findings: Findings of the vocabulary, not all of them.

        Returns:
            The other radiographs; `num_excluded` counts those left out.

        Raises:
            RecordError: If no radiograph is left.
        """
        vocabulary = self.vocabulary.without(findings)
        listed = self.table["findings"].tolist()
        kept = np.array([not {*names} & {*findings} for names in listed], dtype=bool)
        left = self.keep(kept)
        if left.table.empty:
            raise RecordError(
                f"{self.folder}: at least one row must have none of "
                f"{', '.join(findings)}. Received: 0 of {len(self.table):,}. "
                "Shorten data.exclude_findings."
            )
        return replace(
            left,
            vocabulary=vocabulary,
            num_excluded=self.num_excluded + len(self.table) - len(left.table),
        )

    def keep(self, kept: np.ndarray) -> Self:
        """Keeps some of the rows, and what is told of them besides.

        Args:
            kept: Which, bool, shape (rows,).

        Returns:
            These alone; whoever leaves rows out counts them.
        """
        table = self.table.loc[kept].reset_index(drop=True)
        told = self.details["image_id"].isin(table["image_id"])
        details = self.details.loc[told].reset_index(drop=True)
        return replace(self, table=table, details=details)

    def check_labelled(self) -> None:
        """Checks that there are findings.

        Raises:
            RecordError: If no row has any.
        """
        if not any(self.table["findings"]):
            raise RecordError(
                f"{self.folder}: must have findings for this. "
                f"Received: {len(self.table):,} radiographs without any. "
                "Put them into labels.csv (image_id, findings) in that folder."
            )

    def pictured(self) -> pd.DataFrame:
        """Returns the rows whose picture is on disk, in the table's order.

        Raises:
            RecordError: If no row has a picture.
        """
        rows = self.table.loc[self.table["path"].notna()].reset_index(drop=True)
        if rows.empty:
            raise RecordError(
                f"{self.folder}: at least one row must have its picture. "
                f"Received: {number_of(len(self.table), 'row')}, 0 pictures. "
                "Unpack the pictures into an `images` folder beside the table, or name "
                "their folder with --pictures."
            )
        return rows


def relabel(table: pd.DataFrame, class_names: Sequence[str]) -> pd.DataFrame:
    """Gives each radiograph one label in place of those it has.

    Args:
        table: Records.
        class_names: The label of each row, shape (rows,).

    Returns:
        The records, the other columns as they were.
    """
    labels = pd.Series([(name,) for name in class_names], table.index, dtype="object")
    return table.assign(findings=labels)


def make_table(**columns: Sequence[Any]) -> pd.DataFrame:
    """Makes a records table of values that are checked already.

    Args:
        **columns: Columns of `COLUMNS`, equally long, `image_id` among them; of those
            left out all values are unknown.

    Returns:
        The table, typed as `RecordSet.table` is.
    """
    unknown: Sequence[Any] = [None] * len(columns["image_id"])
    typed = {
        name: pd.Series(columns.get(name, unknown), dtype=_TYPES.get(name, TEXT))
        for name in COLUMNS
    }
    return pd.DataFrame(typed)
