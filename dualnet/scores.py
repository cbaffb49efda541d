"""AUROC, exact and with ties, as training and evaluation both compute it."""

import numpy as np

from dualnet.errors import DualNetError


def auroc(y_true: np.ndarray, y_score: np.ndarray) -> float:
    """Computes the area under the ROC curve as the Mann-Whitney statistic.

    It is the share of (positive, negative) pairs in which the positive has the
    higher score; a tie counts one half. Ranks are multiples of one half, so their
    sum is exact.

    Args:
        y_true: Whether each row is positive, bool, shape (n,).
        y_score: Scores, the higher the likelier, shape (n,).

    Returns:
        The area, in `[0, 1]`; NaN where all rows are of one kind.

    Raises:
        DualNetError: If the shapes differ or a score is NaN.

    Example:
        >>> auroc(np.array([True, True, False, False]), np.array([0.9, 0.2, 0.2, 0.1]))
        0.875

    Reference:
        Hanley and McNeil, The meaning and use of the area under a receiver operating
        characteristic (ROC) curve, Radiology 143(1), 1982.
    """
    positive = np.asarray(y_true, dtype=bool)
    score = np.asarray(y_score)
    _check(positive, score)
    num_positive = int(positive.sum())
    num_pairs = num_positive * (positive.size - num_positive)
    if num_pairs == 0:
        return float("nan")
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    mid_ranks = np.cumsum(counts) - (counts - 1) / 2
    rank_sum = mid_ranks[inverse[positive]].sum()
    return float((rank_sum - num_positive * (num_positive + 1) / 2) / num_pairs)


def auroc_per_class(y_true: np.ndarray, y_score: np.ndarray) -> np.ndarray:
    """Computes the AUROC of every class against all other rows.

    Args:
        y_true: Labels present, bool, shape (n, num_classes); several may be true.
        y_score: Scores or probabilities, shape (n, num_classes).

    Returns:
        float64, shape (num_classes,); NaN where a class is undefined.

    Raises:
        DualNetError: If the shapes differ or a score is NaN.
    """
    y_true, y_score = np.asarray(y_true, dtype=bool), np.asarray(y_score)
    _check(y_true, y_score)
    columns = zip(y_true.T, y_score.T, strict=True)
    return np.array([auroc(labels, scores) for labels, scores in columns])


def macro_auroc(
    y_true: np.ndarray, y_score: np.ndarray, *, scored: np.ndarray
) -> float:
    """Computes the mean AUROC of some classes.

    Args:
        y_true: Labels present, bool, shape (n, num_classes).
        y_score: Scores or probabilities, shape (n, num_classes).
        scored: The classes in the mean, the findings as a rule, bool, shape
            (num_classes,).

    Returns:
        The mean over those whose AUROC is defined; NaN if none is.

    Raises:
        DualNetError: If the shapes differ or a score is NaN.
    """
    areas = auroc_per_class(y_true, y_score)[scored]
    defined = areas[~np.isnan(areas)]
    return float(defined.mean()) if defined.size else float("nan")


def _check(y_true: np.ndarray, y_score: np.ndarray) -> None:
    if y_true.shape != y_score.shape:
        raise DualNetError(
            "scores: must have the shape of the labels. Received: "
            f"scores={y_score.shape}, labels={y_true.shape}. Score the same rows."
        )
    if np.isnan(y_score).any():
        raise DualNetError(
            "scores: must not be NaN. Received: "
            f"{int(np.isnan(y_score).sum())} of {y_score.size} NaN. "
            "Look for NaN in the inputs or the weights."
        )
