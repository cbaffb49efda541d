"""Interactive figures, as the plain values that plotly.js draws.

Each has a still twin of the same name in `plots/evaluation`, which paper and pages
without scripts show. Made as plain dictionaries: `plotly.graph_objects` takes a second
to import and checks what the tests check here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dualnet.evaluation.evaluate import MODEL, Evaluation
from dualnet.evaluation.scores.metrics import roc_points
from dualnet.evaluation.text.verdict import format_interval
from dualnet.plots.evaluation import LOOKS, NAMES, left_end
from dualnet.plots.report.audit_charts import draw_audit_charts, draw_subgroups
from dualnet.plots.report.chart_parts import (
    Chart,
    draw_diagonal,
    draw_intervals,
    lay_out,
    lay_out_menu,
    lay_out_rows,
    look_of,
    rounded,
)
from dualnet.plots.report.scores import gives_answers
from dualnet.plots.style import display_name
from dualnet.wording import format_number, number_of

ALL = "all findings"
BLUES = [[0, "#f7fbff"], [0.25, "#c6dbef"], [0.5, "#6baed6"], [1, "#08306b"]]


def draw_charts(evaluation: Evaluation) -> dict[str, Chart]:
    """Draws the figures that gain from being pointed at.

    Args:
        evaluation: What to draw.

    Returns:
        `data` and `layout` of each, by the name of its still twin; those of the one
        answer a radiograph only where the model gives one.
    """
    drawn = {"roc": draw_roc, "comparison": draw_comparison}
    if gives_answers(evaluation.metrics):
        drawn |= {"calibration": draw_calibration, "confusion": draw_confusion}
    charts = {name: draw(evaluation) for name, draw in drawn.items()}
    metrics = evaluation.metrics
    if metrics.get("subgroups", {}).get("groupings"):
        charts["subgroups"] = draw_subgroups(metrics)
    if metrics.get("audit"):
        charts |= draw_audit_charts(metrics["audit"])
    return charts


def draw_roc(evaluation: Evaluation) -> Chart:
    """Draws the ROC curves; a menu leaves one finding, with its rivals beside it.

    Args:
        evaluation: What to draw.

    Returns:
        A trace for chance, then one a finding and model; findings whose AUROC is
        undefined have none.
    """
    truth, scores = evaluation.truth, evaluation.metrics[MODEL]["findings"]
    predictions = {MODEL: evaluation.model, **evaluation.baselines}
    traces: list[dict[str, Any]] = [draw_diagonal("chance")]
    owners: list[tuple[str, str]] = [("", "")]
    for column in np.flatnonzero(truth.is_finding):
        name = truth.class_names[column]
        if scores[name]["auroc"] is None:
            continue
        for key in _drawn(predictions):
            block = _blocks(evaluation)[key]["findings"][name]
            if block["auroc"] is None:
                continue
            points = roc_points(
                truth.labels[:, column], predictions[key].scores[:, column]
            )
            traces.append(_draw_curve(key, name, points, block))
            owners.append((name, key))
    return {
        "data": traces,
        "layout": {
            **lay_out("False positive rate", "True positive rate"),
            "height": 520,
            "hovermode": "closest",
            "updatemenus": [_make_menu(owners, scores)],
            "margin": {"l": 8, "r": 16, "t": 56, "b": 80},
        },
    }


def draw_comparison(evaluation: Evaluation) -> Chart:
    """Draws every finding's AUROC with its interval, the best first.

    Args:
        evaluation: What to draw.

    Returns:
        A trace a model, a row a finding and one for their mean.
    """
    metrics = evaluation.metrics
    scores = metrics[MODEL]["findings"]
    names = [name for name in metrics["class_names"] if name != metrics["negative"]]
    names.sort(key=lambda name: -(scores[name]["auroc"] or -1))
    labels = [
        *(f"{display_name(one)} ({scores[one]['n_positive']:,})" for one in names),
        f"<b>Mean of {metrics[MODEL]['macro']['num_defined']}</b>",
    ]
    traces = []
    for key, block in _blocks(evaluation).items():
        rows = [*(block["findings"][name] for name in names), block["macro"]]
        cells = [(row["auroc"], row["auroc_interval"]) for row in rows]
        traces.append(draw_intervals(_look(key), labels, cells))
    layout = lay_out_rows("AUROC, 95 % interval", len(labels), line_at=0.5)
    layout["xaxis"]["range"] = [left_end(_blocks(evaluation)), 1.01]
    return {"data": traces, "layout": layout}


def draw_calibration(evaluation: Evaluation) -> Chart:
    """Draws how often the likeliest class is right, by how likely it was said to be.

    Args:
        evaluation: What to draw.

    Returns:
        The diagonal, and a trace a model over its filled bins.
    """
    traces: list[dict[str, Any]] = [draw_diagonal("exact")]
    for key, block in _blocks(evaluation).items():
        bins = [one for one in block["first_label"]["reliability"] if one["count"]]
        traces.append(
            {
                **_look(key),
                "mode": "lines+markers",
                "x": rounded([one["confidence"] for one in bins]),
                "y": rounded([one["accuracy"] for one in bins]),
                "text": [_describe_bin(one) for one in bins],
                "hovertemplate": "%{text}",
            }
        )
    layout = lay_out("Probability of the likeliest class", "Share that is right")
    return {"data": traces, "layout": {**layout, "height": 460}}


def draw_confusion(evaluation: Evaluation) -> Chart:
    """Draws how often each first label got each answer.

    Args:
        evaluation: What to draw.

    Returns:
        One heat map: shades are shares of a row, numbers are radiographs.
    """
    counts = np.array(evaluation.metrics[MODEL]["first_label"]["confusion_matrix"])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [display_name(name) for name in evaluation.truth.class_names]
    trace = {
        "type": "heatmap",
        "x": names,
        "y": names,
        "z": [rounded(row) for row in shares.tolist()],
        "customdata": counts.tolist(),
        "text": [[f"{one:,}" if one else "" for one in row] for row in counts.tolist()],
        "texttemplate": "%{text}",  # in cells that have room for it
        "colorscale": BLUES,
        "zmin": 0,
        "zmax": 1,
        "xgap": 1,
        "ygap": 1,
        "showscale": False,
        "hovertemplate": "first label %{y}<br>answer %{x}<br>"
        "%{customdata:,} radiographs, %{z:.1%} of the row<extra></extra>",
    }
    layout = lay_out("Answer: the likeliest class", "First label")
    axis = {"automargin": True, "fixedrange": True, "tickfont": {"size": 11}}
    layout["xaxis"] = {**axis, "title": layout["xaxis"]["title"], "tickangle": -90}
    layout["yaxis"] = {
        **axis,
        "autorange": "reversed",
        "title": layout["yaxis"]["title"],
    }
    return {"data": [trace], "layout": {**layout, "height": 560}}


def _blocks(evaluation: Evaluation) -> dict[str, Mapping[str, Any]]:
    metrics = evaluation.metrics
    blocks = {MODEL: metrics[MODEL], **metrics["baselines"]}
    return {key: blocks[key] for key in _drawn(blocks)}


def _drawn(judged: Mapping[str, Any]) -> list[str]:
    """Names those that have a look of their own, as the still figures draw them."""
    return [key for key in LOOKS if key in judged]


def _look(key: str) -> dict[str, Any]:
    return look_of(LOOKS[key], NAMES[key])


def _describe_bin(one: Mapping[str, Any]) -> str:
    said, right = (format_number(one[key]) for key in ("confidence", "accuracy"))
    return f"said {said}, right {right}<br>{number_of(one['count'], 'radiograph')}"


def _draw_curve(
    key: str,
    name: str,
    points: tuple[np.ndarray, np.ndarray],
    scores: Mapping[str, Any],
) -> dict[str, Any]:
    area = format_number(scores["auroc"])
    interval = format_interval(scores["auroc_interval"])
    return {
        **_look(key),
        "mode": "lines",
        "visible": key == MODEL,
        "showlegend": False,
        "x": rounded(points[0].tolist()),
        "y": rounded(points[1].tolist()),
        "hovertemplate": f"<b>{display_name(name)}</b>, {NAMES[key]}<br>"
        f"AUROC {area} {interval}<br>"
        "false %{x:.3f}, true %{y:.3f}<extra></extra>",
    }


def _make_menu(
    owners: Sequence[tuple[str, str]], scores: Mapping[str, Any]
) -> dict[str, Any]:
    """Makes the menu: all findings' curves of the model, or one finding's of all."""
    names = list(dict.fromkeys(name for name, _ in owners if name))
    buttons = [
        _make_button(f"{ALL} ({len(names)})", [key in {"", MODEL} for _, key in owners])
    ]
    for name in names:
        count, area = scores[name]["n_positive"], format_number(scores[name]["auroc"])
        label = f"{display_name(name)}: {area} (n={count:,})"
        shown = [owner in {"", name} for owner, _ in owners]
        buttons.append(_make_button(label, shown, legend=True))
    return lay_out_menu(buttons)


def _make_button(
    label: str, shown: list[bool], *, legend: bool = False
) -> dict[str, Any]:
    # the diagonal is in the legend always
    update = {"visible": shown, "showlegend": [True, *[legend] * (len(shown) - 1)]}
    return {"label": label, "method": "restyle", "args": [update]}
