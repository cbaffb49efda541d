"""Figure of what compared models cost: score, size and speed beside each other."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dualnet.evaluation.comparing.cost_table import format_count
from dualnet.plots import style
from dualnet.plots.forest import draw_interval, name_rows
from dualnet.plots.style import new_figure, styled
from dualnet.wording import describe_rows, format_number

BARS = {
    "parameters": "Parameters",
    "trained_per_second": "Trained, radiographs/s",
    "predicted_per_second": "Predicted, radiographs/s",
}
ROW = 0.5  # inches


@styled
def plot_costs(metrics: Mapping[str, Any]) -> Figure:
    """Draws each run's mean AUROC with its interval, its size and its speeds.

    Args:
        metrics: Plain values, as `compare` collects them.

    Returns:
        A figure with a row a run and a panel a measure.
    """
    runs = metrics["runs"]
    figure = new_figure(11, ROW * len(runs) + 1.8)
    first, *others = figure.subplots(
        1, 1 + len(BARS), sharey=True, width_ratios=(1.6, 1, 1, 1)
    )
    _draw_scores(first, [run["macro"] for run in runs.values()])
    for axes, (key, label) in zip(others, BARS.items(), strict=True):
        values = [(run["cost"] or {}).get(key) for run in runs.values()]
        _draw_bars(axes, values)
        axes.set_xlabel(label)
    name_rows(first, list(runs))
    figure.suptitle(f"Score, size and speed\n{describe_rows(metrics)}")
    return figure


def _draw_scores(axes: Axes, macros: list[Mapping[str, Any]]) -> None:
    for row, macro in enumerate(macros):
        draw_interval(axes, row, macro["auroc"], macro["auroc_interval"], style.MODEL)
        if macro["auroc"] is not None:
            _write(
                axes, macro["auroc"], row, format_number(macro["auroc"]), 7, "center"
            )
    axes.set_xlabel("Mean AUROC, 95 % interval")


def _draw_bars(axes: Axes, values: list[float | None]) -> None:
    """Draws bars from 0; what a run does not say is n/a."""
    known = [value or 0.0 for value in values]
    axes.barh(range(len(values)), known, height=0.5, color=style.CHANCE.color)
    for row, value in enumerate(values):
        axes.annotate(
            format_count(value),
            (value or 0.0, row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            size=11,
        )
    axes.set_xlim(0, 1.45 * max(known, default=0.0) or 1.0)
    axes.set_xticks([0])
    axes.grid(visible=False)


def _write(axes: Axes, x: float, row: int, text: str, above: int, align: str) -> None:
    axes.annotate(
        text,
        (x, row),
        xytext=(0, above),
        textcoords="offset points",
        ha=align,
        size=11,
    )
