"""Figures of what goes into a model, and of how busy its channels are."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from dualnet.explain.channels import compute_statistics
from dualnet.plots.activations import format_shape, set_title
from dualnet.plots.style import METADATA_ONLY, MODEL, new_figure, styled


@styled
def plot_input(
    picture: np.ndarray, given: np.ndarray, prepared: np.ndarray | None
) -> Figure:
    """Draws a radiograph as it is, as the model is given it, and as it is read inside.

    Args:
        picture: The file's gray values, uint8, shape (height, width).
        given: As the model is given it, uint8, shape (size, size).
        prepared: As the first convolution reads it, shape (size, size, 1 or 3); None
            where there is no convolution.

    Returns:
        The figure, each with its scale.
    """
    shown = [
        (picture, "the file", "gray value"),
        (given, "given to the model", "gray value"),
    ]
    if prepared is not None:
        shown += [
            (prepared[..., channel], _name(prepared, channel), "value")
            for channel in range(prepared.shape[-1])
        ]
    figure = new_figure(12, 11.2 / len(shown) + 0.9)
    set_title(figure, "Input and preprocessing", "")
    for axes, (values, title, unit) in zip(
        figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True
    ):
        ends = (0, 255) if unit == "gray value" else (values.min(), values.max())
        drawn = axes.imshow(values, cmap="gray", vmin=ends[0], vmax=ends[1])
        axes.set_title(f"{title}\n{format_shape(values)}", loc="left")
        axes.set_axis_off()
        bar = figure.colorbar(drawn, ax=axes, fraction=0.046, pad=0.02, aspect=22)
        bar.set_label(unit)
    return figure


@styled
def plot_channels(
    layers: Sequence[tuple[str, str]], activations: Mapping[str, np.ndarray]
) -> Figure:
    """Draws how much of its map each channel is active on, stage by stage.

    Args:
        layers: Name and kind of each stage.
        activations: Name of each stage to its values, shape (height, width, channels)
            or (units,); stages that are vectors are left out.

    Returns:
        The figure: a mark a channel, dead ones as crosses at 0.
    """
    maps = [name for name, _ in layers if activations[name].ndim == 3]
    figure = new_figure(9, 0.42 * len(maps) + 1.7)
    set_title(
        figure,
        "Channels of each stage",
        "share of a channel's values that are above 0; a cross is a dead channel",
    )
    axes = figure.subplots()
    labels = []
    for row, name in enumerate(maps):
        statistics = compute_statistics(activations[name])
        count, dead = statistics.num_channels, statistics.dead
        heights = row + np.linspace(-0.28, 0.28, count) if count > 1 else [row]
        heights = np.asarray(heights)
        for which, look, marker in ((~dead, MODEL, "o"), (dead, METADATA_ONLY, "x")):
            shares = statistics.positive[which]
            axes.scatter(shares, heights[which], s=14, color=look.color, marker=marker)
        labels.append(f"{name}  ({statistics.num_dead} of {count} dead)")
    axes.set_yticks(range(len(maps)), labels)
    axes.set_ylim(len(maps) - 0.5, -0.5)
    axes.set_xlim(-0.03, 1.03)
    axes.set_xlabel("share of values above 0")
    return figure


def _name(prepared: np.ndarray, channel: int) -> str:
    if prepared.shape[-1] == 1:
        return "read by the first layer"
    return f"read by the first layer, channel {channel}"
