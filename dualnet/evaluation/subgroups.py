"""A model's scores group by group, and how far each group is from the others.

Patients are drawn once; in each draw a group and the rest are both scored, so that a
patient with radiographs in both moves both. A model that ranks as well in each group
may still call the sick of one of them well more often: the under-diagnosis rate.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dualnet.evaluation.bootstrap import (
    PatientResamples,
    mean_defined,
    percentile_interval,
    resample_auroc,
)
from dualnet.evaluation.calibration_error import row_calibration
from dualnet.evaluation.groupings import UNKNOWN, Grouping
from dualnet.evaluation.metrics import CALIBRATION_BINS
from dualnet.evaluation.resampling import resample_sums
from dualnet.evaluation.truth import Truth
from dualnet.scores import auroc_per_class
from dualnet.training.selection import MIN_PATIENTS

MACRO_AUROC = "macro_auroc"
PREVALENCE = "prevalence"
PREDICTED_MINUS_PREVALENCE = "predicted_minus_prevalence"
CALIBRATION_ERROR = "expected_calibration_error"
UNDER_DIAGNOSIS = "under_diagnosis"
GAPS = (MACRO_AUROC, PREDICTED_MINUS_PREVALENCE, UNDER_DIAGNOSIS)
IN, REST = "in", "rest"
_ROW_MEASURES = (
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
            None with `probabilities`.
    """

    truth: Truth
    scores: np.ndarray
    probabilities: np.ndarray | None
    called_negative: np.ndarray | None

    @property
    def sick(self) -> np.ndarray:
        """Whether a row has any finding, bool, shape (n,)."""
        negative = self.truth.vocabulary.negative
        names = np.array(self.truth.class_names)
        return np.asarray(self.truth.labels[:, names != negative].any(axis=1))


@dataclass(frozen=True)
class _Scored:
    """The scores of some rows, and the same in every resample.

    `aurocs` has the shape (num_classes,), `drawn_aurocs` (num_resamples,
    num_classes), `values` and `drawn_values` the columns `_ROW_MEASURES`; `fit` says
    which findings enough patients have and lack.
    """

    rows: np.ndarray
    aurocs: np.ndarray
    drawn_aurocs: np.ndarray
    values: np.ndarray
    drawn_values: np.ndarray
    fit: np.ndarray


def score_subgroups(
    judged: JudgedRows, groupings: Sequence[Grouping], draws: PatientResamples
) -> list[dict[str, Any]]:
    """Scores every group, and its gap to all other rows whose group is known.

    Args:
        judged: What the model says of the rows.
        groupings: How they are parted.
        draws: Draws of patients over the rows.

    Returns:
        For each grouping its `name`, `num_unknown` and `groups`; for each group
        `group`, `num_images`, `num_patients`, `num_with_finding`; `prevalence` (of
        any finding), `macro_auroc` (mean of the `num_findings` that at least
        `MIN_PATIENTS` patients of the group have and lack: one patient's Hernia would
        decide as much as a hundred Effusions), `predicted_minus_prevalence` (mean of 1 - P(no finding), minus
        the prevalence), `expected_calibration_error` and `under_diagnosis` (share of
        the rows with a finding that are said to have none), each a `value` with its
        `interval`; `findings`, for each class `n_positive`, `prevalence`,
        `mean_predicted`, `auroc` and its interval; and `gaps`, group minus rest, of
        `GAPS` and of each finding's AUROC; the macro's is of the findings
        that enough patients of both sides have and lack. NaN where undefined; no
        interval where fewer than `MIN_PATIENTS` patients are in a group, or of its
        sick are on either side of the under-diagnosis rate.

    Reference:
        Seyyed-Kalantari et al., Underdiagnosis bias of artificial intelligence
        algorithms applied to chest radiographs in under-served patient populations,
        Nature Medicine 27, 2021.
    """
    return [_score_grouping(judged, grouping, draws) for grouping in groupings]


def score_all(judged: JudgedRows, draws: PatientResamples) -> dict[str, Any]:
    """Scores all rows as `score_subgroups` scores a group; it has no gaps.

    Args:
        judged: What the model says of the rows.
        draws: Draws of patients over the rows.

    Returns:
        As one of the groups.
    """
    codes = np.zeros(judged.truth.num_images, dtype=np.int64)
    everyone = Grouping(name="all", groups=("all",), codes=codes)
    return _score_grouping(judged, everyone, draws)["groups"][0]


def _score_grouping(
    judged: JudgedRows, grouping: Grouping, draws: PatientResamples
) -> dict[str, Any]:
    masks = _masks(grouping)
    values, drawn = _score_rows(judged, [*masks.values()], draws)
    scored = {
        key: _score_mask(judged, rows, values[place], drawn[place], draws)
        for place, (key, rows) in enumerate(masks.items())
    }
    if len(grouping.groups) == 2:  # each is the other's rest
        scored |= {(0, REST): scored[1, IN], (1, REST): scored[0, IN]}
    return {
        "name": grouping.name,
        "num_unknown": grouping.num_unknown,
        "groups": [
            {
                "group": group,
                **_describe(judged, scored[code, IN]),
                "gaps": _compare(
                    judged.truth, scored[code, IN], scored.get((code, REST))
                ),
            }
            for code, group in enumerate(grouping.groups)
        ],
    }


def _masks(grouping: Grouping) -> dict[tuple[int, str], np.ndarray]:
    """Returns the rows of each group, and of its rest where it has one."""
    codes, known = grouping.codes, grouping.codes != UNKNOWN
    numbers = range(len(grouping.groups))
    masks = {(code, IN): codes == code for code in numbers}
    if len(numbers) > 2:
        masks |= {(code, REST): known & (codes != code) for code in numbers}
    return masks


def _score_mask(
    judged: JudgedRows,
    rows: np.ndarray,
    values: np.ndarray,
    drawn_values: np.ndarray,
    draws: PatientResamples,
) -> _Scored:
    truth, codes = judged.truth, draws.codes[rows]
    labels, scores = truth.labels[rows], judged.scores[rows]
    patients = [
        min(np.unique(codes[present]).size, np.unique(codes[~present]).size)
        for present in labels.T
    ]
    aurocs, drawn_aurocs = _score_classes(labels, scores, replace(draws, codes=codes))
    return _Scored(
        rows=rows,
        aurocs=aurocs,
        drawn_aurocs=drawn_aurocs,
        values=values,
        drawn_values=_without_few(judged, rows, drawn_values, codes),
        fit=truth.is_finding & (np.array(patients) >= MIN_PATIENTS),
    )


def _score_classes(
    labels: np.ndarray, scores: np.ndarray, draws: PatientResamples
) -> tuple[np.ndarray, np.ndarray]:
    """Returns AUROCs and their resamples; NaN of a class that has no scores."""
    said = ~np.isnan(scores).any(axis=0)
    aurocs = np.full(said.size, np.nan)
    aurocs[said] = auroc_per_class(labels[:, said], scores[:, said])
    return aurocs, resample_auroc(draws, labels, scores)


def _without_few(
    judged: JudgedRows, rows: np.ndarray, drawn: np.ndarray, codes: np.ndarray
) -> np.ndarray:
    """Makes NaN of what too few patients were drawn for.

    A share of none or all of twelve patients is the same in every draw, and the value
    of a single patient too; an interval of no width would be told.

    Returns:
        Shape (num_resamples, measures).
    """
    few = np.zeros(len(_ROW_MEASURES), dtype=bool)
    if judged.called_negative is not None:
        sick, missed = judged.sick[rows], judged.called_negative[rows]
        kinds = (sick & missed, sick & ~missed)
        num_patients = min(np.unique(codes[kind]).size for kind in kinds)
        few[_ROW_MEASURES.index(UNDER_DIAGNOSIS)] = num_patients < MIN_PATIENTS
    few |= np.unique(codes).size < MIN_PATIENTS
    return np.where(few, np.nan, drawn)


def _score_rows(
    judged: JudgedRows, masks: Sequence[np.ndarray], draws: PatientResamples
) -> tuple[np.ndarray, np.ndarray]:
    """Computes `_ROW_MEASURES` for all masks in one pass over the draws.

    Returns:
        Shapes (masks, measures) and (masks, num_resamples, measures).
    """
    columns = _row_columns(judged)
    values = np.concatenate(
        [np.where(mask[:, np.newaxis], columns, 0) for mask in masks], axis=1
    )
    size = columns.shape[1]
    totals = values.sum(axis=0)[np.newaxis]
    drawn = resample_sums(draws, values)
    parts = [slice(place * size, (place + 1) * size) for place in range(len(masks))]
    return (
        np.stack([_finish(totals[:, part])[0] for part in parts]),
        np.stack([_finish(drawn[:, part]) for part in parts]),
    )


def _row_columns(judged: JudgedRows) -> np.ndarray:
    """Returns what `_finish` takes the sums of, NaN where there are no probabilities."""
    truth, sick = judged.truth, judged.sick
    columns = np.full((truth.num_images, 4 + CALIBRATION_BINS), np.nan)
    columns[:, 0], columns[:, 1] = 1, sick
    if judged.probabilities is not None and judged.called_negative is not None:
        negative = truth.class_names.index(truth.vocabulary.negative)
        columns[:, 2] = 1 - judged.probabilities[:, negative].astype(np.float64)
        columns[:, 3] = sick & judged.called_negative
        columns[:, 4:] = row_calibration(truth, judged.probabilities)
    return columns


def _finish(sums: np.ndarray) -> np.ndarray:
    """Turns sums into `_ROW_MEASURES`; NaN where there is no row, or none sick."""
    rows, sick, predicted, missed = sums[:, :4].T
    with np.errstate(invalid="ignore", divide="ignore"):
        columns = [
            sick / rows,
            (predicted - sick) / rows,
            missed / sick,
            np.abs(sums[:, 4:]).sum(axis=1) / rows,
        ]
    return np.column_stack(columns)


def _describe(judged: JudgedRows, scored: _Scored) -> dict[str, Any]:
    truth, rows = judged.truth, scored.rows
    labels = truth.labels[rows]
    predicted = np.full(len(truth.class_names), np.nan)
    if judged.probabilities is not None and rows.any():
        predicted = judged.probabilities[rows].mean(axis=0, dtype=np.float64)
    measures = dict(
        zip(
            _ROW_MEASURES,
            zip(scored.values, scored.drawn_values.T, strict=True),
            strict=True,
        )
    )
    macro = {
        **_value(
            mean_defined(scored.aurocs[np.newaxis, scored.fit])[0],
            mean_defined(scored.drawn_aurocs[:, scored.fit]),
        ),
        "num_findings": int(scored.fit.sum()),
    }
    return {
        "num_images": int(rows.sum()),
        "num_patients": int(np.unique(truth.patient_ids[rows]).size),
        "num_with_finding": int(judged.sick[rows].sum()),
        MACRO_AUROC: macro,
        **{name: _value(*measure) for name, measure in measures.items()},
        "findings": {
            name: {
                "n_positive": int(labels[:, place].sum()),
                "prevalence": float(labels[:, place].mean()),
                "mean_predicted": float(predicted[place]),
                "auroc": float(scored.aurocs[place]),
                "auroc_interval": percentile_interval(
                    scored.drawn_aurocs[:, place]
                ).as_dict(),
            }
            for place, name in enumerate(truth.class_names)
        },
    }


def _compare(
    truth: Truth, group: _Scored, rest: _Scored | None
) -> dict[str, Any] | None:
    """Takes group minus rest, on the same draws; None where there is no rest."""
    if rest is None:
        return None
    aurocs = group.aurocs - rest.aurocs
    drawn = group.drawn_aurocs - rest.drawn_aurocs
    both = group.fit & rest.fit
    gaps: dict[str, Any] = {
        MACRO_AUROC: {
            **_gap(
                mean_defined(aurocs[np.newaxis, both])[0], mean_defined(drawn[:, both])
            ),
            "num_findings": int(both.sum()),
        }
    }
    for name in (PREDICTED_MINUS_PREVALENCE, UNDER_DIAGNOSIS):
        place = _ROW_MEASURES.index(name)
        gaps[name] = _gap(
            group.values[place] - rest.values[place],
            group.drawn_values[:, place] - rest.drawn_values[:, place],
        )
    gaps["findings"] = {
        name: _gap(aurocs[place], drawn[:, place])
        for place, name in enumerate(truth.class_names)
    }
    return gaps


def _value(value: float, samples: np.ndarray) -> dict[str, Any]:
    return {"value": float(value), "interval": percentile_interval(samples).as_dict()}


def _gap(value: float, samples: np.ndarray) -> dict[str, Any]:
    return {"difference": float(value), **percentile_interval(samples).as_dict()}
