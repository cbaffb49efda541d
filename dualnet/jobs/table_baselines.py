"""Baselines for predictions of a model that nobody here trained.

What the model was trained on is not known, so the baselines are fitted on the truth
table: on its other patients, those not judged, where they are enough; else on the
judged ones too, but each patient is then predicted by models that were fitted without
them. The class prior and the majority class are shares; where no other patients are
there, they are those of the judged rows themselves, which flatters these two baselines
and never the model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from dualnet.data.labels import full_labels, make_targets
from dualnet.data.patients import FOLDS, deal_folds
from dualnet.evaluation.scores.baselines import (
    METADATA_ONLY,
    count_shares,
    fit_baselines,
    predict_shares,
)
from dualnet.evaluation.scores.prediction import Prediction
from dualnet.explore.shortcuts import Encode, encode_record
from dualnet.findings import Vocabulary
from dualnet.wording import number_of

# so many radiographs of other patients are enough, be there ever so many to judge
ENOUGH = 20_000


@dataclass(frozen=True, kw_only=True)
class TableBaselines:
    """What the truth table alone says of the rows judged.

    Args:
        predictions: By the baseline's name; without `metadata_only` where the table
            tells nothing besides the labels, or has one patient.
        fitted_on: As plain values: `images` and `patients` of the others, whether
            `cross_fitted` on the judged ones as well, and the metadata's `fields`.
        note: The same as a sentence.
    """

    predictions: dict[str, Prediction]
    fitted_on: dict[str, object]
    note: str


def fit_table_baselines(
    judged: pd.DataFrame,
    others: pd.DataFrame,
    vocabulary: Vocabulary,
    *,
    answers: bool,
    seed: int,
) -> TableBaselines:
    """Fits the baselines, never on the patients that they predict.

    Args:
        judged: Records of the radiographs judged.
        others: Records of the same table; those of judged patients are left out.
        vocabulary: Names the classes.
        answers: Whether the metadata-only baseline is to give one answer a radiograph
            too, which takes as long as all of its findings.
        seed: Decides folds and models.

    Returns:
        The baselines' predictions for `judged`, in its order.
    """
    shared = others["patient_id"].isin(judged["patient_id"].unique())
    others = others.loc[~shared]
    table = pd.concat([judged, others], ignore_index=True)
    fields, encode = encode_record(table)
    enough = len(others) >= min(ENOUGH, len(judged))
    rows = _Rows.of(table, vocabulary)
    fitted = np.arange(len(judged) if enough else 0, len(table))
    shares = count_shares(rows.first[fitted], rows.labels[fitted])
    predictions = predict_shares(*shares, len(judged))
    folds = [np.arange(len(judged))] if enough else _deal(judged, seed)
    if fields and folds:
        predictions[METADATA_ONLY] = _predict(
            rows, encode, folds, answers=answers, seed=seed
        )
    return TableBaselines(
        predictions=predictions,
        fitted_on={
            "images": len(others),
            "patients": int(others["patient_id"].nunique()),
            "cross_fitted": not enough,
            "fields": list(fields),
        },
        note=_describe(predictions, others, fields, enough=enough),
    )


@dataclass(frozen=True)
class _Rows:
    """What is to be told of all rows, the judged ones first."""

    first: np.ndarray
    labels: np.ndarray

    @classmethod
    def of(cls, table: pd.DataFrame, vocabulary: Vocabulary) -> Self:
        findings = table["findings"].tolist()
        targets = make_targets(findings, vocabulary, "first")
        return cls(targets.matrix.argmax(axis=1), full_labels(findings, vocabulary))


def _deal(judged: pd.DataFrame, seed: int) -> list[np.ndarray]:
    """Returns the rows of each fold; none where there are too few patients."""
    if judged["patient_id"].nunique() < FOLDS:
        return []
    folds = [np.flatnonzero(fold) for fold in deal_folds(judged, seed=seed)]
    return [fold for fold in folds if fold.size]


def _predict(
    rows: _Rows,
    encode: Encode,
    folds: Sequence[np.ndarray],
    *,
    answers: bool,
    seed: int,
) -> Prediction:
    """Predicts the rows of each fold by models fitted on all other rows."""
    size = (sum(fold.size for fold in folds), rows.labels.shape[1])
    softmax, scores = np.zeros(size), np.zeros(size)
    # of one class there is no softmax to fit
    first = rows.first if answers else np.zeros_like(rows.first)
    for fold in folds:
        others = np.setdiff1d(np.arange(len(rows.first)), fold)
        features = encode(others)
        models = fit_baselines(
            features[others],
            first=first[others],
            labels=rows.labels[others],
            seed=seed,
        )
        said = models.predict(features[fold])[METADATA_ONLY]
        softmax[fold], scores[fold] = said.probabilities, said.scores
    if not answers:
        return Prediction(None, scores, why_no_answer="nobody asked for one")
    return Prediction(softmax, scores)


def _describe(
    predictions: dict[str, Prediction],
    others: pd.DataFrame,
    fields: tuple[str, ...],
    *,
    enough: bool,
) -> str:
    there = (
        f"{number_of(len(others), 'radiograph')} of "
        f"{number_of(others['patient_id'].nunique(), 'patient')}"
    )
    if METADATA_ONLY not in predictions:
        why = "too few patients to fit on" if fields else "the truth table tells none"
        shares = f"those of {there}, none judged" if enough else "those of all rows"
        return f"Baselines: the shares are {shares}. No metadata-only baseline: {why}."
    if enough:
        on = f"on {there} of the truth table, none of them judged."
    elif len(others):
        on = (
            f"on {there} who are not judged and, in {FOLDS} folds, on the judged "
            "patients of the other folds; shares are of all rows."
        )
    else:
        on = (
            f"in {FOLDS} folds by patient on the rows judged, as the truth table has no "
            "others; shares are of the rows judged."
        )
    return f"Baselines, metadata only ({', '.join(fields)}): fitted {on}"
