"""Reliability by finding: how often a finding is there, by how likely it was said."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dualnet.evaluation.evaluate import Evaluation
from dualnet.plots import style
from dualnet.plots.style import display_name, new_figure, styled
from dualnet.wording import describe_rows, format_number

COLUMNS = 3
FEW = 20  # a share of fewer radiographs is mostly luck: its mark is hollow and alone
_HOLLOW: Any = {
    "color": style.MODEL.color,
    "linestyle": "none",
    "marker": style.MODEL.marker,
    "markerfacecolor": "white",
    "markersize": 5,
}


@styled
def plot_reliability(evaluation: Evaluation) -> Figure:
    """Draws one reliability curve a finding.

    Args:
        evaluation: What to draw; its scores are probabilities.

    Returns:
        A figure with a panel a finding: observed share by mean probability in ten bins
        of equal width; bins of fewer than `FEW` radiographs are hollow.
    """
    metrics = evaluation.metrics
    names = [name for name in metrics["class_names"] if name != metrics["negative"]]
    num_rows = -(-(len(names) + 1) // COLUMNS)
    figure = new_figure(6.4, 2.15 * num_rows + 0.8)
    figure.suptitle(f"Reliability by finding\n{describe_rows(metrics)}")
    panels = figure.subplots(num_rows, COLUMNS, squeeze=False).flatten()
    for panel, name in zip(panels, names, strict=False):
        _draw_panel(panel, name, metrics["model"]["findings"][name])
    for panel in panels[len(names) :]:
        panel.axis("off")
    _draw_legend(panels[len(names)], metrics["model"]["macro"])
    figure.supxlabel("Probability of the finding")
    figure.supylabel("Share that has it")
    return figure


def _draw_panel(panel: Axes, name: str, scores: Mapping[str, Any]) -> None:
    error = scores["expected_calibration_error"]
    said = "n/a" if error is None else f"error {format_number(error)}"
    panel.set_title(f"{display_name(name)}\n{said} (n={scores['n_positive']:,})")
    panel.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.04), aspect="equal")
    panel.set_xticks((0, 0.5, 1))
    panel.set_yticks((0, 0.5, 1))
    chance = style.CHANCE
    panel.plot((0, 1), (0, 1), color=chance.color, linestyle=chance.linestyle)
    if error is None:
        panel.text(0.5, 0.5, "undefined", ha="center", va="center", backgroundcolor="w")
        return
    _draw_bins(panel, [one for one in scores["reliability"] if one["count"]])


def _draw_bins(panel: Axes, bins: Sequence[Mapping[str, Any]]) -> None:
    many = [one for one in bins if one["count"] >= FEW]
    few = [one for one in bins if one["count"] < FEW]
    look = style.MODEL
    panel.plot(
        *_places(many), color=look.color, linestyle=look.linestyle, marker=look.marker
    )
    panel.plot(*_places(few), **_HOLLOW)


def _places(bins: Sequence[Mapping[str, Any]]) -> tuple[list[float], list[float]]:
    return (
        [one["mean_probability"] for one in bins],
        [one["positive_share"] for one in bins],
    )


def _draw_legend(panel: Axes, macro: Mapping[str, Any]) -> None:
    look, chance = style.MODEL, style.CHANCE
    panel.plot(
        [],
        [],
        color=look.color,
        linestyle=look.linestyle,
        marker=look.marker,
        label="model",
    )
    panel.plot([], [], **_HOLLOW, label=f"under {FEW} rows")
    panel.plot([], [], color=chance.color, linestyle=chance.linestyle, label="exact")
    error = macro["expected_calibration_error"]
    panel.legend(
        loc="center",
        title=f"Mean error {format_number(error)}",
        title_fontsize=12,
        handlelength=1.6,
    )
