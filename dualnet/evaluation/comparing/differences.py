"""Paired differences between predictions of the same radiographs.

All predictions are scored on the same resamples of patients, so that their differences,
draw by draw, are paired. Findings are tested by DeLong with patients taken whole, and
their p-values corrected for how many findings there are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dualnet.evaluation.intervals.bootstrap import (
    PatientResamples,
    mean_defined,
    percentile_interval,
    resample_auroc,
)
from dualnet.evaluation.intervals.bootstrap_precision import resample_average_precision
from dualnet.evaluation.intervals.delong import compare_auroc_per_class
from dualnet.evaluation.intervals.multiplicity import (
    adjust_benjamini_hochberg,
    adjust_holm,
    outcome_after_correction,
)
from dualnet.evaluation.intervals.resampled import Resampled
from dualnet.evaluation.scores.metrics import average_precision
from dualnet.scores import auroc_per_class

AUROC, PRECISION = "auroc", "average_precision"


@dataclass(frozen=True, kw_only=True)
class JudgedRows:
    """What predictions are compared on.

    Args:
        labels: Labels present, bool, shape (n, num_classes).
        class_names: Names of the columns.
        negative: The class without any finding; it may be absent.
        resamples: Draws of patients over the rows.
    """

    labels: np.ndarray
    class_names: tuple[str, ...]
    negative: str
    resamples: PatientResamples

    @property
    def is_finding(self) -> np.ndarray:
        """Which columns the means take: all but the negative class."""
        return np.array([name != self.negative for name in self.class_names])


@dataclass(frozen=True, kw_only=True)
class Scored:
    """One prediction's scores, whole and in every resample.

    The last score of each measure is the mean over the findings whose AUROC is defined.

    Args:
        scores: What the rows are ranked by, shape (n, num_classes).
        measures: `auroc` and `average_precision`, num_classes + 1 scores each.
    """

    scores: np.ndarray
    measures: Mapping[str, Resampled]


def score(rows: JudgedRows, scores: np.ndarray) -> Scored:
    """Scores one prediction, whole and in every resample.

    Args:
        rows: What is compared on.
        scores: The higher the likelier, finite, shape (n, num_classes).

    Returns:
        The scores; NaN where undefined.
    """
    columns = zip(rows.labels.T, scores.T, strict=True)
    whole = {
        AUROC: auroc_per_class(rows.labels, scores)[np.newaxis],
        PRECISION: np.array([[average_precision(*column) for column in columns]]),
    }
    drawn = {
        AUROC: resample_auroc(rows.resamples, rows.labels, scores),
        PRECISION: resample_average_precision(rows.resamples, rows.labels, scores),
    }
    whole, drawn = _with_means(rows, whole), _with_means(rows, drawn)
    measures = {name: Resampled(whole[name][0], drawn[name]) for name in whole}
    return Scored(scores=scores, measures=measures)


def describe_scored(rows: JudgedRows, scored: Scored) -> dict[str, Any]:
    """Lists one prediction's scores as plain values.

    Args:
        rows: What is compared on.
        scored: The prediction's scores.

    Returns:
        `macro` and `findings` (by class name), each with `auroc`, `auroc_interval`,
        `average_precision` and `average_precision_interval`; a finding with
        `n_positive` and `n_negative` too, and the patients that have such rows. NaN
        where undefined.
    """
    columns = zip(
        *(one.describe(name) for name, one in scored.measures.items()), strict=True
    )
    *entries, macro = ({**area, **precision} for area, precision in columns)
    counts = [_count(rows.resamples.codes, present) for present in rows.labels.T]
    findings = {
        name: {**count, **entry}
        for name, count, entry in zip(rows.class_names, counts, entries, strict=True)
    }
    return {"macro": macro, "findings": findings}


def subtract(rows: JudgedRows, one: Scored, other: Scored) -> dict[str, Any]:
    """Takes one prediction's scores minus another's, with intervals and tests.

    Args:
        rows: What is compared on.
        one: Scores.
        other: What is taken off.

    Returns:
        `macro` and `findings` (by class name), each with `auroc` and
        `average_precision`: `difference`, the ends `low` and `high` of its interval,
        `undefined_resamples`. The AUROC has `p_value` besides: of a finding by DeLong
        (with its `standard_error`), of the mean by the bootstrap. A finding has
        `p_holm` and `p_benjamini_hochberg`, corrected over all findings, and an
        `outcome`, read after Holm's correction; the negative class is not among them.
        NaN where undefined.
    """
    less = {name: one.measures[name] - other.measures[name] for name in one.measures}
    columns = zip(
        *(measure.describe_differences() for measure in less.values()), strict=True
    )
    *findings, macro = (dict(zip(less, column, strict=True)) for column in columns)
    macro[AUROC]["p_value"] = bootstrap_p_value(less[AUROC].drawn[:, -1])
    _add_tests(rows, one, other, findings)
    by_name = dict(zip(rows.class_names, findings, strict=True))
    return {"macro": macro, "findings": by_name}


def bootstrap_p_value(samples: np.ndarray) -> float:
    """Tests whether a score differs from zero, by how often its resamples do.

    Args:
        samples: One difference a resample, NaN where undefined, shape (num_resamples,).

    Returns:
        Twice the share of resamples on the rarer side of zero, zero on both, counted
        with one more on each side, so never 0 and at most 1; NaN where the interval is
        undefined.

    Example:
        >>> bootstrap_p_value(np.full(999, 0.1))
        0.002

    Reference:
        Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 4.4
        and equation 4.11 for the added one.
    """
    if np.isnan(percentile_interval(samples).low):
        return float("nan")
    defined = samples[~np.isnan(samples)]
    rarer = min((defined <= 0).sum(), (defined >= 0).sum())
    return float(min(1, 2 * (1 + rarer) / (defined.size + 1)))


def _with_means(
    rows: JudgedRows, values: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Adds the findings' mean as a last column, over those whose AUROC is defined."""
    counted = rows.is_finding & ~np.isnan(values[AUROC])
    return {
        name: np.column_stack([one, mean_defined(np.where(counted, one, np.nan))])
        for name, one in values.items()
    }


def _count(patients: np.ndarray, present: np.ndarray) -> dict[str, int]:
    return {
        "n_positive": int(present.sum()),
        "n_negative": int((~present).sum()),
        "n_positive_patients": np.unique(patients[present]).size,
        "n_negative_patients": np.unique(patients[~present]).size,
    }


def _add_tests(
    rows: JudgedRows, one: Scored, other: Scored, findings: list[dict[str, Any]]
) -> None:
    """Adds each class's test, corrected over the findings, and how it came out."""
    tests = compare_auroc_per_class(
        rows.labels, other.scores, one.scores, patients=rows.resamples.codes
    )
    p_values = np.array([test.p_value for test in tests])
    family = np.where(rows.is_finding, p_values, np.nan)
    holm, benjamini_hochberg = adjust_holm(family), adjust_benjamini_hochberg(family)
    for column, (entry, test) in enumerate(zip(findings, tests, strict=True)):
        entry[AUROC] |= {
            "standard_error": test.standard_error,
            "p_value": test.p_value,
            "p_holm": float(holm[column]),
            "p_benjamini_hochberg": float(benjamini_hochberg[column]),
        }
        if rows.is_finding[column]:
            entry["outcome"] = outcome_after_correction(entry[AUROC], holm[column])
