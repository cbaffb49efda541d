"""The figure of counterfactual curves: a panel a field of the record."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dualnet.plots.activations import set_title
from dualnet.plots.explanation_bars import FIELDS
from dualnet.plots.style import GRID, MODEL, display_name, new_figure, styled

UNITS = {"age": "age, years", "follow_up": "follow-up number"}
LEAST_HEIGHT = 0.1  # of the probability axis: no change is drawn larger than that
UNKNOWN = "unknown"


@styled
def plot_curves(curves: Sequence[Mapping[str, Any]], finding: str) -> Figure:
    """Draws what the probability would be, were one field of the record another.

    Args:
        curves: Plain values, one or more: `field`, `values`, `probabilities`, `own`,
            `typical`.
        finding: The class.

    Returns:
        The figure, all panels on one scale.
    """
    widths = [2.0 if one["field"] in UNITS else 1.0 for one in curves]
    figure = new_figure(max(5.0, 2.3 * sum(widths)), 4.2)
    set_title(
        figure,
        f"{display_name(finding)}   probability for this picture, one field changed",
        "filled: the record's own value; gray: nine tenths of the training part",
    )
    panels = figure.subplots(1, len(curves), sharey=True, width_ratios=widths)
    panels = [panels] if len(curves) == 1 else list(panels)
    for panel, curve in zip(panels, curves, strict=True):
        draw = _draw_number if curve["field"] in UNITS else _draw_category
        draw(panel, curve)
    top = max(max(one["probabilities"]) for one in curves)
    panels[0].set_ylim(0, min(1.02, max(LEAST_HEIGHT, 1.15 * top)))
    panels[0].set_ylabel("probability")
    return figure


def _draw_number(panel: Axes, curve: Mapping[str, Any]) -> None:
    known = [
        (value, one)
        for value, one in zip(curve["values"], curve["probabilities"], strict=True)
        if value is not None
    ]
    if curve["typical"] is not None:
        panel.axvspan(*curve["typical"], color=GRID, alpha=0.6, linewidth=0)
    panel.plot(*zip(*known, strict=True), color=MODEL.color)
    own = curve["values"][curve["own"]]
    said = curve["probabilities"][curve["own"]]
    if own is not None:
        panel.plot(own, said, marker="o", markersize=9, color=MODEL.color)
    if None in curve["values"]:
        unknown = curve["probabilities"][curve["values"].index(None)]
        panel.axhline(unknown, color="#555555", linestyle=":", linewidth=1.4)
        label = f"{UNKNOWN} (its own)" if own is None else UNKNOWN
        panel.annotate(
            label,
            (1, unknown),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 3),
            textcoords="offset points",
            ha="right",
            size=10,
        )
    panel.set_xlabel(UNITS[curve["field"]])


def _draw_category(panel: Axes, curve: Mapping[str, Any]) -> None:
    names = [value or UNKNOWN for value in curve["values"]]
    for place, said in enumerate(curve["probabilities"]):
        filled = place == curve["own"]
        panel.plot(
            place,
            said,
            marker="o",
            markersize=9,
            color=MODEL.color,
            markerfacecolor=MODEL.color if filled else "white",
        )
    panel.set_xticks(range(len(names)), names)
    panel.set_xlim(-0.6, len(names) - 0.4)
    panel.set_xlabel(FIELDS[curve["field"]])
