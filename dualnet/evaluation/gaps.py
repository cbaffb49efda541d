"""Which gaps between groups are shown, once it counts how many were asked."""

from collections.abc import Mapping, Sequence
from typing import Any

from scipy.stats import norm

from dualnet.evaluation.bootstrap import LEVEL
from dualnet.evaluation.subgroup_scores import (
    GAPS,
    MACRO_AUROC,
    PREDICTED_MINUS_PREVALENCE,
    UNDER_DIAGNOSIS,
)
from dualnet.evaluation.verdict import format_interval, format_number
from dualnet.wording import number_of

MOST_REMARKS = 4
CORRECTION = "bonferroni"


def list_gaps(groupings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Lists the gaps that are asked, each with its interval widened for their number.

    Of a grouping with two groups the second's gaps are the first's with the other
    sign, and are not asked again. Bonferroni's correction asks for the interval at
    the level 1 - .05 / m; 1,000 resamples have too few values out there, so each end
    of the 95 % interval is moved away from the difference as far as a normal
    distribution's would be.

    Args:
        groupings: As `score_subgroups` returns them, NaN or None where undefined.

    Returns:
        `grouping`, `group`, `measure` (one of `GAPS`), `difference`, `low`, `high`,
        `corrected` (`low` and `high`) and `shown` (whether the latter exclude 0), of
        each gap that has an interval.

    Reference:
        Dunn, Multiple comparisons among means, Journal of the American Statistical
        Association 56(293), 1961.
    """
    asked = [
        {
            "grouping": grouping["name"],
            "group": group["group"],
            "measure": measure,
            **{
                end: group["gaps"][measure][end]
                for end in ("difference", "low", "high")
            },
        }
        for grouping in groupings
        for group in grouping["groups"][: 1 if len(grouping["groups"]) == 2 else None]
        if group["gaps"] is not None
        for measure in GAPS
        if group["gaps"][measure]["low"] is not None
    ]
    return [_correct(gap, len(asked)) for gap in asked]


def describe_gaps(
    gaps: Sequence[Mapping[str, Any]], groupings: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Says which gaps are shown, the clearest first.

    Args:
        gaps: As `list_gaps` lists them.
        groupings: What they are of.

    Returns:
        Sentences for the verdict; none where no gap was asked.
    """
    if not gaps:
        return []
    shown = sorted((gap for gap in gaps if gap["shown"]), key=_clearness, reverse=True)
    asked = f"of {number_of(len(gaps), 'gap')} between subgroups"
    if not shown:
        return [f"None {asked} is shown after Bonferroni's correction."]
    groups = {
        (grouping["name"], group["group"]): group
        for grouping in groupings
        for group in grouping["groups"]
    }
    left_out = len(shown) - MOST_REMARKS
    more = f" The {MOST_REMARKS} clearest:" if left_out > 0 else ""
    verb = "is" if len(shown) == 1 else "are"
    return [
        f"{len(shown)} {asked} {verb} shown after Bonferroni's correction.{more}",
        *(
            f"  {_describe(gap, groups[gap['grouping'], gap['group']])}"
            for gap in shown[:MOST_REMARKS]
        ),
    ]


def _correct(gap: dict[str, Any], num_asked: int) -> dict[str, Any]:
    tail = (1 - LEVEL) / 2
    wider = float(norm.isf(tail / num_asked) / norm.isf(tail))
    middle = gap["difference"]
    low, high = (middle + wider * (gap[end] - middle) for end in ("low", "high"))
    corrected = {"low": low, "high": high}
    return {**gap, "corrected": corrected, "shown": low > 0 or high < 0}


def _clearness(gap: Mapping[str, Any]) -> float:
    """How many half-widths of its interval a gap is away from zero."""
    width = gap["high"] - gap["low"]
    return abs(gap["difference"]) / width if width else float("inf")


def _describe(gap: Mapping[str, Any], group: Mapping[str, Any]) -> str:
    value = group[gap["measure"]]["value"]
    subject = f"{gap['grouping']} {gap['group']} (n={group['num_images']:,})"
    sick = number_of(group["num_with_finding"], "radiograph")
    said = {
        MACRO_AUROC: f"{subject}: macro AUROC {format_number(value)}",
        PREDICTED_MINUS_PREVALENCE: f"{subject}: probability of any finding, minus "
        f"its share, {format_number(value, sign=True)}",
        UNDER_DIAGNOSIS: f"{subject}: {format_number(value)} of {sick} with a finding "
        "are said to have none",
    }[gap["measure"]]
    difference = format_number(gap["difference"], sign=True)
    interval = format_interval(gap["corrected"], sign=True)
    return f"{said}; {difference} {interval} against the rest."
