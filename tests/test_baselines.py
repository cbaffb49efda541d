import numpy as np
import pytest

from dualnet.evaluation.scores.baselines import (
    CLASS_PRIOR,
    MAJORITY,
    METADATA_ONLY,
    Prediction,
    fit_baselines,
)
from dualnet.scores import auroc


def make_rows(
    num_rows: int, *, seed: int = 0, num_classes: int = 4
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Metadata of two features; class 1 likelier where the first is high."""
    generator = np.random.default_rng(seed)
    metadata = generator.normal(size=(num_rows, 2)).astype(np.float32)
    labels = generator.random((num_rows, num_classes)) < 0.2
    labels[:, 1] = generator.random(num_rows) < 1 / (1 + np.exp(-2 * metadata[:, 0]))
    labels[:, 0] |= ~labels.any(axis=1)
    return metadata, labels.argmax(axis=1), labels


def test_class_prior_is_the_share_of_first_labels() -> None:
    metadata, _, labels = make_rows(6)
    first = np.array([0, 0, 0, 1, 1, 3])
    baselines = fit_baselines(metadata, first=first, labels=labels, seed=0)
    found = baselines.predict(metadata[:2])[CLASS_PRIOR].probabilities
    # Laplace adds one to each count, so of 6 rows and 4 classes: tenths
    assert found.tolist() == [[0.4, 0.3, 0.1, 0.2]] * 2


def test_majority_is_certain_of_the_commonest_class() -> None:
    metadata, _, labels = make_rows(6)
    first = np.array([0, 1, 1, 1, 3, 3])
    baselines = fit_baselines(metadata, first=first, labels=labels, seed=0)
    found = baselines.predict(metadata[:3])[MAJORITY].probabilities
    assert found.tolist() == [[0, 1, 0, 0]] * 3


def test_metadata_only_finds_what_the_metadata_tell() -> None:
    metadata, first, labels = make_rows(600)
    other_metadata, _, other_labels = make_rows(600, seed=1)
    baselines = fit_baselines(metadata, first=first, labels=labels, seed=0)
    scores = baselines.predict(other_metadata)[METADATA_ONLY].scores
    areas = [auroc(*pair) for pair in zip(other_labels.T, scores.T, strict=True)]
    truth = auroc(other_labels[:, 1], other_metadata[:, 0])  # the best there is
    assert areas[1] > truth - 0.01 > 0.8
    assert abs(areas[2] - 0.5) < 0.1
    assert abs(areas[3] - 0.5) < 0.1


def test_metadata_only_finds_what_two_fields_tell_together() -> None:
    metadata, first, labels = make_rows(800)
    labels[:, 2] = metadata[:, 0] * metadata[:, 1] > 0
    baselines = fit_baselines(metadata, first=first, labels=labels, seed=0)
    other, _, _ = make_rows(400, seed=1)
    scores = baselines.predict(other)[METADATA_ONLY].scores
    assert auroc(other[:, 0] * other[:, 1] > 0, scores[:, 2]) > 0.95


def test_probabilities_of_every_baseline_are_distributions() -> None:
    metadata, first, labels = make_rows(100)
    predicted = fit_baselines(metadata, first=first, labels=labels, seed=0).predict(
        metadata
    )
    assert set(predicted) == {CLASS_PRIOR, MAJORITY, METADATA_ONLY}
    for prediction in predicted.values():
        assert prediction.probabilities.shape == (100, 4)
        assert prediction.scores.shape == (100, 4)
        assert prediction.probabilities.min() >= 0
        assert prediction.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-6)


def test_class_absent_from_training_keeps_a_share() -> None:
    metadata, first, labels = make_rows(96)
    first[first == 3] = 0
    labels[:, 3] = False
    predicted = fit_baselines(metadata, first=first, labels=labels, seed=0).predict(
        metadata
    )
    only = predicted[METADATA_ONLY]
    assert only.probabilities[:, 3] == pytest.approx(1 / 100, rel=1e-6)
    assert only.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert set(only.scores[:, 3]) == {0.0}


def test_training_rows_of_one_class_leave_the_prior() -> None:
    metadata = np.zeros((5, 2), dtype=np.float32)
    first, labels = np.full(5, 2), np.tile([False, False, True, False], (5, 1))
    predicted = fit_baselines(metadata, first=first, labels=labels, seed=0).predict(
        metadata
    )
    only = predicted[METADATA_ONLY]
    prior = predicted[CLASS_PRIOR].probabilities
    assert np.array_equal(only.probabilities, prior.astype(np.float32))
    assert set(only.scores.ravel()) == {0.0}


def test_same_seed_gives_the_same_bits() -> None:
    metadata, first, labels = make_rows(200)
    first_fit, second_fit = (
        fit_baselines(metadata, first=first, labels=labels, seed=7).predict(metadata)
        for _ in range(2)
    )
    for name, prediction in first_fit.items():
        again = second_fit[name]
        assert np.array_equal(prediction.probabilities, again.probabilities)
        assert np.array_equal(prediction.scores, again.scores)


def test_scores_are_the_probabilities_where_nothing_else_is_said() -> None:
    probabilities = np.eye(3)
    assert Prediction(probabilities).scores is probabilities
    assert Prediction(probabilities, probabilities / 2).scores.max() == 0.5
