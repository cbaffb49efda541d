"""Paired scores agree with those of the evaluation, on the same draws."""

import numpy as np
import pytest
from evaluate_cases import evaluate_tiny
from truth_cases import TINY, make_table

from dualnet.evaluation.intervals.bootstrap import resample_patients
from dualnet.evaluation.intervals.paired import score_paired
from dualnet.evaluation.scores.baselines import Prediction
from dualnet.evaluation.scores.truth import make_truth

FINDINGS = [("Edema",), ("Mass",), ("Edema", "Mass"), ("No Finding",)] * 10


def some_probabilities(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(3), size=len(FINDINGS))


def test_scores_and_differences_are_those_of_the_evaluation() -> None:
    first, second = some_probabilities(0), some_probabilities(1)
    metrics = evaluate_tiny(
        FINDINGS,
        first,
        {"other": Prediction(second)},
        rows_each=2,
        resamples=50,
        seed=3,
    ).metrics
    truth = make_truth(make_table(*FINDINGS), TINY)
    draws = resample_patients(truth.patient_ids, num_resamples=50, seed=3)
    one, two = (score_paired(truth, Prediction(p), draws) for p in (first, second))
    found = one.describe()
    assert found["macro"]["auroc"] == pytest.approx(metrics["model"]["macro"]["auroc"])
    for part in ("macro", "first_label"):
        for key, value in found[part].items():
            assert value == pytest.approx(metrics["model"][part][key]), key
    for name, scores in found["findings"].items():
        expected = metrics["model"]["findings"][name]
        assert scores == {key: pytest.approx(expected[key]) for key in scores}
    difference = metrics["differences"]["other"]
    assert one.minus(two)["macro_auroc"] == pytest.approx(difference["macro_auroc"])
    assert one.minus(two)["findings"]["Mass"] == pytest.approx(
        difference["findings"]["Mass"]
    )


def test_a_finding_that_nobody_has_is_undefined() -> None:
    table = make_table(*[("Edema",), ("No Finding",)] * 4)
    truth = make_truth(table, TINY)
    draws = resample_patients(truth.patient_ids, num_resamples=20, seed=0)
    scores = score_paired(truth, Prediction(np.tile([0.5, 0.2, 0.3], (8, 1))), draws)
    found = scores.describe()
    assert found["findings"]["Mass"]["auroc"] is None
    assert found["findings"]["Mass"]["auroc_interval"]["low"] is None
    assert found["macro"]["auroc"] == 0.5  # of Edema alone, all tied
    assert scores.minus(scores)["findings"]["Mass"]["difference"] is None
