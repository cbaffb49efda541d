"""Interactive figures, as the plain values that plotly.js draws.

Each has a still twin of the same name in `plots/evaluation`, which paper and pages
without scripts show. Made as plain dictionaries: `plotly.graph_objects` takes a second
to import and checks what the tests check here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dualnet.evaluation.evaluate import MODEL, Evaluation
from dualnet.evaluation.metrics import roc_points
from dualnet.evaluation.verdict import format_interval, format_number
from dualnet.plots import style
from dualnet.plots.evaluation import LOOKS, NAMES, left_end
from dualnet.plots.report.scores import gives_answers
from dualnet.plots.style import Look, display_name

Chart = dict[str, Any]

DIGITS = 4  # a screen shows no more
DASHES = {"-": "solid", "--": "dash", "-.": "dashdot", ":": "dot"}
SYMBOLS = {"o": "circle", "s": "square", "^": "triangle-up", "D": "diamond"}
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
    return {name: draw(evaluation) for name, draw in drawn.items()}


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
    traces: list[dict[str, Any]] = [_draw_diagonal("chance")]
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
            **_lay_out("False positive rate", "True positive rate"),
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
        traces.append(_draw_intervals(key, labels, rows))
    layout = _lay_out("AUROC, 95 % interval", "")
    layout["xaxis"]["range"] = [left_end(_blocks(evaluation)), 1.01]
    layout["yaxis"] = {"autorange": "reversed", "automargin": True, "fixedrange": True}
    return {
        "data": traces,
        "layout": {
            **layout,
            "height": 34 * len(labels) + 150,
            "scattermode": "group",
            "shapes": [_draw_chance_line()],
        },
    }


def draw_calibration(evaluation: Evaluation) -> Chart:
    """Draws how often the likeliest class is right, by how likely it was said to be.

    Args:
        evaluation: What to draw.

    Returns:
        The diagonal, and a trace a model over its filled bins.
    """
    traces: list[dict[str, Any]] = [_draw_diagonal("exact")]
    for key, block in _blocks(evaluation).items():
        bins = [one for one in block["first_label"]["reliability"] if one["count"]]
        traces.append(
            {
                **_look(key),
                "mode": "lines+markers",
                "x": _rounded([one["confidence"] for one in bins]),
                "y": _rounded([one["accuracy"] for one in bins]),
                "customdata": [one["count"] for one in bins],
                "hovertemplate": "said %{x:.3f}, right %{y:.3f}<br>"
                "%{customdata:,} radiographs",
            }
        )
    layout = _lay_out("Probability of the likeliest class", "Share that is right")
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
        "z": [_rounded(row) for row in shares.tolist()],
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
    layout = _lay_out("Answer: the likeliest class", "First label")
    axis = {"automargin": True, "fixedrange": True, "tickfont": {"size": 11}}
    layout["xaxis"] = {**axis, "title": layout["xaxis"]["title"], "tickangle": -90}
    layout["yaxis"] = {**axis, "autorange": "reversed"}
    return {"data": [trace], "layout": {**layout, "height": 560}}


def _blocks(evaluation: Evaluation) -> dict[str, Mapping[str, Any]]:
    metrics = evaluation.metrics
    blocks = {MODEL: metrics[MODEL], **metrics["baselines"]}
    return {key: blocks[key] for key in _drawn(blocks)}


def _drawn(judged: Mapping[str, Any]) -> list[str]:
    """Names those that have a look of their own, as the still figures draw them."""
    return [key for key in LOOKS if key in judged]


def _look(key: str) -> dict[str, Any]:
    look: Look = LOOKS[key]
    return {
        "type": "scatter",
        "name": NAMES[key],
        "line": {"color": look.color, "dash": DASHES[look.linestyle], "width": 2},
        "marker": {"color": look.color, "symbol": SYMBOLS[look.marker], "size": 8},
    }


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
        "x": _rounded(points[0].tolist()),
        "y": _rounded(points[1].tolist()),
        "hovertemplate": f"<b>{display_name(name)}</b>, {NAMES[key]}<br>"
        f"AUROC {area} {interval}<br>"
        "false %{x:.3f}, true %{y:.3f}<extra></extra>",
    }


def _draw_diagonal(name: str) -> dict[str, Any]:
    look = style.CHANCE
    return {
        "type": "scatter",
        "name": name,
        "mode": "lines",
        "x": [0, 1],
        "y": [0, 1],
        "line": {"color": look.color, "dash": DASHES[look.linestyle], "width": 1.5},
        "hoverinfo": "skip",
    }


def _draw_chance_line() -> dict[str, Any]:
    look = style.CHANCE
    return {
        "type": "line",
        "x0": 0.5,
        "x1": 0.5,
        "y0": 0,
        "y1": 1,
        "yref": "paper",
        "line": {"color": look.color, "dash": DASHES[look.linestyle], "width": 1.5},
    }


def _draw_intervals(
    key: str, labels: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    arms = {"array": [], "arrayminus": []}
    for row in rows:
        value, ends = row["auroc"], row["auroc_interval"]
        known = value is not None and ends["low"] is not None
        arms["array"].append(ends["high"] - value if known else 0)
        arms["arrayminus"].append(value - ends["low"] if known else 0)
    look = _look(key)
    return {
        **look,
        "mode": "markers",
        "x": _rounded([row["auroc"] for row in rows]),
        "y": list(labels),
        "orientation": "h",
        "error_x": {
            "type": "data",
            "symmetric": False,
            "color": look["line"]["color"],
            "thickness": 2,
            "width": 0,
            **{end: _rounded(values) for end, values in arms.items()},
        },
        "customdata": [format_interval(row["auroc_interval"]) for row in rows],
        "hovertemplate": "%{y}<br>AUROC %{x:.3f} %{customdata}",
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
    return {
        "type": "dropdown",
        "buttons": buttons,
        "x": 0,
        "xanchor": "left",
        "y": 1.02,
        "yanchor": "bottom",
        "pad": {"b": 4},
        "bgcolor": "#ffffff",
    }


def _make_button(
    label: str, shown: list[bool], *, legend: bool = False
) -> dict[str, Any]:
    # the diagonal is in the legend always
    update = {"visible": shown, "showlegend": [True, *[legend] * (len(shown) - 1)]}
    return {"label": label, "method": "restyle", "args": [update]}


def _lay_out(x_title: str, y_title: str) -> dict[str, Any]:
    unit = {"range": [-0.02, 1.02], "automargin": True, "fixedrange": True}
    line = {"gridcolor": style.GRID, "zeroline": False}
    return {
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": style.TEXT},
        "plot_bgcolor": "#ffffff",
        "paper_bgcolor": "#ffffff",
        "margin": {"l": 8, "r": 16, "t": 16, "b": 80},
        "xaxis": {**unit, **line, "title": {"text": x_title, "standoff": 8}},
        "yaxis": {**unit, **line, "title": {"text": y_title, "standoff": 8}},
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 0,
            "xref": "container",
            "yref": "container",
            "yanchor": "bottom",
        },
        "hoverlabel": {"align": "left"},
    }


def _rounded(values: Sequence[float | None]) -> list[float | None]:
    return [None if one is None else round(float(one), DIGITS) for one in values]
