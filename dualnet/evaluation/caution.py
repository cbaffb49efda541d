"""The first line of a report whose patients helped to make the model."""

from collections.abc import Sequence


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
