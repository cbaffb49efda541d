"""What was observed at such a probability, counted by hand."""

import numpy as np
import pytest

from dualnet.explain.observed import observe_near


def test_each_patient_is_counted_once_by_the_nearest_radiograph() -> None:
    found = observe_near(
        0.5,
        np.array([0.1, 0.45, 0.52, 0.9, 0.6]),
        np.array([True, True, False, True, False]),
        np.array(["a", "b", "b", "c", "d"]),
        num_near=2,
    )
    assert found is not None  # .52 of b, then .6 of d
    assert (found.num_positive, found.num_patients, found.share) == (0, 2, 0)
    assert (found.lowest, found.highest) == (0.52, 0.6)
    # none of two: 1 - (.05 / 2) ** (1 / 2)
    assert found.low == 0
    assert found.high == pytest.approx(1 - 0.025**0.5)


def test_fewer_than_asked_for_are_all_counted() -> None:
    found = observe_near(
        0.0, np.array([0.3, 0.4]), np.array([True, True]), np.array(["a", "b"])
    )
    assert found is not None
    assert (found.num_positive, found.num_patients) == (2, 2)
    assert found.low == pytest.approx(0.025**0.5)


@pytest.mark.parametrize("scores", [[], [0.1, np.nan]])
def test_without_scores_nothing_was_observed(scores) -> None:
    number = len(scores)
    patients = np.arange(number).astype(str)
    present = np.zeros(number, bool)
    assert observe_near(0.5, np.array(scores), present, patients) is None


@pytest.mark.parametrize(("patients", "counted"), [(10, 10), (150, 20), (400, 40)])
def test_one_patient_in_ten_is_near(patients: int, counted: int) -> None:
    scores = np.linspace(0, 1, patients)
    names = np.arange(patients).astype(str)
    found = observe_near(0.5, scores, np.zeros(patients, bool), names)
    assert found is not None
    assert found.num_patients == counted
