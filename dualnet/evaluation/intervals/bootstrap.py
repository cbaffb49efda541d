"""Intervals by patient: whole patients are drawn again, not pictures.

Pictures of one patient are alike, so drawing pictures makes intervals too narrow
(Cardiomegaly of the published reproduce-chexnet predictions: .893 to .924 by patient,
.898 to .919 by picture). The draws depend on the seed alone. Two models scored with the
same `PatientResamples` are scored on the same draws, so their difference, draw by
draw, is a paired one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

Ranked = TypeVar("Ranked")
LEVEL = 0.95
# Draws are taken so many rows at a time, .8 MB each. Arrays of 3 MB (400,000) go back
# to the system at every step: 1,000 resamples of 25,596 rows took 4 s instead of .7.
CHUNK_ELEMENTS = 100_000


@dataclass(frozen=True)
class PatientResamples:
    """Draws of patients with replacement, as many as there are patients.

    Args:
        codes: The patient of each row, a number from 0, int, shape (n,).
        num_patients: How many different patients there are.
        num_resamples: How often to draw.
        seed: Decides the draws.
    """

    codes: np.ndarray
    num_patients: int
    num_resamples: int
    seed: int

    def draw(self) -> Iterator[np.ndarray]:
        """Draws all resamples, the same at each call.

        Yields:
            How often each patient was drawn, int64, shape (k, num_patients); the k
            of all that is yielded sum to `num_resamples`.
        """
        generator = np.random.default_rng(self.seed)
        size = max(1, CHUNK_ELEMENTS // max(1, self.codes.size))
        for start in range(0, self.num_resamples, size):
            number = min(size, self.num_resamples - start)
            yield np.stack([self._draw_one(generator) for _ in range(number)])

    def _draw_one(self, generator: np.random.Generator) -> np.ndarray:
        patients = generator.integers(self.num_patients, size=self.num_patients)
        return np.bincount(patients, minlength=self.num_patients)


@dataclass(frozen=True)
class Interval:
    """A percentile interval.

    Args:
        low: Its lower end; NaN where there is no interval.
        high: Its upper end; NaN where there is none.
        num_undefined: Resamples that were left out, the score being undefined.
    """

    low: float
    high: float
    num_undefined: int

    def as_dict(self) -> dict[str, float | int | None]:
        """Returns plain values for JSON; None where undefined."""
        undefined = np.isnan(self.low)
        return {
            "low": None if undefined else self.low,
            "high": None if undefined else self.high,
            "undefined_resamples": self.num_undefined,
        }


def resample_patients(
    patient_ids: Sequence[str] | np.ndarray, *, num_resamples: int, seed: int
) -> PatientResamples:
    """Prepares draws of whole patients.

    With a single patient there is nothing to draw from: no resample is made, and
    every interval is undefined.

    Args:
        patient_ids: The patient of each row, shape (n,).
        num_resamples: How often to draw.
        seed: Decides the draws.

    Returns:
        The draws to be.
    """
    patients, codes = np.unique(np.asarray(patient_ids), return_inverse=True)
    return PatientResamples(
        codes=codes,
        num_patients=patients.size,
        num_resamples=num_resamples if patients.size > 1 else 0,
        seed=seed,
    )


def resample_auroc(
    resamples: PatientResamples, labels: np.ndarray, scores: np.ndarray
) -> np.ndarray:
    """Computes every class's AUROC in every resample, exactly and with ties.

    Each class is sorted once; a resample then costs one running sum. Counts are
    whole numbers, so the result is that of scikit-learn's `roc_auc_score` with
    `sample_weight` to the last digits.

    Args:
        resamples: Draws over the rows.
        labels: Labels present, bool, shape (n, num_classes).
        scores: Scores, shape (n, num_classes).

    Returns:
        float64, shape (num_resamples, num_classes); NaN where a resample holds no
        positive or no negative row of a class, and where a class's scores are NaN.
    """
    return resample_ranked(resamples, labels, scores, rank=_rank, score=_weighted_auroc)


def resample_ranked(
    resamples: PatientResamples,
    labels: np.ndarray,
    scores: np.ndarray,
    *,
    rank: Callable[[np.ndarray, np.ndarray, np.ndarray], Ranked],
    score: Callable[[np.ndarray, Ranked], np.ndarray],
) -> np.ndarray:
    """Scores every class in every resample; each class is sorted once.

    Args:
        resamples: Draws over the rows.
        labels: Labels present, bool, shape (n, num_classes).
        scores: Scores, shape (n, num_classes).
        rank: Given the patient of each row, a class's labels and its scores, sorts
            what `score` needs.
        score: Given how often each patient was drawn, shape (k, num_patients), and a
            class so sorted, returns its score in each draw, shape (k,).

    Returns:
        float64, shape (num_resamples, num_classes); NaN throughout of a class of which
        a score is NaN.
    """
    ranked = {
        column: rank(resamples.codes, present, values)
        for column, (present, values) in enumerate(zip(labels.T, scores.T, strict=True))
        if not np.isnan(values).any()
    }
    drawn = np.full((resamples.num_resamples, scores.shape[1]), np.nan)
    start = 0
    for weights in resamples.draw():
        end = start + len(weights)
        for column, one in ranked.items():
            drawn[start:end, column] = score(weights, one)
        start = end
    return drawn


def resample_mean(resamples: PatientResamples, values: np.ndarray) -> np.ndarray:
    """Computes the mean of row values, such as accuracy, in every resample.

    Args:
        resamples: Draws over the rows.
        values: One value a row and measure, shape (n, num_measures).

    Returns:
        float64, shape (num_resamples, num_measures).
    """
    return resample_mean_of_sums(resamples, sum_by_patient(resamples, values))


def resample_mean_of_sums(resamples: PatientResamples, sums: np.ndarray) -> np.ndarray:
    """Computes the mean of row values, of which each patient's sum is known.

    Args:
        resamples: Draws over the rows.
        sums: As `sum_by_patient` makes them, shape (num_patients, num_measures).

    Returns:
        float64, shape (num_resamples, num_measures).
    """
    rows = np.bincount(resamples.codes, minlength=resamples.num_patients)
    # one thread sums in one order; two wait for each other: 20 times slower on a machine
    # whose cores are busy
    with threadpool_limits(1):
        chunks = [
            (weights @ sums) / (weights @ rows)[:, np.newaxis]
            for weights in resamples.draw()
        ]
    return np.concatenate([np.empty((0, sums.shape[1])), *chunks])


def sum_by_patient(resamples: PatientResamples, values: np.ndarray) -> np.ndarray:
    """Sums the rows of each patient, in the order of the rows.

    Args:
        resamples: Whose each row is.
        values: One value a row and measure, shape (n, num_measures).

    Returns:
        float64, shape (num_patients, num_measures); 0 for a patient without a row.
    """
    sums = np.empty((resamples.num_patients, values.shape[1]))
    for column, measure in enumerate(values.T):
        sums[:, column] = np.bincount(
            resamples.codes, measure, minlength=resamples.num_patients
        )
    return sums


def mean_defined(
    samples: np.ndarray, *, weights: np.ndarray | None = None
) -> np.ndarray:
    """Averages the classes of each resample, those that are undefined left out.

    Args:
        samples: Shape (num_resamples, num_classes).
        weights: How much each class counts, shape (num_classes,); none: all alike.

    Returns:
        float64, shape (num_resamples,); NaN where no class is defined.
    """
    defined = ~np.isnan(samples)
    if weights is None:
        count = defined.sum(axis=1)
        total = np.where(defined, samples, 0).sum(axis=1)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)
    weight = (defined * weights).sum(axis=1)
    total = (np.where(defined, samples, 0) * weights).sum(axis=1)
    return np.divide(total, weight, out=np.full(len(samples), np.nan), where=weight > 0)


def percentile_interval(samples: np.ndarray, *, level: float = LEVEL) -> Interval:
    """Takes the middle share of the resamples of one score.

    Where more resamples are undefined than may lie outside, there is no interval: so
    it is of a finding that fewer than about three patients have, which resampling
    them cannot tell apart from luck.

    Args:
        samples: One value a resample, NaN where undefined, shape (num_resamples,).
        level: The share inside, between 0 and 1.

    Returns:
        The percentile interval over the defined resamples; NaN where too few are.
    """
    defined = samples[~np.isnan(samples)]
    num_undefined = int(samples.size - defined.size)
    if not defined.size or num_undefined > (1 - level) * samples.size:
        return Interval(float("nan"), float("nan"), num_undefined)
    tail = (1 - level) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Interval(float(low), float(high), num_undefined)


@dataclass(frozen=True)
class _Ranked:
    """One class, sorted by score, so that a resample needs no sorting."""

    negatives: np.ndarray  # the patient of each negative row, lowest score first
    positives: np.ndarray  # the patient of each positive row
    low: np.ndarray  # how many negatives score below each positive
    high: np.ndarray  # how many score below it or the same

    @property
    def all_tied(self) -> bool:
        """Whether no score differs, as those of a constant baseline."""
        return bool((self.low == 0).all() and (self.high == self.negatives.size).all())


def _rank(codes: np.ndarray, present: np.ndarray, scores: np.ndarray) -> _Ranked:
    order = np.argsort(scores[~present], kind="stable")
    sorted_scores = scores[~present][order]
    return _Ranked(
        negatives=codes[~present][order],
        positives=codes[present],
        low=np.searchsorted(sorted_scores, scores[present], side="left"),
        high=np.searchsorted(sorted_scores, scores[present], side="right"),
    )


def _weighted_auroc(weights: np.ndarray, ranked: _Ranked) -> np.ndarray:
    if ranked.all_tied:
        return _tied_auroc(weights, ranked)
    below = np.zeros((len(weights), ranked.negatives.size + 1), dtype=np.int64)
    drawn = np.take(weights, ranked.negatives, axis=1)
    np.cumsum(drawn, axis=1, out=below[:, 1:])
    positives = np.take(weights, ranked.positives, axis=1)
    wins = np.take(below, ranked.low, axis=1) + np.take(below, ranked.high, axis=1)
    twice_won = (positives * wins).sum(axis=1)  # a tie is half a win
    pairs = positives.sum(axis=1) * below[:, -1]
    return np.where(pairs > 0, twice_won / (2 * np.maximum(pairs, 1)), np.nan)


def _tied_auroc(weights: np.ndarray, ranked: _Ranked) -> np.ndarray:
    """One half, where both kinds of rows were drawn; needs no running sum."""
    size = weights.shape[1]
    has_positive = weights @ np.bincount(ranked.positives, minlength=size) > 0
    has_negative = weights @ np.bincount(ranked.negatives, minlength=size) > 0
    return np.where(has_positive & has_negative, 0.5, np.nan)
