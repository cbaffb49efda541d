"""Figures of an evaluation: ROC, confusion, calibration, what each half adds.

The model is drawn with what can be said without the picture, the metadata-only
baseline, beside it, where that was judged too.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from dualnet.evaluation.evaluate import Evaluation
from dualnet.evaluation.scores.baselines import IMAGE_ONLY, METADATA_ONLY, Prediction
from dualnet.evaluation.scores.metrics import roc_points
from dualnet.plots import style
from dualnet.plots.forest import MARK, draw_interval, name_rows
from dualnet.plots.reliability import plot_reliability
from dualnet.plots.style import Look, display_name, new_figure, styled
from dualnet.plots.subgroups import plot_subgroups
from dualnet.wording import describe_rows, format_number

ROC_COLUMNS = 3
DARK = 0.5  # from this share on, a cell is dark and its text white
NAMES = {
    "model": "model",
    METADATA_ONLY: "metadata only",
    IMAGE_ONLY: "image only",
}
LOOKS = {
    "model": style.MODEL,
    METADATA_ONLY: style.METADATA_ONLY,
    IMAGE_ONLY: style.IMAGE_ONLY,
}


def plot_evaluation(evaluation: Evaluation) -> dict[str, Figure]:
    """Draws every figure of an evaluation.

    Args:
        evaluation: What to draw.

    Returns:
        The figures by their file name, without suffix; those of the one answer a
        radiograph only where the model gives one, reliability only of probabilities.
    """
    drawn = {"roc": plot_roc}
    if evaluation.model.probabilities is not None:
        drawn |= {"confusion": plot_confusion, "calibration": plot_calibration}
    if evaluation.model.are_probabilities:
        drawn["reliability"] = plot_reliability
    drawn["comparison"] = plot_comparison
    figures = {name: plot(evaluation) for name, plot in drawn.items()}
    if evaluation.metrics.get("subgroups", {}).get("groupings"):
        figures["subgroups"] = plot_subgroups(evaluation.metrics)
    return figures


@styled
def plot_roc(evaluation: Evaluation) -> Figure:
    """Draws one ROC panel a finding, the metadata-only baseline beside the model.

    Args:
        evaluation: What to draw.

    Returns:
        A figure with a panel a finding and a legend; a finding whose AUROC is
        undefined has its panel, which says so.
    """
    truth = evaluation.truth
    columns = np.flatnonzero(truth.is_finding)
    num_rows = -(-(columns.size + 1) // ROC_COLUMNS)
    figure = new_figure(8, 2.6 * num_rows + 0.8)
    figure.suptitle(f"ROC by finding\n{describe_rows(evaluation.metrics)}")
    panels = figure.subplots(num_rows, ROC_COLUMNS, squeeze=False).flatten()
    for panel, column in zip(panels, columns, strict=False):
        _draw_roc_panel(panel, evaluation, int(column))
    for panel in panels[columns.size :]:
        panel.axis("off")
    _draw_roc_legend(panels[columns.size], evaluation)
    figure.supxlabel("False positive rate")
    figure.supylabel("True positive rate")
    return figure


@styled
def plot_confusion(evaluation: Evaluation) -> Figure:
    """Draws how often each first label got each answer.

    Args:
        evaluation: What to draw.

    Returns:
        A figure whose shades are shares of a row and whose numbers are counts.
    """
    counts = np.array(evaluation.metrics["model"]["first_label"]["confusion_matrix"])
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    names = [display_name(name) for name in evaluation.truth.class_names]
    figure = new_figure(9.5, 8.8)
    axes = figure.subplots()
    axes.grid(visible=False)
    image = axes.imshow(shares, cmap=style.SEQUENTIAL, vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        color = "white" if shares[row, column] > DARK else style.TEXT
        text = f"{count:,}" if count else "·"
        axes.text(column, row, text, ha="center", va="center", color=color, size=9)
    rows = [f"{name} ({n:,})" for name, n in zip(names, totals.ravel(), strict=True)]
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), rows)
    axes.set_xlabel("Answer: the likeliest class")
    axes.set_ylabel("First label (radiographs)")
    axes.set_title(
        f"Answers by first label\n{describe_rows(evaluation.metrics)}", size=14
    )
    bar = figure.colorbar(image, ax=axes, shrink=0.7, pad=0.02)
    bar.set_label("Share of the row")
    return figure


@styled
def plot_calibration(evaluation: Evaluation) -> Figure:
    """Draws how often the likeliest class is right, by how likely it was said to be.

    Args:
        evaluation: What to draw.

    Returns:
        A figure with the reliability curve over the counts of its bins.
    """
    figure = new_figure(7, 7)
    upper, lower = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    upper.plot((0, 1), (0, 1), color=style.CHANCE.color, linestyle=":", label="exact")
    for name, block in _drawn_blocks(evaluation).items():
        first_label = block["first_label"]
        error = first_label["expected_calibration_error"]
        label = f"{NAMES[name]}, error {format_number(error)}"
        _draw_reliability(upper, first_label["reliability"], LOOKS[name], label)
    bins = evaluation.metrics["model"]["first_label"]["reliability"]
    _draw_bin_counts(lower, bins)
    error = evaluation.metrics["model"]["first_label"]["expected_calibration_error"]
    figure.suptitle(
        f"Calibration of the likeliest class, error {format_number(error)}\n"
        f"{describe_rows(evaluation.metrics)}"
    )
    upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="Share that is right")
    columns = 3 if len(_drawn_blocks(evaluation)) < 3 else 2
    figure.legend(loc="outside lower center", ncols=columns, handlelength=2.4)
    lower.set(xlabel="Probability of the likeliest class", ylabel="Radiographs")
    return figure


@styled
def plot_comparison(evaluation: Evaluation) -> Figure:
    """Draws every finding's AUROC with its interval, beside what has one half alone.

    Args:
        evaluation: What to draw.

    Returns:
        A figure with a row a finding, best first, and their mean below.
    """
    metrics = evaluation.metrics
    rows = _ranked_findings(metrics)
    blocks = _drawn_blocks(evaluation)
    # three marks, or three times n/a, in a row need a higher one
    height, spread = (0.46, 0.17) if len(blocks) < 3 else (0.62, 0.28)
    figure = new_figure(8, height * (len(rows) + 1) + 2.4)
    axes = figure.subplots()
    axes.axvline(0.5, color=style.CHANCE.color, linestyle=":", label="chance")
    offsets = np.linspace(-spread, spread, len(blocks)) if len(blocks) > 1 else [0.0]
    for (name, block), offset in zip(blocks.items(), offsets, strict=True):
        scores = [block["findings"][finding] for finding in rows]
        _draw_intervals(
            axes, [*scores, block["macro"]], LOOKS[name], NAMES[name], offset
        )
    scores = metrics["model"]["findings"]
    labels = [
        f"{display_name(name)} (n={scores[name]['n_positive']:,})" for name in rows
    ]
    mean = f"Mean of {metrics['model']['macro']['num_defined']}"
    name_rows(axes, [*labels, mean], with_mean=True)
    axes.set_xlim(left_end(blocks), 1.01)  # a mark at 1 is drawn whole
    axes.set_xlabel("AUROC against the full label set, 95 % interval by patient")
    figure.suptitle(f"AUROC by finding\n{describe_rows(evaluation.metrics)}")
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=3
    )
    return figure


def _drawn_blocks(evaluation: Evaluation) -> dict[str, Mapping[str, Any]]:
    metrics = evaluation.metrics
    blocks = {"model": metrics["model"], **metrics["baselines"]}
    return {name: blocks[name] for name in LOOKS if name in blocks}


def _drawn_predictions(evaluation: Evaluation) -> dict[str, Prediction]:
    predictions = {"model": evaluation.model, **evaluation.baselines}
    return {name: predictions[name] for name in LOOKS if name in predictions}


def _draw_roc_panel(panel: Axes, evaluation: Evaluation, column: int) -> None:
    name = evaluation.truth.class_names[column]
    scores = evaluation.metrics["model"]["findings"][name]
    present = evaluation.truth.labels[:, column]
    area = scores["auroc"]
    score = "n/a" if area is None else f"AUROC {format_number(area)}"
    panel.set_title(f"{display_name(name)}\n{score} (n={scores['n_positive']:,})")
    panel.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    panel.xaxis.set_major_locator(MultipleLocator(0.5))
    panel.yaxis.set_major_locator(MultipleLocator(0.5))
    chance = style.CHANCE
    panel.plot((0, 1), (0, 1), color=chance.color, linestyle=chance.linestyle)
    if area is None:
        panel.text(0.5, 0.5, "undefined", ha="center", va="center", backgroundcolor="w")
        return
    for key, prediction in _drawn_predictions(evaluation).items():
        look = LOOKS[key]
        points = roc_points(present, prediction.scores[:, column])
        panel.plot(*points, color=look.color, linestyle=look.linestyle)


def _draw_roc_legend(panel: Axes, evaluation: Evaluation) -> None:
    looks = {NAMES[key]: LOOKS[key] for key in _drawn_predictions(evaluation)}
    looks["chance"] = style.CHANCE
    for name, look in looks.items():
        panel.plot([], [], color=look.color, linestyle=look.linestyle, label=name)
    mean = evaluation.metrics["model"]["macro"]
    value = format_number(mean["auroc"])
    title = f"Mean AUROC {value}\nof {mean['num_defined']} findings"
    panel.legend(loc="center", title=title, title_fontsize=12)


def _draw_reliability(
    axes: Axes, bins: list[Mapping[str, Any]], look: Look, label: str
) -> None:
    filled = [one for one in bins if one["count"]]
    axes.plot(
        [one["confidence"] for one in filled],
        [one["accuracy"] for one in filled],
        color=look.color,
        linestyle=look.linestyle,
        marker=look.marker,
        label=label,
    )


def _draw_bin_counts(axes: Axes, bins: list[Mapping[str, Any]]) -> None:
    lows = np.array([one["low"] for one in bins])
    counts = np.array([one["count"] for one in bins])
    width = bins[0]["high"] - bins[0]["low"]
    axes.bar(lows, counts, width=width * 0.92, align="edge", color=style.MODEL.color)
    for low, count in zip(lows, counts, strict=True):
        axes.text(
            low + width / 2, count, f"{count:,}", ha="center", va="bottom", size=10
        )
    axes.set_ylim(0, max(1, counts.max()) * 1.25)
    axes.set_yticks([])  # each bar has its count
    axes.grid(visible=False)


def _ranked_findings(metrics: Mapping[str, Any]) -> list[str]:
    """Findings by the model's AUROC, the highest first, the undefined last."""
    scores = metrics["model"]["findings"]
    names = [name for name in metrics["class_names"] if name != metrics["negative"]]
    return sorted(names, key=lambda name: -(scores[name]["auroc"] or -1))


def _draw_intervals(
    axes: Axes, scores: list[Mapping[str, Any]], look: Look, label: str, offset: float
) -> None:
    for row, one in enumerate(scores):
        if one["auroc"] is None:
            axes.text(0.51, row + offset, "n/a", color=look.color, va="center", size=10)
        draw_interval(axes, row + offset, one["auroc"], one["auroc_interval"], look)
    axes.plot([], [], color=look.color, marker=look.marker, label=label, **MARK)


def left_end(blocks: Mapping[str, Mapping[str, Any]]) -> float:
    """Returns where an axis of AUROCs begins.

    Args:
        blocks: The scores that are drawn, by whose they are.

    Returns:
        The least value drawn, a tenth rounded down, but never above .4.
    """
    scores = [one for block in blocks.values() for one in block["findings"].values()]
    lows = [one["auroc_interval"]["low"] or one["auroc"] or 0.5 for one in scores]
    return float(np.floor(min(0.4, *lows) * 10) / 10)
