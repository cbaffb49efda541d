"""The scores of some of the rows, such as a group's, and the same in every resample."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dualnet.evaluation.intervals.bootstrap import PatientResamples, resample_auroc
from dualnet.evaluation.intervals.resampled import Resampled
from dualnet.evaluation.intervals.resampling import resample_sums
from dualnet.evaluation.probabilities.calibration_error import row_calibration
from dualnet.evaluation.scores.metrics import CALIBRATION_BINS
from dualnet.evaluation.scores.truth import Truth
from dualnet.scores import auroc_per_class
from dualnet.training.selection import MIN_PATIENTS

MACRO_AUROC = "macro_auroc"
PREVALENCE = "prevalence"
PREDICTED_MINUS_PREVALENCE = "predicted_minus_prevalence"
CALIBRATION_ERROR = "expected_calibration_error"
UNDER_DIAGNOSIS = "under_diagnosis"
GAPS = (MACRO_AUROC, PREDICTED_MINUS_PREVALENCE, UNDER_DIAGNOSIS)
ROW_MEASURES = (
    PREVALENCE,
    PREDICTED_MINUS_PREVALENCE,
    UNDER_DIAGNOSIS,
    CALIBRATION_ERROR,
)


@dataclass(frozen=True, kw_only=True)
class JudgedRows:
    """What a model says of the rows that are parted into groups.

    Args:
        truth: What the rows are.
        scores: What findings are ranked by, shape (n, num_classes).
        probabilities: As a person gets them, calibrated if the run is, shape (n,
            num_classes); None where there is no one answer a radiograph: what is made
            of them is undefined then.
        called_negative: Whether a row is said to have no finding, bool, shape (n,);
            None: not known, and the under-diagnosis rate undefined.
        finding_probabilities: Of each class being among the labels, NaN where the
            model gives none, shape (n, num_classes); None: `probabilities`.
    """

    truth: Truth
    scores: np.ndarray
    probabilities: np.ndarray | None
    called_negative: np.ndarray | None
    finding_probabilities: np.ndarray | None = None

    @property
    def said(self) -> np.ndarray | None:
        """Probabilities of each class, with one answer a radiograph or without."""
        apart = self.finding_probabilities
        return self.probabilities if apart is None else apart

    @property
    def sick(self) -> np.ndarray:
        """Whether a row has any finding, bool, shape (n,)."""
        negative = self.truth.vocabulary.negative
        names = np.array(self.truth.class_names)
        return np.asarray(self.truth.labels[:, names != negative].any(axis=1))


@dataclass(frozen=True)
class MaskScores:
    """The scores of some rows, whole and in every resample.

    Args:
        rows: Which they are, bool, shape (n,).
        aurocs: Of each class.
        values: `ROW_MEASURES`.
        fit: Which findings enough patients have and lack, bool, shape (num_classes,).
    """

    rows: np.ndarray
    aurocs: Resampled
    values: Resampled
    fit: np.ndarray


def score_masks(
    judged: JudgedRows, masks: Sequence[np.ndarray], draws: PatientResamples
) -> list[MaskScores]:
    """Scores some of the rows, and others of them, on the same draws.

    Args:
        judged: What the model says of all rows.
        masks: The rows to score each time, bool, shape (n,).
        draws: Draws of patients over all rows.

    Returns:
        The scores of each mask.
    """
    columns = _row_columns(judged)
    return [_score_mask(judged, columns, rows, draws) for rows in masks]


def _score_mask(
    judged: JudgedRows, columns: np.ndarray, rows: np.ndarray, draws: PatientResamples
) -> MaskScores:
    truth, codes = judged.truth, draws.codes[rows]
    labels, values = truth.labels[rows], columns[rows]
    patients = [
        min(np.unique(codes[present]).size, np.unique(codes[~present]).size)
        for present in labels.T
    ]
    some = replace(draws, codes=codes)
    drawn = _finish(resample_sums(some, values))
    return MaskScores(
        rows=rows,
        aurocs=_score_classes(labels, judged.scores[rows], some),
        values=Resampled(
            _finish(values.sum(axis=0)[np.newaxis])[0],
            _without_few(judged, rows, drawn, codes),
        ),
        fit=truth.is_finding & (np.array(patients) >= MIN_PATIENTS),
    )


def _score_classes(
    labels: np.ndarray, scores: np.ndarray, draws: PatientResamples
) -> Resampled:
    """Returns AUROCs; NaN of a class that has no scores."""
    said = ~np.isnan(scores).any(axis=0)
    aurocs = np.full(said.size, np.nan)
    aurocs[said] = auroc_per_class(labels[:, said], scores[:, said])
    return Resampled(aurocs, resample_auroc(draws, labels, scores))


def _without_few(
    judged: JudgedRows, rows: np.ndarray, drawn: np.ndarray, codes: np.ndarray
) -> np.ndarray:
    """Makes NaN of what too few patients were drawn for.

    A share of none or all of twelve patients is the same in every draw, and the value
    of a single patient too; an interval of no width would be told.

    Returns:
        Shape (num_resamples, measures).
    """
    few = np.zeros(len(ROW_MEASURES), dtype=bool)
    if judged.called_negative is not None:
        sick, missed = judged.sick[rows], judged.called_negative[rows]
        kinds = (sick & missed, sick & ~missed)
        num_patients = min(np.unique(codes[kind]).size for kind in kinds)
        few[ROW_MEASURES.index(UNDER_DIAGNOSIS)] = num_patients < MIN_PATIENTS
    few |= np.unique(codes).size < MIN_PATIENTS
    return np.where(few, np.nan, drawn)


def _row_columns(judged: JudgedRows) -> np.ndarray:
    """Returns what `_finish` takes the sums of, NaN where there are no probabilities."""
    truth, sick = judged.truth, judged.sick
    columns = np.full((truth.num_images, 4 + CALIBRATION_BINS), np.nan)
    columns[:, 0], columns[:, 1] = 1, sick
    if judged.called_negative is not None:
        columns[:, 3] = sick & judged.called_negative
    if judged.probabilities is not None:
        negative = truth.class_names.index(truth.vocabulary.negative)
        columns[:, 2] = 1 - judged.probabilities[:, negative].astype(np.float64)
        columns[:, 4:] = row_calibration(truth, judged.probabilities)
    return columns


def _finish(sums: np.ndarray) -> np.ndarray:
    """Turns sums into `ROW_MEASURES`; NaN where there is no row, or none sick."""
    rows, sick, predicted, missed = sums[:, :4].T
    with np.errstate(invalid="ignore", divide="ignore"):
        columns = [
            sick / rows,
            (predicted - sick) / rows,
            missed / sick,
            np.abs(sums[:, 4:]).sum(axis=1) / rows,
        ]
    return np.column_stack(columns)
