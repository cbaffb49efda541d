"""Figures of a comparison: what each run differs from the first, and their means."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dualnet.evaluation.comparing.cost_table import has_costs
from dualnet.evaluation.text.verdict import BEATS, WORSE
from dualnet.plots import style
from dualnet.plots.comparison_costs import plot_costs
from dualnet.plots.forest import draw_interval, name_rows
from dualnet.plots.style import Look, display_name, new_figure, styled
from dualnet.wording import describe_rows, format_number

# Okabe and Ito's colours, dark to light; a marker tells what a colour tells
LOOKS = (
    style.MODEL,
    style.METADATA_ONLY,
    style.IMAGE_ONLY,
    Look(color="#CC79A7", linestyle="-", marker="D"),
    Look(color="#56B4E9", linestyle="--", marker="v"),
    Look(color="#E69F00", linestyle="-.", marker="P"),
)
ROW = 0.46  # inches
ENDS = ("low", "high")
LINE = 0.25  # inches a line of the legend
EACH = 0.15  # inches that each run after the first two adds to a row


def plot_comparison(metrics: Mapping[str, Any]) -> dict[str, Figure]:
    """Draws every figure of a comparison.

    Args:
        metrics: Plain values, as `dualnet.evaluation.comparing.comparison.compare` collects them.

    Returns:
        The figures by their file name, without suffix.
    """
    figures = {
        "differences": plot_differences(metrics),
        "findings": plot_findings(metrics),
        "macro": plot_macro(metrics),
    }
    if has_costs(metrics):
        figures["costs"] = plot_costs(metrics)
    return figures


@styled
def plot_differences(metrics: Mapping[str, Any]) -> Figure:
    """Draws every finding's AUROC less the first run's, with its interval.

    Args:
        metrics: Plain values, as `compare` collects them.

    Returns:
        A figure with a row a finding, largest difference of the first compared run on
        top, and the mean below. A filled marker is a difference that is shown after
        correction, an open one is not.
    """
    differences = metrics["differences"]
    rows = rank_by_gain(metrics)
    height = (ROW + EACH * max(0, len(differences) - 2)) * (len(rows) + 1)
    figure = new_figure(8, height + 2.6)
    axes = figure.subplots()
    axes.axvline(0, color=style.CHANCE.color, linestyle=":")
    for number, (name, difference) in enumerate(differences.items()):
        entries = [*(difference["findings"][one] for one in rows), difference]
        _draw_run(axes, name, entries, number, len(differences))
    labels = label_findings(metrics, rows)
    name_rows(axes, [*labels, "Mean of the findings"], with_mean=True)
    axes.set_xlabel("Difference in AUROC, 95 % interval by patient")
    figure.suptitle(
        f"AUROC by finding, less that of {metrics['reference']}\n{describe_rows(metrics)}"
    )
    axes.plot([], [], "o", color=style.TEXT, label="shown after correction")
    axes.plot([], [], "o", color=style.TEXT, markerfacecolor="white", label="not shown")
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=2
    )
    return figure


@styled
def plot_findings(metrics: Mapping[str, Any]) -> Figure:
    """Draws every finding's AUROC with its interval, the runs beside each other.

    Args:
        metrics: Plain values, as `compare` collects them.

    Returns:
        A figure with a row a finding, the first run's best on top, and the mean below.
    """
    runs = metrics["runs"]
    rows = rank_by_score(metrics)
    height = (ROW + EACH * max(0, len(runs) - 2)) * (len(rows) + 1)
    figure = new_figure(8, height + 2.0 + LINE * -(-(len(runs) + 1) // 2))
    axes = figure.subplots()
    chance = style.CHANCE
    axes.axvline(0.5, color=chance.color, linestyle=chance.linestyle, label="chance")
    for number, (name, run) in enumerate(runs.items()):
        look, offset = look_of_run(number), _offset(number, len(runs))
        entries = [*(run["findings"][one] for one in rows), run["macro"]]
        for row, one in enumerate(entries):
            ends = one["auroc_interval"]
            draw_interval(axes, row + offset, one["auroc"], ends, look)
            if one["auroc"] is None:
                _write_undefined(axes, 0.51, row + offset, look)
        axes.plot([], [], color=look.color, marker=look.marker, label=name)
    labels = label_findings(metrics, rows)
    name_rows(axes, [*labels, "Mean of the findings"], with_mean=True)
    axes.set_xlim(*widest(metrics))
    axes.set_xlabel("AUROC against the full label set, 95 % interval by patient")
    figure.suptitle(f"AUROC by finding\n{describe_rows(metrics)}")
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2)
    return figure


@styled
def plot_macro(metrics: Mapping[str, Any]) -> Figure:
    """Draws every run's mean AUROC over the findings, with its interval.

    Args:
        metrics: Plain values, as `compare` collects them.

    Returns:
        A figure with a row a run, in the order given.
    """
    runs = metrics["runs"]
    figure = new_figure(8, 0.5 * len(runs) + 2)
    axes = figure.subplots()
    axes.axvline(0.5, color=style.CHANCE.color, linestyle=":")
    for row, run in enumerate(runs.values()):
        _draw_mean(axes, run["macro"], row, look_of_run(row))
    names = [
        f"{name} ({run['modality']})" if run["modality"] else name
        for name, run in runs.items()
    ]
    name_rows(axes, names)
    axes.set_xlim(*range_of_means(metrics))
    axes.set_xlabel("Mean AUROC of the findings, 95 % interval")
    figure.suptitle(f"Mean AUROC by run\n{describe_rows(metrics)}")
    return figure


def _draw_run(
    axes: Axes, name: str, entries: Sequence[Mapping[str, Any]], number: int, of: int
) -> None:
    look, offset = look_of_run(number + 1), _offset(number, of)
    for row, entry in enumerate(entries):
        area = entry["macro"]["auroc"] if "macro" in entry else entry["auroc"]
        if area["difference"] is None:
            _write_undefined(axes, 0, row + offset, look)
        shown = entry["outcome"] in {BEATS, WORSE}
        draw_interval(axes, row + offset, area["difference"], area, look, filled=shown)
    axes.plot([], [], color=look.color, linestyle="-", marker=look.marker, label=name)


def _draw_mean(axes: Axes, macro: Mapping[str, Any], row: int, look: Look) -> None:
    area, ends = macro["auroc"], macro["auroc_interval"]
    if area is None:
        axes.text(0.5, row, "n/a", va="center", size=11)
        return
    draw_interval(axes, row, area, ends, look, markersize=8)
    axes.annotate(
        format_number(area),
        (area, row),
        xytext=(0, 7),
        textcoords="offset points",
        ha="center",
        size=11,
    )


def look_of_run(number: int) -> Look:
    """Returns how a run is drawn; the first, which the others are less, is gray."""
    return LOOKS[(number - 1) % len(LOOKS)] if number else style.CHANCE


def label_findings(metrics: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """Returns findings in words, each with how many radiographs have it."""
    counts = next(iter(metrics["runs"].values()))["findings"]
    return [
        f"{display_name(name)} (n={counts[name]['n_positive']:,})" for name in names
    ]


def range_of_means(metrics: Mapping[str, Any]) -> tuple[float, float]:
    """Returns where an axis of all runs' mean AUROCs begins and ends."""
    return _around(run["macro"] for run in metrics["runs"].values())


def widest(metrics: Mapping[str, Any]) -> tuple[float, float]:
    """Returns where an axis of all AUROCs begins and ends."""
    runs = metrics["runs"].values()
    blocks = [
        block
        for run in runs
        for block in (
            run["macro"],
            *(run["findings"][name] for name in rank_by_score(metrics)),
        )
    ]
    return _around(blocks)


def rank_by_score(metrics: Mapping[str, Any]) -> list[str]:
    """Returns the findings by the first run's AUROC, the undefined last."""
    scores = next(iter(metrics["runs"].values()))["findings"]
    names = [name for name in metrics["class_names"] if name != metrics["negative"]]
    return sorted(names, key=lambda name: -(scores[name]["auroc"] or -1))


def rank_by_gain(metrics: Mapping[str, Any]) -> list[str]:
    """Returns the findings by what the first compared run gains, undefined last."""
    findings = next(iter(metrics["differences"].values()))["findings"]
    names = [name for name in metrics["class_names"] if name != metrics["negative"]]
    gains = {name: findings[name]["auroc"]["difference"] for name in names}
    return sorted(
        names, key=lambda name: np.inf if gains[name] is None else -gains[name]
    )


def _offset(number: int, of: int) -> float:
    """Returns how far below the middle of its row a run is drawn."""
    return (number - (of - 1) / 2) * min(0.34, 0.7 / of)


def _write_undefined(axes: Axes, x: float, place: float, look: Look) -> None:
    axes.text(x, place, "n/a", color=look.color, va="center", size=10)


def _around(blocks: Iterable[Mapping[str, Any]]) -> tuple[float, float]:
    """Returns what holds every AUROC with its interval, and chance."""
    values = [
        value
        for block in blocks
        for value in (block["auroc"], *map(block["auroc_interval"].get, ENDS))
        if value is not None
    ]
    low, high = min(values, default=0.5), max(values, default=0.5)
    return min(0.48, low - 0.02), min(1.01, high + 0.02)
