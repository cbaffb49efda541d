"""Operating points, chosen by hand and by the code."""

import numpy as np
import pytest

from dualnet.evaluation.probabilities.thresholds import (
    SENSITIVITY,
    SPECIFICITY,
    YOUDEN,
    OperatingPoint,
    choose_operating_points,
)


def patients(number: int) -> np.ndarray:
    return np.array([f"p{row}" for row in range(number)])


def test_points_are_those_found_by_hand() -> None:
    present = np.array([True] * 10 + [False] * 10)
    scores = np.array([20, 19, 18, 17, 16, 15, 14, 13, 4, 2], dtype=float)
    scores = np.append(scores, [18.5, 12, 11, 10, 9, 8, 7, 6, 5, 1])
    points = choose_operating_points(present, scores, patients(20))
    # at 13, 8 of 10 are found and 1 of 10 called wrongly: J = .7
    assert points[YOUDEN] == OperatingPoint(
        threshold=13.0, sensitivity=0.8, specificity=0.9
    )
    # the ninth is found at 4, when all but the score 1 are called
    assert points[SENSITIVITY].threshold == 4
    assert points[SENSITIVITY].sensitivity == pytest.approx(0.9)
    assert points[SENSITIVITY].specificity == pytest.approx(0.1)
    assert points[SPECIFICITY].threshold == 13
    assert points[SPECIFICITY].specificity == pytest.approx(0.9)


def test_the_highest_threshold_of_a_tie_is_taken() -> None:
    present = np.array([True] * 5 + [True] * 5 + [False] * 10)
    scores = np.array([9.0] * 5 + [5.0] * 5 + [7.0] * 5 + [1.0] * 5)
    points = choose_operating_points(present, scores, patients(20))
    assert points[YOUDEN].threshold == 9  # J is .5 at 9 and at 5


@pytest.mark.parametrize(
    ("num_positive", "num_negative", "reason"),
    [
        (4, 30, "4 patients have it, fewer than 5"),
        (0, 30, "0 patients have it, fewer than 5"),
        (30, 1, "1 patient lack it, fewer than 5"),
    ],
)
def test_too_few_patients_give_no_point_and_a_reason(
    num_positive: int, num_negative: int, reason: str
) -> None:
    number = num_positive + num_negative
    present = np.arange(number) < num_positive
    points = choose_operating_points(present, np.arange(number) * 1.0, patients(number))
    for point in points.values():
        assert np.isnan(point.threshold)
        assert point.reason == reason


def test_patients_are_counted_not_radiographs() -> None:
    present = np.arange(40) < 20
    same = np.array(["a"] * 20 + [f"p{row}" for row in range(20)])
    point = choose_operating_points(present, np.arange(40) * 1.0, same)[YOUDEN]
    assert point.reason == "1 patient have it, fewer than 5"


def test_a_constant_score_has_no_youden_point() -> None:
    present = np.arange(20) < 10
    points = choose_operating_points(present, np.ones(20), patients(20))
    assert np.isnan(points[YOUDEN].threshold)
    assert points[YOUDEN].reason == "no score is better than chance"
    assert points[SPECIFICITY].reason == (
        "the highest score is that of more than 10% without"
    )
    assert (points[SENSITIVITY].threshold, points[SENSITIVITY].specificity) == (1, 0)


def test_a_point_is_read_back_as_it_was() -> None:
    for point in (
        OperatingPoint(threshold=0.25, sensitivity=0.5, specificity=0.75),
        choose_operating_points(np.ones(3, bool), np.ones(3), patients(3))[YOUDEN],
    ):
        values = point.as_dict()
        assert OperatingPoint.from_dict(values).as_dict() == values
    assert values["threshold"] is None
