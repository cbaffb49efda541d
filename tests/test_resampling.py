"""Sums over resampled patients are those of the rows drawn."""

from dataclasses import replace

import numpy as np

from dualnet.evaluation.intervals.bootstrap import resample_patients
from dualnet.evaluation.intervals.resampling import resample_sums


def test_sums_are_those_of_the_rows_drawn() -> None:
    patients = np.array(["b", "a", "b", "c"])
    values = np.array([[1.0, 10], [2, 20], [3, 30], [4, 40]])
    resamples = resample_patients(patients, num_resamples=7, seed=0)
    sums = resample_sums(resamples, values)
    weights = np.concatenate(list(resamples.draw()))  # of a, b, c
    of_patient = np.array([[2.0, 20], [4, 40], [4, 40]])
    assert sums.tolist() == (weights @ of_patient).tolist()


def test_no_resample_is_no_sum() -> None:
    resamples = resample_patients(["a", "a"], num_resamples=7, seed=0)
    assert resample_sums(resamples, np.ones((2, 3))).shape == (0, 3)


def test_patients_without_a_row_add_nothing() -> None:
    whole = resample_patients(["a", "b", "c"], num_resamples=9, seed=1)
    some = replace(whole, codes=whole.codes[[0, 2]])  # b has no row
    weights = np.concatenate(list(whole.draw()))
    sums = resample_sums(some, np.array([[1.0], [5.0]]))
    assert sums[:, 0].tolist() == (weights @ [1.0, 0.0, 5.0]).tolist()
