import numpy as np
import pytest
from resample_cases import drawn_weights, everybody_once, random_rows
from sklearn.metrics import average_precision_score

from dualnet.evaluation.intervals.bootstrap import resample_patients
from dualnet.evaluation.intervals.bootstrap_precision import resample_average_precision
from dualnet.evaluation.scores.metrics import average_precision


@pytest.mark.parametrize("seed", range(3))
def test_resample_is_scikit_learns_with_weights(seed: int) -> None:
    patients, labels, scores = random_rows(seed)
    resamples = resample_patients(patients, num_resamples=10, seed=seed)
    samples = resample_average_precision(resamples, labels, scores)
    weights = drawn_weights(resamples)[:, resamples.codes]
    expected = [
        [
            average_precision_score(
                labels[:, column], scores[:, column], sample_weight=weight
            )
            for column in range(4)
        ]
        for weight in weights
    ]
    assert np.abs(samples - expected).max() < 1e-12


def test_every_patient_once_is_the_plain_score(monkeypatch: pytest.MonkeyPatch) -> None:
    patients, labels, scores = random_rows(5)
    resamples = everybody_once(patients, monkeypatch)
    found = resample_average_precision(resamples, labels, scores)[0]
    expected = [average_precision(*one) for one in zip(labels.T, scores.T, strict=True)]
    assert found == pytest.approx(expected, abs=1e-15)


def test_resample_without_a_positive_is_undefined() -> None:
    labels = np.array([[True], [False], [False]])
    resamples = resample_patients(np.arange(3), num_resamples=100, seed=0)
    found = resample_average_precision(resamples, labels, np.zeros((3, 1)))[:, 0]
    drawn = drawn_weights(resamples)[:, 0]
    # tied scores: the share of positives among the three rows drawn
    assert np.isnan(found).tolist() == (drawn == 0).tolist()
    assert found[drawn > 0] == pytest.approx(drawn[drawn > 0] / 3, abs=1e-15)


def test_single_patient_gives_no_resample() -> None:
    resamples = resample_patients(["a", "a"], num_resamples=5, seed=0)
    labels, scores = np.array([[True], [False]]), np.zeros((2, 1))
    assert resample_average_precision(resamples, labels, scores).shape == (0, 1)


def test_rows_all_positive_have_precision_one() -> None:
    resamples = resample_patients(np.arange(4), num_resamples=5, seed=0)
    labels = np.ones((4, 1), dtype=bool)
    found = resample_average_precision(resamples, labels, np.arange(4.0)[:, None])
    assert found[:, 0].tolist() == [1.0] * 5


@pytest.mark.parametrize("decimals", [1, 9])  # one decimal: many ties
def test_resample_of_a_rare_class_is_scikit_learns(decimals: int) -> None:
    generator = np.random.default_rng(5)
    labels = generator.random((120, 3)) < [0.1, 0.5, 0.02]
    scores = np.round(generator.random((120, 3)), decimals)
    patients = generator.integers(30, size=120).astype(str)
    draws = resample_patients(patients, num_resamples=40, seed=0)
    found = resample_average_precision(draws, labels, scores)
    for row, weight in enumerate(drawn_weights(draws)[:, draws.codes]):
        for column in range(3):
            present, score = labels[:, column], scores[:, column]
            if not weight[present].any():
                assert np.isnan(found[row, column])
                continue
            expected = average_precision_score(present, score, sample_weight=weight)
            assert abs(found[row, column] - expected) < 1e-12


def test_rows_without_a_positive_are_undefined() -> None:
    draws = resample_patients(["a", "b", "c"], num_resamples=5, seed=0)
    found = resample_average_precision(draws, np.zeros((3, 1), bool), np.ones((3, 1)))
    assert np.isnan(found).all()


def test_class_without_scores_is_undefined_and_the_others_are_not() -> None:
    patients, labels, scores = random_rows(3)
    draws = resample_patients(patients, num_resamples=6, seed=0)
    whole = resample_average_precision(draws, labels, scores)
    scores[0, 2] = np.nan
    found = resample_average_precision(draws, labels, scores)
    assert np.isnan(found[:, 2]).all()
    others = [0, 1, 3]
    assert np.array_equal(found[:, others], whole[:, others])
