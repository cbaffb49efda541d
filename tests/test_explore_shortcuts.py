"""Probes: what gives the class away scores, what does not is chance; by patient."""

import numpy as np
import pandas as pd
import pytest
from explore_cases import LETTERS, make_rows

from dualnet.data.patients import FOLDS, deal_folds
from dualnet.explore.shortcuts import Probe, encode_numbers, encode_record, probe


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = []
    for patient in range(150):
        label = "A" if patient % 3 == 0 else "N"
        age = 70 if label == "A" else 30
        rows += [
            (f"p{patient}", label, age + rng.integers(10), "F", None, None)
            for _ in range(2)
        ]
    return make_rows(*rows)


def run(table: pd.DataFrame, values: np.ndarray) -> Probe:
    encode = encode_numbers(pd.DataFrame({"x": values}))
    return probe("x", ("x",), encode, table, LETTERS, seed=0, num_resamples=50)


def test_a_record_that_tells_the_class_is_found(table: pd.DataFrame) -> None:
    fields, encode = encode_record(table)
    assert fields == ("age", "sex")  # the other two are nowhere known
    found = probe("record", fields, encode, table, LETTERS, seed=0, num_resamples=50)
    scores = found.scores.set_index("finding")
    assert scores.loc["A", "auroc"] > 0.99
    assert scores.loc["A", "positives"] == 100
    assert np.isnan(scores.loc["B", "auroc"])  # nobody has it
    assert found.mean == scores.loc["A", "auroc"]
    assert (found.num_images, found.num_patients) == (300, 150)


def test_noise_is_chance(table: pd.DataFrame) -> None:
    found = run(table, np.random.default_rng(1).normal(size=len(table)))
    assert 0.3 < found.mean < 0.7
    assert found.scores["low"].iloc[-1] < found.mean < found.scores["high"].iloc[-1]


def test_a_number_of_the_patient_does_not_score(table: pd.DataFrame) -> None:
    """Its training radiographs would give it away, were they not in the same fold."""
    number = pd.factorize(table["patient_id"])[0]
    rng = np.random.default_rng(2)
    assert run(table, rng.permutation(150)[number].astype(float)).mean < 0.65


def test_a_constant_is_chance(table: pd.DataFrame) -> None:
    assert run(table, np.ones(len(table))).mean == pytest.approx(0.5, abs=0.1)


def test_folds_part_no_patient(table: pd.DataFrame) -> None:
    folds = deal_folds(table, seed=0)
    assert len(folds) == FOLDS
    assert np.stack(folds).sum(axis=0).tolist() == [1] * len(table)
    patients = [set(table["patient_id"][fold]) for fold in folds]
    assert sum(map(len, patients)) == 150
    for fold in folds:
        present = table["findings"][fold].map(lambda names: "A" in names)
        assert present.mean() == pytest.approx(1 / 3, abs=0.05)


def test_numbers_are_encoded_by_the_training_rows_alone() -> None:
    encode = encode_numbers(pd.DataFrame({"x": [1.0, 3.0, 1000.0], "y": [5.0] * 3}))
    features = encode(np.array([0, 1]))
    assert features[:, 0].tolist() == [-1, 1, 5]  # no further than five deviations
    assert features[:, 1].tolist() == [0, 0, 0]
