"""Sensitivity, specificity and their kin at stated operating points.

An operating point is one threshold a finding: a radiograph whose score is at least the
threshold is called positive. Where no thresholds were fitted on validation, two points
are stated:

- `0.5`, for scores that are probabilities;
- `prevalence_matched`: as many radiographs are called as have the finding. It is read
  off the rows judged, so it describes the model and is none to deploy. It is the
  break-even point: but for ties, sensitivity and PPV are the same there.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dualnet.errors import RecordError
from dualnet.evaluation.intervals.bootstrap import (
    PatientResamples,
    mean_defined,
    percentile_interval,
    resample_mean_of_sums,
    sum_by_patient,
)
from dualnet.evaluation.scores.truth import Truth

AT_HALF = "0.5"
PREVALENCE_MATCHED = "prevalence_matched"
CHOSEN = {
    AT_HALF: "probability of at least 0.5",
    PREVALENCE_MATCHED: "as many called as have the finding, read off the rows judged",
}
MEASURES = (
    "sensitivity",
    "specificity",
    "ppv",
    "npv",
    "f1",
    "accuracy",
    "balanced_accuracy",
)
COUNTS = ("true_positives", "false_positives", "false_negatives", "true_negatives")


def choose_thresholds(
    truth: Truth, scores: np.ndarray, *, are_probabilities: bool
) -> dict[str, np.ndarray]:
    """States the operating points of a model that has none stored.

    Args:
        truth: What the rows are.
        scores: The higher the likelier, shape (n, num_classes).
        are_probabilities: Whether 0.5 means anything.

    Returns:
        Thresholds by the point's name, float64, shape (num_classes,).
    """
    half = {AT_HALF: np.full(len(truth.class_names), 0.5)} if are_probabilities else {}
    return {**half, PREVALENCE_MATCHED: match_prevalence(truth.labels, scores)}


def match_prevalence(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Finds the thresholds at which as many rows are called as are positive.

    Args:
        labels: Labels present, bool, shape (n, num_classes).
        scores: The higher the likelier, shape (n, num_classes).

    Returns:
        Each class's score of rank `labels.sum()`, float64, shape (num_classes,); all
        rows tied with it are called too. NaN where no row is positive, or a score is
        NaN.

    Example:
        >>> labels = np.array([[True], [False], [True], [False]])
        >>> match_prevalence(labels, np.array([[0.9], [0.7], [0.2], [0.1]]))
        array([0.7])
    """
    num_positive = labels.sum(axis=0)
    ranked = -np.sort(-scores.astype(np.float64), axis=0)  # NaN last
    rank = np.maximum(num_positive - 1, 0)
    thresholds = ranked[rank, np.arange(labels.shape[1])]
    undefined = (num_positive == 0) | np.isnan(ranked[-1])
    return np.where(undefined, np.nan, thresholds)


def score_operating_points(
    truth: Truth,
    scores: np.ndarray,
    thresholds: Mapping[str, np.ndarray],
    *,
    draws: PatientResamples | None = None,
    chosen: Mapping[str, str] = CHOSEN,
) -> dict[str, dict[str, Any]]:
    """Scores every class, apart from the others, at each operating point.

    Args:
        truth: What the rows are.
        scores: The higher the likelier, shape (n, num_classes); NaN columns are
            undefined.
        thresholds: By the point's name, one a class, shape (num_classes,); a row is
            called whose score is at least the threshold; NaN: no such point.
        draws: Patients for the intervals; none: no intervals.
        chosen: In words, how each point was chosen.

    Returns:
        For each point `chosen` (in words), `findings` and `macro`. `findings` holds for
        each class name `threshold`, the four `COUNTS`, `n_positive`, `n_negative`,
        `n_called` and `n_not_called` (of which sensitivity, specificity, PPV and NPV
        are shares), and the `MEASURES`, each with its `_interval` if there are `draws`.
        F1 is `2 TP / (2 TP + FP + FN)`; balanced accuracy the mean of sensitivity and
        specificity. `macro` holds the means over the findings, the negative class and
        the undefined left out, and `num_defined` by measure. Undefined is NaN.

    Raises:
        RecordError: If there is not one threshold a class.
    """
    return {
        name: {
            "chosen": chosen.get(name, "given"),
            **_score_point(truth, scores, _check(values, truth, name), draws),
        }
        for name, values in thresholds.items()
    }


def compute_measures(counts: np.ndarray) -> np.ndarray:
    """Computes the measures from true and false positives and negatives.

    Args:
        counts: In the order of `COUNTS`, shape (..., 4, num_classes); only their
            ratios matter.

    Returns:
        In the order of `MEASURES`, float64, shape (..., 7, num_classes); NaN where
        nothing is behind a share.
    """
    hit, false_call, missed, passed = np.moveaxis(counts.astype(np.float64), -2, 0)
    sensitivity = _share(hit, hit + missed)
    specificity = _share(passed, passed + false_call)
    measures = (
        sensitivity,
        specificity,
        _share(hit, hit + false_call),
        _share(passed, passed + missed),
        _share(2 * hit, 2 * hit + false_call + missed),
        _share(hit + passed, hit + passed + false_call + missed),
        (sensitivity + specificity) / 2,
    )
    return np.stack(measures, axis=-2)


def _check(thresholds: np.ndarray, truth: Truth, name: str) -> np.ndarray:
    values = np.asarray(thresholds, dtype=np.float64)
    if values.shape != (len(truth.class_names),):
        raise RecordError(
            f"operating point {name!r}: must have one threshold a class, shape "
            f"({len(truth.class_names)},). Received: shape={values.shape}. "
            "Fit the thresholds for these classes."
        )
    return values


def _score_point(
    truth: Truth,
    scores: np.ndarray,
    thresholds: np.ndarray,
    draws: PatientResamples | None,
) -> dict[str, Any]:
    counts, sums = _count_outcomes(truth.labels, scores, thresholds, draws)
    measures = compute_measures(counts)
    drawn = None if draws is None else _resample(sums, draws)
    findings = {
        class_name: {
            "threshold": float(thresholds[column]),
            **_count_labels(truth.labels[:, column]),
            **_describe_counts(counts[:, column]),
            **_describe(measures[:, column], drawn, column),
        }
        for column, class_name in enumerate(truth.class_names)
    }
    return {
        "findings": findings,
        "macro": _average(measures, drawn, truth.is_finding),
    }


def _count_outcomes(
    labels: np.ndarray,
    scores: np.ndarray,
    thresholds: np.ndarray,
    draws: PatientResamples | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Counts the outcomes of all rows, and of each patient's if there are draws.

    A class at a time: all classes of NIH's 112,120 rows would take 54 MB.

    Returns:
        float64, shapes (4, classes) and (patients, 4, classes); NaN: undefined.
    """
    num_patients = 0 if draws is None else draws.num_patients
    counts = np.full((len(COUNTS), len(thresholds)), np.nan)
    sums = np.full((num_patients, *counts.shape), np.nan)
    for column, threshold in enumerate(thresholds):
        said = scores[:, column]
        if np.isnan(threshold) or np.isnan(said).any():
            continue
        outcomes = _find_outcomes(labels[:, column], said >= threshold)
        counts[:, column] = outcomes.sum(axis=0)
        if draws is not None:
            sums[:, :, column] = sum_by_patient(draws, outcomes)
    return counts, sums


def _find_outcomes(present: np.ndarray, called: np.ndarray) -> np.ndarray:
    """Returns whether each row is each of `COUNTS`, float64, shape (n, 4)."""
    outcomes = (present & called, ~present & called, present & ~called)
    return np.stack([*outcomes, ~present & ~called], axis=1).astype(np.float64)


def _resample(sums: np.ndarray, draws: PatientResamples) -> np.ndarray:
    """Returns the measures in every resample, (num_resamples, 7, classes)."""
    shares = resample_mean_of_sums(draws, sums.reshape(len(sums), -1))
    return compute_measures(shares.reshape(-1, *sums.shape[1:]))


def _count_labels(present: np.ndarray) -> dict[str, int]:
    num_positive = int(present.sum())
    return {"n_positive": num_positive, "n_negative": present.size - num_positive}


def _describe_counts(counts: np.ndarray) -> dict[str, int | None]:
    if np.isnan(counts).any():
        return dict.fromkeys((*COUNTS, "n_called", "n_not_called"))
    hit, false_call, missed, passed = (int(count) for count in counts)
    return {
        **dict(zip(COUNTS, (hit, false_call, missed, passed), strict=True)),
        "n_called": hit + false_call,
        "n_not_called": missed + passed,
    }


def _describe(
    measures: np.ndarray, drawn: np.ndarray | None, column: int
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for row, name in enumerate(MEASURES):
        values[name] = float(measures[row])
        if drawn is not None:
            interval = percentile_interval(drawn[:, row, column])
            values[f"{name}_interval"] = interval.as_dict()
    return values


def _average(
    measures: np.ndarray, drawn: np.ndarray | None, scored: np.ndarray
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for row, name in enumerate(MEASURES):
        values[name] = float(mean_defined(measures[np.newaxis, row, scored])[0])
        if drawn is not None:
            interval = percentile_interval(mean_defined(drawn[:, row, scored]))
            values[f"{name}_interval"] = interval.as_dict()
    defined = (~np.isnan(measures[:, scored])).sum(axis=1).tolist()
    return {**values, "num_defined": dict(zip(MEASURES, defined, strict=True))}


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    undefined = np.full(np.shape(whole), np.nan)
    return np.divide(part, whole, out=undefined, where=whole > 0)
