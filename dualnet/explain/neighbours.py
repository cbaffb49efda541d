"""The cases a model was fitted on that it sees most like a given one.

Like is what the last layer is given: the fused features, each in its own standard
deviations. Names only: what a neighbour looks like is for those who may see it.
"""

from dataclasses import dataclass

import numpy as np

from dualnet.errors import RecordError

NUM_NEIGHBOURS = 5
ROWS_AT_A_TIME = 4096  # of 1,040 features: 34 MB


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """The nearest cases, the nearest first.

    Args:
        rows: Their places, int64, shape (k,).
        distances: Root mean square of the differences of their features, each in
            standard deviations of the cases, float64, shape (k,). Of two cases that
            have nothing to do with each other it is near 1.4.
        median: The median distance of all cases.
    """

    rows: np.ndarray
    distances: np.ndarray
    median: float


def find_neighbours(
    features: np.ndarray,
    case: np.ndarray,
    patient_ids: np.ndarray,
    *,
    num_neighbours: int = NUM_NEIGHBOURS,
    patient_id: str | None = None,
) -> Neighbours:
    """Finds the nearest cases, at most one of each patient.

    Args:
        features: What the model makes of each case, shape (n, k).
        case: The same of the one in question, shape (k,).
        patient_ids: The patient of each case, shape (n,).
        num_neighbours: How many to find; fewer where there are fewer patients.
        patient_id: The patient in question, whose own cases are passed over; None if
            not known.

    Returns:
        The neighbours. Of equal distances the case that stands first is nearer.

    Raises:
        RecordError: If no case of another patient is there.
    """
    others = np.flatnonzero(patient_ids != patient_id)
    if not len(others):
        raise RecordError(
            "neighbours: cases of another patient must be there. Received: none. "
            "Name a run that was trained on several patients."
        )
    distances = _measure(features, case)[others]
    order = np.argsort(distances, kind="stable")
    _, first = np.unique(patient_ids[others[order]], return_index=True)
    nearest = order[np.sort(first)[:num_neighbours]]
    return Neighbours(
        rows=others[nearest],
        distances=distances[nearest],
        median=float(np.median(distances)),
    )


def _measure(features: np.ndarray, case: np.ndarray) -> np.ndarray:
    """Measures the distances; a feature that is the same of all cases says nothing."""
    spread = features.std(axis=0, dtype=np.float64)
    told = spread > 0
    if not told.any():
        return np.zeros(len(features))
    scale, centre = spread[told], case[told].astype(np.float64)
    blocks = [
        (((block[:, told] - centre) / scale) ** 2).mean(axis=1)
        for block in np.split(
            features, range(ROWS_AT_A_TIME, len(features), ROWS_AT_A_TIME)
        )
    ]
    return np.sqrt(np.concatenate(blocks))
