"""Operating points: from which score on a class is said to be there."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from dualnet.training.selection import MIN_PATIENTS
from dualnet.wording import number_of

YOUDEN = "youden"
SENSITIVITY = "sensitivity_90"
SPECIFICITY = "specificity_90"
RULES = (YOUDEN, SENSITIVITY, SPECIFICITY)
CHOSEN = {
    YOUDEN: "the most of sensitivity and specificity together, on validation",
    SENSITIVITY: "a sensitivity of .9 on validation",
    SPECIFICITY: "a specificity of .9 on validation",
}
FIXED = 0.9  # the sensitivity, or the specificity, that is asked for
ROUNDING = 1e-12  # 9 of 10 are .9, whatever their last digit


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """One threshold of one class, and what it gave where it was chosen.

    Args:
        threshold: A row has the class if its score is at least this; NaN: none.
        sensitivity: Of the rows it was chosen on, in `[0, 1]`; NaN: none.
        specificity: Of the rows it was chosen on, in `[0, 1]`; NaN: none.
        reason: Why there is none; empty where there is one.
    """

    threshold: float
    sensitivity: float
    specificity: float
    reason: str = ""

    def as_dict(self) -> dict[str, float | str | None]:
        """Returns plain values for JSON; None where undefined."""
        undefined = np.isnan(self.threshold)
        return {
            name: None if undefined and name != "reason" else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads back what `as_dict` returned."""
        numbers = {
            name: float("nan") if values[name] is None else float(values[name])
            for name in ("threshold", "sensitivity", "specificity")
        }
        return cls(**numbers, reason=str(values["reason"]))


def choose_operating_points(
    present: np.ndarray, scores: np.ndarray, patient_ids: np.ndarray
) -> dict[str, OperatingPoint]:
    """Chooses the thresholds of one class, each one of the scores.

    `youden` has the greatest sensitivity + specificity - 1, the highest threshold of
    a tie; `sensitivity_90` is the highest with a sensitivity of at least .9;
    `specificity_90` the lowest with a specificity of at least .9.

    Args:
        present: Whether each row has the class, bool, shape (n,).
        scores: The higher the likelier, shape (n,); NaN: no point.
        patient_ids: Whose the rows are, shape (n,).

    Returns:
        A point for each of `RULES`; without threshold where fewer than `MIN_PATIENTS`
        patients have the class or lack it, or no score does what is asked.

    Reference:
        Youden, Index for rating diagnostic tests, Cancer 3(1), 1950.
    """
    no_score = bool(np.isnan(scores).any())
    reason = "no score is given" if no_score else _too_few(present, patient_ids)
    if reason:
        return {rule: _none(reason) for rule in RULES}
    levels, called_right, called_wrong = _count_called(present, scores)
    sensitivity = called_right / called_right[-1]
    specificity = 1 - called_wrong / called_wrong[-1]
    # whole numbers, so that a tie is one: J times both counts
    gain = called_right * called_wrong[-1] - called_wrong * called_right[-1]
    specific = np.flatnonzero(specificity >= FIXED - ROUNDING)

    def point(index: int) -> OperatingPoint:
        return OperatingPoint(
            threshold=float(levels[index]),
            sensitivity=float(sensitivity[index]),
            specificity=float(specificity[index]),
        )

    return {
        YOUDEN: point(int(gain.argmax()))
        if gain.max() > 0
        else _none("no score is better than chance"),
        SENSITIVITY: point(int(np.argmax(sensitivity >= FIXED - ROUNDING))),
        SPECIFICITY: point(int(specific[-1]))
        if specific.size
        else _none(f"the highest score is that of more than {1 - FIXED:.0%} without"),
    }


def _too_few(present: np.ndarray, patient_ids: np.ndarray) -> str:
    for verb, rows in (("have it", present), ("lack it", ~present)):
        number = np.unique(patient_ids[rows]).size
        if number < MIN_PATIENTS:
            return f"{number_of(number, 'patient')} {verb}, fewer than {MIN_PATIENTS}"
    return ""


def _none(reason: str) -> OperatingPoint:
    undefined = float("nan")
    return OperatingPoint(
        threshold=undefined,
        sensitivity=undefined,
        specificity=undefined,
        reason=reason,
    )


def _count_called(
    present: np.ndarray, scores: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the distinct scores, highest first, and how many are called at each."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last_of_tie = np.flatnonzero(np.append(np.diff(ranked) != 0, True))
    right = np.cumsum(present[order])[last_of_tie]
    return ranked[last_of_tie], right, last_of_tie + 1 - right
