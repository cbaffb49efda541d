"""How much two parts of a dataset differ: standardised differences, by patient."""

import numpy as np
import pandas as pd

from dualnet.data.labels import full_labels
from dualnet.evaluation.intervals.bootstrap import (
    PatientResamples,
    percentile_interval,
)
from dualnet.evaluation.intervals.resampling import resample_sums
from dualnet.findings import Vocabulary

SMALL = 0.1  # a difference below it is usually taken as none: Austin 2009, section 3
NUMBERS = {"age_years": "Age (years)", "follow_up": "Follow-up number"}


def collect_measures(
    table: pd.DataFrame, vocabulary: Vocabulary
) -> tuple[tuple[str, ...], np.ndarray]:
    """Collects what parts are compared by.

    Args:
        table: Records.
        vocabulary: The names that may occur.

    Returns:
        Names, and values, float64, shape (rows, measures): each class 0 or 1, age,
        follow-up number, whether female, whether AP; NaN where unknown, and measures
        that are nowhere known left out.
    """
    labels = full_labels(table["findings"], vocabulary).astype("float64")
    names, columns = list(vocabulary.class_names), [labels]
    for column, name in NUMBERS.items():
        values = table[column].to_numpy("float64", na_value=np.nan)
        names, columns = [*names, name], [*columns, values[:, np.newaxis]]
    for column, value, name in (
        ("sex", "F", "Female"),
        ("view_position", "AP", "AP view"),
    ):
        text = table[column].to_numpy("object", na_value="")
        values = np.where(text == "", np.nan, text == value)
        names, columns = [*names, name], [*columns, values[:, np.newaxis]]
    values = np.concatenate(columns, axis=1)
    known = ~np.isnan(values).all(axis=0)
    return tuple(np.array(names)[known].tolist()), values[:, known]


def compare_parts(
    names: tuple[str, ...],
    values: np.ndarray,
    parts: tuple[np.ndarray, np.ndarray],
    resamples: PatientResamples,
) -> pd.DataFrame:
    """Compares two parts by every measure.

    The standardised difference is (mean of the second - mean of the first) over the
    root of the mean of their two variances; of a 0 or 1 that variance is p(1 - p).

    Args:
        names: Names of the measures.
        values: As `collect_measures` collects them, shape (rows, measures).
        parts: Two masks, bool, shape (rows,).
        resamples: Draws of patients over the rows; a patient may be in both parts.

    Returns:
        One row a measure: `measure`, `first` and `second` (means of the known values),
        `difference`, `low` and `high` (its 95 % interval by patient). NaN where a
        part has no value; where neither varies, 0 if the means are the same.

    Reference:
        Austin, Balance diagnostics for comparing the distribution of baseline
        covariates between treatment groups in propensity-score matched samples,
        Statistics in Medicine 28(25), 2009, equations 1 and 2.
    """
    centre = np.nanmean(values, axis=0)  # sums of squares about it keep their digits
    sums = np.concatenate([_sums(values - centre, part) for part in parts], axis=1)
    first, second, difference = _standardise(sums.sum(axis=0)[np.newaxis])
    drawn = _standardise(resample_sums(resamples, sums))[2]
    intervals = [percentile_interval(column) for column in drawn.T]
    return pd.DataFrame(
        {
            "measure": names,
            "first": first[0] + centre,
            "second": second[0] + centre,
            "difference": difference[0],
            "low": [interval.low for interval in intervals],
            "high": [interval.high for interval in intervals],
        }
    )


def _sums(values: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Returns known, value and square of each row, 0 outside the part."""
    known = ~np.isnan(values) & part[:, np.newaxis]
    kept = np.where(known, values, 0.0)
    return np.concatenate([known.astype("float64"), kept, kept**2], axis=1)


def _standardise(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns both means and the standardised difference, shape (draws, measures)."""
    known_1, sum_1, square_1, known_2, sum_2, square_2 = np.split(sums, 6, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        first, second = sum_1 / known_1, sum_2 / known_2
        variance = (square_1 / known_1 - first**2 + square_2 / known_2 - second**2) / 2
        spread = np.sqrt(np.where(variance > 1e-12, variance, 0.0))
        difference = (second - first) / spread
    same = (spread == 0) & (np.abs(second - first) < 1e-9)
    difference = np.where(same, 0.0, difference)
    return first, second, np.where(np.isfinite(difference), difference, np.nan)
