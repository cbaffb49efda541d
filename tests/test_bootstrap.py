import time

import numpy as np
import pytest
from resample_cases import drawn_weights, everybody_once, random_rows
from sklearn.metrics import roc_auc_score

from dualnet.evaluation.intervals.bootstrap import (
    mean_defined,
    percentile_interval,
    resample_auroc,
    resample_mean,
    resample_patients,
)
from dualnet.scores import auroc_per_class


def test_draws_are_of_whole_patients_and_as_many() -> None:
    resamples = resample_patients(["b", "a", "b"], num_resamples=50, seed=0)
    weights = drawn_weights(resamples)
    assert weights.shape == (50, 2)
    assert (weights.sum(axis=1) == 2).all()
    assert resamples.codes.tolist() == [1, 0, 1]


def test_patients_are_drawn_evenly() -> None:
    resamples = resample_patients(np.arange(40), num_resamples=2000, seed=1)
    weights = drawn_weights(resamples)
    # each count is binomial(40, 1/40): mean 1, variance .975
    assert abs(weights.mean(axis=0) - 1).max() < 5 * np.sqrt(0.975 / 2000)
    assert weights.var() == pytest.approx(0.975, abs=0.02)


def test_same_seed_draws_the_same_and_another_seed_not() -> None:
    first, again, other = (
        drawn_weights(resample_patients(np.arange(30), num_resamples=20, seed=seed))
        for seed in (3, 3, 4)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_draws_do_not_depend_on_how_they_are_chunked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resamples = resample_patients(np.arange(30), num_resamples=20, seed=3)
    whole = drawn_weights(resamples)
    monkeypatch.setattr("dualnet.evaluation.intervals.bootstrap.CHUNK_ELEMENTS", 90)
    assert [len(one) for one in resamples.draw()] == [3] * 6 + [2]
    assert np.array_equal(drawn_weights(resamples), whole)


@pytest.mark.parametrize("seed", range(3))
def test_auroc_of_a_resample_is_scikit_learns_with_weights(seed: int) -> None:
    patients, labels, scores = random_rows(seed)
    resamples = resample_patients(patients, num_resamples=15, seed=seed)
    samples = resample_auroc(resamples, labels, scores)
    for weights, row in zip(drawn_weights(resamples), samples, strict=True):
        weight = weights[resamples.codes]
        for column, found in enumerate(row):
            expected = roc_auc_score(
                labels[:, column], scores[:, column], sample_weight=weight
            )
            assert abs(found - expected) < 1e-12


def test_every_patient_once_is_the_plain_auroc(monkeypatch: pytest.MonkeyPatch) -> None:
    patients, labels, scores = random_rows(5)
    resamples = everybody_once(patients, monkeypatch)
    found = resample_auroc(resamples, labels, scores)[0]
    assert found == pytest.approx(auroc_per_class(labels, scores), abs=1e-15)


def test_constant_score_is_one_half_where_it_is_defined() -> None:
    patients = np.arange(3)
    labels = np.array([[True], [False], [False]])
    resamples = resample_patients(patients, num_resamples=200, seed=0)
    tied = resample_auroc(resamples, labels, np.full((3, 1), 0.2))[:, 0]
    varied = resample_auroc(resamples, labels, np.array([[3.0], [2.0], [1.0]]))[:, 0]
    assert set(tied[~np.isnan(tied)]) == {0.5}
    assert set(varied[~np.isnan(varied)]) == {1.0}
    assert np.array_equal(np.isnan(tied), np.isnan(varied))


def test_resamples_without_a_positive_are_counted_and_left_out() -> None:
    # four positive patients of ten are absent from (6/10)^10 = .6 % of the draws
    labels = np.arange(10)[:, np.newaxis] < 4
    resamples = resample_patients(np.arange(10), num_resamples=4000, seed=0)
    samples = resample_auroc(resamples, labels, np.arange(10.0)[::-1, np.newaxis])
    interval = percentile_interval(samples[:, 0])
    assert (interval.low, interval.high) == (1.0, 1.0)
    assert abs(interval.num_undefined / 4000 - 0.0061) < 0.004


def test_finding_of_one_patient_has_no_interval() -> None:
    # the patient is absent from (9/10)^10 = 34.9 % of the draws
    labels = np.arange(10)[:, np.newaxis] == 0
    resamples = resample_patients(np.arange(10), num_resamples=2000, seed=0)
    samples = resample_auroc(resamples, labels, np.arange(10.0)[::-1, np.newaxis])
    interval = percentile_interval(samples[:, 0])
    assert interval.as_dict()["low"] is None
    assert abs(interval.num_undefined / 2000 - 0.349) < 0.04


def test_class_that_never_occurs_has_no_interval() -> None:
    labels = np.zeros((6, 1), dtype=bool)
    resamples = resample_patients(np.arange(6), num_resamples=30, seed=0)
    interval = percentile_interval(resample_auroc(resamples, labels, labels)[:, 0])
    assert interval.as_dict() == {
        "low": None,
        "high": None,
        "undefined_resamples": 30,
    }


def test_single_patient_has_no_interval() -> None:
    resamples = resample_patients(["a"] * 4, num_resamples=100, seed=0)
    labels = np.array([[True], [False], [True], [False]])
    assert resample_auroc(resamples, labels, labels).shape == (0, 1)
    assert resample_mean(resamples, labels).shape == (0, 1)
    assert np.isnan(percentile_interval(np.empty(0)).low)


def test_mean_of_a_resample_weighs_rows_by_their_patient() -> None:
    patients = np.array([0, 0, 1])
    values = np.array([[1.0], [2.0], [6.0]])
    resamples = resample_patients(patients, num_resamples=50, seed=0)
    found = resample_mean(resamples, values)[:, 0]
    by_draw = {(2, 0): 1.5, (0, 2): 6.0, (1, 1): 3.0}
    expected = [by_draw[tuple(weights)] for weights in drawn_weights(resamples)]
    assert found == pytest.approx(expected, abs=1e-15)


def test_mean_over_classes_leaves_the_undefined_out() -> None:
    samples = np.array([[0.5, np.nan, 0.7], [np.nan, np.nan, np.nan]])
    found = mean_defined(samples)
    assert found[0] == pytest.approx(0.6, abs=1e-15)
    assert np.isnan(found[1])


def test_interval_is_the_middle_of_the_samples() -> None:
    samples = np.append(np.arange(1001) / 1000, [np.nan])
    interval = percentile_interval(samples)
    assert interval.low == pytest.approx(0.025, abs=1e-12)
    assert interval.high == pytest.approx(0.975, abs=1e-12)
    assert interval.num_undefined == 1


def test_interval_of_equal_differences_is_a_point() -> None:
    patients, labels, scores = random_rows(2)
    resamples = resample_patients(patients, num_resamples=25, seed=0)
    better, worse = (
        resample_auroc(resamples, labels, one) for one in (scores, scores / 2)
    )
    assert np.array_equal(better, worse)  # halving keeps the order


def test_rows_of_a_patient_widen_the_interval() -> None:
    patients, labels, scores = random_rows(7, num_rows=60, num_classes=1)
    copies = [np.repeat(one, 8, axis=0) for one in (patients, labels, scores)]
    by_patient = resample_patients(copies[0], num_resamples=300, seed=0)
    by_row = resample_patients(np.arange(480), num_resamples=300, seed=0)
    widths = []
    for resamples in (by_patient, by_row):
        samples = resample_auroc(resamples, copies[1], copies[2])[:, 0]
        interval = percentile_interval(samples)
        widths.append(interval.high - interval.low)
    assert widths[0] > 2 * widths[1]


def test_thousands_of_rows_take_seconds() -> None:
    patients, labels, scores = random_rows(0, num_rows=5000, num_classes=15)
    resamples = resample_patients(patients, num_resamples=100, seed=0)
    start = time.perf_counter()
    resample_auroc(resamples, labels, scores)
    assert time.perf_counter() - start < 4  # about .1 s on an idle core
