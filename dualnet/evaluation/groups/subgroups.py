"""A model's scores group by group, and how far each group is from the others.

Patients are drawn once; in each draw a group and the rest are both scored, so that a
patient with radiographs in both moves both. A model that ranks as well in each group
may still call the sick of one of them well more often: the under-diagnosis rate.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dualnet.evaluation.groups.groupings import UNKNOWN, Grouping
from dualnet.evaluation.groups.subgroup_scores import (
    CALIBRATION_ERROR,
    MACRO_AUROC,
    PREDICTED_MINUS_PREVALENCE,
    ROW_MEASURES,
    UNDER_DIAGNOSIS,
    JudgedRows,
    MaskScores,
    score_masks,
)
from dualnet.evaluation.intervals.bootstrap import (
    PatientResamples,
    mean_defined,
)
from dualnet.evaluation.intervals.resampled import Resampled
from dualnet.evaluation.probabilities.reliability import mean_calibration_error
from dualnet.evaluation.scores.truth import Truth

IN, REST = "in", "rest"


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
        decide as much as a hundred Effusions), `predicted_minus_prevalence` (mean of
        1 - P(no finding), minus the prevalence), `expected_calibration_error` (of the
        likeliest class; without one answer a radiograph the mean of the findings',
        which has no interval) and `under_diagnosis` (share of the rows with a finding
        that are said to have none), each a `value` with its `interval`; `findings`,
        for each class `n_positive`, `prevalence`, `mean_predicted`, `auroc` and its
        interval; and `gaps`, group minus rest, of `GAPS` and of each finding's AUROC;
        the macro's is of the findings that enough patients of both sides have and
        lack. NaN where undefined; no interval where fewer than `MIN_PATIENTS`
        patients are in a group, or of its sick are on either side of the
        under-diagnosis rate.

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
    scores = score_masks(judged, [*masks.values()], draws)
    scored = dict(zip(masks, scores, strict=True))
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


def _describe(judged: JudgedRows, scored: MaskScores) -> dict[str, Any]:
    truth, rows = judged.truth, scored.rows
    labels = truth.labels[rows]
    predicted = np.full(len(truth.class_names), np.nan)
    if judged.said is not None and rows.any():
        predicted = judged.said[rows].mean(axis=0, dtype=np.float64)
    (macro,) = _describe_values(_mean(scored.aurocs, scored.fit))
    aurocs = scored.aurocs.describe("auroc")
    return {
        "num_images": int(rows.sum()),
        "num_patients": int(np.unique(truth.patient_ids[rows]).size),
        "num_with_finding": int(judged.sick[rows].sum()),
        MACRO_AUROC: {**macro, "num_findings": int(scored.fit.sum())},
        **dict(zip(ROW_MEASURES, _describe_values(scored.values), strict=True)),
        **_finding_error(judged, rows),
        "findings": {
            name: {
                "n_positive": int(labels[:, place].sum()),
                "prevalence": float(labels[:, place].mean()),
                "mean_predicted": float(predicted[place]),
                **aurocs[place],
            }
            for place, name in enumerate(truth.class_names)
        },
    }


def _finding_error(judged: JudgedRows, rows: np.ndarray) -> dict[str, Any]:
    """Scores probabilities of the findings apart, where there is no one answer."""
    if judged.probabilities is not None or judged.said is None:
        return {}
    labels, scored = judged.truth.labels[rows], judged.truth.is_finding
    error = mean_calibration_error(labels[:, scored], judged.said[rows][:, scored])
    # resampling moves it up only: it has no interval
    undefined = Resampled(np.array([error]), np.full((1, 1), np.nan))
    return {CALIBRATION_ERROR: _describe_values(undefined)[0]}


def _describe_values(scores: Resampled) -> list[dict[str, Any]]:
    return [
        {"value": float(value), "interval": interval}
        for value, interval in zip(scores.values, scores.intervals(), strict=True)
    ]


def _compare(
    truth: Truth, group: MaskScores, rest: MaskScores | None
) -> dict[str, Any] | None:
    """Takes group minus rest, on the same draws; None where there is no rest."""
    if rest is None:
        return None
    aurocs, both = group.aurocs - rest.aurocs, group.fit & rest.fit
    (macro,) = _mean(aurocs, both).describe_differences()
    measures = (group.values - rest.values).describe_differences()
    by_name = dict(zip(ROW_MEASURES, measures, strict=True))
    findings = aurocs.describe_differences()
    return {
        MACRO_AUROC: {**macro, "num_findings": int(both.sum())},
        PREDICTED_MINUS_PREVALENCE: by_name[PREDICTED_MINUS_PREVALENCE],
        UNDER_DIAGNOSIS: by_name[UNDER_DIAGNOSIS],
        "findings": dict(zip(truth.class_names, findings, strict=True)),
    }


def _mean(scores: Resampled, columns: np.ndarray) -> Resampled:
    """Averages some of the scores, those that are undefined left out."""
    return Resampled(
        mean_defined(scores.values[np.newaxis, columns]),
        mean_defined(scores.drawn[:, columns])[:, np.newaxis],
    )
