"""An evaluation taken further: calibrated, at operating points, by group, by label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from dualnet.evaluation.evaluate import Evaluation
from dualnet.evaluation.groups.adjudicated import score_adjudicated
from dualnet.evaluation.groups.gaps import CORRECTION, describe_gaps, list_gaps
from dualnet.evaluation.groups.groupings import (
    Grouping,
    group_by_columns,
    group_by_record,
)
from dualnet.evaluation.groups.label_report import score_label_places
from dualnet.evaluation.groups.subgroup_scores import JudgedRows
from dualnet.evaluation.groups.subgroups import score_all, score_subgroups
from dualnet.evaluation.intervals.bootstrap import PatientResamples, resample_patients
from dualnet.evaluation.intervals.resampling import keep_draws
from dualnet.evaluation.probabilities.calibration import SOFTMAX, Calibration
from dualnet.evaluation.probabilities.calibration_error import score_calibration
from dualnet.evaluation.probabilities.finding_calibration import (
    score_finding_calibration,
)
from dualnet.evaluation.probabilities.operating_points import (
    PREVALENCE_MATCHED,
    match_prevalence,
    score_operating_points,
)
from dualnet.evaluation.probabilities.thresholds import CHOSEN, RULES, YOUDEN
from dualnet.evaluation.scores.plain_values import plain_values

OPERATING_POINT = "operating_point"
LIKELIEST = "likeliest_class"


@dataclass(frozen=True, kw_only=True)
class Adjudicated:
    """What radiologists said of some of the rows.

    Args:
        file: The table's name.
        matched: Which rows it has, bool, shape (n,).
        answers: Their answers, bool, shape (rows matched, findings), in the order of
            `evaluation.groups.adjudicated.CLASSES`.
    """

    file: str
    matched: np.ndarray
    answers: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Besides:
    """What is known besides the records and the probabilities.

    Args:
        calibration: Fitted on the validation part; None where there is none.
        uncalibrated: Why there is none.
        columns: Columns that were joined, one text a row, empty where not known.
        joined: How many rows each joined table matched, plain values.
        label_rule: What radiographs were taken as in training; None: not known.
        dropped: What `count_dropped` counted.
        adjudicated: What radiologists said; None where nobody asked them.
    """

    calibration: Calibration | None = None
    uncalibrated: str = ""
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    joined: Sequence[Mapping[str, Any]] = ()
    label_rule: str | None = None
    dropped: Mapping[str, Any] = field(default_factory=dict)
    adjudicated: Adjudicated | None = None


def break_down(
    evaluation: Evaluation, table: pd.DataFrame, besides: Besides
) -> Evaluation:
    """Adds `calibration`, `operating_points`, `subgroups` and `labels` to the metrics.

    Patients are drawn as for the other scores: by the same seed, as often.

    Args:
        evaluation: The scores so far.
        table: Records of its rows, in the same order.
        besides: What is known besides.

    Returns:
        The evaluation with these keys, and what the gaps show as lines of the verdict.
    """
    intervals = evaluation.metrics["intervals"]
    draws = keep_draws(
        resample_patients(
            evaluation.truth.patient_ids,
            num_resamples=intervals["resamples"],
            seed=intervals["seed"],
        )
    )
    groupings = [*group_by_record(table), *group_by_columns(besides.columns)]
    added = plain_values(
        {
            **_score_calibrated(evaluation, besides, draws),
            "subgroups": _score_groups(evaluation, besides, groupings, draws),
            "labels": _score_labels(evaluation, besides, draws),
        }
    )
    subgroups = added["subgroups"]
    subgroups["gaps"] = list_gaps(subgroups["groupings"])
    lines = describe_gaps(subgroups["gaps"], subgroups["groupings"])
    verdict = evaluation.metrics["verdict"]
    verdict = {**verdict, "lines": [*verdict["lines"], *lines]}
    metrics = {**evaluation.metrics, **added, "verdict": verdict}
    return replace(evaluation, metrics=metrics)


def _score_calibrated(
    evaluation: Evaluation, besides: Besides, draws: PatientResamples
) -> dict[str, Any]:
    """Scores temperature and operating points; those that were scored before stay."""
    calibration, truth = besides.calibration, evaluation.truth
    points = evaluation.metrics.get("operating_points", {})
    if calibration is None:
        none = {"fitted_on": None, "reason": besides.uncalibrated}
        return {"calibration": none, "operating_points": points}
    thresholds = {rule: calibration.thresholds(rule) for rule in RULES}
    said = _said(evaluation)
    calibrated = calibration.apply(said)
    score = (
        score_calibration
        if calibration.activation == SOFTMAX
        else score_finding_calibration
    )
    return {
        "calibration": {
            "fitted_on": {
                "part": calibration.part,
                "num_images": calibration.num_images,
                "num_patients": calibration.num_patients,
            },
            "activation": calibration.activation,
            "temperatures": calibration.temperatures.tolist(),
            "chosen_points": calibration.as_dict()["operating_points"],
            **score(truth, said, calibration, draws),
        },
        "operating_points": {
            **points,
            **score_operating_points(
                truth, calibrated, thresholds, draws=draws, chosen=CHOSEN
            ),
        },
    }


def _score_groups(
    evaluation: Evaluation,
    besides: Besides,
    groupings: Sequence[Grouping],
    draws: PatientResamples,
) -> dict[str, Any]:
    model, calibration = evaluation.model, besides.calibration
    said = _said(evaluation)
    if calibration is not None:
        said = calibration.apply(said)
    called, rule = _call_negative(evaluation, said, calibration)
    judged = JudgedRows(
        truth=evaluation.truth,
        scores=model.scores,
        probabilities=None if model.probabilities is None else said,
        finding_probabilities=said if model.are_probabilities else None,
        called_negative=called,
    )
    return {
        "calibrated": besides.calibration is not None,
        "called_negative_by": rule,
        "correction": CORRECTION,
        "joined": [dict(one) for one in besides.joined],
        "all": score_all(judged, draws),
        "groupings": score_subgroups(judged, groupings, draws),
    }


def _said(evaluation: Evaluation) -> np.ndarray:
    """Returns what the model says of each class: one answer a radiograph, or scores."""
    model = evaluation.model
    return model.scores if model.probabilities is None else model.probabilities


def _call_negative(
    evaluation: Evaluation,
    said: np.ndarray,
    calibration: Calibration | None,
) -> tuple[np.ndarray, str]:
    """Says which rows are said to have no finding, and by what.

    By the operating point of that class where there is one: a softmax in which more
    than half are without finding has it as the likeliest class of most of the sick.
    A model without one answer a radiograph calls nothing where no finding reaches the
    threshold at which as many are called as have it.

    Returns:
        bool, shape (n,), and `operating_point`, `likeliest_class` or
        `prevalence_matched`.
    """
    truth = evaluation.truth
    negative = truth.class_names.index(truth.vocabulary.negative)
    if calibration is not None:
        threshold = calibration.thresholds(YOUDEN)[negative]
        if not np.isnan(threshold):
            return said[:, negative] >= threshold, OPERATING_POINT
    if evaluation.model.probabilities is None:
        findings = truth.is_finding
        scores = said[:, findings]
        thresholds = match_prevalence(truth.labels[:, findings], scores)
        called = np.asarray((scores >= thresholds).any(axis=1))
        return ~called, PREVALENCE_MATCHED
    return said.argmax(axis=1) == negative, LIKELIEST


def _score_labels(
    evaluation: Evaluation, besides: Besides, draws: PatientResamples
) -> dict[str, Any]:
    truth, scores = evaluation.truth, evaluation.model.scores
    adjudicated, asked = None, besides.adjudicated
    if asked is not None:
        adjudicated = {
            "file": asked.file,
            **score_adjudicated(truth, scores, asked.matched, asked.answers, draws),
        }
    return {
        "rule": besides.label_rule,
        "parts": dict(besides.dropped),
        **score_label_places(truth, scores, draws),
        "adjudicated": adjudicated,
    }
