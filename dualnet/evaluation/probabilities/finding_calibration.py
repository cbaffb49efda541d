"""What temperatures change of a model of one probability a finding."""

from typing import Any

import numpy as np

from dualnet.evaluation.intervals.bootstrap import (
    PatientResamples,
    mean_defined,
    percentile_interval,
    resample_mean,
)
from dualnet.evaluation.probabilities.calibration import Calibration
from dualnet.evaluation.probabilities.reliability import (
    row_log_loss,
    score_probabilities,
)
from dualnet.evaluation.scores.truth import Truth

ERROR = "expected_calibration_error"
NO_INTERVAL = {"low": float("nan"), "high": float("nan"), "undefined_resamples": 0}


def score_finding_calibration(
    truth: Truth,
    probabilities: np.ndarray,
    calibration: Calibration,
    draws: PatientResamples,
) -> dict[str, Any]:
    """Scores one probability a finding before and after the temperatures.

    Args:
        truth: The rows that are judged, not those it was fitted on.
        probabilities: The model's, shape (n, num_classes), NaN where it gives none.
        calibration: What the validation part said.
        draws: Draws of patients over the rows.

    Returns:
        For `before`, `after` and their `difference` (after minus before, on the same
        draws): `log_loss` with its interval and `expected_calibration_error`, each the
        mean over the findings that are defined. The error's interval is NaN, as
        resampling moves it up only.
    """
    sides = {"before": probabilities, "after": calibration.apply(probabilities)}
    scored = {name: _score(truth, values, draws) for name, values in sides.items()}
    before, after = (row_log_loss(truth.labels, one) for one in sides.values())
    change = (after - before)[:, truth.is_finding]
    drawn = mean_defined(resample_mean(draws, change))
    scored["difference"] = {
        "log_loss": float(mean_defined(change.mean(axis=0)[np.newaxis])[0]),
        "log_loss_interval": percentile_interval(drawn).as_dict(),
        ERROR: scored["after"][ERROR] - scored["before"][ERROR],
        f"{ERROR}_interval": NO_INTERVAL,
    }
    return scored


def _score(
    truth: Truth, probabilities: np.ndarray, draws: PatientResamples
) -> dict[str, Any]:
    macro = score_probabilities(truth, probabilities, draws)["macro"]
    keys = ("log_loss", "log_loss_interval", ERROR)
    return {**{key: macro[key] for key in keys}, f"{ERROR}_interval": NO_INTERVAL}
