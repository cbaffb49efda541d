"""What `breakdown` added, as lines for a terminal of 100 columns."""

from collections.abc import Mapping
from typing import Any

from dualnet.evaluation.groups.label_report import FIRST, OTHER
from dualnet.evaluation.groups.subgroup_scores import (
    CALIBRATION_ERROR,
    MACRO_AUROC,
    PREVALENCE,
    UNDER_DIAGNOSIS,
)
from dualnet.evaluation.text.verdict import format_interval, format_number
from dualnet.training.selection import MIN_PATIENTS
from dualnet.wording import number_of

WIDEST = 21  # characters of a group's name
CALLED_NEGATIVE = {  # when a radiograph is said to have no finding
    "operating_point": "{negative} reaches its operating point",
    "likeliest_class": "{negative} is the likeliest class",
    "prevalence_matched": "no finding reaches its prevalence-matched threshold",
}


def subgroup_table(metrics: Mapping[str, Any]) -> list[list[str]]:
    """Lists every group's scores, and the gap of its macro AUROC to the rest.

    Args:
        metrics: Plain values, with the key `subgroups`.

    Returns:
        The header and a row a group: name, n, share with any finding, macro AUROC,
        gap, calibration error, under-diagnosis rate.
    """
    header = [
        "Subgroup",
        "n",
        "sick",
        "AUROC [95 % interval]",
        "gap to the rest",
        "ECE",
        "missed",
    ]
    return [
        header,
        _group_row("", metrics["subgroups"]["all"]),
        *(
            _group_row(grouping["name"], group)
            for grouping in metrics["subgroups"]["groupings"]
            for group in grouping["groups"]
        ),
    ]


def calibration_lines(metrics: Mapping[str, Any]) -> list[str]:
    """Says what temperature and thresholds, fitted on validation, give here.

    Args:
        metrics: Plain values, with the keys `calibration` and `operating_points`.

    Returns:
        Sentences.
    """
    found = metrics["calibration"]
    if found["fitted_on"] is None:
        return [f"Not calibrated: {found['reason']}."] if found["reason"] else []
    fitted = found["fitted_on"]
    temperatures = " to ".join(
        format_number(end, digits=2)
        for end in sorted({min(found["temperatures"]), max(found["temperatures"])})
    )
    parts = [
        f"{name} {format_number(found['before'][key])} -> "
        f"{format_number(found['after'][key])} "
        f"({format_number(found['difference'][key], sign=True)} "
        f"{format_interval(found['difference'][f'{key}_interval'], sign=True)})"
        for name, key in (
            ("log-loss", "log_loss"),
            ("calibration error", CALIBRATION_ERROR),
        )
    ]
    of = f"{number_of(fitted['num_images'], 'radiograph')} of {fitted['part']}"
    return [
        f"Temperature {temperatures}, fitted on {of}: {', '.join(parts)}.",
    ]


def label_lines(metrics: Mapping[str, Any]) -> list[str]:
    """Says what the label rule threw away, and what radiologists say.

    Args:
        metrics: Plain values, with the key `labels`.

    Returns:
        Sentences.
    """
    labels = metrics["labels"]
    dropped = [
        f"{counts['dropped']:,} of {number_of(counts['present'], 'label')} of "
        f"{part}{_worst(counts)}"
        for part, counts in labels["parts"].items()
    ]
    lines = []
    if dropped:
        lines.append(f"Label rule `{labels['rule']}` drops {', '.join(dropped)}.")
    first, other = labels[FIRST]["macro"], labels[OTHER]["macro"]
    if first["num_findings"]:
        lines.append(
            f"Findings that are not the first label: macro AUROC {_area(other)}, where "
            f"they are {_area(first)}: "
            f"{format_number(labels['difference']['difference'], sign=True)} "
            f"{format_interval(labels['difference'], sign=True)} "
            f"({number_of(first['num_findings'], 'finding')})."
        )
    return lines + _adjudicated_lines(labels["adjudicated"])


def called_negative(metrics: Mapping[str, Any]) -> str:
    """Says when a radiograph is said to have no finding.

    Args:
        metrics: Plain values, with the key `subgroups`.

    Returns:
        A clause.
    """
    clause = CALLED_NEGATIVE[metrics["subgroups"]["called_negative_by"]]
    return clause.format(negative=f'"{metrics["negative"]}"')


def subgroup_note(metrics: Mapping[str, Any]) -> str:
    """Says how the columns of `subgroup_table` are meant."""
    answers = metrics["model"]["first_label"]["undefined_because"] is None
    error = "" if answers else " ECE: mean of the findings'."
    unknown = [
        f"{one['num_unknown']:,} of unknown {one['name']}"
        for one in metrics["subgroups"]["groupings"]
        if one["num_unknown"]
    ]
    return (
        f"sick: share with any finding; missed: share of the sick said to have none, as "
        f"{called_negative(metrics)}; AUROC: mean of the findings that at least "
        f"{MIN_PATIENTS} patients have, for the gap on both sides.{error}"
        + (f" Left out: {', '.join(unknown)}." if unknown else "")
    )


def _group_row(name: str, group: Mapping[str, Any]) -> list[str]:
    macro, gaps = group[MACRO_AUROC], group["gaps"]
    gap = "" if gaps is None else "n/a"
    if gaps is not None and gaps[MACRO_AUROC]["difference"] is not None:
        value = gaps[MACRO_AUROC]
        gap = (
            f"{format_number(value['difference'], sign=True)} "
            f"{format_interval(value, sign=True)}"
        )
    area = f"{format_number(macro['value'])} {format_interval(macro['interval'])}"
    return [
        _shorten(f"{name} {group['group']}".strip()),
        f"{group['num_images']:,}",
        f"{format_number(group[PREVALENCE]['value'])}",
        "n/a" if macro["value"] is None else area,
        gap,
        format_number(group[CALIBRATION_ERROR]["value"]),
        format_number(group[UNDER_DIAGNOSIS]["value"]),
    ]


def _shorten(name: str) -> str:
    return name if len(name) <= WIDEST else f"{name[: WIDEST - 1]}…"


def _worst(counts: Mapping[str, Any]) -> str:
    """Names the finding that lost the largest share, of those that lost any."""
    shares = {
        name: one["dropped"] / one["present"]
        for name, one in counts["findings"].items()
        if one["dropped"]
    }
    if not shares:
        return ""
    name = max(shares, key=shares.__getitem__)
    return f" (most of {name}, {shares[name]:.0%})"


def _area(block: Mapping[str, Any]) -> str:
    return f"{format_number(block['auroc'])} {format_interval(block['auroc_interval'])}"


def _adjudicated_lines(adjudicated: Mapping[str, Any] | None) -> list[str]:
    if adjudicated is None:
        return []
    matched = (
        f"Labelled by radiologists ({adjudicated['file']}): "
        f"{number_of(adjudicated['num_images'], 'radiograph')} of "
        f"{number_of(adjudicated['num_patients'], 'patient')}"
    )
    if not adjudicated["num_images"]:
        return [f"{matched}."]
    return [
        f"{matched}; AUROC by their label, by the text-mined one:",
        *(
            f"  {name} ({'|'.join(block['classes'])}): {_counted(block['adjudicated'])}, "
            f"{_counted(block['text_mined'])}"
            for name, block in adjudicated["findings"].items()
        ),
    ]


def _counted(block: Mapping[str, Any]) -> str:
    count = f"(n={block['n_positive']:,})"
    return f"n/a {count}" if block["auroc"] is None else f"{_area(block)} {count}"
