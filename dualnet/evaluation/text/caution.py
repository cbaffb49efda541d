"""The first lines of a report: what its scores must not be taken for."""

from collections.abc import Mapping, Sequence
from typing import Any

NOT_A_MEDICAL_DEVICE = (
    "Not a medical device: for research and teaching, never for diagnosis or care."
)
ON_THE_PHANTOM = (
    "Scores on the phantom, whose radiographs are drawn: they show that the machinery "
    "works and say nothing about patients."
)


def due_cautions(metrics: Mapping[str, Any]) -> list[str]:
    """Lists the lines that must stand above these scores.

    Args:
        metrics: Plain values, as `evaluate` collects them; `about` may say that the
            radiographs are the phantom's.

    Returns:
        `caution` and the phantom's line, each where it is due.

    Example:
        >>> due_cautions({"caution": None, "about": {"phantom": False}})
        []
    """
    phantom = (metrics.get("about") or {}).get("phantom")
    said = metrics.get("caution")
    return [*([said] if said else []), *([ON_THE_PHANTOM] if phantom else [])]


def caution(parts: Sequence[str]) -> str | None:
    """Says that scores are of patients whom the model was fitted on.

    Args:
        parts: The part of the run's split that each radiograph's patient is in; any
            other word is for patients whom the run has not met.

    Returns:
        One line, or None where no patient is of the train or val part.

    Example:
        >>> caution(["val", "test"])
        'Scores of validation patients: 1 of 2 radiographs are of patients who chose \
the epoch that was kept. They flatter the model.'
    """
    train, val = parts.count("train"), parts.count("val")
    of_all = f"of {len(parts):,} radiographs are of patients"
    if train:
        more = f", {val:,} of patients who chose its epoch" if val else ""
        return (
            f"Scores of training patients: {train:,} {of_all} whom the model was "
            f"trained on{more}. They do not tell how it does on others."
        )
    if val:
        return (
            f"Scores of validation patients: {val:,} {of_all} who chose the epoch "
            "that was kept. They flatter the model."
        )
    return None
