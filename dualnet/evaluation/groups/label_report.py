"""What the label rule threw away, and how the model does on it.

A softmax fitted on the first label is told of each radiograph but one finding. Whether
it knows the others too is asked of the radiographs on which a finding is present but
not the first label.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from dualnet.data.labels import make_targets
from dualnet.evaluation.intervals.bootstrap import (
    PatientResamples,
    mean_defined,
    percentile_interval,
    resample_auroc,
)
from dualnet.evaluation.scores.truth import Truth
from dualnet.findings import Vocabulary
from dualnet.scores import auroc
from dualnet.training.selection import MIN_PATIENTS

FIRST = "first_label"
OTHER = "not_first_label"


def count_dropped(
    tables: Mapping[str, pd.DataFrame], vocabulary: Vocabulary, rule: str
) -> dict[str, Any]:
    """Counts what a label rule throws away.

    Args:
        tables: Records by the name of their part.
        vocabulary: Names the classes.
        rule: The label rule.

    Returns:
        For each part: `present`, `kept` and `dropped` labels of all findings together,
        and `findings`, the same of each.
    """
    return {part: _count(table, vocabulary, rule) for part, table in tables.items()}


def score_label_places(
    truth: Truth, scores: np.ndarray, draws: PatientResamples
) -> dict[str, Any]:
    """Scores each finding where it stands first and where it does not.

    Both are against the same rows, those without the finding.

    Args:
        truth: What the rows are.
        scores: The higher the likelier, shape (n, num_classes).
        draws: Draws of patients over the rows.

    Returns:
        For `first_label` and `not_first_label`: `findings`, of each `n_positive`,
        `n_negative`, `auroc` and `auroc_interval`, and `macro`, their mean with
        `num_findings` and its interval; `difference`, not first minus first, of the
        macro. Means are over the findings that at least `MIN_PATIENTS` patients have
        in both places, so that they are of the same ones. NaN where undefined.
    """
    places = np.flatnonzero(truth.is_finding)
    first = truth.first[:, np.newaxis] == places
    labels, scores = truth.labels[:, places], scores[:, places]
    enough = np.array(
        [
            min(
                np.unique(draws.codes[rows]).size
                for rows in (one & top, one & ~top, ~one)
            )
            >= MIN_PATIENTS
            for one, top in zip(labels.T, first.T, strict=True)
        ]
    )
    names = [truth.class_names[place] for place in places]
    report, means = {}, {}
    for key, left_out in ((FIRST, labels & ~first), (OTHER, labels & first)):
        values, drawn = _score_without(labels, scores, left_out, draws)
        means[key] = (
            mean_defined(values[np.newaxis, enough])[0],
            mean_defined(drawn[:, enough]),
        )
        report[key] = {
            "macro": {
                "auroc": float(means[key][0]),
                "auroc_interval": percentile_interval(means[key][1]).as_dict(),
                "num_findings": int(enough.sum()),
            },
            "findings": {
                name: {
                    "n_positive": int((labels & ~left_out)[:, place].sum()),
                    "n_negative": int((~labels)[:, place].sum()),
                    "auroc": float(values[place]),
                    "auroc_interval": percentile_interval(drawn[:, place]).as_dict(),
                }
                for place, name in enumerate(names)
            },
        }
    report["difference"] = {
        "difference": float(means[OTHER][0] - means[FIRST][0]),
        **percentile_interval(means[OTHER][1] - means[FIRST][1]).as_dict(),
    }
    return report


def _count(table: pd.DataFrame, vocabulary: Vocabulary, rule: str) -> dict[str, Any]:
    dropped = make_targets(list(table["findings"]), vocabulary, rule).dropped
    columns = ["present", "kept", "dropped"]
    rows = dropped.set_index("finding")[columns]
    return {
        "num_images": len(table),
        **{name: int(rows[name].sum()) for name in columns},
        "findings": {
            name: {column: int(row[column]) for column in columns}
            for name, row in rows.iterrows()
        },
    }


def _score_without(
    labels: np.ndarray,
    scores: np.ndarray,
    left_out: np.ndarray,
    draws: PatientResamples,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns each finding's AUROC without some of its rows, and its resamples."""
    values, drawn = [], []
    for place in range(labels.shape[1]):
        rows = ~left_out[:, place]
        one, score = labels[rows, place], scores[rows, place]
        values.append(auroc(one, score))
        some = replace(draws, codes=draws.codes[rows])
        drawn.append(resample_auroc(some, one[:, np.newaxis], score[:, np.newaxis]))
    return np.array(values), np.concatenate(drawn, axis=1)
