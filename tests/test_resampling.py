"""Sums over resampled patients are those of the rows drawn."""

import numpy as np

from dualnet.evaluation.bootstrap import resample_patients
from dualnet.evaluation.resampling import resample_sums


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
