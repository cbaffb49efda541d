"""p-values corrected for how many were looked at.

Of fourteen independent tests without any difference, one or more shows p < .05 in half
of all cases (1 - .95^14 = .51). Undefined p-values (NaN) stay so and do not count.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dualnet.evaluation.text.verdict import UNDEFINED, UNSHOWN, outcome

SIGNIFICANCE = 0.05


def adjust_holm(p_values: np.ndarray) -> np.ndarray:
    """Adjusts p-values so that the chance of any false finding is kept (Holm).

    Holds whatever the tests have to do with each other.

    Args:
        p_values: In `[0, 1]`, or NaN where undefined, shape (num_tests,).

    Returns:
        Adjusted p-values in the same order, never below the given ones, NaN where
        undefined.

    Example:
        >>> adjust_holm(np.array([0.01, 0.04, np.nan, 0.03])).tolist()
        [0.03, 0.06, nan, 0.06]

    Reference:
        Holm, A simple sequentially rejective multiple test procedure, Scandinavian
        Journal of Statistics 6(2), 1979.
    """
    order, sorted_values = _sort_defined(p_values)
    factors = np.arange(sorted_values.size, 0, -1)
    adjusted = np.maximum.accumulate(sorted_values * factors)
    return _put_back(p_values, order, adjusted)


def adjust_benjamini_hochberg(p_values: np.ndarray) -> np.ndarray:
    """Adjusts p-values so that the share of false among the found is kept.

    Holds for tests that are independent or positively dependent.

    Args:
        p_values: In `[0, 1]`, or NaN where undefined, shape (num_tests,).

    Returns:
        Adjusted p-values in the same order, NaN where undefined.

    Example:
        >>> adjust_benjamini_hochberg(np.array([0.01, 0.04, 0.02])).round(3).tolist()
        [0.03, 0.04, 0.03]

    Reference:
        Benjamini and Hochberg, Controlling the false discovery rate, Journal of the
        Royal Statistical Society B 57(1), 1995.
    """
    order, sorted_values = _sort_defined(p_values)
    size = sorted_values.size
    scaled = sorted_values * size / np.arange(1, size + 1)
    adjusted = np.minimum.accumulate(scaled[::-1])[::-1]
    return _put_back(p_values, order, adjusted)


def outcome_after_correction(difference: Mapping[str, Any], p_value: float) -> str:
    """Reads a difference: its interval and its corrected p-value must both show it.

    Args:
        difference: With its interval's ends `low` and `high`, None where undefined.
        p_value: Corrected for how many were looked at, NaN where undefined.

    Returns:
        As `dualnet.evaluation.text.verdict.outcome`.

    Example:
        >>> outcome_after_correction({"low": 0.01, "high": 0.03}, 0.2)
        'is not shown to beat'
    """
    if np.isnan(p_value):
        return UNDEFINED
    found = outcome(difference)
    return found if p_value < SIGNIFICANCE or found == UNDEFINED else UNSHOWN


def _sort_defined(p_values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(p_values, kind="stable")  # NaN comes last
    order = order[: int((~np.isnan(p_values)).sum())]
    return order, p_values[order]


def _put_back(
    p_values: np.ndarray, order: np.ndarray, adjusted: np.ndarray
) -> np.ndarray:
    result = np.full(p_values.shape, np.nan)
    result[order] = np.minimum(adjusted, 1)
    return result
