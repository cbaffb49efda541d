"""The patient's record as numbers: value and missing flag per field.

A missing value is never guessed: the value becomes 0, which is the training mean, and
the flag beside it 1. So a model learns what to do without it, and may be asked so.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from dualnet.data.records import SEXES, VIEW_POSITIONS
from dualnet.errors import ConfigError, RecordError, RunError
from dualnet.files import write_json

FORMAT = 1  # raised when an encoder of before can no longer be read
NUMBERS = {"age": "age_years", "follow_up": "follow_up"}
CATEGORIES = {"view": ("view_position", VIEW_POSITIONS), "sex": ("sex", SEXES)}
FIELD_COLUMNS = NUMBERS | {field: column for field, (column, _) in CATEGORIES.items()}
# A value far beyond those of training, a centenarian after a set of children, moves a
# prediction no further than five standard deviations do.
LIMIT = 5.0


class MetadataEncoder:
    """Turns age, follow-up number, view and sex into features.

    Numbers are standardised by the mean and the standard deviation of the training
    part, follow-up as log(1 + visits) because it reaches 183; categories are one-hot.

    Args:
        fields: Which fields, of `age`, `follow_up`, `view`, `sex`, in this order.

    Attributes:
        fields: The fields.
        statistics: Training mean and standard deviation of each number field; empty
            before `fit`.

    Raises:
        ConfigError: If a field is not known, or named twice, or none is named.
    """

    def __init__(self, fields: Sequence[str] = ("age", "follow_up", "view")):
        known = (*NUMBERS, *CATEGORIES)
        if not fields or len(set(fields)) < len(fields) or not set(fields) <= {*known}:
            raise ConfigError(
                f"model.metadata_fields: must be some of {', '.join(known)}, each once. "
                f"Received: {tuple(fields)}. Correct the list."
            )
        self.fields = tuple(fields)
        self.statistics: dict[str, tuple[float, float]] = {}

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The features' names, in the order of the columns."""
        return tuple(name for field in self.fields for name in _feature_names(field))

    @property
    def num_features(self) -> int:
        """How many features there are."""
        return len(self.feature_names)

    @property
    def missing_indices(self) -> dict[str, int]:
        """The column of each field's missing flag."""
        return {
            field: self.feature_names.index(f"{field}_missing") for field in self.fields
        }

    @property
    def field_columns(self) -> tuple[slice, ...]:
        """The columns of each field, its missing flag the last of them."""
        widths = [len(_feature_names(field)) for field in self.fields]
        ends = np.cumsum(widths).tolist()
        return tuple(
            slice(end - width, end) for end, width in zip(ends, widths, strict=True)
        )

    def fit(self, table: pd.DataFrame) -> Self:
        """Learns mean and standard deviation.

        Args:
            table: Records of the training part, and of no other.

        Returns:
            The encoder itself.

        Raises:
            RecordError: If the table is empty, or a number negative or infinite.
        """
        if table.empty:
            raise RecordError(
                "metadata: must be fitted on at least one record. Received: 0. "
                "Give the training part some patients."
            )
        self.statistics = {
            field: _compute_statistics(_read_numbers(table, field))
            for field in self.fields
            if field in NUMBERS
        }
        return self

    def transform(self, table: pd.DataFrame) -> np.ndarray:
        """Encodes records.

        Args:
            table: Records; a column that holds a field of the encoder must be there,
                though its values may all be missing.

        Returns:
            Features, float32, shape (rows, `num_features`): numbers within five
            standard deviations, flags 0 or 1, never NaN.

        Raises:
            ConfigError: If the encoder is not fitted.
            RecordError: If a column is absent, a number negative or infinite, or a
                category unknown.
        """
        if set(self.statistics) != set(self.fields).intersection(NUMBERS):
            raise ConfigError(
                "metadata: the encoder must be fitted first. Received: no statistics. "
                "Call `fit` with the training part, or `load`."
            )
        blocks = [self._encode(table, field) for field in self.fields]
        return np.concatenate(blocks, axis=1, dtype="float32")

    def save(self, path: Path) -> None:
        """Writes the encoder as JSON.

        Args:
            path: The file.
        """
        statistics = {
            field: {"mean": mean, "std": std}
            for field, (mean, std) in self.statistics.items()
        }
        write_json(
            path,
            {
                "metadata_encoder": FORMAT,
                "fields": list(self.fields),
                "feature_names": list(self.feature_names),
                "statistics": statistics,
            },
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads an encoder that `save` wrote.

        Args:
            path: The file.

        Returns:
            The fitted encoder.

        Raises:
            RunError: If it cannot be read, or is of another version or damaged.
        """
        values = _read_json(path)
        if values.get("metadata_encoder") != FORMAT:
            raise RunError(
                f"{path}: `metadata_encoder` must be {FORMAT}. "
                f"Received: {values.get('metadata_encoder')!r}. "
                "Use the version that wrote it, or train the run again."
            )
        try:
            encoder = cls(values["fields"])
            numbers = [field for field in encoder.fields if field in NUMBERS]
            encoder.statistics = _parse_statistics(values["statistics"], numbers)
        except (KeyError, TypeError, ValueError) as error:
            received = "unusable `fields` or `statistics`"
            raise RunError(_damaged(path, received)) from error
        if values.get("feature_names") != list(encoder.feature_names):
            raise RunError(_damaged(path, "other feature names"))
        return encoder

    def _encode(self, table: pd.DataFrame, field: str) -> np.ndarray:
        if field in CATEGORIES:
            return _encode_category(table, field)
        mean, std = self.statistics[field]
        values = _read_numbers(table, field)
        missing = np.isnan(values)
        scaled = np.clip((values - mean) / std, -LIMIT, LIMIT)
        return np.stack([np.where(missing, 0.0, scaled), missing], axis=1)


def hide_encoded(
    features: np.ndarray, hidden: np.ndarray, field_columns: Sequence[slice]
) -> np.ndarray:
    """Shows fields of encoded records as missing.

    Args:
        features: Encoded records, shape (rows, features).
        hidden: Which fields of which rows, bool, shape (rows, fields).
        field_columns: The columns of each field, as the encoder says them.

    Returns:
        The features, as if the encoder had not known these values.

    Example:
        >>> hide_encoded(np.array([[1.5, 0.0]]), np.array([[True]]), [slice(0, 2)])
        array([[0., 1.]])
    """
    shown = features.copy()
    for column, field in zip(hidden.T, field_columns, strict=True):
        shown[column, field] = 0.0
        shown[column, field.stop - 1] = 1.0
    return shown


def _feature_names(field: str) -> tuple[str, ...]:
    if field in NUMBERS:
        return (field, f"{field}_missing")
    _, values = CATEGORIES[field]
    return (*(f"{field}_{value}" for value in values), f"{field}_missing")


def _read_numbers(table: pd.DataFrame, field: str) -> np.ndarray:
    column = _get_column(table, NUMBERS[field])
    values = column.to_numpy(dtype="float64", na_value=np.nan)
    # oneDNN's relu turns NaN into 0 and fit reports a finite loss: stop it here
    bad = ~np.isnan(values) & ~((values >= 0) & np.isfinite(values))
    _check_rows(table, bad, f"`{column.name}` must be a finite number from 0", column)
    return np.log1p(values) if field == "follow_up" else values


def _encode_category(table: pd.DataFrame, field: str) -> np.ndarray:
    name, values = CATEGORIES[field]
    column = _get_column(table, name)
    missing = column.isna().to_numpy()
    found = column.to_numpy(dtype="object", na_value="")
    one_hot = np.stack([found == value for value in values], axis=1)
    bad = ~missing & ~one_hot.any(axis=1)
    _check_rows(table, bad, f"`{name}` must be {', '.join(values)} or missing", column)
    return np.concatenate([one_hot, missing[:, None]], axis=1)


def _get_column(table: pd.DataFrame, name: str) -> pd.Series:
    if name not in table:
        raise RecordError(
            f"metadata: the table must have a column `{name}`. Received: none. "
            "Add it, and leave it empty where it is not known."
        )
    return table.loc[:, name]


def _check_rows(
    table: pd.DataFrame, bad: np.ndarray, expected: str, column: pd.Series
) -> None:
    if bad.any():
        row = int(bad.argmax())
        raise RecordError(
            f"image {table['image_id'].iloc[row]}: {expected}. "
            f"Received: {column.name}={column.iloc[row]}. Correct it, or leave it empty."
        )


def _compute_statistics(values: np.ndarray) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    if not len(known):
        return 0.0, 1.0  # never seen in training: only the missing flag speaks
    if known.min() == known.max():  # its deviation is 0, or what rounding leaves: 1e-16
        return float(known[0]), 1.0
    return float(known.mean()), float(known.std()) or 1.0


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        received = getattr(error, "strerror", "text that is no JSON")
        raise RunError(_damaged(path, received)) from error
    if not isinstance(values, dict):
        raise RunError(_damaged(path, "no mapping"))
    return values


def _parse_statistics(
    values: Mapping[str, Mapping[str, float]], fields: Sequence[str]
) -> dict[str, tuple[float, float]]:
    statistics = {
        field: (float(values[field]["mean"]), float(values[field]["std"]))
        for field in fields
    }
    for mean, std in statistics.values():
        if not (np.isfinite(mean) and 0 < std < np.inf):
            raise ValueError("mean and std must be finite, std above 0")
    return statistics


def _damaged(path: Path, received: str) -> str:
    return (
        f"{path}: must be a metadata encoder's JSON. Received: {received}. "
        "Train the run again."
    )
