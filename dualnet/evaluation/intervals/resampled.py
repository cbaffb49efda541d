"""Scores, and the same in every resample of patients, so that two can be paired."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from dualnet.evaluation.intervals.bootstrap import percentile_interval


@dataclass(frozen=True)
class Resampled:
    """Some scores of the same rows, whole and in every resample of patients.

    Args:
        values: NaN where undefined, shape (k,).
        drawn: The same in every resample, shape (num_resamples, k).
    """

    values: np.ndarray
    drawn: np.ndarray

    def __sub__(self, other: "Resampled") -> "Resampled":
        """Returns the differences, draw by draw; both must be of the same draws."""
        return Resampled(self.values - other.values, self.drawn - other.drawn)

    def intervals(self) -> list[dict[str, Any]]:
        """Returns the percentile interval of each score as plain values."""
        return [percentile_interval(samples).as_dict() for samples in self.drawn.T]

    def describe(self, name: str) -> list[dict[str, Any]]:
        """Returns each score as `name`, its interval as `name` and `_interval`."""
        return [
            {name: float(value), f"{name}_interval": interval}
            for value, interval in zip(self.values, self.intervals(), strict=True)
        ]

    def describe_differences(self) -> list[dict[str, Any]]:
        """Returns each as `difference`, with its interval's values beside it."""
        return [
            {"difference": float(value), **interval}
            for value, interval in zip(self.values, self.intervals(), strict=True)
        ]
