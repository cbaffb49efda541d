"""Maps against boxes: scores worked out by hand."""

import numpy as np
import pytest

from dualnet.evaluation.intervals.bootstrap import resample_patients
from dualnet.explain.localisation import (
    compare_scores,
    describe_findings,
    describe_scores,
    find_other_maps,
    resample_scores,
    score_centre,
    score_chance,
    score_maps,
    score_usual_places,
)

MAP = np.array([[8.0, 4.0, 0.0], [3.0, -9.0, 0.0], [0.0, 0.0, 1.0]])


def mask(*places: tuple[int, int], size: int = 3) -> np.ndarray:
    marked = np.zeros((1, size, size), dtype=bool)
    for place in places:
        marked[(0, *place)] = True
    return marked


def test_scores_are_those_worked_out_by_hand() -> None:
    box = mask((0, 0), (0, 1), (1, 0), (1, 1))
    found = score_maps(MAP[np.newaxis], box)
    # 8 + 4 + 3 of 16; at least 4: two pixels, both among the box's four
    np.testing.assert_allclose(found.scores, [[1, 15 / 16, 2 / 4]])
    assert not found.empty.any()
    far = score_maps(MAP[np.newaxis], mask((2, 2), (2, 1)))
    np.testing.assert_allclose(far.scores, [[0, 1 / 16, 0]])


def test_a_map_that_is_the_same_everywhere_scores_chance() -> None:
    box = mask((0, 0), (1, 1))
    flat = score_maps(np.full((1, 3, 3), 7.0), box)
    np.testing.assert_allclose(flat.scores, [[2 / 9] * 3])
    np.testing.assert_allclose(score_chance(box), [[2 / 9] * 3])


def test_a_map_with_nothing_above_zero_points_nowhere() -> None:
    maps = np.stack([np.zeros((3, 3)), np.full((3, 3), -1.0), MAP])
    found = score_maps(maps, np.repeat(mask((0, 0)), 3, axis=0))
    assert found.empty.tolist() == [True, True, False]
    np.testing.assert_array_equal(found.scores[:2], 0)
    assert found.scores[2, 0] == 1


def test_maxima_that_are_shared_count_by_their_share_in_the_box() -> None:
    maps = np.zeros((1, 3, 3))
    maps[0, 0] = 5
    found = score_maps(maps, mask((0, 0), (1, 0)))
    np.testing.assert_allclose(found.scores, [[1 / 3, 1 / 3, 1 / 4]])


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_scores_do_not_depend_on_the_maps_scale(factor: float) -> None:
    box = mask((0, 0), (0, 1))
    expected = score_maps(MAP[np.newaxis], box).scores
    found = score_maps(factor * MAP[np.newaxis], box).scores
    np.testing.assert_allclose(found, expected)


def test_the_centre_prior_points_to_the_middle() -> None:
    middle = score_centre(mask((1, 1)))
    corner = score_centre(mask((0, 0)))
    assert (middle[0, 0], corner[0, 0]) == (1, 0)
    # exp(-8 / 9) beside the middle, and its square in the corners
    side = np.exp(-8 / 9)
    np.testing.assert_allclose(middle[0, 1], 1 / (1 + 4 * side + 4 * side**2))


def test_the_usual_place_is_that_of_the_other_patients() -> None:
    here, there = mask((0, 0)), mask((2, 2))
    masks = np.concatenate([here, here, there, there, here])
    findings = ["Mass", "Mass", "Mass", "Mass", "Hernia"]
    patients = np.array(["a", "b", "c", "c", "d"])
    found = score_usual_places(masks, findings, patients)
    # of a: b's here, c's two there; the box is not at the maximum
    np.testing.assert_allclose(found[0], [0, 1 / 3, 1 / 2])
    # of c, without c's own other picture: both here
    np.testing.assert_allclose(found[2], [0, 0, 0])
    np.testing.assert_allclose(found[4], 1 / 9)  # nobody else has one


def test_another_map_is_of_the_same_finding_in_another_patient() -> None:
    random = np.random.default_rng(0)
    patients = random.integers(0, 12, 60).astype(str)
    findings = random.choice(["Mass", "Nodule"], 60)
    others = find_other_maps(findings, patients)
    assert (others >= 0).all()
    assert sorted(others) == list(range(60))  # each is taken once
    assert (findings[others] == findings).all()
    assert (patients[others] != patients).all()


def test_a_patient_with_most_maps_of_a_finding_takes_the_others_in_turn() -> None:
    findings = ["Mass", "Mass", "Mass", "Mass", "Mass", "Hernia", "Hernia"]
    patients = np.array(["a", "a", "a", "b", "c", "d", "d"])
    assert find_other_maps(findings, patients).tolist() == [3, 4, 3, 4, 0, -1, -1]


def test_patients_are_drawn_whole() -> None:
    # two patients: every draw is 0, 1 or their mean, however many rows they have
    values = np.repeat([[0.0] * 3, [1.0] * 3], 2, axis=0)
    draws = resample_patients(["a", "a", "b", "b"], num_resamples=200, seed=0)
    found = resample_scores(draws, values)
    assert set(found.drawn[:, 0]) == {0.0, 0.5, 1.0}
    described = describe_scores(found)
    assert described["iou"] == {
        "value": 0.5,
        "interval": {"low": 0.0, "high": 1.0, "undefined_resamples": 0},
    }


def test_differences_are_paired() -> None:
    random = np.random.default_rng(0)
    values = random.random((40, 3))
    draws = resample_patients(np.arange(40).astype(str), num_resamples=50, seed=0)
    found = compare_scores(draws, values, {"chance": values - 0.25, "itself": values})
    for one in found["chance"].values():
        assert [one[end] for end in ("difference", "low", "high")] == pytest.approx(
            [0.25] * 3
        )
    assert found["itself"]["pointing"]["low"] == 0


def test_each_finding_has_its_own_number_and_interval() -> None:
    values = np.array([[1.0, 0.5, 0.5]] * 6 + [[0.0] * 3] * 4)
    values[:3, 1] = 0.75
    findings = ["Mass"] * 6 + ["Hernia"] * 4
    draws = resample_patients(list("abcdefabcd"), num_resamples=100, seed=0)
    hernia, mass = describe_findings(draws, findings, {"map": values})
    assert (hernia["finding"], hernia["n"], hernia["num_patients"]) == ("Hernia", 4, 4)
    assert hernia["scores"]["map"]["energy"]["interval"]["low"] is None  # 4 patients
    assert (mass["n"], mass["num_patients"]) == (6, 6)
    scores = mass["scores"]["map"]
    assert (scores["pointing"]["value"], scores["energy"]["value"]) == (1, 0.625)
    # all six hit: so they do in every draw, which says nothing of a seventh
    assert scores["pointing"]["interval"]["low"] is None
    assert 0.5 <= scores["energy"]["interval"]["low"] < 0.625
