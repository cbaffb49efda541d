"""What can be told without looking at the lungs, before any model is trained.

Each probe is a set of numbers that hold no anatomy: the patient's record, the file's
size, the gray levels as a whole, the border. A probe that scores well is a shortcut
that a network will find too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dualnet.data.labels import full_labels
from dualnet.data.metadata import FIELD_COLUMNS, LIMIT, MetadataEncoder
from dualnet.data.patients import deal_folds, gather_patients
from dualnet.evaluation.intervals.bootstrap import (
    PatientResamples,
    mean_defined,
    percentile_interval,
    resample_auroc,
    resample_patients,
)
from dualnet.evaluation.scores.baselines import METADATA_ONLY, fit_baselines
from dualnet.findings import Vocabulary
from dualnet.scores import auroc_per_class

MEAN = "Mean"

Encode = Callable[[np.ndarray], np.ndarray]
"""Given the rows to fit on, returns the features of all rows, shape (rows, features)."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What one set of numbers tells.

    Args:
        name: Of the set.
        fields: What is in it.
        num_images: How many radiographs were used.
        num_patients: Of how many patients.
        scores: One row a finding, then their mean: `finding`, `positives` (NA of the
            mean), `auroc`, `low`, `high` (95 % interval by patient); NaN where
            undefined.
    """

    name: str
    fields: tuple[str, ...]
    num_images: int
    num_patients: int
    scores: pd.DataFrame

    @property
    def mean(self) -> float:
        """The mean AUROC over the findings."""
        return float(self.scores["auroc"].iloc[-1])


def encode_record(table: pd.DataFrame) -> tuple[tuple[str, ...], Encode]:
    """Encodes the fields of the record that are known at all.

    Args:
        table: Records.

    Returns:
        The fields' names, none if nothing is known, and how to encode them.
    """
    fields = tuple(
        field for field, column in FIELD_COLUMNS.items() if table[column].notna().any()
    )

    def encode(rows: np.ndarray) -> np.ndarray:
        return MetadataEncoder(fields).fit(table.iloc[rows]).transform(table)

    return fields, encode


def encode_numbers(values: pd.DataFrame) -> Encode:
    """Encodes numbers by the mean and standard deviation of the rows to fit on.

    Args:
        values: Numbers without NaN, shape (rows, features).

    Returns:
        How to encode them.
    """
    numbers = values.to_numpy("float64")

    def encode(rows: np.ndarray) -> np.ndarray:
        mean, spread = numbers[rows].mean(axis=0), numbers[rows].std(axis=0)
        return np.clip((numbers - mean) / np.where(spread, spread, 1), -LIMIT, LIMIT)

    return encode


def probe(
    name: str,
    fields: Sequence[str],
    encode: Encode,
    table: pd.DataFrame,
    vocabulary: Vocabulary,
    *,
    seed: int,
    num_resamples: int,
) -> Probe:
    """Scores what a set of numbers tells, cross-validated by patient.

    The models are those of the metadata-only baseline. Patients are dealt to folds
    stratum by stratum, rare findings first, so that no fold lacks what it can have.
    A radiograph is scored by the models that were fitted on other patients.

    Args:
        name: Of the set of numbers.
        fields: What is in it.
        encode: Encodes them.
        table: Records.
        vocabulary: The names that may occur.
        seed: Decides folds, models and resamples.
        num_resamples: Of the patient bootstrap.

    Returns:
        The scores.
    """
    labels = full_labels(table["findings"], vocabulary)
    findings = np.array([n != vocabulary.negative for n in vocabulary.class_names])
    labels = labels[:, findings]
    scores = np.zeros(labels.shape)
    patients = gather_patients(table)
    for fold in deal_folds(table, seed=seed):
        train = np.flatnonzero(~fold)
        if not fold.any() or not len(train):
            continue
        features = encode(train)
        models = fit_baselines(
            features[train],
            first=np.zeros(len(train), dtype=int),  # nobody asks for the softmax
            labels=labels[train],
            seed=seed,
        )
        scores[fold] = models.predict(features[fold])[METADATA_ONLY].scores
    resamples = resample_patients(
        patients.codes.astype(str), num_resamples=num_resamples, seed=seed
    )
    return Probe(
        name=name,
        fields=tuple(fields),
        num_images=len(table),
        num_patients=len(patients.sizes),
        scores=score_findings(
            np.array(vocabulary.class_names)[findings], labels, scores, resamples
        ),
    )


def score_findings(
    names: Sequence[str] | np.ndarray,
    labels: np.ndarray,
    scores: np.ndarray,
    resamples: PatientResamples,
) -> pd.DataFrame:
    """Computes each finding's AUROC, their mean, and the intervals by patient.

    Args:
        names: Names of the findings.
        labels: Labels present, bool, shape (rows, findings).
        scores: Shape (rows, findings).
        resamples: Draws of patients over the rows.

    Returns:
        As `Probe.scores`.
    """
    areas = auroc_per_class(labels, scores)
    drawn = resample_auroc(resamples, labels, scores)
    means = mean_defined(areas[np.newaxis])
    columns = np.column_stack([drawn, mean_defined(drawn)])
    intervals = [percentile_interval(column) for column in columns.T]
    return pd.DataFrame(
        {
            "finding": [*names, MEAN],
            "positives": pd.array([*labels.sum(axis=0), None], dtype="Int64"),
            "auroc": [*areas, *means],
            "low": [interval.low for interval in intervals],
            "high": [interval.high for interval in intervals],
        }
    )
