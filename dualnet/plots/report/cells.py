"""Scores as the cells of a table."""

from collections.abc import Mapping
from typing import Any

from dualnet.evaluation.text.verdict import format_interval, format_number


def format_score(
    value: float | None,
    interval: Mapping[str, Any] | None = None,
    *,
    sign: bool = False,
) -> str:
    """Writes a score with its interval; an undefined one has none.

    Args:
        value: The score, None where undefined.
        interval: Its ends `low` and `high`; none: it has no interval.
        sign: Whether a plus is written, as of a difference.

    Returns:
        The cell.

    Example:
        >>> format_score(0.75, {"low": 0.5, "high": 1.0}), format_score(None)
        ('.750 [.500, 1.000]', 'n/a')
    """
    number = format_number(value, sign=sign)
    if value is None or interval is None:
        return number
    return f"{number} {format_interval(interval, sign=sign)}"


def format_auroc(scores: Mapping[str, Any]) -> str:
    """Writes `auroc` with its `auroc_interval`."""
    return format_measure(scores, "auroc")


def format_difference(difference: Mapping[str, Any]) -> str:
    """Writes a paired difference with its interval."""
    return format_score(difference["difference"], difference, sign=True)


def format_measure(scores: Mapping[str, Any], name: str, *, sign: bool = False) -> str:
    """Writes the score `name` with its `name_interval`, if it has one."""
    return format_score(scores[name], scores.get(f"{name}_interval"), sign=sign)
