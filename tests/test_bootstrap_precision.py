import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from dualnet.evaluation.bootstrap import PatientResamples, resample_patients
from dualnet.evaluation.bootstrap_precision import resample_average_precision
from dualnet.evaluation.metrics import average_precision


def random_rows(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Patients of about three rows, labels, and scores with many ties."""
    generator = np.random.default_rng(seed)
    labels = generator.random((300, 4)) < 0.3
    scores = generator.integers(12, size=(300, 4)) / 12
    return generator.integers(100, size=300), labels, scores


@pytest.mark.parametrize("seed", range(3))
def test_resample_is_scikit_learns_with_weights(seed: int) -> None:
    patients, labels, scores = random_rows(seed)
    resamples = resample_patients(patients, num_resamples=10, seed=seed)
    samples = resample_average_precision(resamples, labels, scores)
    weights = np.concatenate(list(resamples.draw()))[:, resamples.codes]
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
    resamples = resample_patients(patients, num_resamples=1, seed=0)
    monkeypatch.setattr(
        PatientResamples,
        "draw",
        lambda self: iter([np.ones((1, self.num_patients), dtype=np.int64)]),
    )
    found = resample_average_precision(resamples, labels, scores)[0]
    expected = [average_precision(*one) for one in zip(labels.T, scores.T, strict=True)]
    assert found == pytest.approx(expected, abs=1e-15)


def test_resample_without_a_positive_is_undefined() -> None:
    labels = np.array([[True], [False], [False]])
    resamples = resample_patients(np.arange(3), num_resamples=100, seed=0)
    found = resample_average_precision(resamples, labels, np.zeros((3, 1)))[:, 0]
    drawn = np.concatenate(list(resamples.draw()))[:, 0]
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
