"""What each compared model costs, beside its score: rows for text and report."""

from collections.abc import Mapping
from typing import Any

from dualnet.evaluation.text.verdict import format_interval, format_number

HEADER = (
    "model",
    "parameters",
    "MB",
    "trains/s",
    "predicts/s",
    "macro AUROC [95 %]",
)
NOTE = (
    "MB: of the model's file. Trains and predicts: radiographs a second, as the run's "
    "history has them, reading included; of a model fitted in halves, the image half's. "
    "Speeds of runs on different or busy machines do not compare."
)


def has_costs(metrics: Mapping[str, Any]) -> bool:
    """Returns whether any of the runs says what its model costs.

    Args:
        metrics: Plain values, as `compare` collects them.
    """
    return any(_cost(run)["parameters"] is not None for run in metrics["runs"].values())


def cost_rows(metrics: Mapping[str, Any]) -> list[list[str]]:
    """Sets size, speed and score of each run in a row.

    Args:
        metrics: Plain values, as `compare` collects them.

    Returns:
        Cells in the order of `HEADER`, `n/a` where a run does not say.
    """
    return [
        [name, *_format_cost(_cost(run)), _format_score(run["macro"])]
        for name, run in metrics["runs"].items()
    ]


def format_count(number: float | None) -> str:
    """Returns a number of parameters or pictures, in few signs.

    Args:
        number: Not negative; None: not known.

    Example:
        >>> format_count(14_716_227), format_count(652_000), format_count(83.4)
        ('14.7 M', '652 k', '83')
    """
    if number is None:
        return "n/a"
    if number >= 1e6:
        return f"{number / 1e6:.1f} M"
    if number >= 1e4:
        return f"{number / 1e3:.0f} k"
    return f"{number:,.0f}"


def _cost(run: Mapping[str, Any]) -> dict[str, Any]:
    names = ("parameters", "megabytes", "trained_per_second", "predicted_per_second")
    return dict.fromkeys(names) | dict(run.get("cost") or {})


def _format_cost(cost: Mapping[str, Any]) -> list[str]:
    megabytes = cost["megabytes"]
    return [
        format_count(cost["parameters"]),
        "n/a" if megabytes is None else f"{megabytes:.1f}",
        format_count(cost["trained_per_second"]),
        format_count(cost["predicted_per_second"]),
    ]


def _format_score(macro: Mapping[str, Any]) -> str:
    score = format_number(macro["auroc"])
    if macro["auroc"] is None:
        return score
    return f"{score} {format_interval(macro['auroc_interval'])}"
