"""Interactive figures of an audit and of the subgroups; still twins in `plots`."""

from collections.abc import Mapping, Sequence
from typing import Any

from dualnet.evaluation.auditing.audit_verdict import COUNTERFACTUAL_NAMES
from dualnet.plots import style
from dualnet.plots.audit import (
    DRAWN_BY_FINDING,
    PROBES,
    list_views,
    name_pattern,
    rank_findings,
)
from dualnet.plots.report.chart_parts import Chart, draw_intervals, look_of
from dualnet.plots.report.panels import Panel, stack_panels
from dualnet.plots.style import Look, display_name
from dualnet.plots.subgroups import PANELS, find_shown, label_group, list_measures

MACRO = "Macro AUROC, 95 % interval"
MEAN = "<b>Mean of all findings</b>"
ONE_SLOT = {"offsetgroup": "one"}  # traces of one row each do not stand aside


def draw_audit_charts(values: Mapping[str, Any]) -> dict[str, Chart]:
    """Draws the figures of an audit.

    Args:
        values: Plain values, as `dualnet.jobs.audit` collects them.

    Returns:
        `data` and `layout` of each, by the name of its still twin.
    """
    charts = {"shortcuts": draw_shortcuts(values)}
    if values["modalities"]:
        charts["record_adds"] = draw_gain(values)
        charts["missing_fields"] = draw_patterns(values)
    asked = {
        name: one
        for name, one in (values["counterfactuals"] or {}).items()
        if one["num_images"]
    }
    if asked:
        charts["counterfactuals"] = draw_counterfactuals(asked)
    return charts


def draw_gain(values: Mapping[str, Any]) -> Chart:
    """Draws the views of the model, and what the record adds by finding.

    Args:
        values: Plain values of the audit, with `modalities`.

    Returns:
        Two panels.
    """
    found = values["modalities"]
    gains = found["adds"]["record"]
    names = rank_findings(values, gains["findings"])
    labels = [*map(display_name, names), MEAN]
    rows = [*(gains["findings"][name] for name in names), gains["macro_auroc"]]
    shown = [one["low"] is not None and one["low"] * one["high"] > 0 for one in rows]
    trace = draw_intervals(
        look_of(style.MODEL, "gain"),
        labels,
        [(one["difference"], one) for one in rows],
        sign=True,
        shown=shown,
    )
    added = Panel(
        title="AUROC that the record adds", labels=labels, traces=[trace], line_at=0.0
    )
    return stack_panels([_draw_means(list_views(found)), added])


def draw_patterns(values: Mapping[str, Any]) -> Chart:
    """Draws the macro AUROC of every pattern of missing fields.

    Args:
        values: Plain values of the audit, with `modalities`.

    Returns:
        One panel.
    """
    rows = [
        (name_pattern(one["missing"]), one["macro"], style.MODEL)
        for one in values["modalities"]["patterns"]
    ]
    return stack_panels([_draw_means(rows)])


def draw_shortcuts(values: Mapping[str, Any]) -> Chart:
    """Draws what is told without the lungs, on the mean and by finding.

    Args:
        values: Plain values of the audit.

    Returns:
        Two panels.
    """
    probes = values["probes"]
    rows = [
        (label, probes[name]["macro"], look)
        for name, (label, look) in PROBES.items()
        if name in probes
    ]
    names = rank_findings(values, probes["model"]["findings"], key="auroc")
    labels = [display_name(name) for name in names]
    traces = []
    for name in DRAWN_BY_FINDING:
        if name in probes:
            label, look = PROBES[name]
            blocks = [probes[name]["findings"][finding] for finding in names]
            cells = [(one["auroc"], one["auroc_interval"]) for one in blocks]
            trace = draw_intervals(look_of(look, label), labels, cells)
            traces.append({**trace, "showlegend": True})
    each = Panel(
        title="AUROC by finding", labels=labels, traces=traces, line_at=0.5, row=38
    )
    return stack_panels([_draw_means(rows, line_at=0.5), each])


def draw_counterfactuals(asked: Mapping[str, Any]) -> Chart:
    """Draws how each class moves when one field of the record is changed.

    Args:
        asked: The counterfactuals that some row allows, by name.

    Returns:
        A panel a counterfactual.
    """
    panels = []
    for name, one in asked.items():
        labels = [display_name(finding) for finding in one["classes"]]
        blocks = [block["logit"]["quantiles"] for block in one["classes"].values()]
        thin, thick = [], []
        for quantiles in blocks:
            low, first, middle, third, high = quantiles.values()
            thin.append((middle, {"low": low, "high": high}))
            thick.append((middle, {"low": first, "high": third}))
        look = look_of(style.MODEL, "change")
        wide = draw_intervals(look, labels, thick, sign=True)
        wide["error_x"]["thickness"] = 6
        said = f"n={one['num_images']:,}, other answer: {100 * one['answers_changed']:.0f} %"
        panels.append(
            Panel(
                title=f"{COUNTERFACTUAL_NAMES[name]}<br>{said}",
                labels=labels,
                traces=[
                    draw_intervals(look, labels, thin, sign=True) | ONE_SLOT,
                    wide | ONE_SLOT | {"hoverinfo": "skip", "hovertemplate": None},
                ],
                line_at=0.0,
                row=22,
            )
        )
    return stack_panels(panels, one_scale=True)


def draw_subgroups(metrics: Mapping[str, Any]) -> Chart:
    """Draws three scores of every group with their intervals.

    Args:
        metrics: Plain values, with the key `subgroups`.

    Returns:
        A panel a score; a dotted line is the score of all rows.
    """
    subgroups = metrics["subgroups"]
    shown = find_shown(subgroups)
    groups = [
        (one["name"], group)
        for one in subgroups["groupings"]
        for group in one["groups"]
    ]
    labels = [label_group(grouping, group) for grouping, group in groups]
    panels = []
    for measure in list_measures(subgroups["all"]):
        cells = [
            (group[measure]["value"], group[measure]["interval"]) for _, group in groups
        ]
        trace = draw_intervals(
            look_of(style.MODEL, "group"),
            labels,
            cells,
            shown=[(name, one["group"], measure) in shown for name, one in groups],
        )
        panels.append(
            Panel(
                title=PANELS[measure].replace("\n", " "),
                labels=labels,
                traces=[trace],
                line_at=subgroups["all"][measure]["value"],
                row=24,
            )
        )
    return stack_panels(panels)


def _draw_means(
    rows: Sequence[tuple[str, Mapping[str, Any], Look]],
    *,
    line_at: float | None = None,
) -> Panel:
    """Draws macro AUROCs under each other, each in its look."""
    traces = [
        draw_intervals(
            look_of(look, label), [label], [(block["auroc"], block["auroc_interval"])]
        )
        | ONE_SLOT
        for label, block, look in rows
    ]
    labels = [label for label, _, _ in rows]
    return Panel(title=MACRO, labels=labels, traces=traces, line_at=line_at)
