"""Figures of activations that are vectors: units, metadata branch, probabilities."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.ticker import MaxNLocator

from dualnet.explain.channels import compute_statistics
from dualnet.plots.activations import beside_radiograph, describe_stage, set_title
from dualnet.plots.style import (
    IMAGE_ONLY,
    METADATA_ONLY,
    MODEL,
    display_name,
    new_figure,
    styled,
)
from dualnet.wording import format_number

FLAG = "missing"  # ends the name of a feature that says a field is unknown


@styled
def plot_units(
    layer_name: str,
    values: np.ndarray,
    image: np.ndarray | None = None,
    *,
    kind: str = "units",
) -> Figure:
    """Draws a stage that is a vector, such as a globally pooled one, as bars.

    Args:
        layer_name: Name of the stage.
        values: Activations, shape (units,).
        image: The radiograph, uint8, shape (size, size); None leaves it out.
        kind: What the stage is, for the title.

    Returns:
        The figure, units in their order.
    """
    statistics = compute_statistics(values)
    figure = new_figure(12, 3.6)
    axes = beside_radiograph(figure, image)
    note = f"{statistics.num_dead} of {len(values)} units not above 0"
    set_title(figure, describe_stage(layer_name, kind, values), note)
    draw_unit_bars(axes, values)
    axes.set_xlabel("unit")
    axes.set_ylabel("activation")
    return figure


@styled
def plot_metadata_activations(
    feature_names: Sequence[str],
    feature_values: np.ndarray,
    dense: Mapping[str, np.ndarray],
    fusion: np.ndarray | None = None,
    fusion_parts: Mapping[str, int] | None = None,
) -> Figure:
    """Draws the metadata branch: its input, each dense layer, and the fusion.

    Args:
        feature_names: Names of the encoded features.
        feature_values: What the model was given, shape (features,).
        dense: Name of each dense layer to its units, shape (units,).
        fusion: The fusion vector, shape (units,); None leaves it out.
        fusion_parts: Name of each part of the fusion vector to its length.

    Returns:
        The figure, one panel under another.
    """
    heights = [0.32 * len(feature_names) + 0.8, *(1.9 for _ in dense)]
    heights += [2.3] if fusion is not None else []
    figure = new_figure(9, sum(heights) + 0.5)
    joined = "" if fusion is None else ", fusion with the image"
    set_title(figure, "Metadata branch", f"input, dense layers{joined}")
    rows = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    _feature_bars(figure.add_subplot(rows[0]), feature_names, feature_values)
    for row, (name, values) in enumerate(dense.items(), start=1):
        axes = figure.add_subplot(rows[row])
        draw_unit_bars(axes, values)
        axes.set_title(_count_active(name, values), loc="left")
    if fusion is not None:
        parts = dict(fusion_parts or {"all": len(fusion)})
        _fusion_bars(figure, rows[len(heights) - 1], fusion, parts)
    return figure


@styled
def plot_probabilities(
    class_names: Sequence[str],
    probabilities: np.ndarray,
    findings: Sequence[str] | None = None,
    *,
    in_class_order: bool = False,
) -> Figure:
    """Draws the probability of each class as a bar, the known labels marked.

    Args:
        class_names: Names of the classes, in the order of the outputs.
        probabilities: In [0, 1], shape (classes,).
        findings: Names of the labels in the record; None where they are not known.
        in_class_order: Whether the order is the outputs'; else the highest is first.

    Returns:
        The figure.
    """
    values = np.asarray(probabilities, float)
    order = list(range(len(values)))
    if not in_class_order:
        order.sort(key=lambda index: -values[index])
    known = [class_names[index] in (findings or ()) for index in order]
    figure = new_figure(8, 0.34 * len(values) + 1.3)
    note = "labels of the record in bold and orange" if any(known) else ""
    set_title(figure, f"Probabilities of {len(values)} classes", note)
    axes = figure.subplots()
    bars = axes.barh(range(len(values)), values[order], color=MODEL.color, height=0.7)
    names = [display_name(class_names[index]) for index in order]
    axes.set_yticks(range(len(values)), names)
    for bar, label, labelled in zip(bars, axes.get_yticklabels(), known, strict=True):
        if labelled:
            bar.set_color(METADATA_ONLY.color)
            label.set_fontweight("bold")
    marks = ["  labelled" if labelled else "" for labelled in known]
    texts = [
        f"{format_number(value)}{mark}"
        for value, mark in zip(values[order], marks, strict=True)
    ]
    axes.bar_label(bars, texts, padding=4)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlim(0, max(0.1, 1.25 * values.max()))
    axes.set_xticks([tick for tick in axes.get_xticks() if tick <= 1])
    axes.set_xlabel("probability")
    return figure


def draw_unit_bars(
    axes: Axes, values: np.ndarray, color: str = MODEL.color, first: int = 0
) -> None:
    """Draws units as bars about a line at 0.

    Args:
        axes: Where.
        values: Activations, shape (units,).
        color: Of the bars.
        first: Number of the first unit.
    """
    width = 0.8 if len(values) <= 128 else 1.0
    axes.bar(first + np.arange(len(values)), values, width=width, color=color)
    axes.axhline(0, color="#888888", linewidth=0.8)
    axes.set_xlim(first - 0.6, first + len(values) - 0.4)
    axes.xaxis.set_major_locator(MaxNLocator(nbins="auto", integer=True))
    axes.grid(visible=False, axis="x")


def _feature_bars(axes: Axes, names: Sequence[str], values: np.ndarray) -> None:
    colors = ["#888888" if name.endswith(FLAG) else MODEL.color for name in names]
    bars = axes.barh(range(len(names)), values, color=colors, height=0.7)
    axes.set_yticks(range(len(names)), names)
    axes.bar_label(
        bars, [format_number(value, digits=2) for value in values], padding=4
    )
    axes.axvline(0, color="#888888", linewidth=0.8)
    axes.margins(x=0.12)
    axes.grid(visible=False, axis="y")
    axes.invert_yaxis()
    axes.set_title("encoded input (missing flags in gray: 1 is unknown)", loc="left")


def _fusion_bars(
    figure: Figure, row: SubplotSpec, fusion: np.ndarray, parts: Mapping[str, int]
) -> None:
    """Draws each part in its own panel: beside 256 units, 16 would be a sliver."""
    widths = [max(length, len(fusion) / 2) for length in parts.values()]
    grid = row.subgridspec(1, len(parts), width_ratios=widths)
    colors = [IMAGE_ONLY.color, METADATA_ONLY.color]
    first = 0
    for index, (name, length) in enumerate(parts.items()):
        shared = figure.axes[-1] if index else None
        axes = figure.add_subplot(grid[index], sharey=shared)
        part = fusion[first : first + length]
        draw_unit_bars(axes, part, colors[index % len(colors)], first=first)
        axes.set_title(_count_active(f"fusion, {name}", part), loc="left")
        axes.set_xlabel("unit")
        first += length


def _count_active(name: str, values: np.ndarray) -> str:
    return f"{name}: {int((values > 0).sum())} of {len(values)} above 0"
