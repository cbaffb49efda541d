"""Average precision in every resample of patients, exactly and with ties."""

from dataclasses import dataclass

import numpy as np

from dualnet.evaluation.intervals.bootstrap import PatientResamples, resample_ranked


def resample_average_precision(
    resamples: PatientResamples, labels: np.ndarray, scores: np.ndarray
) -> np.ndarray:
    """Computes every class's average precision in every resample.

    Precision is needed at the positives only, so each class is sorted once and a
    resample costs two running sums, over its negatives and its positives.

    Args:
        resamples: Draws over the rows.
        labels: Labels present, bool, shape (n, num_classes).
        scores: The higher the likelier, shape (n, num_classes).

    Returns:
        float64, shape (num_resamples, num_classes), each as `average_precision` of
        `dualnet.evaluation.scores.metrics` is of the rows drawn; NaN where a resample holds
        no positive row of a class, and where a class's scores are NaN.
    """
    return resample_ranked(
        resamples, labels, scores, rank=_rank, score=_weighted_precision
    )


@dataclass(frozen=True)
class _Ranked:
    """One class, sorted by falling score, so that a resample needs no sorting."""

    negatives: np.ndarray  # the patient of each negative row, highest score first
    positives: np.ndarray  # the patient of each positive row, highest score first
    negatives_called: np.ndarray  # how many negatives score as each positive or above
    positives_called: np.ndarray  # how many positives do


def _rank(codes: np.ndarray, present: np.ndarray, scores: np.ndarray) -> _Ranked:
    negatives = np.argsort(-scores[~present], kind="stable")
    positives = np.argsort(-scores[present], kind="stable")
    falling = -scores[present][positives]
    return _Ranked(
        negatives=codes[~present][negatives],
        positives=codes[present][positives],
        negatives_called=np.searchsorted(
            -scores[~present][negatives], falling, side="right"
        ),
        positives_called=np.searchsorted(falling, falling, side="right"),
    )


def _weighted_precision(weights: np.ndarray, ranked: _Ranked) -> np.ndarray:
    positives = np.take(weights, ranked.positives, axis=1)
    right = np.take(_running_sum(positives), ranked.positives_called, axis=1)
    negatives = _running_sum(np.take(weights, ranked.negatives, axis=1))
    wrong = np.take(negatives, ranked.negatives_called, axis=1)
    # a positive that was drawn is among those called, so 0 / 0 is of those not drawn
    precision = right / np.maximum(right + wrong, 1)
    drawn = positives.sum(axis=1)
    total = (positives * precision).sum(axis=1)
    return np.where(drawn > 0, total / np.maximum(drawn, 1), np.nan)


def _running_sum(counts: np.ndarray) -> np.ndarray:
    """Sums along each row, from 0 on: shape (k, n) to (k, n + 1)."""
    sums = np.zeros((len(counts), counts.shape[1] + 1), dtype=np.int64)
    np.cumsum(counts, axis=1, out=sums[:, 1:])
    return sums
