"""DeLong's variance of the AUROC and his test of two AUROCs on the same rows.

Every row has a structural component: the share of the rows of the other kind that it
is ranked right against. DeLong takes rows for independent. Radiographs of one patient
are not, so Obuchowski's version adds up the components of each patient first; where
every patient has one row it is DeLong's. On the published reproduce-chexnet
predictions the standard error of Cardiomegaly is a third larger by patient.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, rankdata


@dataclass(frozen=True)
class StructuralComponents:
    """How each row of one class is ranked against the rows of the other kind.

    Args:
        positives: For each positive row, the share of negatives below it, a tie
            counting one half, shape (num_positives,).
        negatives: For each negative row, the share of positives above it, shape
            (num_negatives,).
    """

    positives: np.ndarray
    negatives: np.ndarray

    @property
    def auroc(self) -> float:
        """The AUROC: the mean over either kind; NaN where one kind has no row."""
        if not (self.positives.size and self.negatives.size):
            return float("nan")
        return float(self.positives.mean())


@dataclass(frozen=True, kw_only=True)
class PairedTest:
    """Whether two AUROCs on the same rows differ.

    Args:
        difference: The second AUROC minus the first.
        standard_error: Of the difference; NaN where it cannot be estimated.
        p_value: Two-sided, by the normal distribution; NaN where undefined.
    """

    difference: float
    standard_error: float
    p_value: float


def structural_components(
    y_true: np.ndarray, y_score: np.ndarray
) -> StructuralComponents:
    """Computes the structural components from midranks, in n log n steps.

    Args:
        y_true: Whether each row is positive, bool, shape (n,).
        y_score: Scores, the higher the likelier, finite, shape (n,).

    Returns:
        The components, in the order of the rows of each kind.

    Example:
        >>> found = structural_components(
        ...     np.array([True, True, False, False]), np.array([0.9, 0.2, 0.2, 0.1])
        ... )
        >>> found.positives.tolist(), found.negatives.tolist()
        ([1.0, 0.75], [0.75, 1.0])

    Reference:
        Sun and Xu, Fast implementation of DeLong's algorithm for comparing the areas
        under correlated receiver operating characteristic curves, IEEE Signal
        Processing Letters 21(11), 2014, algorithm 2.
    """
    positives, negatives = y_score[y_true], y_score[~y_true]
    if not (positives.size and negatives.size):
        return StructuralComponents(
            np.full(positives.size, np.nan), np.full(negatives.size, np.nan)
        )
    among_all = rankdata(y_score)
    below = among_all[y_true] - rankdata(positives)
    not_above = among_all[~y_true] - rankdata(negatives)
    return StructuralComponents(
        positives=below / negatives.size,
        negatives=1 - not_above / positives.size,
    )


def auroc_variance(
    y_true: np.ndarray, y_score: np.ndarray, *, patients: np.ndarray | None = None
) -> float:
    """Estimates the variance of an AUROC.

    Args:
        y_true: Whether each row is positive, bool, shape (n,).
        y_score: Scores, the higher the likelier, finite, shape (n,).
        patients: The patient of each row, a number from 0, int, shape (n,); none:
            rows are taken for independent.

    Returns:
        The variance; NaN where fewer than two rows, or two patients, are of one kind.

    Reference:
        DeLong et al., Comparing the areas under two or more correlated receiver
        operating characteristic curves, Biometrics 44(3), 1988; with `patients`
        Obuchowski, Nonparametric analysis of clustered ROC curve data, Biometrics
        53(2), 1997, section 2.
    """
    found = structural_components(y_true, y_score)
    centred = StructuralComponents(
        found.positives - found.auroc, found.negatives - found.auroc
    )
    return _variance(y_true, centred, patients)


def compare_auroc(
    y_true: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    *,
    patients: np.ndarray | None = None,
) -> PairedTest:
    """Tests whether two scores of the same rows have the same AUROC.

    The variance of the difference is taken from the differences of the components,
    which is what the two variances and their covariance come to.

    Args:
        y_true: Whether each row is positive, bool, shape (n,).
        first: Scores, the higher the likelier, finite, shape (n,).
        second: Other scores of the same rows, shape (n,).
        patients: The patient of each row, a number from 0, int, shape (n,); none:
            rows are taken for independent.

    Returns:
        The test. Scores that rank alike differ by 0 with p = 1; a difference without
        any variance, as of a perfect score and a constant one, has no p-value: so few
        rows tell nothing of others.

    Reference:
        As `auroc_variance`: DeLong et al. 1988, Obuchowski 1997, section 3.
    """
    one, other = (structural_components(y_true, score) for score in (first, second))
    difference = other.auroc - one.auroc
    centred = StructuralComponents(
        other.positives - one.positives - difference,
        other.negatives - one.negatives - difference,
    )
    error = float(np.sqrt(_variance(y_true, centred, patients)))
    if error > 0:
        p_value = float(2 * norm.sf(abs(difference) / error))
    else:  # or NaN
        p_value = 1.0 if error == difference == 0 else float("nan")
    return PairedTest(difference=difference, standard_error=error, p_value=p_value)


def compare_auroc_per_class(
    y_true: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    *,
    patients: np.ndarray | None = None,
) -> list[PairedTest]:
    """Tests every class, see `compare_auroc`.

    Args:
        y_true: Labels present, bool, shape (n, num_classes).
        first: Scores, shape (n, num_classes).
        second: Other scores of the same rows, shape (n, num_classes).
        patients: The patient of each row, as in `compare_auroc`.

    Returns:
        One test a class.
    """
    columns = zip(y_true.T, first.T, second.T, strict=True)
    return [compare_auroc(*column, patients=patients) for column in columns]


def _variance(
    y_true: np.ndarray, centred: StructuralComponents, patients: np.ndarray | None
) -> float:
    if patients is None:
        return _variance_of_rows(centred)
    return _variance_of_patients(centred, patients[y_true], patients[~y_true])


def _variance_of_rows(centred: StructuralComponents) -> float:
    """DeLong et al. 1988, equations 4 to 6: S10 / m + S01 / n."""
    kinds = (centred.positives, centred.negatives)
    if min(kind.size for kind in kinds) < 2:
        return float("nan")
    return float(sum((kind**2).sum() / ((kind.size - 1) * kind.size) for kind in kinds))


def _variance_of_patients(
    centred: StructuralComponents, positives_of: np.ndarray, negatives_of: np.ndarray
) -> float:
    """Obuchowski 1997, equations 4 to 6: S10 / m + S01 / n + 2 S11 / (m n)."""
    num_positives, num_negatives = positives_of.size, negatives_of.size
    with_positive, with_negative = np.unique(positives_of), np.unique(negatives_of)
    if min(with_positive.size, with_negative.size) < 2:
        return float("nan")
    size = int(max(with_positive[-1], with_negative[-1])) + 1
    positive = np.bincount(positives_of, centred.positives, size) / num_positives
    negative = np.bincount(negatives_of, centred.negatives, size) / num_negatives
    num_patients = np.union1d(with_positive, with_negative).size
    variance = (
        _unbiased(with_positive.size) * (positive**2).sum()
        + _unbiased(with_negative.size) * (negative**2).sum()
        + 2 * _unbiased(num_patients) * (positive * negative).sum()
    )
    return float(variance) if variance >= 0 else float("nan")


def _unbiased(count: int) -> float:
    return count / (count - 1)
