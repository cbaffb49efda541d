"""Forest figures: named rows, in each a mark with the bar of its interval.

Shared by all figures that set scores under each other.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from dualnet.plots import style
from dualnet.plots.style import Look
from dualnet.wording import format_number

BAR: Mapping[str, Any] = {"linestyle": "-", "linewidth": 2.4}  # points
MARK: Mapping[str, Any] = {"linestyle": "none", "markersize": 7.0}  # points


def draw_interval(
    axes: Axes,
    place: float,
    value: float | None,
    interval: Mapping[str, Any],
    look: Look,
    *,
    filled: bool = True,
    bar: Mapping[str, Any] = BAR,
    **mark: Any,
) -> None:
    """Draws a score and its interval in a row; nothing where the score is undefined.

    Args:
        axes: The panel.
        place: The row, from 0 at the top.
        value: The score, None where undefined.
        interval: With its ends `low` and `high`, None where undefined.
        look: Of both.
        filled: Whether the mark is filled; a hollow one has a white inside.
        bar: How the interval's bar is drawn, as matplotlib takes it.
        **mark: How the mark is drawn besides, as matplotlib takes it.
    """
    if value is None:
        return
    if interval["low"] is not None:
        axes.plot(
            (interval["low"], interval["high"]),
            (place, place),
            color=look.color,
            **bar,
        )
    axes.plot(
        [value],
        [place],
        color=look.color,
        marker=look.marker,
        markerfacecolor=look.color if filled else "white",
        **{**MARK, **mark},
    )


def write_value(
    axes: Axes, place: float, value: float | None, interval: Mapping[str, Any]
) -> None:
    """Writes a score at the right end of its bar; `n/a`, at .5, where undefined.

    Args:
        axes: The panel.
        place: The row, from 0 at the top.
        value: The score, None where undefined.
        interval: With its ends `low` and `high`, None where undefined.
    """
    if value is None:
        axes.text(0.5, place, "n/a", va="center", size=10)
        return
    end = interval["high"] if interval["high"] is not None else value
    axes.text(end, place, f"  {format_number(value)}", va="center", size=10)


def name_rows(axes: Axes, labels: Sequence[str], *, with_mean: bool = False) -> None:
    """Names the rows, the first on top.

    Args:
        axes: The panel.
        labels: A name a row.
        with_mean: Whether the last row is the mean of the others: bold, below a line.
    """
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    if with_mean:
        axes.get_yticklabels()[-1].set_fontweight("bold")
        axes.axhline(len(labels) - 1.5, color=style.TEXT, linewidth=0.8)
