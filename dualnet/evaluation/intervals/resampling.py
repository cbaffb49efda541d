"""Sums over resampled patients, of which shares and differences are made."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from dualnet.evaluation.intervals.bootstrap import (
    CHUNK_ELEMENTS,
    PatientResamples,
    sum_by_patient,
)


def resample_sums(resamples: PatientResamples, values: np.ndarray) -> np.ndarray:
    """Sums row values in every resample.

    Each patient's rows are summed once, so that a draw costs what its patients cost,
    not its rows: 30,805 instead of 112,120 of NIH's.

    Args:
        resamples: Draws of patients over the rows.
        values: One value a row and measure, shape (rows, measures).

    Returns:
        float64, shape (num_resamples, measures). The same seed gives the same bits:
        one thread sums in one order.
    """
    sums = sum_by_patient(resamples, values)
    by_patient = replace(resamples, codes=np.arange(resamples.num_patients))
    with threadpool_limits(1):
        chunks = [weights.astype("float64") @ sums for weights in by_patient.draw()]
    return np.concatenate([np.empty((0, values.shape[1])), *chunks])


@dataclass(frozen=True)
class KeptResamples(PatientResamples):
    """Draws that are made once, where the same ones are asked for many times.

    Args:
        weights: How often each patient was drawn, int8, shape (num_resamples,
            num_patients).
    """

    weights: np.ndarray

    def draw(self) -> Iterator[np.ndarray]:
        """Yields all resamples, the same as the draws that were kept.

        Yields:
            How often each patient was drawn, int8, shape (k, num_patients).
        """
        size = max(1, CHUNK_ELEMENTS // max(1, self.codes.size))
        for start in range(0, self.num_resamples, size):
            yield self.weights[start : start + size]


def keep_draws(resamples: PatientResamples) -> KeptResamples:
    """Makes all draws once: 3 MB of 3,000 patients and 1,000 resamples.

    A count is kept in one byte: that a patient is drawn 128 times has odds of 1 to 128!.

    Args:
        resamples: Draws of patients over the rows.

    Returns:
        The same draws.
    """
    chunks = [weights.astype(np.int8) for weights in resamples.draw()]
    empty = np.empty((0, resamples.num_patients), dtype=np.int8)
    return KeptResamples(**vars(resamples), weights=np.concatenate([empty, *chunks]))
