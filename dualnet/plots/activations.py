"""Figures of intermediate activations: feature maps, filters, units, probabilities.

Every value of one stage is drawn on one colour scale, so maps of a stage compare. The
colour maps are perceptually uniform and lighter means more, in gray too.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.ticker import MaxNLocator

from dualnet.explain.activations import ChannelStatistics, compute_statistics
from dualnet.plots.style import (
    IMAGE_ONLY,
    METADATA_ONLY,
    MODEL,
    display_name,
    new_figure,
    styled,
)

FEATURE_MAP = "inferno"  # perceptually uniform, black is little, light is much
SIGNED = "RdBu_r"  # white is zero
MAX_CHANNELS = 32
GAP = 0.08  # between two maps, in widths of a map
LABEL = 0.24  # room above a map for its channel's number, in widths of a map
FLAG = "missing"  # ends the name of a feature that says a field is unknown


@styled
def plot_feature_maps(
    layer_name: str,
    maps: np.ndarray,
    image: np.ndarray | None = None,
    *,
    kind: str = "feature maps",
    max_channels: int = MAX_CHANNELS,
) -> Figure:
    """Draws the feature maps of one stage beside the radiograph.

    Args:
        layer_name: Name of the stage.
        maps: Activations, shape (height, width, channels).
        image: The radiograph, uint8, shape (size, size); None leaves it out.
        kind: What the stage is, for the title.
        max_channels: How many maps are shown, the most active ones.

    Returns:
        The figure: one map a channel, its number above it, and the colour scale.
    """
    statistics = compute_statistics(maps)
    shown = statistics.order[:max_channels]
    columns = 8 if len(shown) > 8 else min(4, len(shown))
    rows = -(-len(shown) // columns)
    tile = 8.4 / columns if columns > 1 else 3.4
    height = max(3.3, rows * tile * (maps.shape[0] / maps.shape[1] + LABEL) + 1.1)
    figure = new_figure(12, height)
    grid = _beside_radiograph(figure, image)
    _title(
        figure,
        describe_stage(layer_name, kind, maps),
        describe_scale(statistics, max_channels),
    )
    scale = Normalize(statistics.low, statistics.high)
    labels = [f"{c} dead" if statistics.dead[c] else str(c) for c in shown]
    _draw_tiles(
        grid, [maps[..., c] for c in shown], labels, columns=columns, scale=scale
    )
    _colour_bar(figure, grid, scale, FEATURE_MAP, "activation")
    return figure


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
    axes = _beside_radiograph(figure, image)
    note = f"{statistics.num_dead} of {len(values)} units not above 0"
    _title(figure, describe_stage(layer_name, kind, values), note)
    _unit_bars(axes, values)
    axes.set_xlabel("unit")
    axes.set_ylabel("activation")
    return figure


@styled
def plot_filters(layer_name: str, filters: np.ndarray) -> Figure:
    """Draws the kernels of the first convolution.

    Args:
        layer_name: Name of the convolution.
        filters: Kernels, shape (height, width, inputs, filters).

    Returns:
        The figure: one kernel a filter, its inputs side by side, on one scale that
        is symmetric about zero.
    """
    height, width, inputs, count = filters.shape
    columns = min(8, count)
    tile = 10.5 / columns if columns > 4 else 2.2
    rows = -(-count // columns)
    sides = height / (width * inputs)
    figure = new_figure(12, rows * tile * (sides + LABEL) + 1.2)
    limit = symmetric_limit(filters)
    scale = Normalize(-limit, limit)
    _title(
        figure,
        describe_stage(layer_name, "filters", filters),
        f"all {count} filters in order; scale symmetric about 0, white is 0",
    )
    grid = figure.subplots()
    labels = [str(index) for index in range(count)]
    tiles = arrange_filters(filters)
    _draw_tiles(grid, tiles, labels, columns=columns, scale=scale, colours=SIGNED)
    _colour_bar(figure, grid, scale, SIGNED, "weight")
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
    _title(figure, "Metadata branch", f"input, dense layers{joined}")
    rows = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    _feature_bars(figure.add_subplot(rows[0]), feature_names, feature_values)
    for row, (name, values) in enumerate(dense.items(), start=1):
        axes = figure.add_subplot(rows[row])
        _unit_bars(axes, values)
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
    _title(figure, f"Probabilities of {len(values)} classes", note)
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
        f"{value:.3f}{mark}" for value, mark in zip(values[order], marks, strict=True)
    ]
    axes.bar_label(bars, texts, padding=4)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlim(0, max(0.1, 1.25 * values.max()))
    axes.set_xticks([tick for tick in axes.get_xticks() if tick <= 1])
    axes.set_xlabel("probability")
    return figure


def describe_stage(layer_name: str, kind: str, values: np.ndarray) -> str:
    """Returns a stage's title: its name, what it is, its shape."""
    return f"{layer_name}   {kind}   {format_shape(values)}"


def format_shape(values: np.ndarray) -> str:
    """Returns the sides of an array, as in `32 x 32 x 8`."""
    return " \N{MULTIPLICATION SIGN} ".join(str(side) for side in values.shape)


def describe_scale(
    statistics: ChannelStatistics, max_channels: int = MAX_CHANNELS
) -> str:
    """Returns the line under the title: how many are shown, how they are scaled."""
    count = statistics.num_channels
    return (
        f"{min(count, max_channels)} of {count} channels, most active first; "
        f"{statistics.num_dead} dead (no value above 0, or all the same); "
        "colours from the 1st to the 99th percentile of the stage"
    )


def arrange_filters(filters: np.ndarray) -> list[np.ndarray]:
    """Returns each filter as one picture, its inputs side by side.

    Args:
        filters: Kernels, shape (height, width, inputs, filters).

    Returns:
        One array a filter, shape (height, inputs * width).
    """
    height = filters.shape[0]
    return [
        filters[..., index].transpose(0, 2, 1).reshape(height, -1)
        for index in range(filters.shape[-1])
    ]


def symmetric_limit(filters: np.ndarray) -> float:
    """Returns the end of a scale about zero: the largest absolute weight."""
    return float(np.abs(filters).max()) or 1.0


def _title(figure: Figure, title: str, note: str) -> None:
    text = f"{title}\n{note}" if note else title
    figure.suptitle(text, x=0.005, ha="left", fontsize=12, linespacing=1.4)


def _beside_radiograph(figure: Figure, image: np.ndarray | None) -> Axes:
    if image is None:
        return figure.subplots()
    left, right = figure.subplots(1, 2, width_ratios=[2.5, 9])
    left.imshow(image, cmap="gray", vmin=0, vmax=255)
    left.set_title(f"input  {format_shape(image)}", loc="left")
    left.set_axis_off()
    left.set_anchor("NW")
    return right


def _draw_tiles(
    axes: Axes,
    tiles: Sequence[np.ndarray],
    labels: Sequence[str],
    *,
    columns: int,
    scale: Normalize,
    colours: str = FEATURE_MAP,
) -> None:
    """Draws pictures in rows into one panel: much faster than a panel each."""
    side = tiles[0].shape[0] / tiles[0].shape[1]
    step = side + LABEL
    for index, (tile, label) in enumerate(zip(tiles, labels, strict=True)):
        row, column = divmod(index, columns)
        left, top = column * (1 + GAP), row * step + LABEL
        picture = axes.imshow(
            tile,
            cmap=colours,
            norm=scale,
            extent=(left, left + 1, top + side, top),
            interpolation="nearest" if max(tile.shape) <= 128 else "auto",
        )
        number = axes.text(left, top - 0.03, label, fontsize=9, va="bottom")
        for artist in (picture, number):  # they lie inside the panel: lay it out faster
            artist.set_in_layout(False)
    rows = -(-len(tiles) // columns)
    axes.set_xlim(0, columns * (1 + GAP) - GAP)
    axes.set_ylim(rows * step, 0)
    axes.set_axis_off()


def _colour_bar(
    figure: Figure, axes: Axes, scale: Normalize, colours: str, label: str
) -> None:
    mappable = ScalarMappable(scale, colours)
    bar = figure.colorbar(mappable, ax=axes, fraction=0.03, pad=0.015, aspect=25)
    bar.set_label(label)
    axes.set_anchor("NW")  # the colour bar moves it


def _unit_bars(
    axes: Axes, values: np.ndarray, color: str = MODEL.color, first: int = 0
) -> None:
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
    axes.bar_label(bars, [f"{value:.2f}" for value in values], padding=4)
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
        _unit_bars(axes, part, colors[index % len(colors)], first=first)
        axes.set_title(_count_active(f"fusion, {name}", part), loc="left")
        axes.set_xlabel("unit")
        first += length


def _count_active(name: str, values: np.ndarray) -> str:
    return f"{name}: {int((values > 0).sum())} of {len(values)} above 0"
