import math

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics
from sklearn.calibration import calibration_curve
from truth_cases import NONE, TINY, make_table

from dualnet.evaluation.intervals.bootstrap import resample_patients
from dualnet.evaluation.probabilities.reliability import (
    CLIP,
    expected_calibration_error,
    reliability_bins,
    row_log_loss,
    score_probabilities,
)
from dualnet.evaluation.scores.truth import make_truth

PRESENT = np.array([True, False, True, False])


def score(probabilities: np.ndarray, *, resamples: int = 20) -> dict:
    truth = make_truth(
        make_table(("Edema",), ("Mass",), ("Edema",), ("No Finding",)), TINY
    )
    draws = resample_patients(truth.patient_ids, num_resamples=resamples, seed=0)
    return score_probabilities(truth, probabilities, draws)


def test_scores_are_those_counted_by_hand() -> None:
    found = score(
        np.array([[0.8, 0.1, 0.5], [0.2, 0.9, 0.5], [0.6, 0, 0.5], [0.4, 0, 0.5]])
    )
    edema = found["Edema"]
    assert edema["brier"] == pytest.approx((0.04 + 0.04 + 0.16 + 0.16) / 4, abs=1e-15)
    expected = -(2 * math.log(0.8) + 2 * math.log(0.6)) / 4
    assert edema["log_loss"] == pytest.approx(expected, abs=1e-15)
    # each row in a bin of its own: gaps .2, .2, .4, .4
    assert edema["expected_calibration_error"] == pytest.approx(0.3, abs=1e-15)
    mean = (edema["brier"] + found["Mass"]["brier"]) / 2  # No Finding stays apart
    assert found["macro"]["brier"] == pytest.approx(mean, abs=1e-15)


def test_bins_hold_every_row_once_and_an_edge_goes_below() -> None:
    bins = reliability_bins(PRESENT, np.array([0.5, 0.45, 0.0, 1 + 1e-7]))
    assert [one["count"] for one in bins] == [1, 0, 0, 0, 2, 0, 0, 0, 0, 1]
    assert bins[4]["mean_probability"] == pytest.approx(0.475, abs=1e-15)
    assert bins[4]["positive_share"] == 0.5
    assert bins[1]["mean_probability"] is None


def test_perfect_certainty_has_no_error_and_false_certainty_all() -> None:
    right = reliability_bins(PRESENT, PRESENT.astype(float))
    wrong = reliability_bins(PRESENT, (~PRESENT).astype(float))
    assert expected_calibration_error(right) == 0
    assert expected_calibration_error(wrong) == 1


def test_certainty_that_is_wrong_costs_the_clip() -> None:
    loss = row_log_loss(np.array([[True]]), np.array([[0.0]]))
    assert loss.tolist() == [[-math.log(CLIP)]]


def test_class_without_scores_is_undefined_and_in_no_mean() -> None:
    probabilities = np.full((4, 3), 0.5)
    probabilities[:, NONE] = np.nan
    found = score(probabilities)
    negative = found["No Finding"]
    assert np.isnan([negative["brier"], negative["expected_calibration_error"]]).all()
    assert negative["reliability"] == []
    assert negative["brier_interval"]["low"] is None
    assert found["macro"]["brier"] == 0.25
    assert found["macro"]["brier_interval"]["low"] == 0.25


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("decimals", [1, 9])  # one decimal: many ties
def test_scores_agree_with_scikit_learn(seed: int, decimals: int) -> None:
    generator = np.random.default_rng(seed)
    present = generator.random(500) < 0.3
    # on an edge scikit-learn's bins take the row above: keep off it
    values = np.round(generator.uniform(0, 0.9, 500), decimals) + 0.051
    truth = make_truth(
        make_table(*[("Edema",) if one else ("No Finding",) for one in present]), TINY
    )
    draws = resample_patients(truth.patient_ids, num_resamples=5, seed=0)
    found = score_probabilities(truth, np.tile(values[:, None], (1, 3)), draws)["Edema"]
    brier = sklearn_metrics.brier_score_loss(present, values)
    assert abs(found["brier"] - brier) < 1e-12
    assert abs(found["log_loss"] - sklearn_metrics.log_loss(present, values)) < 1e-12
    shares, said = calibration_curve(present, values, n_bins=10)
    filled = [one for one in found["reliability"] if one["count"]]
    ours = np.array(
        [[one["positive_share"], one["mean_probability"]] for one in filled]
    )
    assert np.abs(ours - np.stack([shares, said], axis=1)).max() < 1e-12
