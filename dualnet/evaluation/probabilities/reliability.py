"""Are a finding's probabilities true: Brier score, log-loss, calibration error.

Each finding is judged apart from the others, against the full label set. Only scores
that are probabilities can be judged so. A softmax shares one radiograph's probability
among its findings, so where several are present it says too little of each.
"""

from typing import Any

import numpy as np

from dualnet.evaluation.intervals.bootstrap import (
    PatientResamples,
    mean_defined,
    percentile_interval,
    resample_mean_of_sums,
    sum_by_patient,
)
from dualnet.evaluation.scores.truth import Truth

NUM_BINS = 10
CLIP = 1e-7  # the least probability that log-loss reads; -log is 16.1
ROW_SCORES = ("brier", "log_loss")
SCORES = (*ROW_SCORES, "expected_calibration_error")


def score_probabilities(
    truth: Truth, probabilities: np.ndarray, draws: PatientResamples
) -> dict[str, dict[str, Any]]:
    """Scores the probabilities of every class.

    Args:
        truth: What the rows are.
        probabilities: Of each class being among the labels, in [0, 1], shape
            (n, num_classes); NaN columns are undefined.
        draws: Patients for the intervals.

    Returns:
        For each class name, and for `macro`, the mean over the findings that are
        defined: `brier` (mean square, in [0, 1]) and `log_loss` (nats, clipped at
        `CLIP`), each with its `_interval`; `expected_calibration_error`, which has
        none, since resampling adds noise to every bin and so moves it up only; and for
        each class its `reliability` bins.
    """
    means, drawn = _score_rows(truth.labels, probabilities, draws)
    found: dict[str, dict[str, Any]] = {}
    for column, name in enumerate(truth.class_names):
        bins = reliability_bins(truth.labels[:, column], probabilities[:, column])
        found[name] = {
            **_describe(means[:, column], drawn[:, :, column]),
            "expected_calibration_error": expected_calibration_error(bins),
            "reliability": bins,
        }
    scored = truth.is_finding
    names = [name for name, one in zip(truth.class_names, scored, strict=True) if one]
    errors = np.array([found[name]["expected_calibration_error"] for name in names])
    found["macro"] = {
        **_describe(
            mean_defined(means[:, scored]),
            np.stack([mean_defined(one[:, scored]) for one in drawn.swapaxes(0, 1)], 1),
        ),
        "expected_calibration_error": float(mean_defined(errors[np.newaxis])[0]),
    }
    return found


def _score_rows(
    labels: np.ndarray, probabilities: np.ndarray, draws: PatientResamples
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the means of `ROW_SCORES`, (2, classes), and in the resamples.

    A class at a time: all classes of NIH's 112,120 rows would take 27 MB a score.
    """
    means, sums = [], []
    for present, column in zip(labels.T, probabilities.T, strict=True):
        rows = np.stack(
            [row_brier(present, column), row_log_loss(present, column)], axis=1
        )
        means.append(rows.mean(axis=0))
        sums.append(sum_by_patient(draws, rows))
    drawn = resample_mean_of_sums(draws, np.concatenate(sums, axis=1))
    drawn = drawn.reshape(len(drawn), len(means), len(ROW_SCORES))
    return np.stack(means, axis=1), drawn.swapaxes(1, 2)


def row_brier(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Returns the squared error of each row and class, float64, shaped as they are.

    Reference:
        Brier, Verification of forecasts expressed in terms of probability, Monthly
        Weather Review 78(1), 1950; for two classes, half of its sum over both.
    """
    return np.square(probabilities.astype(np.float64) - labels)


def row_log_loss(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Returns minus the logarithm of the probability of what is true, likewise."""
    values = probabilities.astype(np.float64)
    right = np.where(labels, values, 1 - values)
    return -np.log(np.clip(right, CLIP, 1))


def reliability_bins(
    present: np.ndarray, probability: np.ndarray, *, num_bins: int = NUM_BINS
) -> list[dict[str, float | int | None]]:
    """Compares how likely a finding was said to be with how often it is there.

    Args:
        present: Whether each row has the finding, bool, shape (n,).
        probability: In [0, 1], shape (n,).
        num_bins: Bins of equal width.

    Returns:
        For each bin its edges `low` (exclusive, but for 0) and `high`, `count`, and
        over its rows the `mean_probability` and the `positive_share`, None if empty. No
        bins where the probabilities are NaN.

    Reference:
        Naeini et al., Obtaining well calibrated probabilities using Bayesian binning,
        AAAI 2015, section on evaluation measures.
    """
    values = probability.astype(np.float64)
    if np.isnan(values).any():
        return []
    edges = np.linspace(0, 1, num_bins + 1)
    # float32 probabilities may pass 1 by their last digit
    index = np.clip(np.searchsorted(edges, values, side="left") - 1, 0, num_bins - 1)
    count = np.bincount(index, minlength=num_bins)
    said = np.bincount(index, values, minlength=num_bins)
    there = np.bincount(index, present.astype(np.float64), minlength=num_bins)
    return [
        {
            "low": float(edges[number]),
            "high": float(edges[number + 1]),
            "count": int(n),
            "mean_probability": float(said[number] / n) if n else None,
            "positive_share": float(there[number] / n) if n else None,
        }
        for number, n in enumerate(count)
    ]


def expected_calibration_error(bins: list[dict[str, float | int | None]]) -> float:
    """Averages the gap between what was said and what is, over the rows.

    Args:
        bins: As `reliability_bins` makes them.

    Returns:
        In [0, 1]; NaN where there is no row.
    """
    filled = [one for one in bins if one["count"]]
    if not filled:
        return float("nan")
    columns = ("count", "mean_probability", "positive_share")
    count, said, there = (
        np.array([one[name] for one in filled], dtype=np.float64) for name in columns
    )
    return float((count * np.abs(said - there)).sum() / count.sum())


def mean_calibration_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Averages the calibration errors of some findings.

    Args:
        labels: Whether each row has each finding, bool, shape (n, findings).
        probabilities: In [0, 1], same shape.

    Returns:
        In [0, 1]; NaN where there is no row or no finding.
    """
    errors = [
        expected_calibration_error(reliability_bins(present, column))
        for present, column in zip(labels.T, probabilities.T, strict=True)
    ]
    return float(mean_defined(np.array([errors], dtype=np.float64))[0])


def _describe(means: np.ndarray, drawn: np.ndarray) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for row, name in enumerate(ROW_SCORES):
        values[name] = float(means[row])
        values[f"{name}_interval"] = percentile_interval(drawn[:, row]).as_dict()
    return values
