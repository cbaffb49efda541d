"""What a model would say of this very picture, were one field of the record another.

One field is changed at a time, to every value that the training part has of it: nobody is
made older than the oldest. The audit asks the same of all radiographs at once
(`dualnet.evaluation.auditing.counterfactuals`); here it is one radiograph and all values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, softmax

from dualnet.data.labels import SIGMOID
from dualnet.data.metadata import CATEGORIES, FIELD_COLUMNS, NUMBERS, MetadataEncoder
from dualnet.explain.split_model import Cases, SplitModel

MAX_VALUES = 121  # each year of age; follow-up numbers reach 183
TYPICAL = (5, 95)  # percentiles

Value = float | str | None


@dataclass(frozen=True, kw_only=True)
class Curve:
    """What a model says of one radiograph over the values of one field.

    Args:
        field: `age`, `follow_up`, `view` or `sex`.
        values: Numbers rising, or categories; None, unknown, stands last.
        probabilities: float64, shape (values, classes).
        own: Which of the values is the radiograph's own.
        typical: Between which numbers nine tenths of the training part are; None of
            categories and where no value is known.
    """

    field: str
    values: tuple[Value, ...]
    probabilities: np.ndarray
    own: int
    typical: tuple[float, float] | None


def compute_curves(
    model: SplitModel,
    pictures: Sequence[np.ndarray],
    record: pd.DataFrame,
    *,
    encoder: MetadataEncoder,
    values: Mapping[str, Sequence[Value]],
    train: pd.DataFrame,
) -> tuple[Curve, ...]:
    """Computes one curve a field.

    Args:
        model: The model, split; it reads the record.
        pictures: What it makes of the picture, one row, as in `Cases`.
        record: The radiograph's record, a table of one row.
        encoder: The run's.
        values: The values of each field, as `list_values` lists them.
        train: Records of the training part.

    Returns:
        The curves, in the order of `values`.
    """
    return tuple(
        Curve(
            field=field,
            values=tuple(some),
            probabilities=_ask(model, pictures, record, encoder, field, some),
            own=_find(some, record, field),
            typical=_find_typical(train, field),
        )
        for field, some in values.items()
    )


def list_values(
    train: pd.DataFrame, record: pd.DataFrame, field: str, *, unknown: bool
) -> tuple[Value, ...]:
    """Lists the values that a field is given.

    Args:
        train: Records of the training part.
        record: The radiograph's record, a table of one row; its value is among them.
        field: `age`, `follow_up`, `view` or `sex`.
        unknown: Whether the model was taught what it is not to know the field.

    Returns:
        Whole numbers from the least to the greatest, at most about `MAX_VALUES`; or the
        categories that occur. None stands last, where `unknown` or the radiograph's own
        value is.
    """
    own = _read_own(record, field)
    column = train[FIELD_COLUMNS[field]].dropna()
    if field in CATEGORIES:
        present = {*column, own}
        known: Sequence[Value] = [one for one in CATEGORIES[field][1] if one in present]
    else:
        known = _list_numbers(column.to_numpy("float64"), own)
    return (*known, *([None] if unknown or own is None else []))


def compute_probabilities(logits: np.ndarray, activation: str) -> np.ndarray:
    """Returns the probabilities of logits, float64, same shape."""
    logits = np.asarray(logits, np.float64)
    return expit(logits) if activation == SIGMOID else softmax(logits, axis=-1)


def _list_numbers(numbers: np.ndarray, own: Value) -> Sequence[Value]:
    kept = {own} if isinstance(own, float) else set()
    if not len(numbers):
        return sorted(kept)
    low, high = np.floor(numbers.min()), np.ceil(numbers.max())
    step = max(1, int(-(-(high - low) // MAX_VALUES)))
    grid = {*np.arange(low, high + 1, step).tolist(), float(high)}
    return sorted(grid | kept)


def _ask(
    model: SplitModel,
    pictures: Sequence[np.ndarray],
    record: pd.DataFrame,
    encoder: MetadataEncoder,
    field: str,
    values: Sequence[Value],
) -> np.ndarray:
    column = FIELD_COLUMNS[field]
    repeated = record.loc[record.index.repeat(len(values))].reset_index(drop=True)
    changed = pd.Series(list(values), dtype="object").astype(record[column].dtype)
    cases = Cases(
        pictures=[np.repeat(one, len(values), axis=0) for one in pictures],
        metadata=encoder.transform(repeated.assign(**{column: changed})),
    )
    return compute_probabilities(model.answer(cases).logits, model.activation)


def _read_own(record: pd.DataFrame, field: str) -> Value:
    value = record[FIELD_COLUMNS[field]].iloc[0]
    if pd.isna(value):
        return None
    return float(value) if field in NUMBERS else str(value)


def _find(values: Sequence[Value], record: pd.DataFrame, field: str) -> int:
    return list(values).index(_read_own(record, field))


def _find_typical(train: pd.DataFrame, field: str) -> tuple[float, float] | None:
    known = train[FIELD_COLUMNS[field]].dropna()
    if field in CATEGORIES or known.empty:
        return None
    low, high = np.percentile(known.to_numpy("float64"), TYPICAL)
    return float(low), float(high)
