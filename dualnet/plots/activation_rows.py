"""Figures of activations in rows: several pictures, two classes or many epochs.

All rows of a stage share one colour scale, and each column is one channel.
"""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from dualnet.explain.channels import color_ends
from dualnet.plots.activation_bars import draw_unit_bars
from dualnet.plots.activations import (
    FEATURE_MAP,
    GAP,
    SIGNED,
    add_colour_bar,
    describe_stage,
    draw_tile,
    set_title,
    symmetric_limit,
)
from dualnet.plots.embed import span_bars
from dualnet.plots.style import METADATA_ONLY, MODEL, new_figure, styled

ROW_LABEL = 0.34  # room above each row for two lines, in widths of a map
BARS = {False: 10.9, True: 9.8}  # inches beside the colour bar, or two of them
HIGH_PERCENTILE = 99  # of absolute differences: a border would wash the rest out
ROW_CHANNELS = 8  # columns that a person can still compare


@dataclass(frozen=True, kw_only=True)
class StageRows:
    """One stage of several inputs, a row each.

    Args:
        name: Name of the stage.
        kind: What it is, in words.
        activations: Shape (rows, height, width, channels) or (rows, units).
        labels: What each row is.
        images: The pictures of the rows, gray values, shape (rows, size, size), or one
            for all, shape (1, size, size); None leaves them out.
        order: The channels, the one to be looked at first before the others; none: the
            most active first.
        notes: Of a channel, what is written beside its number.
        note: A line on what is shown.
        unit_names: Names of the units of a vector; none: their numbers.
        difference: Whether the last row is a difference, in colours of its own that
            are white at 0.
    """

    name: str
    kind: str
    activations: np.ndarray
    labels: Sequence[str]
    images: np.ndarray | None = None
    order: Sequence[int] = ()
    notes: Mapping[int, str] = field(default_factory=dict)
    note: str = ""
    unit_names: Sequence[str] = ()
    difference: bool = False

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return len(self.activations)

    @property
    def channels(self) -> list[int]:
        """The channels that are shown, in their order."""
        if len(self.order):
            return [int(channel) for channel in self.order[:ROW_CHANNELS]]
        axes = tuple(range(self.activations.ndim - 1))
        activity = np.abs(self.activations).mean(axis=axes)
        return np.argsort(-activity, kind="stable")[:ROW_CHANNELS].tolist()

    def is_difference(self, row: int) -> bool:
        """Returns whether a row is a difference of others.

        Args:
            row: Its number, from 0.
        """
        return self.difference and row == self.num_rows - 1

    def scale(self, row: int) -> tuple[float, float]:
        """Returns the ends of a row's colours: one scale for all but a difference.

        Args:
            row: Its number, from 0.
        """
        shown = self.activations[..., self.channels]
        if self.is_difference(row):
            return about_zero(shown[row])
        return color_ends(shown[:-1] if self.difference else shown)

    def image_scale(self, row: int) -> tuple[float, float]:
        """Returns the ends of the gray values of a row's picture.

        Args:
            row: Its number, from 0.
        """
        if self.images is None or not self.is_difference(row):
            return 0.0, 255.0
        return about_zero(self.images[row])


def about_zero(values: np.ndarray) -> tuple[float, float]:
    """Returns the ends of a scale that is symmetric about 0, by a percentile.

    Args:
        values: What is drawn on it.
    """
    limit = float(np.percentile(np.abs(values), HIGH_PERCENTILE))
    limit = limit or symmetric_limit(values)
    return -limit, limit


@styled
def plot_map_rows(stage: StageRows) -> Figure:
    """Draws some channels of a stage that is maps, a row an input.

    Args:
        stage: What to draw; each column is one channel.

    Returns:
        The figure.
    """
    height, width = stage.activations.shape[1:3]
    side, first = height / width, 1 if stage.images is not None else 0
    columns, step = first + len(stage.channels), side + ROW_LABEL
    tile = BARS[stage.difference] / (columns * (1 + GAP))
    figure = new_figure(12, min(2.0, tile) * step * stage.num_rows + 1.1)
    axes = figure.subplots()
    set_title(
        figure,
        describe_stage(stage.name, stage.kind, stage.activations[0]),
        stage.note,
    )
    for row, label in enumerate(stage.labels):
        top = row * step + ROW_LABEL
        _write(axes, "\n".join(textwrap.wrap(label, 19)[:2]), 0, top)
        if stage.images is not None and row < len(stage.images):
            gray = Normalize(*stage.image_scale(row))
            draw_tile(axes, stage.images[row], (0, top), side, gray, "gray")
        scale = Normalize(*stage.scale(row))
        colours = SIGNED if stage.is_difference(row) else FEATURE_MAP
        for column, channel in enumerate(stage.channels, start=first):
            left, maps = column * (1 + GAP), stage.activations[row, ..., channel]
            draw_tile(axes, maps, (left, top), side, scale, colours)
            if first and row == 0:
                _write(axes, name_channel(stage, channel), left, top)
    axes.set_xlim(0, columns * (1 + GAP) - GAP)
    axes.set_ylim(stage.num_rows * step, 0)
    axes.set_axis_off()
    _add_colour_bars(figure, axes, stage)
    return figure


@styled
def plot_unit_rows(stage: StageRows) -> Figure:
    """Draws a stage that is a vector as bars, a panel an input.

    Args:
        stage: What to draw.

    Returns:
        The figure; all panels but that of a difference have one scale.
    """
    named = stage.unit_names
    figure = new_figure(12, 1.35 * stage.num_rows + 1.3 + (0.9 if named else 0))
    panels = figure.subplots(stage.num_rows, 1, sharex=True, squeeze=False)[:, 0]
    set_title(
        figure,
        describe_stage(stage.name, stage.kind, stage.activations[0]),
        stage.note,
    )
    same = stage.activations[:-1] if stage.difference else stage.activations
    low, high = span_bars(same)
    margin = 0.05 * ((high - low) or 1.0)
    for row, (axes, label) in enumerate(zip(panels, stage.labels, strict=True)):
        values = stage.activations[row]
        if stage.is_difference(row):
            draw_unit_bars(axes, values, METADATA_ONLY.color)
            axes.set_title(label, loc="left", fontsize=10)
            continue
        draw_unit_bars(axes, values, MODEL.color)
        axes.set_ylim(low - margin, high + margin)
        above = f"{label}: {int((values > 0).sum())} of {len(values)} above 0"
        axes.set_title(above, loc="left", fontsize=10)
    if named:
        panels[-1].set_xticks(range(len(named)), named, rotation=40, ha="right")
    else:
        panels[-1].set_xlabel("unit")
    return figure


def name_channel(stage: StageRows, channel: int) -> str:
    """Returns a channel's number, with what is said of it.

    Args:
        stage: The channel's.
        channel: Its number.
    """
    return f"{channel}  {stage.notes.get(channel, '')}".rstrip()


def _add_colour_bars(figure: Figure, axes: Axes, stage: StageRows) -> None:
    if stage.difference:  # first: the one after it is drawn nearer
        scale = Normalize(*stage.scale(stage.num_rows - 1))
        add_colour_bar(figure, axes, scale, SIGNED, "difference")
    scale = Normalize(*stage.scale(0))
    add_colour_bar(figure, axes, scale, FEATURE_MAP, "activation")


def _write(axes: Axes, text: str, left: float, top: float) -> None:
    drawn = axes.text(left, top - 0.03, text, fontsize=8.5, va="bottom")
    drawn.set_in_layout(False)
