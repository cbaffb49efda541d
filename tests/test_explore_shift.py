"""Standardised differences, computed by hand."""

import math

import numpy as np
import pytest
from explore_cases import LETTERS, five_rows

from dualnet.evaluation.intervals.bootstrap import resample_patients
from dualnet.explore.shift import collect_measures, compare_parts
from dualnet.explore.stand_out import largest_differences


def compare(values: np.ndarray, first: np.ndarray, patients: np.ndarray | None = None):
    patients = np.arange(len(values)) if patients is None else patients
    resamples = resample_patients(patients.astype(str), num_resamples=100, seed=0)
    return compare_parts(("x",), values[:, np.newaxis], (first, ~first), resamples)


def test_measures_are_those_that_are_known() -> None:
    names, values = collect_measures(five_rows(), LETTERS)
    assert names == (
        "A",
        "B",
        "N",
        "Age (years)",
        "Follow-up number",
        "Female",
        "AP view",
    )
    assert values[1].tolist() == [1, 1, 0, 41, 1, 1, 1]
    assert np.isnan(values[4, 3:]).all()
    names, values = collect_measures(five_rows().iloc[[4]], LETTERS)
    assert names == ("A", "B", "N")
    assert values.shape == (1, 3)


def test_difference_of_a_share() -> None:
    first = np.arange(20) < 10
    values = np.array([1.0] * 2 + [0.0] * 8 + [1.0] * 5 + [0.0] * 5)
    row = compare(values, first).iloc[0]
    assert (row["first"], row["second"]) == pytest.approx((0.2, 0.5))
    expected = 0.3 / math.sqrt((0.2 * 0.8 + 0.5 * 0.5) / 2)
    assert row["difference"] == pytest.approx(expected)
    assert row["low"] < expected < row["high"]


def test_difference_of_a_number_leaves_out_the_unknown() -> None:
    values = np.array([10.0, 20.0, np.nan, 30.0, 50.0, np.nan])
    row = compare(values, np.arange(6) < 3).iloc[0]
    assert (row["first"], row["second"]) == pytest.approx((15, 40))
    assert row["difference"] == pytest.approx(25 / math.sqrt((25 + 100) / 2))


def test_what_does_not_vary_does_not_differ() -> None:
    row = compare(np.ones(8), np.arange(8) < 4).iloc[0]
    assert row["difference"] == 0


def test_a_part_without_a_value_has_no_difference() -> None:
    values = np.array([1.0, 2.0, np.nan, np.nan])
    assert math.isnan(compare(values, np.arange(4) < 2).iloc[0]["difference"])


def test_patients_make_the_interval_wider_than_pictures() -> None:
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(20), 30)
    values = np.repeat(rng.normal(size=20), 30)
    first = patients < 10
    by_patient = compare(values, first, patients).iloc[0]
    by_picture = compare(values, first).iloc[0]
    assert by_patient["difference"] == pytest.approx(by_picture["difference"])
    width = by_patient["high"] - by_patient["low"]
    assert width > 2 * (by_picture["high"] - by_picture["low"])


def test_only_sure_differences_are_told() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4000, 3))
    first = np.arange(4000) < 2000
    values[~first, 1] += 0.5
    values[~first, 2] -= 0.9
    resamples = resample_patients(np.arange(4000).astype(str), num_resamples=50, seed=0)
    table = compare_parts(("a", "b", "c"), values, (first, ~first), resamples)
    assert largest_differences(table)["measure"].tolist() == ["c", "b"]
