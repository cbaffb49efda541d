"""Nearest training cases, worked out by hand."""

import numpy as np
import pytest

from dualnet.errors import RecordError
from dualnet.explain.neighbours import find_neighbours

# standard deviations 2 and 1; the third feature is the same of all
FEATURES = np.array(
    [[0.0, 0.0, 7.0], [4.0, 0.0, 7.0], [0.0, 2.0, 7.0], [4.0, 2.0, 7.0]]
)
PATIENTS = np.array(["a", "b", "c", "c"])


def test_distances_are_in_standard_deviations() -> None:
    found = find_neighbours(FEATURES, np.array([0.0, 0.5, 9.0]), PATIENTS)
    # (0, .5), (2, .5), (0, 1.5) in standard deviations; of c the nearer one
    expected = np.sqrt([0.25 / 2, 2.25 / 2, 4.25 / 2])
    assert found.rows.tolist() == [0, 2, 1]
    np.testing.assert_allclose(found.distances, expected)
    rest = np.sqrt((4 + 2.25) / 2)
    assert found.median == pytest.approx(np.median([*expected, rest]))


def test_the_patient_in_question_is_passed_over() -> None:
    found = find_neighbours(
        FEATURES, FEATURES[0], PATIENTS, patient_id="a", num_neighbours=1
    )
    assert found.rows.tolist() == [1]  # as far as row 2, and stands first
    with pytest.raises(RecordError, match="another patient must be there"):
        find_neighbours(FEATURES[:1], FEATURES[0], PATIENTS[:1], patient_id="a")


def test_cases_that_are_all_alike_are_all_as_near() -> None:
    found = find_neighbours(np.ones((3, 2)), np.zeros(2), PATIENTS[:3])
    assert found.rows.tolist() == [0, 1, 2]
    assert found.distances.tolist() == [0, 0, 0]
