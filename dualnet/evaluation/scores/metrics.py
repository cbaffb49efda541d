"""Scores of one set of predictions, against the full label set and by first label.

Two views of the same rows. *By finding*: is each finding among the labels, scored
apart from the others (AUROC, average precision). *By first label*: the 15-class
softmax, scored as one answer a radiograph (accuracy, log-loss, calibration). A score
that is undefined is NaN here and `null` in JSON, never 0.5.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dualnet.evaluation.scores.truth import Truth
from dualnet.scores import auroc

LOG_LOSS_CLIP = 1e-7  # the least probability that log-loss reads; -log is 16.1
CALIBRATION_BINS = 10
FIRST_LABEL_SCORES = (
    "accuracy",
    "balanced_accuracy",
    "log_loss",
    "brier",
    "expected_calibration_error",
)


def average_precision(y_true: np.ndarray, y_score: np.ndarray) -> float:
    """Computes the mean precision over the positives, ties taken together.

    Args:
        y_true: Whether each row is positive, bool, shape (n,).
        y_score: Scores, the higher the likelier, shape (n,).

    Returns:
        The sum over distinct scores of precision times the recall gained, in
        `[0, 1]`; NaN where no row is positive. A constant score gets the
        prevalence.

    Example:
        >>> average_precision(np.array([True, False, True]), np.array([3, 2, 1]))
        0.8333333333333333

    Reference:
        scikit-learn's `average_precision_score`; without interpolation.
    """
    if not y_true.any():
        return float("nan")
    order = np.argsort(-y_score, kind="stable")
    sorted_scores = y_score[order]
    last_of_tie = np.flatnonzero(np.append(np.diff(sorted_scores) != 0, True))
    true_positives = np.cumsum(y_true[order])[last_of_tie]
    precision = true_positives / (last_of_tie + 1)
    gained = np.diff(true_positives, prepend=0)
    return float((precision * gained).sum() / true_positives[-1])


def roc_points(
    y_true: np.ndarray, y_score: np.ndarray, *, max_points: int = 400
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the points of a ROC curve, thinned for drawing.

    Args:
        y_true: Whether each row is positive, bool, both kinds present, shape (n,).
        y_score: Scores, the higher the likelier, shape (n,).
        max_points: How many points are kept at most, evenly along the scores.

    Returns:
        False and true positive rates, each from 0 to 1, one point a distinct score.
    """
    order = np.argsort(-y_score, kind="stable")
    last_of_tie = np.flatnonzero(np.append(np.diff(y_score[order]) != 0, True))
    true_positives = np.cumsum(y_true[order])[last_of_tie]
    false_positives = last_of_tie + 1 - true_positives
    ends = np.linspace(0, last_of_tie.size - 1, max_points - 1).round().astype(int)
    kept = np.unique(ends)
    rates = (
        np.append(0, counts[kept] / counts[-1])
        for counts in (false_positives, true_positives)
    )
    false_rate, true_rate = rates
    return false_rate, true_rate


def score_findings(truth: Truth, scores: np.ndarray) -> dict[str, dict[str, Any]]:
    """Scores every class against the full label set.

    Args:
        truth: What the rows are.
        scores: The higher the likelier, finite, shape (n, num_classes).

    Returns:
        For each class name: `n_positive`, `n_negative`, `auroc` and
        `average_precision`, NaN where undefined, as where the scores are NaN.
    """
    return {
        name: {
            "n_positive": int(present.sum()),
            "n_negative": int((~present).sum()),
            **_score_ranking(present, column),
        }
        for name, present, column in zip(
            truth.class_names, truth.labels.T, scores.T, strict=True
        )
    }


def _score_ranking(present: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    if np.isnan(scores).any():
        return {"auroc": float("nan"), "average_precision": float("nan")}
    return {
        "auroc": auroc(present, scores),
        "average_precision": average_precision(present, scores),
    }


def mean_over_findings(
    findings: Mapping[str, Mapping[str, Any]], truth: Truth
) -> dict[str, Any]:
    """Averages the findings' scores; the negative class and the undefined left out.

    Args:
        findings: What `score_findings` returned.
        truth: What the rows are.

    Returns:
        `auroc`, `average_precision` (NaN if none is defined), both again as
        `weighted_auroc` and `weighted_average_precision`, the mean in which a finding
        counts as often as it occurs; `num_defined` (of the findings' AUROCs) and
        `undefined` (their names).
    """
    names = [name for name in truth.class_names if name != truth.vocabulary.negative]
    areas = np.array([findings[name]["auroc"] for name in names])
    precisions = np.array([findings[name]["average_precision"] for name in names])
    defined = ~np.isnan(areas) & ~np.isin(names, truth.unscored)
    counts = np.array([findings[name]["n_positive"] for name in names])[defined]
    return {
        "auroc": _mean(areas[defined]),
        "average_precision": _mean(precisions[defined]),
        "weighted_auroc": _mean(areas[defined], counts),
        "weighted_average_precision": _mean(precisions[defined], counts),
        "num_defined": int(defined.sum()),
        "undefined": [
            name for name, known in zip(names, defined, strict=True) if not known
        ],
    }


def _mean(values: np.ndarray, weights: np.ndarray | None = None) -> float:
    return float(np.average(values, weights=weights)) if values.size else float("nan")


def score_first_label(
    truth: Truth,
    probabilities: np.ndarray | None,
    *,
    why_undefined: str | None = None,
) -> dict[str, Any]:
    """Scores the softmax as one answer a radiograph, its first label being right.

    Args:
        truth: What the rows are.
        probabilities: Rows that sum to 1, shape (n, num_classes); None where the model
            does not give one answer a radiograph.
        why_undefined: In words, why it does not.

    Returns:
        `accuracy`, `balanced_accuracy` (mean recall of the classes that occur),
        `log_loss` (nats; probabilities below `LOG_LOSS_CLIP` are raised to it),
        `brier` (sum over the classes, in `[0, 2]`), `expected_calibration_error`
        and its `reliability` bins, and `confusion_matrix`, counts, a row a true
        class, a column an answer; and `undefined_because`: None, or why the scores are
        NaN and the lists empty.
    """
    if probabilities is None:
        return {
            **dict.fromkeys(FIRST_LABEL_SCORES, float("nan")),
            "reliability": [],
            "confusion_matrix": [],
            "undefined_because": why_undefined or "no answer a radiograph is given",
        }
    confusion = confusion_matrix(truth, probabilities)
    counts = confusion.sum(axis=1)
    recalls = confusion.diagonal()[counts > 0] / counts[counts > 0]
    bins = reliability_bins(truth, probabilities)
    return {
        "accuracy": float(confusion.trace() / truth.num_images),
        "balanced_accuracy": float(recalls.mean()),
        "log_loss": float(row_log_loss(truth, probabilities).mean()),
        "brier": float(_row_brier(truth, probabilities).mean()),
        "expected_calibration_error": _expected_calibration_error(bins),
        "reliability": bins,
        "confusion_matrix": confusion.tolist(),
        "undefined_because": None,
    }


def confusion_matrix(truth: Truth, probabilities: np.ndarray) -> np.ndarray:
    """Counts the answers (the likeliest class; the first of a tie) of every class.

    Args:
        truth: What the rows are.
        probabilities: Shape (n, num_classes).

    Returns:
        int64, shape (num_classes, num_classes): a row a true first label, a column
        an answer.
    """
    size = len(truth.class_names)
    pairs = truth.first * size + probabilities.argmax(axis=1)
    return np.bincount(pairs, minlength=size * size).reshape(size, size)


def row_log_loss(truth: Truth, probabilities: np.ndarray) -> np.ndarray:
    """Computes minus the logarithm of each row's probability of its first label.

    Args:
        truth: What the rows are.
        probabilities: Shape (n, num_classes).

    Returns:
        float64 in nats, shape (n,), at most `-log(LOG_LOSS_CLIP)`.
    """
    right = probabilities[np.arange(truth.num_images), truth.first]
    return -np.log(np.clip(right.astype(np.float64), LOG_LOSS_CLIP, 1))


def row_correct(truth: Truth, probabilities: np.ndarray) -> np.ndarray:
    """Returns whether each row's likeliest class is its first label, bool (n,)."""
    return probabilities.argmax(axis=1) == truth.first


def reliability_bins(
    truth: Truth, probabilities: np.ndarray, *, num_bins: int = CALIBRATION_BINS
) -> list[dict[str, float | int | None]]:
    """Compares how sure the answers are with how often they are right.

    Args:
        truth: What the rows are.
        probabilities: Shape (n, num_classes).
        num_bins: Bins of equal width over the likeliest class's probability.

    Returns:
        For each bin its edges `low` (exclusive, but for 0) and `high`, `count`,
        and over its rows the mean `confidence` and the `accuracy`, None if empty.

    Reference:
        Guo et al., On calibration of modern neural networks, ICML 2017, section 2.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    correct = row_correct(truth, probabilities)
    edges = np.linspace(0, 1, num_bins + 1)
    # float32 probabilities may pass 1 by their last digit
    index = np.clip(
        np.searchsorted(edges, confidence, side="left") - 1, 0, num_bins - 1
    )
    bins: list[dict[str, float | int | None]] = []
    for number in range(num_bins):
        rows = index == number
        some = bool(rows.any())
        bins.append(
            {
                "low": float(edges[number]),
                "high": float(edges[number + 1]),
                "count": int(rows.sum()),
                "confidence": float(confidence[rows].mean()) if some else None,
                "accuracy": float(correct[rows].mean()) if some else None,
            }
        )
    return bins


def _expected_calibration_error(bins: list[dict[str, float | int | None]]) -> float:
    filled = [one for one in bins if one["count"]]
    counts = np.array([one["count"] for one in filled], dtype=float)
    confidence = np.array([one["confidence"] for one in filled], dtype=float)
    accuracy = np.array([one["accuracy"] for one in filled], dtype=float)
    return float((counts * np.abs(accuracy - confidence)).sum() / counts.sum())


def _row_brier(truth: Truth, probabilities: np.ndarray) -> np.ndarray:
    squares = np.square(probabilities, dtype=np.float64).sum(axis=1)
    right = probabilities[np.arange(truth.num_images), truth.first].astype(np.float64)
    return squares - 2 * right + 1
