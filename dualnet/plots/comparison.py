"""Figures of a comparison: what each run differs from the first, and their means."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dualnet.evaluation.verdict import BEATS, WORSE
from dualnet.plots import style
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
EACH = 0.15  # inches that each run after the first two adds to a row


def plot_comparison(metrics: Mapping[str, Any]) -> dict[str, Figure]:
    """Draws every figure of a comparison.

    Args:
        metrics: Plain values, as `dualnet.evaluation.comparison.compare` collects them.

    Returns:
        The figures by their file name, without suffix.
    """
    return {"differences": plot_differences(metrics), "macro": plot_macro(metrics)}


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
    rows = _ranked_findings(metrics)
    height = (ROW + EACH * max(0, len(differences) - 2)) * (len(rows) + 1)
    figure = new_figure(8, height + 2.6)
    axes = figure.subplots()
    axes.axvline(0, color=style.CHANCE.color, linestyle=":")
    for number, (name, difference) in enumerate(differences.items()):
        entries = [*(difference["findings"][one] for one in rows), difference]
        _draw_run(axes, name, entries, number, len(differences))
    counts = next(iter(metrics["runs"].values()))["findings"]
    labels = [
        f"{display_name(name)} (n={counts[name]['n_positive']:,})" for name in rows
    ]
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
    # the first run is the one that the others are drawn against
    looks = [style.CHANCE, *(_look(number) for number in range(len(runs) - 1))]
    for row, (run, look) in enumerate(zip(runs.values(), looks, strict=True)):
        _draw_mean(axes, run["macro"], row, look)
    names = [
        f"{name} ({run['modality']})" if run["modality"] else name
        for name, run in runs.items()
    ]
    name_rows(axes, names)
    low, high = _ends(run["macro"] for run in runs.values())
    axes.set_xlim(min(0.48, low - 0.02), min(1.01, high + 0.02))
    axes.set_xlabel(
        "Mean AUROC of the findings, 95 % interval by patient; .5 is chance"
    )
    figure.suptitle(f"Mean AUROC by run\n{describe_rows(metrics)}")
    return figure


def _draw_run(
    axes: Axes, name: str, entries: Sequence[Mapping[str, Any]], number: int, of: int
) -> None:
    look = _look(number)
    offset = (number - (of - 1) / 2) * min(0.34, 0.7 / of)
    for row, entry in enumerate(entries):
        area = entry["macro"]["auroc"] if "macro" in entry else entry["auroc"]
        if area["difference"] is None:
            axes.text(0, row + offset, "n/a", color=look.color, va="center", size=10)
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


def _look(number: int) -> Look:
    return LOOKS[number % len(LOOKS)]


def _ranked_findings(metrics: Mapping[str, Any]) -> list[str]:
    """Findings by how much the first compared run gains, the undefined last."""
    findings = next(iter(metrics["differences"].values()))["findings"]
    names = [name for name in metrics["class_names"] if name != metrics["negative"]]
    gains = {name: findings[name]["auroc"]["difference"] for name in names}
    return sorted(
        names, key=lambda name: np.inf if gains[name] is None else -gains[name]
    )


def _ends(blocks: Any) -> tuple[float, float]:
    values = [
        value
        for block in blocks
        for value in (
            block["auroc"],
            *map(block["auroc_interval"].get, ("low", "high")),
        )
        if value is not None
    ]
    return min(values, default=0.5), max(values, default=0.5)
