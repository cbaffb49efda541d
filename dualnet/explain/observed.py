"""How often radiographs with such a probability have the finding: what a number is worth.

A probability of one radiograph cannot be checked on it. What can be counted is others, on
which the model was not fitted, whose probability is nearest.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

# One patient in ten is near, so that the nearest probabilities are near; but not fewer
# than 20, nor more than 100: a share of .3 then has an interval of .21 to .40.
ONE_IN = 10
FEWEST, MOST = 20, 100
LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What was observed of radiographs whose probability is nearest.

    Args:
        num_positive: How many of them have the finding.
        num_patients: How many they are, each of another patient.
        low: Lower end of the 95 % interval of the share that has it.
        high: Its upper end.
        lowest: The lowest probability among them.
        highest: The highest.
    """

    num_positive: int
    num_patients: int
    low: float
    high: float
    lowest: float
    highest: float

    @property
    def share(self) -> float:
        """The share that has the finding."""
        return self.num_positive / self.num_patients


def observe_near(
    probability: float,
    probabilities: np.ndarray,
    present: np.ndarray,
    patient_ids: np.ndarray,
    *,
    num_near: int | None = None,
) -> Observed | None:
    """Counts the finding among the radiographs whose probability is nearest.

    Of each patient the nearest radiograph is taken, so that the counted are independent
    of each other and the interval is the exact one of a binomial share. Resampling
    patients gives none where nobody, or everybody, has the finding, as is common here.

    Args:
        probability: The one in question.
        probabilities: Those of judged radiographs, shape (n,).
        present: Whether each has the finding, bool, shape (n,).
        patient_ids: The patient of each, shape (n,).
        num_near: How many are counted, fewer where there are fewer patients; none: one
            in `ONE_IN`, from `FEWEST` to `MOST`.

    Returns:
        What was observed; None without a radiograph, or where a probability is NaN.

    Reference:
        Clopper and Pearson, Biometrika 26(4), 1934 (the exact interval).
    """
    if not len(probabilities) or np.isnan(probabilities).any() or np.isnan(probability):
        return None
    order = np.argsort(np.abs(probabilities - probability), kind="stable")
    _, first = np.unique(patient_ids[order], return_index=True)
    if num_near is None:
        num_near = min(MOST, max(FEWEST, len(first) // ONE_IN))
    near = order[np.sort(first)[:num_near]]
    positive = int(present[near].sum())
    interval = binomtest(positive, len(near)).proportion_ci(LEVEL, method="exact")
    return Observed(
        num_positive=positive,
        num_patients=len(near),
        low=float(interval.low),
        high=float(interval.high),
        lowest=float(probabilities[near].min()),
        highest=float(probabilities[near].max()),
    )
