"""Small multiples in one panel: a panel each takes ten times as long to lay out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dualnet.plots import style
from dualnet.plots.style import Look

DPI = 100  # in a browser's window; printed figures have more
GAP = 0.5  # inches beside and below each tile, for its ticks
ABOVE = 0.52  # inches above each tile, for two lines
TOP = 0.62  # inches above all, for the headline
FOOT = 0.16  # inches below all


@dataclass(frozen=True, kw_only=True)
class Tiles:
    """A figure of tiles, all with the same axes.

    Args:
        axes: The one panel, its unit the inch.
        columns: Tiles beside each other.
        side: Width and height of a tile, inches.
        x_range: What is at its left and right edge.
        y_range: What is at its lower and upper edge.
    """

    axes: Axes
    columns: int
    side: tuple[float, float]
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    @property
    def figure(self) -> Figure:
        """The figure that they stand in."""
        return self.axes.get_figure(root=True)  # type: ignore[return-value]

    def draw_frame(
        self, index: int, title: str, x_ticks: Sequence[float], y_ticks: Sequence[float]
    ) -> None:
        """Draws a tile's edges, ticks and title.

        Args:
            index: Which tile, from 0; rows are filled from the left.
            title: One or two lines above it.
            x_ticks: Named below it.
            y_ticks: Named beside it, each with a line across.
        """
        left, bottom = self._corner(index)
        width, height = self.side
        self.axes.plot(
            (left, left, left + width),
            (bottom + height, bottom, bottom),
            color="#888888",
            linewidth=0.8,
        )
        for tick in y_ticks:
            place = float(self._place(index, [self.x_range[0]], [tick])[1][0])
            self.axes.plot(
                (left, left + width), (place, place), color=style.GRID, linewidth=0.6
            )
            self._write(left - 0.05, place, f"{tick:g}", ha="right", va="center")
        for tick in x_ticks:
            place = float(self._place(index, [tick], [self.y_range[0]])[0][0])
            self._write(place, bottom - 0.05, f"{tick:g}", ha="center", va="top")
        self._write(left, bottom + height + 0.06, title, va="bottom", size=9.5)

    def draw_line(
        self,
        index: int,
        x: np.ndarray | Sequence[float],
        y: np.ndarray | Sequence[float],
        look: Look,
        *,
        marks: bool = False,
        width: float = 1.5,
    ) -> None:
        """Draws a line in a tile.

        Args:
            index: Which tile.
            x: In the units of `x_range`.
            y: In the units of `y_range`; NaN breaks the line.
            look: Its colour and style.
            marks: Whether each point has a mark: a line of one point has no length.
            width: In points.
        """
        self.axes.plot(
            *self._place(index, x, y),
            color=look.color,
            linestyle=look.linestyle,
            linewidth=width,
            marker=look.marker if marks else "",
            markersize=3,
        )

    def write_inside(self, index: int, text: str) -> None:
        """Writes in the middle of a tile.

        Args:
            index: Which tile.
            text: A word or two.
        """
        (left, bottom), (width, height) = self._corner(index), self.side
        self._write(left + width / 2, bottom + height / 2, text, ha="center", size=10)

    def _corner(self, index: int) -> tuple[float, float]:
        row, column = divmod(index, self.columns)
        width, height = self.side
        top = self.axes.get_ylim()[1] - TOP - row * (height + ABOVE + GAP)
        return GAP + column * (width + GAP), top - ABOVE - height

    def _place(
        self,
        index: int,
        x: np.ndarray | Sequence[float],
        y: np.ndarray | Sequence[float],
    ) -> tuple[np.ndarray, np.ndarray]:
        (left, bottom), (width, height) = self._corner(index), self.side
        across = (np.asarray(x, float) - self.x_range[0]) / np.ptp(self.x_range)
        up = (np.asarray(y, float) - self.y_range[0]) / np.ptp(self.y_range)
        return left + width * across, bottom + height * up

    def _write(self, x: float, y: float, text: str, **how: object) -> None:
        self.axes.text(x, y, text, **{"size": 8, **how})


def make_tiles(
    num_tiles: int,
    title: str,
    *,
    columns: int = 5,
    side: tuple[float, float] = (1.35, 1.35),
    x_range: tuple[float, float],
    y_range: tuple[float, float],
) -> Tiles:
    """Makes a figure for tiles.

    Args:
        num_tiles: How many there will be.
        title: Above all; one or two lines.
        columns: Beside each other, at most.
        side: Width and height of a tile, inches.
        x_range: What is at its left and right edge.
        y_range: What is at its lower and upper edge.

    Returns:
        The tiles, not drawn yet.
    """
    columns = min(columns, max(1, num_tiles))
    rows = -(-num_tiles // columns)
    # two lines of a headline need this width
    width = max(5.4, GAP + columns * (side[0] + GAP))
    height = TOP + rows * (side[1] + ABOVE + GAP) + FOOT
    figure = Figure(figsize=(width, height), dpi=DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.text(0.1, height - 0.1, title, va="top", size=11)
    return Tiles(
        axes=axes, columns=columns, side=side, x_range=x_range, y_range=y_range
    )
