"""The records table that every reader returns: its columns, types and checks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from dualnet.errors import RecordError
from dualnet.findings import Vocabulary

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
MAX_AGE_YEARS = 120  # DICOM allows 999Y; nobody on record has lived past 122


@dataclass(frozen=True, kw_only=True)
class RecordSet:
    """Radiographs as a table, with what is known of where they came from.

    Args:
        table: One row a radiograph, with exactly `COLUMNS`: `image_id` (str,
            unique), `path` (str, NA where the picture is not on disk),
            `patient_id` (str), `age_years` (float, NaN is unknown), `sex` (M, F,
            NA), `view_position` (PA, AP, LATERAL, NA), `follow_up` (Int64, NA is
            unknown), `findings` (tuple of names), `source` (str).
        vocabulary: The label vocabulary that `findings` are taken from.
        folder: The dataset's folder.
        digests: SHA-256 of each table that was read, by its file name.
    """

    table: pd.DataFrame
    vocabulary: Vocabulary
    folder: Path
    digests: Mapping[str, str] = field(default_factory=dict)

    @property
    def num_without_picture(self) -> int:
        """How many rows have no picture on disk."""
        return int(self.table["path"].isna().sum())

    def pictured(self) -> pd.DataFrame:
        """Returns the rows whose picture is on disk, in the table's order.

        Raises:
            RecordError: If no row has a picture.
        """
        rows = self.table[self.table["path"].notna()].reset_index(drop=True)
        if rows.empty:
            raise RecordError(
                f"{self.folder}: at least one row must have its picture. "
                f"Received: {len(self.table):,} rows, 0 pictures. "
                "Unpack the pictures into an `images` folder beside the table."
            )
        return rows
