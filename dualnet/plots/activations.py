"""Figures of activations that are pictures: feature maps and filters.

Every value of one stage is drawn on one colour scale, so maps of a stage compare. The
colour maps are perceptually uniform and lighter means more, in gray too.
"""

import textwrap
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from dualnet.explain.channels import ChannelStatistics, compute_statistics
from dualnet.plots.style import new_figure, styled

FEATURE_MAP = "inferno"  # perceptually uniform, black is little, light is much
SIGNED = "RdBu_r"  # white is zero
MAX_CHANNELS = 32
GAP = 0.08  # between two maps, in widths of a map
LETTERS = 10  # of a title, in an inch
OUTSIDE = "#9EC5E8"  # of what lies outside a picture
LABEL = 0.24  # room above a map for its channel's number, in widths of a map


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
    grid = beside_radiograph(figure, image)
    set_title(
        figure,
        describe_stage(layer_name, kind, maps),
        describe_scale(statistics, max_channels),
    )
    scale = Normalize(statistics.low, statistics.high)
    labels = [f"{c} dead" if statistics.dead[c] else str(c) for c in shown]
    _draw_tiles(
        grid, [maps[..., c] for c in shown], labels, columns=columns, scale=scale
    )
    add_colour_bar(figure, grid, scale, FEATURE_MAP, "activation")
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
    set_title(
        figure,
        describe_stage(layer_name, "filters", filters),
        f"all {count} filters in order; scale symmetric about 0, white is 0",
    )
    grid = figure.subplots()
    labels = [str(index) for index in range(count)]
    tiles = arrange_filters(filters)
    _draw_tiles(grid, tiles, labels, columns=columns, scale=scale, colours=SIGNED)
    add_colour_bar(figure, grid, scale, SIGNED, "weight")
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


def set_title(figure: Figure, title: str, note: str) -> None:
    """Writes a figure's title to the left, and lines below it unless it is empty."""
    width = int(LETTERS * figure.get_figwidth())
    text = "\n".join([title, *textwrap.wrap(note, width)])
    figure.suptitle(text, x=0.005, ha="left", fontsize=12, linespacing=1.4)


def beside_radiograph(figure: Figure, image: np.ndarray | None) -> Axes:
    """Returns the figure's panel, to the right of the radiograph if there is one."""
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
        draw_tile(axes, tile, (left, top), side, scale, colours)
        number = axes.text(left, top - 0.03, label, fontsize=9, va="bottom")
        number.set_in_layout(False)
    rows = -(-len(tiles) // columns)
    axes.set_xlim(0, columns * (1 + GAP) - GAP)
    axes.set_ylim(rows * step, 0)
    axes.set_axis_off()


def draw_tile(
    axes: Axes,
    values: np.ndarray,
    place: tuple[float, float],
    side: float,
    scale: Normalize,
    colours: str,
) -> None:
    """Draws one picture, 1 wide, into a panel whose ordinate goes down.

    Args:
        axes: The panel.
        values: The picture, shape (height, width); what is masked lies outside it.
        place: Its left and upper end.
        side: Its height.
        scale: Ends of the colours.
        colours: Matplotlib's name of the colour map.
    """
    left, top = place
    picture = axes.imshow(
        values,
        cmap=mpl.colormaps[colours].with_extremes(bad=OUTSIDE),
        norm=scale,
        extent=(left, left + 1, top + side, top),
        interpolation="nearest" if max(values.shape) <= 128 else "auto",
    )
    picture.set_in_layout(False)  # it lies inside the panel: laid out faster


def add_colour_bar(
    figure: Figure, axes: Axes, scale: Normalize, colours: str, label: str
) -> None:
    """Draws the colour scale of a panel beside it.

    Args:
        figure: The panel's.
        axes: The panel.
        scale: Its ends.
        colours: Matplotlib's name of the colour map.
        label: What the values are.
    """
    mappable = ScalarMappable(scale, colours)
    bar = figure.colorbar(mappable, ax=axes, fraction=0.03, pad=0.015, aspect=25)
    bar.set_label(label)
    axes.set_anchor("NW")  # the colour bar moves it
