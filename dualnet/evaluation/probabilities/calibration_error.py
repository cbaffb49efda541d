"""The calibration error of the likeliest class, and its interval by patient."""

from typing import Any

import numpy as np

from dualnet.evaluation.intervals.bootstrap import PatientResamples, percentile_interval
from dualnet.evaluation.intervals.resampling import resample_sums
from dualnet.evaluation.probabilities.calibration import Calibration
from dualnet.evaluation.scores.metrics import (
    CALIBRATION_BINS,
    row_correct,
    row_log_loss,
)
from dualnet.evaluation.scores.truth import Truth


def row_calibration(truth: Truth, probabilities: np.ndarray) -> np.ndarray:
    """Sorts by how sure the answers are by how much each was too sure.

    Args:
        truth: What the rows are.
        probabilities: Shape (n, num_classes).

    Returns:
        float64, shape (n, `CALIBRATION_BINS`): in the column of its bin, a row has its
        likeliest class's probability minus whether that class is its first label, 0
        elsewhere. Over any rows, the sum of the columns' absolute sums, a row, is the
        expected calibration error.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
    index = np.searchsorted(edges, confidence, side="left") - 1
    # float32 probabilities may pass 1 by their last digit
    index = np.clip(index, 0, CALIBRATION_BINS - 1)
    values = np.zeros((truth.num_images, CALIBRATION_BINS))
    rows = np.arange(truth.num_images)
    values[rows, index] = confidence - row_correct(truth, probabilities)
    return values


def score_calibration(
    truth: Truth,
    probabilities: np.ndarray,
    calibration: Calibration,
    draws: PatientResamples,
) -> dict[str, Any]:
    """Scores probabilities before and after the temperature.

    Args:
        truth: The rows that are judged, not those it was fitted on.
        probabilities: The model's, shape (n, num_classes).
        calibration: What the validation part said.
        draws: Draws of patients over the rows.

    Returns:
        For `before`, `after` and their `difference` (after minus before, on the same
        draws): `log_loss` and `expected_calibration_error` with their intervals. The
        percentile interval of a calibration error lies too high where rows are few,
        as the error itself does: chance adds to it, and the draws add again.
    """
    scored = {
        "before": _score(truth, probabilities, draws),
        "after": _score(truth, calibration.apply(probabilities), draws),
    }
    values = {name: one for name, (one, _) in scored.items()}
    samples = {name: drawn for name, (_, drawn) in scored.items()}
    values["difference"] = values["after"] - values["before"]
    samples["difference"] = samples["after"] - samples["before"]
    return {
        name: _with_intervals(values[name], samples[name])
        for name in ("before", "after", "difference")
    }


def _score(
    truth: Truth, probabilities: np.ndarray, draws: PatientResamples
) -> tuple[np.ndarray, np.ndarray]:
    """Returns log-loss and calibration error, and both in every resample."""
    columns = np.column_stack(
        [
            np.ones(truth.num_images),
            row_log_loss(truth, probabilities),
            row_calibration(truth, probabilities),
        ]
    )

    def finish(sums: np.ndarray) -> np.ndarray:
        error = np.abs(sums[:, 2:]).sum(axis=1)
        return np.column_stack([sums[:, 1], error]) / sums[:, :1]

    return finish(columns.sum(axis=0)[np.newaxis])[0], finish(
        resample_sums(draws, columns)
    )


def _with_intervals(values: np.ndarray, samples: np.ndarray) -> dict[str, Any]:
    names = ("log_loss", "expected_calibration_error")
    scores: dict[str, Any] = {}
    for name, value, column in zip(names, values, samples.T, strict=True):
        scores[name] = float(value)
        scores[f"{name}_interval"] = percentile_interval(column).as_dict()
    return scores
