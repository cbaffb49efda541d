"""A prediction's scores in all resamples, and how they differ from another's."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from dualnet.evaluation.intervals.bootstrap import (
    PatientResamples,
    mean_defined,
    resample_auroc,
    resample_mean,
)
from dualnet.evaluation.intervals.resampled import Resampled
from dualnet.evaluation.scores.baselines import Prediction
from dualnet.evaluation.scores.metrics import row_correct, row_log_loss
from dualnet.evaluation.scores.plain_values import plain_values
from dualnet.evaluation.scores.truth import Truth
from dualnet.scores import auroc_per_class

ROW_MEASURES = ("accuracy", "log_loss")


@dataclass(frozen=True, kw_only=True)
class PairedScores:
    """A prediction's scores on some rows, whole and in every resample of patients.

    Args:
        class_names: Names of the columns.
        auroc: Each class's, NaN where undefined, then their mean over the findings that
            are defined: num_classes + 1 scores.
        first_label: Means of `ROW_MEASURES`.
    """

    class_names: tuple[str, ...]
    auroc: Resampled
    first_label: Resampled

    @property
    def macro(self) -> float:
        """The mean AUROC over the findings; NaN where none is defined."""
        return float(self.auroc.values[-1])

    def describe(self) -> dict[str, Any]:
        """Returns plain values for JSON, in the form of `metrics["model"]`."""
        *findings, macro = self.auroc.describe("auroc")
        first_label: dict[str, Any] = {}
        for name, value, interval in zip(
            ROW_MEASURES,
            self.first_label.values,
            self.first_label.intervals(),
            strict=True,
        ):
            first_label |= {name: float(value), f"{name}_interval": interval}
        return plain_values(
            {
                "macro": macro,
                "findings": dict(zip(self.class_names, findings, strict=True)),
                "first_label": first_label,
            }
        )

    def minus(self, other: "PairedScores") -> dict[str, Any]:
        """Takes the difference to another prediction of the same rows and draws.

        Args:
            other: What is taken off.

        Returns:
            Plain values for JSON, in the form of `metrics["differences"]`.
        """
        *findings, macro = (self.auroc - other.auroc).describe_differences()
        rows = (self.first_label - other.first_label).describe_differences()
        return plain_values(
            {
                "macro_auroc": macro,
                "findings": dict(zip(self.class_names, findings, strict=True)),
                "first_label": dict(zip(ROW_MEASURES, rows, strict=True)),
            }
        )


def score_paired(
    truth: Truth, prediction: Prediction, draws: PatientResamples
) -> PairedScores:
    """Scores a prediction, whole and in every resample.

    Args:
        truth: The rows.
        prediction: What is said of them.
        draws: Draws of patients over the rows; those of two predictions that are to be
            compared must be the same.

    Returns:
        The scores.
    """
    said = ~np.isnan(prediction.scores).any(axis=0)
    auroc = np.full(said.size, np.nan)
    auroc[said] = auroc_per_class(truth.labels[:, said], prediction.scores[:, said])
    macro = mean_defined(auroc[np.newaxis, truth.is_finding])
    rows = row_measures(truth, prediction)
    return PairedScores(
        class_names=truth.class_names,
        auroc=Resampled(
            np.append(auroc, macro), resample_auroc_and_mean(truth, prediction, draws)
        ),
        first_label=Resampled(rows.mean(axis=0), resample_mean(draws, rows)),
    )


def resample_auroc_and_mean(
    truth: Truth, prediction: Prediction, draws: PatientResamples
) -> np.ndarray:
    """Computes the AUROCs and their mean over the findings in every resample.

    Args:
        truth: The rows.
        prediction: What is said of them.
        draws: Draws of patients over the rows.

    Returns:
        float64, shape (num_resamples, num_classes + 1), NaN where undefined.
    """
    drawn = resample_auroc(draws, truth.labels, prediction.scores)
    return np.column_stack([drawn, mean_defined(drawn[:, truth.is_finding])])


def row_measures(truth: Truth, prediction: Prediction) -> np.ndarray:
    """Computes each row's `ROW_MEASURES`.

    Args:
        truth: The rows.
        prediction: What is said of them.

    Returns:
        float64, shape (n, 2); NaN where there is no one answer a radiograph.
    """
    answers = prediction.probabilities
    if answers is None:
        return np.full((truth.num_images, len(ROW_MEASURES)), np.nan)
    measures = (row_correct(truth, answers), row_log_loss(truth, answers))
    return np.stack(measures, axis=1)
