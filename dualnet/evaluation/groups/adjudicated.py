"""Scores against labels that radiologists agreed on, beside the text-mined ones."""

from dataclasses import replace
from typing import Any

import numpy as np

from dualnet.evaluation.intervals.bootstrap import (
    PatientResamples,
    percentile_interval,
    resample_auroc,
)
from dualnet.evaluation.scores.truth import Truth
from dualnet.scores import auroc

CLASSES = {
    "Pneumothorax": ("Pneumothorax",),
    "Nodule or mass": ("Nodule", "Mass"),
    # the published table names no class of NIH for it. These are the ones whose air
    # gives way to fluid, cells or collapse; left out are effusions (not in the lung)
    # and masses, nodules (a finding of their own), though 83 % of effusions, 77 % of
    # masses and 60 % of nodules in that table are called airspace opacities too
    "Airspace opacity": (
        "Atelectasis",
        "Consolidation",
        "Edema",
        "Infiltration",
        "Pneumonia",
    ),
}


def score_adjudicated(
    truth: Truth,
    scores: np.ndarray,
    matched: np.ndarray,
    answers: np.ndarray,
    draws: PatientResamples,
) -> dict[str, Any]:
    """Scores a model on the radiographs that radiologists labelled.

    A finding of theirs is scored by the greatest of its classes' scores, and counts
    as text-mined where any of them is among the labels.

    Args:
        truth: What the rows are.
        scores: The higher the likelier, shape (n, num_classes).
        matched: Which rows they labelled, bool, shape (n,).
        answers: Their answers, bool, shape (rows matched, 3), in the order of
            `CLASSES`.
        draws: Draws of patients over the rows.

    Returns:
        `num_images` and `num_patients` matched, and `findings`, for each that has a
        class: `classes`, `adjudicated` and `text_mined` (each `n_positive`,
        `n_negative`, `auroc` and its interval), their `difference` on the same draws,
        adjudicated minus text-mined, and how the text-mined label agrees: its
        `sensitivity` and `ppv`. NaN where undefined.

    Reference:
        Majkowska et al., Chest radiograph interpretation with deep learning models:
        assessment with radiologist-adjudicated reference standards and
        population-adjusted evaluation, Radiology 294(2), 2020.
    """
    some = replace(draws, codes=draws.codes[matched])
    scored = {
        name
        for name, column in zip(truth.class_names, scores.T, strict=True)
        if not np.isnan(column).any()
    }
    findings = {}
    for name, answer in zip(CLASSES, answers.T, strict=True):
        classes = [one for one in CLASSES[name] if one in scored]
        if not classes:
            continue
        places = [truth.class_names.index(one) for one in classes]
        findings[name] = {
            "classes": classes,
            **_score(
                answer,
                np.asarray(truth.labels[matched][:, places].any(axis=1)),
                scores[matched][:, places].max(axis=1),
                some,
            ),
        }
    return {
        "num_images": int(matched.sum()),
        "num_patients": int(np.unique(truth.patient_ids[matched]).size),
        "findings": findings,
    }


def _score(
    answer: np.ndarray,
    mined: np.ndarray,
    scores: np.ndarray,
    draws: PatientResamples,
) -> dict[str, Any]:
    labels = np.column_stack([answer, mined])
    drawn = resample_auroc(draws, labels, np.column_stack([scores, scores]))
    values = [auroc(column, scores) for column in labels.T]
    both = int((answer & mined).sum())
    blocks = {
        name: {
            "n_positive": int(column.sum()),
            "n_negative": int((~column).sum()),
            "auroc": value,
            "auroc_interval": percentile_interval(samples).as_dict(),
        }
        for name, column, value, samples in zip(
            ("adjudicated", "text_mined"), labels.T, values, drawn.T, strict=True
        )
    }
    return {
        **blocks,
        "difference": {
            "difference": values[0] - values[1],
            **percentile_interval(drawn[:, 0] - drawn[:, 1]).as_dict(),
        },
        "sensitivity": both / answer.sum() if answer.any() else float("nan"),
        "ppv": both / mined.sum() if mined.any() else float("nan"),
    }
