"""Which gaps between groups are shown, once it counts how many were asked."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import norm

from dualnet.evaluation.groups.subgroup_scores import (
    GAPS,
    MACRO_AUROC,
    PREDICTED_MINUS_PREVALENCE,
    UNDER_DIAGNOSIS,
)
from dualnet.evaluation.intervals.bootstrap import LEVEL
from dualnet.evaluation.intervals.multiplicity import (
    adjust_holm,
    outcome_after_correction,
)
from dualnet.evaluation.text.verdict import (
    BEATS,
    WORSE,
    format_interval,
    format_number,
    format_p,
)
from dualnet.wording import number_of

MOST_REMARKS = 4
CORRECTION = "holm"


def list_gaps(groupings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Lists the gaps that are asked, each tested and corrected for their number.

    Of a grouping with two groups the second's gaps are the first's with the other
    sign, and are not asked again. 1,000 resamples have too few values so far out that
    a correction for dozens of gaps could be read from them, so each p-value is that of
    a normal distribution whose 95 % interval is as wide.

    Args:
        groupings: As `score_subgroups` returns them, NaN or None where undefined.

    Returns:
        `grouping`, `group`, `measure` (one of `GAPS`), `difference`, `low`, `high`,
        `p_value`, `p_holm` and `shown` (whether the interval excludes 0 and the latter
        is below .05), of each gap that has an interval.

    Reference:
        Altman and Bland, How to obtain the P value from a confidence interval, BMJ
        343, 2011, d2304.
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
    p_values = np.array([_p_value(gap) for gap in asked])
    return [
        {
            **gap,
            "p_value": float(p_value),
            "p_holm": float(p_holm),
            "shown": outcome_after_correction(gap, p_holm) in (BEATS, WORSE),
        }
        for gap, p_value, p_holm in zip(
            asked, p_values, adjust_holm(p_values), strict=True
        )
    ]


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
    shown = sorted(
        (gap for gap in gaps if gap["shown"]), key=_standard_errors, reverse=True
    )
    asked = f"of {number_of(len(gaps), 'gap')} between subgroups"
    if not shown:
        return [f"None {asked} is shown after Holm's correction."]
    groups = {
        (grouping["name"], group["group"]): group
        for grouping in groupings
        for group in grouping["groups"]
    }
    left_out = len(shown) - MOST_REMARKS
    more = f" The {MOST_REMARKS} clearest:" if left_out > 0 else ""
    verb = "is" if len(shown) == 1 else "are"
    return [
        f"{len(shown)} {asked} {verb} shown after Holm's correction.{more}",
        *(
            f"  {_describe(gap, groups[gap['grouping'], gap['group']])}"
            for gap in shown[:MOST_REMARKS]
        ),
    ]


def _p_value(gap: Mapping[str, Any]) -> float:
    return float(2 * norm.sf(_standard_errors(gap)))


def _standard_errors(gap: Mapping[str, Any]) -> float:
    """How many standard errors a gap is away from zero, by its interval's width."""
    half = (gap["high"] - gap["low"]) / 2
    if not half:
        return float("inf") if gap["difference"] else 0.0
    return float(abs(gap["difference"]) / half * norm.isf((1 - LEVEL) / 2))


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
    interval = format_interval(gap, sign=True)
    return f"{said}; {difference} {interval} against the rest, p {format_p(gap['p_holm'])}."
