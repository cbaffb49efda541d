"""The patients of a table, and how they are dealt to parts.

They are dealt stratum by stratum, a stratum being the patients whose rarest finding
is the same, rarest first. A part gets a patient by chance, in proportion to the
radiographs it still lacks; what one stratum leaves uneven the next evens out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dualnet.data.labels import label_matrix

FOLDS = 5  # of a cross-validation by patient


@dataclass(frozen=True, kw_only=True)
class Patients:
    """The patients of a table, in the order of their identifiers.

    Args:
        codes: Each row's patient, shape (rows,).
        sizes: Radiographs of each patient, shape (patients,).
        findings: The names that occur, rarest by number of patients first, then
            alphabetical.
        has: Whether a patient has a finding on any radiograph, bool, shape
            (patients, findings).
    """

    codes: np.ndarray
    sizes: np.ndarray
    findings: tuple[str, ...]
    has: np.ndarray

    @property
    def strata(self) -> np.ndarray:
        """Each patient's rarest finding, shape (patients,)."""
        return self.has.argmax(axis=1)

    @property
    def counts(self) -> np.ndarray:
        """How many patients have each finding, shape (findings,)."""
        return self.has.sum(axis=0)


def gather_patients(table: pd.DataFrame) -> Patients:
    """Gathers the patients of a records table; the order of its rows is forgotten."""
    codes, ids = pd.factorize(table["patient_id"], sort=True)
    names = sorted({name for names in set(table["findings"]) for name in names})
    rows, columns = np.nonzero(label_matrix(table.loc[:, "findings"], names))
    has = np.zeros((len(ids), len(names)), dtype=bool)
    has[codes[rows], columns] = True
    order = np.argsort(has.sum(axis=0), kind="stable")
    return Patients(
        codes=codes,
        sizes=np.bincount(codes, minlength=len(ids)),
        findings=tuple(names[column] for column in order),
        has=has[:, order],
    )


class Deal:
    """Deals patients to parts.

    Args:
        patients: Who is dealt.
        shares: Each part's share of the radiographs, summing to 1.
        seed: Decides who goes where; with the patients, it decides everything.

    Attributes:
        part: Each patient's part, shape (patients,); -1 is not dealt yet.
        order: The patients by stratum, then by size in powers of two, large ones
            first, so that small ones even out what they leave; then by chance.
    """

    def __init__(
        self, patients: Patients, shares: Sequence[float], *, seed: Sequence[int]
    ):
        self.patients = patients
        self.shares = np.array(shares)
        self.part = np.full(len(patients.sizes), -1)
        self._fixed = np.zeros(len(patients.sizes), dtype=bool)
        rng = np.random.default_rng(seed)
        self._chance = rng.random(len(patients.sizes))
        magnitude = np.floor(np.log2(patients.sizes))
        chance = rng.random(len(patients.sizes))
        self.order = np.lexsort((chance, -magnitude, patients.strata))

    def fix(self, chosen: np.ndarray, part: int) -> None:
        """Puts patients into a part for good.

        Args:
            chosen: Which of them, bool, shape (patients,).
            part: The part.
        """
        self.part[chosen] = part
        self._fixed[chosen] = True

    def deal(self, *, cover: bool) -> list[str]:
        """Deals all patients that are not fixed.

        Args:
            cover: Whether each finding with enough patients is to reach every part.

        Returns:
            The findings that could not, since rarer ones tie their patients.
        """
        strata = self.patients.strata[self.order]
        uncovered = []
        for stratum, name in enumerate(self.patients.findings):
            self._deal(self.order[(strata == stratum) & ~self._fixed[self.order]])
            enough = self.patients.counts[stratum] >= len(self.shares)
            if cover and enough and not self._cover(stratum):
                uncovered.append(name)
        return uncovered

    def _deal(self, patients: np.ndarray) -> None:
        sizes = self.patients.sizes[patients]
        tally = self._tally()
        lacking = (self.shares * (tally.sum() + sizes.sum()) - tally).tolist()
        chances = self._chance[patients].tolist()
        chosen = []
        for size, chance in zip(sizes.tolist(), chances, strict=True):
            part = _choose(lacking, size, chance)
            lacking[part] -= size
            chosen.append(part)
        self.part[patients] = chosen

    def _tally(self) -> np.ndarray:
        dealt = self.part >= 0
        sizes = self.patients.sizes[dealt]
        return np.bincount(self.part[dealt], sizes, minlength=len(self.shares))

    def _cover(self, stratum: int) -> bool:
        has_it = self.patients.has[:, stratum]
        missing = set(range(len(self.shares))).difference(self.part[has_it].tolist())
        for part in sorted(missing):
            movable = np.flatnonzero(has_it & self._movable(stratum))
            if not len(movable):
                return False
            self.part[movable[self.patients.sizes[movable].argmin()]] = part
        return True

    def _movable(self, stratum: int) -> np.ndarray:
        """Whom their part does not need for this finding or a rarer one."""
        has = self.patients.has[:, : stratum + 1]
        dealt = self.part >= 0
        bearers = np.zeros((len(self.shares), stratum + 1), dtype=int)
        np.add.at(bearers, self.part[dealt], has[dealt])
        spared = (bearers[self.part] >= 2) | ~has
        return dealt & ~self._fixed & spared.all(axis=1)


def _choose(lacking: list[float], size: int, chance: float) -> int:
    """Returns the part that gets a patient of `size` radiographs."""
    weights = [lack if lack >= size else 0.0 for lack in lacking]
    point = chance * sum(weights)
    for part, weight in enumerate(weights):
        if point < weight:
            return part
        point -= weight
    return lacking.index(max(lacking))  # it fits nowhere


def deal_folds(table: pd.DataFrame, *, seed: int) -> list[np.ndarray]:
    """Deals patients to folds of about the same size and findings.

    Args:
        table: Records.
        seed: Decides who goes where.

    Returns:
        A mask a fold, bool, shape (rows,); each row is in one, a patient's in the
        same.
    """
    patients = gather_patients(table)
    deal = Deal(patients, [1 / FOLDS] * FOLDS, seed=(seed, 2))
    deal.deal(cover=False)
    return [deal.part[patients.codes] == fold for fold in range(FOLDS)]
