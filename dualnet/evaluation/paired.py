"""Scores of one prediction and the same in every resample, so that two can be paired."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from dualnet.evaluation.baselines import Prediction
from dualnet.evaluation.bootstrap import (
    PatientResamples,
    mean_defined,
    percentile_interval,
    resample_auroc,
    resample_mean,
)
from dualnet.evaluation.metrics import row_correct, row_log_loss
from dualnet.evaluation.truth import Truth
from dualnet.scores import auroc_per_class

ROW_MEASURES = ("accuracy", "log_loss")


@dataclass(frozen=True, kw_only=True)
class PairedScores:
    """A prediction's scores on some rows, whole and in every resample of patients.

    Args:
        class_names: Names of the columns.
        auroc: Each class's, NaN where undefined, shape (num_classes,), then their mean
            over the findings that are defined.
        first_label: Means of `ROW_MEASURES`, shape (2,).
        drawn_auroc: As `auroc`, shape (num_resamples, num_classes + 1).
        drawn_first_label: Shape (num_resamples, 2).
    """

    class_names: tuple[str, ...]
    auroc: np.ndarray
    first_label: np.ndarray
    drawn_auroc: np.ndarray
    drawn_first_label: np.ndarray

    @property
    def macro(self) -> float:
        """The mean AUROC over the findings; NaN where none is defined."""
        return float(self.auroc[-1])

    def describe(self) -> dict[str, Any]:
        """Returns plain values for JSON, in the form of `metrics["model"]`."""
        areas = [
            {
                "auroc": _plain(value),
                "auroc_interval": percentile_interval(samples).as_dict(),
            }
            for value, samples in zip(self.auroc, self.drawn_auroc.T, strict=True)
        ]
        first_label: dict[str, Any] = {}
        drawn = self.drawn_first_label.T
        for name, value, samples in zip(
            ROW_MEASURES, self.first_label, drawn, strict=True
        ):
            first_label[name] = _plain(value)
            first_label[f"{name}_interval"] = percentile_interval(samples).as_dict()
        return {
            "macro": areas[-1],
            "findings": dict(zip(self.class_names, areas[:-1], strict=True)),
            "first_label": first_label,
        }

    def minus(self, other: "PairedScores") -> dict[str, Any]:
        """Takes the difference to another prediction of the same rows and draws.

        Args:
            other: What is taken off.

        Returns:
            Plain values for JSON, in the form of `metrics["differences"]`.
        """
        areas = _differences(
            self.auroc - other.auroc, self.drawn_auroc - other.drawn_auroc
        )
        rows = _differences(
            self.first_label - other.first_label,
            self.drawn_first_label - other.drawn_first_label,
        )
        return {
            "macro_auroc": areas[-1],
            "findings": dict(zip(self.class_names, areas[:-1], strict=True)),
            "first_label": dict(zip(ROW_MEASURES, rows, strict=True)),
        }


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
    auroc = auroc_per_class(truth.labels, prediction.scores)
    drawn = resample_auroc(draws, truth.labels, prediction.scores)
    rows = _score_rows(truth, prediction)
    macro = mean_defined(auroc[np.newaxis, truth.is_finding])
    drawn_macro = mean_defined(drawn[:, truth.is_finding])
    return PairedScores(
        class_names=truth.class_names,
        auroc=np.append(auroc, macro),
        first_label=rows.mean(axis=0),
        drawn_auroc=np.column_stack([drawn, drawn_macro]),
        drawn_first_label=resample_mean(draws, rows),
    )


def _differences(values: np.ndarray, samples: np.ndarray) -> list[dict[str, Any]]:
    return [
        {"difference": _plain(value), **percentile_interval(one).as_dict()}
        for value, one in zip(values, samples.T, strict=True)
    ]


def _plain(value: float) -> float | None:
    """Turns NaN, which JSON has not, into None."""
    return None if np.isnan(value) else float(value)


def _score_rows(truth: Truth, prediction: Prediction) -> np.ndarray:
    """Returns each row's `ROW_MEASURES`; NaN where there is no one answer."""
    answers = prediction.probabilities
    if answers is None:
        return np.full((truth.num_images, len(ROW_MEASURES)), np.nan)
    measures = (row_correct(truth, answers), row_log_loss(truth, answers))
    return np.stack(measures, axis=1)
