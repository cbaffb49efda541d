"""Interactive figures of a comparison; their still twins are in `plots/comparison`."""

from collections.abc import Mapping
from typing import Any

from dualnet.evaluation.text.verdict import BEATS, WORSE
from dualnet.plots.comparison import (
    label_findings,
    look_of_run,
    range_of_means,
    rank_by_gain,
    rank_by_score,
    widest,
)
from dualnet.plots.report.chart_parts import (
    Chart,
    draw_intervals,
    lay_out_rows,
    look_of,
)

ROW = 34  # pixels
EACH = 12  # pixels that each run after the first two adds to a row


def draw_comparison_charts(metrics: Mapping[str, Any]) -> dict[str, Chart]:
    """Draws the figures that gain from being pointed at.

    Args:
        metrics: Plain values, as `compare` collects them.

    Returns:
        `data` and `layout` of each, by the name of its still twin.
    """
    return {
        "macro": draw_macro(metrics),
        "findings": draw_findings(metrics),
        "differences": draw_differences(metrics),
    }


def draw_macro(metrics: Mapping[str, Any]) -> Chart:
    """Draws every run's mean AUROC over the findings.

    Args:
        metrics: Plain values, as `compare` collects them.

    Returns:
        A trace and a row a run, in the order given.
    """
    traces = []
    for number, (name, run) in enumerate(metrics["runs"].items()):
        cells = [(run["macro"]["auroc"], run["macro"]["auroc_interval"])]
        trace = draw_intervals(look_of(look_of_run(number), name), [name], cells)
        traces.append({**trace, "showlegend": False})
    layout = lay_out_rows("Mean AUROC", len(traces), line_at=0.5)
    layout["xaxis"]["range"] = list(range_of_means(metrics))
    del layout["scattermode"]  # one mark a row
    return {"data": traces, "layout": layout}


def draw_findings(metrics: Mapping[str, Any]) -> Chart:
    """Draws every finding's AUROC, the runs beside each other.

    Args:
        metrics: Plain values, as `compare` collects them.

    Returns:
        A trace a run, a row a finding and one for their mean.
    """
    names = rank_by_score(metrics)
    labels = _label_rows(metrics, names)
    traces = []
    for number, (name, run) in enumerate(metrics["runs"].items()):
        entries = [*(run["findings"][one] for one in names), run["macro"]]
        cells = [(one["auroc"], one["auroc_interval"]) for one in entries]
        look = look_of(look_of_run(number), name)
        traces.append(draw_intervals(look, labels, cells))
    height = _height(len(metrics["runs"]))
    layout = lay_out_rows(
        "AUROC, 95 % interval", len(labels), line_at=0.5, height=height
    )
    layout["xaxis"]["range"] = list(widest(metrics))
    return {"data": traces, "layout": layout}


def draw_differences(metrics: Mapping[str, Any]) -> Chart:
    """Draws every finding's AUROC less the first run's.

    Args:
        metrics: Plain values, as `compare` collects them.

    Returns:
        A trace a compared run, a row a finding and one for their mean; open marks are
        differences that are not shown.
    """
    names = rank_by_gain(metrics)
    labels = _label_rows(metrics, names)
    traces = []
    for number, (name, found) in enumerate(metrics["differences"].items(), start=1):
        mean = {**found["macro"], "outcome": found["outcome"]}
        entries = [*(found["findings"][one] for one in names), mean]
        cells = [(one["auroc"]["difference"], one["auroc"]) for one in entries]
        look = look_of(look_of_run(number), name)
        shown = [one["outcome"] in {BEATS, WORSE} for one in entries]
        traces.append(draw_intervals(look, labels, cells, sign=True, shown=shown))
    height = _height(len(metrics["differences"]))
    layout = lay_out_rows(
        "Difference in AUROC", len(labels), line_at=0.0, height=height
    )
    layout["xaxis"] |= {"autorange": True}
    del layout["xaxis"]["range"]
    return {"data": traces, "layout": {**layout, "showlegend": True}}


def _label_rows(metrics: Mapping[str, Any], names: list[str]) -> list[str]:
    return [*label_findings(metrics, names), "<b>Mean of the findings</b>"]


def _height(num_runs: int) -> int:
    return ROW + EACH * max(0, num_runs - 2)
