"""Which sections a report has, and in which order: the only list of them.

A new section is a function in a file of its own and a line in `SECTIONS`. It is given
the plain values of `metrics.json` and returns None where they have nothing for it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dualnet.plots.report import audit, groups, scores, thresholds, uncalibrated
from dualnet.plots.report.captions import show
from dualnet.plots.report.sections import MakeSection, Section

SECTIONS: tuple[MakeSection, ...] = (
    scores.make_baselines,
    audit.make_audit,
    scores.make_findings,
    thresholds.make_operating_points,
    groups.make_subgroups,
    scores.make_reliability,
    thresholds.make_calibration,
    uncalibrated.make_uncalibrated,
    scores.make_answers,
    groups.make_labels,
)


def make_sections(
    metrics: Mapping[str, Any],
    drawn: Collection[str],
    makers: Sequence[MakeSection] | None = None,
) -> list[Section]:
    """Makes the sections of a report.

    Args:
        metrics: Plain values, as `evaluate` collects them, or what `makers` read.
        drawn: Names of the figures there are. One that no section shows gets into a
            section of its own at the end, so that none is lost.
        makers: What makes them, in order; none: `SECTIONS`.

    Returns:
        The sections that have something to say, in order.
    """
    made = [
        section for make in makers or SECTIONS if (section := make(metrics)) is not None
    ]
    sections = [
        replace(
            section,
            pictures=[one for one in section.pictures if one.name in drawn],
        )
        for section in made
    ]
    shown = {picture.name for section in sections for picture in section.pictures}
    others = [name for name in drawn if name not in shown]
    if not others:
        return sections
    more = Section(key="figures", title="More figures", pictures=show(*others))
    return [*sections, more]
