"""Does a heat map point into the box? Three scores, beside what points without looking.

- *pointing*: whether the map's maximum is in the box. Where several pixels share it,
  their share in the box, so that a map that is the same everywhere scores chance.
- *energy*: the share of the map's positive values that is in the box.
- *iou*: what the pixels of at least `IOU_THRESHOLD` of the maximum and the box have in
  common, of what either has.

The scores read the positive part of a map: what speaks for the finding. A map without
any points nowhere: it scores 0 in all three, and is counted.

Each score stands beside four that see less than the model's map does: *chance*, a map
that is the same everywhere, which scores the box's share of the picture in all three;
the *centre prior*, a bump in the middle; the *usual place*, where the boxes of the
finding lie in other patients; and the map of *another patient* for the same finding.

Reference:
    Zhang et al., Top-down neural attention by excitation backprop, IJCV 126, 2018,
    section 4.1 (pointing game; theirs allows 15 pixels beside the box, this one none);
    Wang et al., Score-CAM, CVPR workshops 2020, section 4.2 (energy inside the box);
    Saporta et al., Benchmarking saliency methods for chest X-ray interpretation,
    Nature Machine Intelligence 4, 2022 (hit rate and IoU by finding).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dualnet.evaluation.intervals.bootstrap import PatientResamples, resample_mean
from dualnet.evaluation.intervals.resampled import Resampled
from dualnet.training.selection import MIN_PATIENTS

SCORES = ("pointing", "energy", "iou")
IOU_THRESHOLD = 0.5  # of the map's maximum
CHANCE, CENTRE, USUAL_PLACE = "chance", "centre_prior", "usual_place"
CENTRE_WIDTH = 0.25  # standard deviation of the centre prior, as a share of the side


@dataclass(frozen=True, kw_only=True)
class MapScores:
    """How well maps point into their boxes.

    Args:
        scores: `SCORES` of each map, in [0, 1], float64, shape (n, 3).
        empty: Whether a map has nothing above 0, bool, shape (n,).
    """

    scores: np.ndarray
    empty: np.ndarray


def score_maps(maps: np.ndarray, masks: np.ndarray) -> MapScores:
    """Scores heat maps against boxes.

    Args:
        maps: Unscaled, finite, shape (n, side, side).
        masks: Which pixels are in the box, bool, of the same shape, each with a pixel
            that is true.

    Returns:
        The scores.

    Example:
        >>> maps = np.array([[[4.0, 2.0], [1.0, 1.0]]])
        >>> score_maps(maps, np.array([[[True, False], [False, False]]])).scores
        array([[1. , 0.5, 0.5]])
    """
    scored = [_score_map(*pair) for pair in zip(maps, masks, strict=True)]
    scores = np.array([one or (0.0, 0.0, 0.0) for one in scored])
    return MapScores(
        scores=scores.reshape(-1, len(SCORES)),
        empty=np.array([one is None for one in scored], dtype=bool),
    )


def score_chance(masks: np.ndarray) -> np.ndarray:
    """Scores maps that are the same everywhere: the box's share of the picture.

    Args:
        masks: Which pixels are in the box, bool, shape (n, side, side).

    Returns:
        `SCORES`, all three alike, float64, shape (n, 3).
    """
    shares = masks.mean(axis=(1, 2), dtype=np.float64)
    return np.repeat(shares[:, np.newaxis], len(SCORES), axis=1)


def score_centre(masks: np.ndarray) -> np.ndarray:
    """Scores a Gaussian bump in the middle of the picture.

    Args:
        masks: Which pixels are in the box, bool, shape (n, side, side).

    Returns:
        `SCORES`, float64, shape (n, 3).
    """
    prior = centre_prior(masks.shape[1])[np.newaxis]
    return np.concatenate([score_maps(prior, one[np.newaxis]).scores for one in masks])


def score_usual_places(
    masks: np.ndarray, findings: Sequence[str] | np.ndarray, patient_ids: np.ndarray
) -> np.ndarray:
    """Scores where the boxes of the same finding lie in the other patients.

    It needs neither model nor picture. It is taken from the very boxes that are judged,
    each patient's own left out.

    Args:
        masks: Which pixels are in the box, bool, shape (n, side, side).
        findings: The finding of each, shape (n,).
        patient_ids: The patient of each, shape (n,).

    Returns:
        `SCORES`, float64, shape (n, 3); chance of a finding that only one patient has.
    """
    values = score_chance(masks)
    names = np.asarray(findings)
    for finding in np.unique(names):
        rows = np.flatnonzero(names == finding)
        total = masks[rows].sum(axis=0, dtype=np.int64)
        for row in rows:
            own = rows[patient_ids[rows] == patient_ids[row]]
            others = total - masks[own].sum(axis=0, dtype=np.int64)
            if others.any():
                values[row] = score_maps(others[np.newaxis], masks[[row]]).scores
    return values


def centre_prior(size: int) -> np.ndarray:
    """Returns a Gaussian bump in the middle of a picture.

    Args:
        size: Pixels a side.

    Returns:
        Float64, shape (size, size), at most 1.
    """
    places = (np.arange(size) + 0.5) / size - 0.5
    profile = np.exp(-0.5 * (places / CENTRE_WIDTH) ** 2)
    return np.outer(profile, profile)


def find_other_maps(
    findings: Sequence[str] | np.ndarray, patient_ids: np.ndarray
) -> np.ndarray:
    """Finds for each map one of the same finding in another patient.

    The maps of a finding are laid in a circle, patient by patient; each takes the one
    that lies as many places on as the largest patient has maps. Where one patient has
    more than half of them, the others' are taken in turn, some of them several times.

    Args:
        findings: The finding of each map, shape (n,).
        patient_ids: The patient of each, shape (n,).

    Returns:
        The place of the other map, int64, shape (n,); -1 of a finding that only one
        patient has.
    """
    names = np.asarray(findings)
    others = np.full(len(names), -1, dtype=np.int64)
    for finding in np.unique(names):
        rows = np.flatnonzero(names == finding)
        rows = rows[np.argsort(patient_ids[rows], kind="stable")]
        _, sizes = np.unique(patient_ids[rows], return_counts=True)
        shift = int(sizes.max())
        if 2 * shift <= len(rows):
            others[rows] = np.roll(rows, -shift)
            continue
        for place, row in enumerate(rows):
            near = rows[patient_ids[rows] != patient_ids[row]]
            if near.size:
                others[row] = near[place % near.size]
    return others


def resample_scores(draws: PatientResamples, values: np.ndarray) -> Resampled:
    """Averages row scores, whole and in every resample of patients.

    Args:
        draws: Draws of patients over the rows.
        values: Shape (n, k).

    Returns:
        The means; a resample that holds none of the rows is undefined.
    """
    with np.errstate(invalid="ignore"):
        return Resampled(values.mean(axis=0), resample_mean(draws, values))


def describe_scores(scores: Resampled) -> dict[str, Any]:
    """Returns each of `SCORES` with its interval, as plain values.

    Args:
        scores: Of `SCORES`, in their order.
    """
    described = scores.describe("value")
    return {
        name: {"value": one["value"], "interval": one["value_interval"]}
        for name, one in zip(SCORES, described, strict=True)
    }


def compare_scores(
    draws: PatientResamples, values: np.ndarray, others: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Takes the paired differences of one method's scores to others'.

    Args:
        draws: Draws of patients over the rows.
        values: `SCORES` of the method, shape (n, 3).
        others: Those of what it is compared with, by name, of the same rows.

    Returns:
        Plain values: by name and score, `difference` with the ends of its interval.
    """
    return {
        name: dict(
            zip(
                SCORES,
                resample_scores(draws, values - other).describe_differences(),
                strict=True,
            )
        )
        for name, other in others.items()
    }


def describe_findings(
    draws: PatientResamples,
    findings: Sequence[str] | np.ndarray,
    scores: Mapping[str, np.ndarray],
) -> list[dict[str, Any]]:
    """Describes the scores of each finding apart.

    Args:
        draws: Draws of patients over the rows.
        findings: The finding of each row, shape (n,).
        scores: `SCORES` of methods and baselines, by name, each of shape (n, 3).

    Returns:
        Plain values, one entry a finding: `finding`, `n` boxes, `num_patients`, and
        by name the scores with their intervals. A score has none where fewer than
        `MIN_PATIENTS` patients have the finding, or all rows score the same: none of
        four is none of four in every draw.
    """
    names = np.asarray(findings)
    described = []
    for finding in np.unique(names):
        rows = names == finding
        part = replace(draws, codes=draws.codes[rows])
        described.append(
            {
                "finding": str(finding),
                "n": int(rows.sum()),
                "num_patients": int(np.unique(part.codes).size),
                "scores": {
                    name: _describe_part(part, values[rows])
                    for name, values in scores.items()
                },
            }
        )
    return described


def _describe_part(draws: PatientResamples, values: np.ndarray) -> dict[str, Any]:
    described = describe_scores(resample_scores(draws, values))
    few = np.unique(draws.codes).size < MIN_PATIENTS
    for name, column in zip(SCORES, values.T, strict=True):
        if few or np.ptp(column) == 0:
            described[name]["interval"] |= {"low": None, "high": None}
    return described


def _score_map(heat: np.ndarray, mask: np.ndarray) -> tuple[float, ...] | None:
    """Scores one map; None where nothing is above 0."""
    # map by map: whole arrays of 256 by 256 pixels are slower
    peak = heat.max()
    if not peak > 0:
        return None
    positive = np.maximum(heat, 0)
    inside = positive[mask]
    level = IOU_THRESHOLD * peak
    common = np.count_nonzero(inside >= level)
    either = np.count_nonzero(positive >= level) + inside.size - common
    return (
        np.count_nonzero(inside == peak) / np.count_nonzero(positive == peak),
        float(inside.sum(dtype=np.float64) / positive.sum(dtype=np.float64)),
        common / either,
    )
