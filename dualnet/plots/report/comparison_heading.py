"""What stands first in the report of a comparison: who is better, and by how much."""

from collections.abc import Mapping
from typing import Any

from dualnet.evaluation.comparing.comparison_verdict import (
    FEW_PATIENTS,
    NOT_IN_INTERVALS,
    count_patients,
    describe_addition,
    join_names,
    join_words,
)
from dualnet.evaluation.text.caution import NOT_A_MEDICAL_DEVICE, due_cautions
from dualnet.evaluation.text.verdict import (
    BEATS,
    UNDEFINED,
    UNSHOWN,
    WORSE,
    format_interval,
    format_p,
)
from dualnet.plots.report.cells import format_difference
from dualnet.plots.report.heading import Heading, describe_intervals
from dualnet.wording import describe_rows, format_number, number_of

OUTCOMES = {
    BEATS: "{name} is better than {first}",
    WORSE: "{name} is worse than {first}",
    UNSHOWN: "{name} is not shown to differ from {first}",
    UNDEFINED: "Whether {name} differs from {first} cannot be told",
}


def make_comparison_heading(metrics: Mapping[str, Any]) -> Heading:
    """Makes the top of a comparison's report.

    Args:
        metrics: Plain values, as `compare` collects them.

    Returns:
        The top.
    """
    names = list(metrics["differences"])
    added = [(describe_addition(one), []) for one in metrics["additions"]]
    return Heading(
        title=f"Comparison of {join_words(names)} with {metrics['reference']}",
        subtitle=f"{describe_rows(metrics)} that all models have predicted. "
        f"{describe_intervals(metrics)}",
        cautions=[NOT_A_MEDICAL_DEVICE, *due_cautions(metrics)],
        verdict=[
            *(
                (_say_outcome(metrics, name), _say_more(metrics, name))
                for name in names
            ),
            *added,
            (NOT_IN_INTERVALS, []),
        ],
        facts=_list_facts(metrics),
        files="Every number is in compare.json, and in the table compare.csv.",
    )


def _say_outcome(metrics: Mapping[str, Any], name: str) -> str:
    difference, first = metrics["differences"][name], metrics["reference"]
    said = OUTCOMES[difference["outcome"]].format(name=name, first=first)
    areas = [
        format_number(metrics["runs"][one]["macro"]["auroc"]) for one in (name, first)
    ]
    return (
        f"{said}: {format_difference(difference['macro']['auroc'])} macro AUROC, "
        f"{areas[0]} against {areas[1]}."
    )


def _say_more(metrics: Mapping[str, Any], name: str) -> list[str]:
    """Says on how many patients, and which findings differ after correction."""
    difference = metrics["differences"][name]
    count = len(metrics["differences"])
    corrected = f", corrected for {number_of(count, 'model')}" if count > 1 else ""
    p_value = format_p(difference["macro"]["auroc"]["p_holm"])
    findings = {
        finding: one["outcome"]
        for finding, one in difference["findings"].items()
        if "outcome" in one
    }
    better, worse, unshown, undefined = (
        [finding for finding, outcome in findings.items() if outcome == kind]
        for kind in (BEATS, WORSE, UNSHOWN, UNDEFINED)
    )
    counts = metrics["runs"][metrics["reference"]]["findings"]
    few = [
        one for one in (*better, *worse) if count_patients(counts[one]) < FEW_PATIENTS
    ]
    told = [
        f"{said} {join_names(names)}"
        for said, names in (("better for", better), ("worse for", worse))
        if names
    ]
    looked = f"Corrected for {number_of(len(findings), 'finding')} looked at"
    differ = f"{len(better + worse) or 'none'} shown to differ"
    return [
        f"On {describe_rows(metrics)}; p {p_value}{corrected}.",
        f"{looked}, {differ}{': ' if told else ''}{'; '.join(told)}.",
        *([f"Not shown to differ: {join_names(unshown)}."] if unshown else []),
        *([f"Cannot be told: {join_names(undefined)}."] if undefined else []),
        *(
            [
                f"Doubtful, being of fewer than {FEW_PATIENTS} patients: "
                f"{join_names(few)}."
            ]
            if few
            else []
        ),
    ]


def _list_facts(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    means = [
        (
            format_number(run["macro"]["auroc"]),
            f"macro AUROC of {name} {format_interval(run['macro']['auroc_interval'])}",
        )
        for name, run in metrics["runs"].items()
    ]
    patients = f"radiographs of {number_of(metrics['num_patients'], 'patient')}"
    return [*means, (f"{metrics['num_images']:,}", patients)]
