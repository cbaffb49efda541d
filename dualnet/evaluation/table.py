"""The scores as rows of text, for a terminal of 100 columns."""

from collections.abc import Mapping
from textwrap import fill
from typing import Any

from dualnet.evaluation.sections import (
    calibration_lines,
    label_lines,
    subgroup_note,
    subgroup_table,
)
from dualnet.evaluation.text.caution import due_cautions
from dualnet.evaluation.text.columns import align as _align
from dualnet.evaluation.text.verdict import (
    display_baseline,
    format_interval,
    format_number,
)

COLUMNS = 100
FIRST_LABEL_SCORES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "log_loss": "Log-loss",
    "brier": "Brier score (0 to 2)",
    "expected_calibration_error": "Calibration error",
}
MACRO_SCORES = {
    "weighted_auroc": "AUROC, weighted by prevalence",
    "brier": "Brier score (0 to 1)",
    "log_loss": "Log-loss",
    "expected_calibration_error": "Calibration error",
}
POINT_SCORES = {
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "PPV",
    "npv": "NPV",
    "f1": "F1",
}


def findings_table(metrics: Mapping[str, Any]) -> list[list[str]]:
    """Lists every finding's scores against the full label set.

    Args:
        metrics: Plain values, as `evaluate` collects them.

    Returns:
        The header and rows of the findings, then their mean and the negative class:
        name, n, AUROC with its interval, average precision, each baseline's AUROC.
    """
    negative = metrics["negative"]
    names = [name for name in metrics["class_names"] if name != negative]
    return [
        ["Finding", "n", "AUROC [95 % interval]", "AP", *_baseline_names(metrics)],
        *(_class_row(metrics, name) for name in names),
        _macro_row(metrics, len(names)),
        _class_row(metrics, negative),
    ]


def summary_table(metrics: Mapping[str, Any]) -> list[list[str]]:
    """Lists the scores of the softmax, the first label being the right answer.

    Args:
        metrics: Plain values, as `evaluate` collects them.

    Returns:
        The header and a row a score: name, the model's with its interval where it
        has one, each baseline's.
    """
    rows = [["By first label", "model [95 % interval]", *_baseline_names(metrics)]]
    for key, title in FIRST_LABEL_SCORES.items():
        scores = metrics["model"]["first_label"]
        interval = scores.get(f"{key}_interval")
        value = format_number(scores[key])
        others = metrics["baselines"].values()
        rows.append(
            [
                title,
                f"{value} {format_interval(interval)}" if interval else value,
                *(format_number(block["first_label"][key]) for block in others),
            ]
        )
    return rows


def points_table(metrics: Mapping[str, Any]) -> list[list[str]]:
    """Lists what the findings' scores come to at each operating point.

    Args:
        metrics: Plain values, as `evaluate` collects them.

    Returns:
        The header and a row an operating point: its name, and the means over the
        findings that are defined.
    """
    rows = [["Mean over findings, at", *POINT_SCORES.values()]]
    for name, point in metrics["operating_points"].items():
        macro = point["macro"]
        values = [format_number(macro[key]) for key in POINT_SCORES]
        rows.append([display_baseline(name), *values])
    return rows


def probabilities_table(metrics: Mapping[str, Any]) -> list[list[str]]:
    """Lists the findings' mean scores that are no AUROC, beside the baselines'.

    Args:
        metrics: Plain values, as `evaluate` collects them.

    Returns:
        The header and a row a score, as `summary_table`; `n/a` for what only
        probabilities have.
    """
    model = metrics["model"]["macro"]
    others = [block["macro"] for block in metrics["baselines"].values()]
    rows = [["Mean over findings", "model [95 % interval]", *_baseline_names(metrics)]]
    for key, title in MACRO_SCORES.items():
        value = format_number(model.get(key))
        interval = model.get(f"{key}_interval")
        rows.append(
            [
                title,
                f"{value} {format_interval(interval)}" if interval else value,
                *(format_number(other.get(key)) for other in others),
            ]
        )
    return rows


def format_table(metrics: Mapping[str, Any]) -> str:
    """Writes the caution, if one is due, then the tables, the verdict and the notes.

    Args:
        metrics: Plain values, as `evaluate` collects them; `notes`, if there are any,
            say which rows were judged and what the baselines were fitted on.

    Returns:
        Lines of at most `COLUMNS` characters.
    """
    findings, points = findings_table(metrics), points_table(metrics)
    tables = [
        _align(findings, left=(0, 2), rules=(1, len(findings) - 2), break_names=True),
        _align(probabilities_table(metrics), left=(0, 1), rules=(1,), break_names=True),
        _align(points, left=(0,), rules=(1,)),
    ]
    if metrics["model"]["first_label"]["undefined_because"] is None:
        summary = summary_table(metrics)
        tables.append(_align(summary, left=(0, 1), rules=(1,), break_names=True))
    verdict = [
        fill(line, COLUMNS, subsequent_indent="    ", break_on_hyphens=False)
        for line in (*metrics["verdict"]["lines"], *metrics.get("notes", ()))
    ]
    first = [
        fill(line, COLUMNS, break_on_hyphens=False) for line in due_cautions(metrics)
    ]
    return "\n\n".join([*first, "\n".join(verdict), *tables, *_sections(metrics)])


def _sections(metrics: Mapping[str, Any]) -> list[str]:
    """Writes what was added to the metrics, see `breakdown`."""
    if "subgroups" not in metrics:
        return []
    groups = subgroup_table(metrics)
    blocks = [calibration_lines(metrics), label_lines(metrics)]
    if metrics["subgroups"]["groupings"]:
        table = _align(groups, left=(0, 3, 4), rules=(1,))
        blocks.insert(0, [*table.splitlines(), subgroup_note(metrics)])
    return [
        "\n".join(
            fill(line, COLUMNS, subsequent_indent="    ", break_on_hyphens=False)
            if len(line) > COLUMNS
            else line
            for line in block
        )
        for block in blocks
        if block
    ]


def _baseline_names(metrics: Mapping[str, Any]) -> list[str]:
    return [display_baseline(name) for name in metrics["baselines"]]


def _class_row(metrics: Mapping[str, Any], name: str) -> list[str]:
    scores = metrics["model"]["findings"][name]
    others = [block["findings"][name] for block in metrics["baselines"].values()]
    count = scores["n_positive"]
    return [
        name.replace("_", " "),
        f"{count:,}",
        _area(scores, count),
        format_number(scores["average_precision"]),
        *(format_number(other["auroc"]) for other in others),
    ]


def _macro_row(metrics: Mapping[str, Any], num_findings: int) -> list[str]:
    macro = metrics["model"]["macro"]
    others = [block["macro"] for block in metrics["baselines"].values()]
    return [
        f"Mean of {macro['num_defined']} of {num_findings}",
        "",
        _area(macro, metrics["num_images"]),
        format_number(macro["average_precision"]),
        *(format_number(other["auroc"]) for other in others),
    ]


def _area(scores: Mapping[str, Any], count: int) -> str:
    if scores["auroc"] is None:
        return f"n/a (n={count:,})"
    return (
        f"{format_number(scores['auroc'])} {format_interval(scores['auroc_interval'])}"
    )
