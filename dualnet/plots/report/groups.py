"""The sections on groups of patients and on the labels themselves."""

from collections.abc import Mapping
from typing import Any

from dualnet.evaluation.sections import called_negative
from dualnet.evaluation.text.verdict import display_baseline, format_number
from dualnet.plots.report.captions import show
from dualnet.plots.report.cells import (
    format_auroc,
    format_difference,
    format_score,
)
from dualnet.plots.report.sections import Section, Table
from dualnet.training.selection import MIN_PATIENTS
from dualnet.wording import number_of


def make_subgroups(metrics: Mapping[str, Any]) -> Section | None:
    """Lists the scores of each group of radiographs, and its gap to the rest."""
    found = metrics.get("subgroups")
    if not found or not found["groupings"]:
        return None
    unknown = [
        f"{one['num_unknown']:,} of unknown {display_baseline(one['name'])}"
        for one in found["groupings"]
        if one["num_unknown"]
    ]
    return Section(
        key="subgroups",
        title="Groups of patients",
        paragraphs=(
            "The same scores, group by group. Sick is the share with any finding; "
            "missed, the under-diagnosis rate, the share of the sick said to have none. "
            "Macro AUROC is here the mean over the findings that at least "
            f"{MIN_PATIENTS} patients of the group have, and lack. "
            "A gap is the group's macro AUROC less that of all others; its interval "
            "does not allow for how many gaps were looked at, but the verdict does.",
            f"A radiograph is said to have none where {called_negative(metrics)}.",
        ),
        tables=(
            Table(
                caption="Scores by group",
                header=[
                    "group",
                    "n",
                    "sick",
                    "macro AUROC [95 %]",
                    "gap [95 %]",
                    "calibration error",
                    "missed",
                ],
                rows=[
                    _group_row("", found["all"]),
                    *(
                        _group_row(one["name"], group)
                        for one in found["groupings"]
                        for group in one["groups"]
                    ),
                ],
                note=f"Left out: {', '.join(unknown)}." if unknown else "",
            ),
        ),
        pictures=show("subgroups"),
    )


def make_labels(metrics: Mapping[str, Any]) -> Section | None:
    """Says what the label rule threw away and what radiologists say."""
    found = metrics.get("labels")
    if not found:
        return None
    tables = []
    if found["parts"]:
        tables.append(_dropped_table(found))
    if found["first_label"]["macro"]["num_findings"]:
        tables.append(_position_table(found))
    adjudicated = found.get("adjudicated")
    if adjudicated and adjudicated["num_images"]:
        tables.append(_adjudicated_table(adjudicated))
    if not tables:
        return None
    return Section(
        key="labels",
        title="The labels",
        paragraphs=(
            "A radiograph can have several labels. The rule of training may leave some "
            "out; scores here are against all of them, whatever the rule.",
        ),
        tables=tables,
    )


def _group_row(grouping: str, group: Mapping[str, Any]) -> list[str]:
    gap = (group["gaps"] or {}).get("macro_auroc")
    macro = group["macro_auroc"]
    return [
        f"{display_baseline(grouping)} {group['group']}".strip(),
        f"{group['num_images']:,}",
        format_number(group["prevalence"]["value"]),
        format_score(macro["value"], macro["interval"]),
        format_difference(gap) if gap else "",
        format_number(group["expected_calibration_error"]["value"]),
        format_number(group["under_diagnosis"]["value"]),
    ]


def _dropped_table(found: Mapping[str, Any]) -> Table:
    return Table(
        caption=f'Labels that the rule "{found["rule"]}" drops',
        header=["part", "radiographs", "labels", "dropped"],
        rows=[
            [
                part,
                f"{counts['num_images']:,}",
                f"{counts['present']:,}",
                f"{counts['dropped']:,}",
            ]
            for part, counts in found["parts"].items()
        ],
    )


def _position_table(found: Mapping[str, Any]) -> Table:
    first, other = found["first_label"]["macro"], found["not_first_label"]["macro"]
    return Table(
        caption="Findings that stand first among the labels, and those that do not, "
        f"over {number_of(first['num_findings'], 'finding')}",
        header=["", "macro AUROC [95 %]"],
        rows=[
            ["standing first", format_auroc(first)],
            ["not standing first", format_auroc(other)],
            ["difference", format_difference(found["difference"])],
        ],
    )


def _adjudicated_table(adjudicated: Mapping[str, Any]) -> Table:
    return Table(
        caption=f"Labelled by radiologists: "
        f"{number_of(adjudicated['num_images'], 'radiograph')} of "
        f"{number_of(adjudicated['num_patients'], 'patient')}",
        header=["", "n", "AUROC, their label", "n", "AUROC, text-mined label"],
        rows=[
            [
                display_baseline(name),
                f"{one['adjudicated']['n_positive']:,}",
                format_auroc(one["adjudicated"]),
                f"{one['text_mined']['n_positive']:,}",
                format_auroc(one["text_mined"]),
            ]
            for name, one in adjudicated["findings"].items()
        ],
        note=f"From {adjudicated['file']} (Majkowska et al., Radiology 294, 2020).",
    )
