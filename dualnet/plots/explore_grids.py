"""Figures of an exploration that are grids: heat maps of labels, pictures in rows."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from dualnet.explore.labels import condition
from dualnet.plots import style
from dualnet.plots.style import display_name, new_figure, styled

WIDTH = 7.0  # inches
DARK = 0.55  # from this part of the scale on, a cell is dark and its text white


@styled
def plot_cooccurrence(counts: np.ndarray, class_names: Sequence[str]) -> Figure:
    """Draws how many radiographs each two classes share; the darker the more.

    Args:
        counts: As `count_cooccurrence` counts them.
        class_names: Names of rows and columns.

    Returns:
        The figure.
    """
    shown = np.where(counts > 0, counts, np.nan)
    norm = LogNorm(1, max(2, counts.max()))
    texts = [[_short(value) for value in row] for row in counts.tolist()]
    return _heat_map(shown, texts, class_names, norm, "Radiographs with both labels")


@styled
def plot_conditional(counts: np.ndarray, class_names: Sequence[str]) -> Figure:
    """Draws the share of each row's radiographs that have the column's label too.

    Args:
        counts: As `count_cooccurrence` counts them.
        class_names: Names of rows and columns.

    Returns:
        The figure, shares in percent.
    """
    shares = 100 * condition(counts)
    np.fill_diagonal(shares, np.nan)
    texts = [
        [
            "" if np.isnan(value) else "·" if value < 0.5 else f"{value:.0f}"
            for value in row
        ]
        for row in shares
    ]
    top = np.nanmax(shares) if np.isfinite(shares).any() else 1.0
    norm = Normalize(0, max(1.0, float(top)))
    label = "% of the row's radiographs that have the column's label"
    return _heat_map(shares, texts, class_names, norm, label)


@styled
def plot_pictures(rows: Mapping[str, np.ndarray]) -> Figure:
    """Draws pictures in rows.

    Args:
        rows: Title to pictures, uint8, shape (n, side, side).

    Returns:
        The figure.
    """
    columns = max((len(pictures) for pictures in rows.values()), default=1)
    figure = new_figure(WIDTH, len(rows) * (WIDTH / columns + 0.28))
    axes = figure.subplots()
    step = 1 + 0.28 * columns / WIDTH  # a line of text above each row of pictures
    for row, (title, pictures) in enumerate(rows.items()):
        bottom = (row + 1) * step
        axes.text(0, bottom - 1.03, title, fontsize=11, va="bottom")
        for column, picture in enumerate(pictures):
            # in one panel: a panel each takes ten times as long to lay out
            extent = (column, column + 0.97, bottom, bottom - 0.97)
            axes.imshow(picture, cmap="gray", vmin=0, vmax=255, extent=extent)
    axes.set_xlim(0, columns)
    axes.set_ylim(len(rows) * step, 0)
    axes.set_axis_off()
    return figure


def _heat_map(
    values: np.ndarray,
    texts: Sequence[Sequence[str]],
    class_names: Sequence[str],
    norm: Normalize,
    label: str,
) -> Figure:
    names = [display_name(name) for name in class_names]
    figure = new_figure(WIDTH, 0.75 * WIDTH + 1.2 if len(names) > 6 else 4.6)
    axes = figure.subplots()
    axes.grid(visible=False)
    image = axes.imshow(values, cmap=style.SEQUENTIAL, norm=norm, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        part = float(norm(value)) if np.isfinite(value) else 0.0
        color = "white" if part > DARK else style.TEXT
        text = texts[int(row)][int(column)]
        axes.text(column, row, text, ha="center", va="center", color=color, size=9)
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    bar = figure.colorbar(image, ax=axes, location="top", aspect=40, pad=0.02)
    bar.set_label(label)
    bar.ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    return figure


def _short(value: int) -> str:
    """Writes a count in at most four characters, as in `3.3k`."""
    if value == 0:
        return "·"
    if value < 1000:
        return str(value)
    return f"{value / 1000:.1f}k" if value < 9950 else f"{value / 1000:.0f}k"
