"""What interactive figures are made of: layouts, looks, rows of scores with intervals.

Plain dictionaries, as plotly.js reads them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from dualnet.plots import style
from dualnet.plots.report.cells import format_score
from dualnet.plots.style import Look

Chart = dict[str, Any]

DIGITS = 4  # a screen shows no more
DASHES = {"-": "solid", "--": "dash", "-.": "dashdot", ":": "dot"}
SYMBOLS = {
    "o": "circle",
    "s": "square",
    "^": "triangle-up",
    "D": "diamond",
    "v": "triangle-down",
    "P": "cross",
}


def lay_out(x_title: str, y_title: str) -> dict[str, Any]:
    """Returns the layout of a figure whose axes go from 0 to 1.

    Args:
        x_title: Of the axis below.
        y_title: Of the axis to the left.
    """
    unit = {"range": [-0.02, 1.02], "automargin": True, "fixedrange": True}
    line = {"gridcolor": style.GRID, "zeroline": False}
    return {
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": style.TEXT},
        "plot_bgcolor": "#ffffff",
        "paper_bgcolor": "#ffffff",
        "margin": {"l": 8, "r": 16, "t": 16, "b": 80},
        "xaxis": {**unit, **line, "title": {"text": x_title, "standoff": 8}},
        "yaxis": {**unit, **line, "title": {"text": y_title, "standoff": 8}},
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 0,
            "xref": "container",
            "yref": "container",
            "yanchor": "bottom",
        },
        "hoverlabel": {"align": "left"},
    }


def lay_out_rows(
    x_title: str, num_rows: int, *, line_at: float, height: int = 34
) -> dict[str, Any]:
    """Returns the layout of a forest figure: a row a name, the first on top.

    Args:
        x_title: Of the axis below.
        num_rows: How many rows there are.
        line_at: Where a dotted line stands: at chance, or at no difference.
        height: Of a row, in pixels.
    """
    look = style.CHANCE
    line = {"color": look.color, "dash": DASHES[look.linestyle], "width": 1.5}
    ends = {"x0": line_at, "x1": line_at, "y0": 0, "y1": 1, "yref": "paper"}
    return {
        **lay_out(x_title, ""),
        "yaxis": {"autorange": "reversed", "automargin": True, "fixedrange": True},
        "height": height * num_rows + 150,
        "scattermode": "group",
        "shapes": [{"type": "line", **ends, "line": line}],
    }


def lay_out_menu(buttons: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns a menu above a figure, at its left.

    Args:
        buttons: Its entries, as plotly.js reads them.
    """
    return {
        "type": "dropdown",
        "buttons": list(buttons),
        "x": 0,
        "xanchor": "left",
        "y": 1.02,
        "yanchor": "bottom",
        "pad": {"b": 4},
        "bgcolor": "#ffffff",
    }


def write_title(title: str, top: float, *, at: str) -> dict[str, Any]:
    """Returns the title of one panel of a figure.

    Args:
        title: What is drawn in it.
        top: Upper end of the panel, 0 to 1 from the figure's foot.
        at: The end of the panel that it stands at: `left` or `right`.
    """
    return {
        "text": f"<b>{title}</b>",
        "xref": "paper",
        "x": 0 if at == "left" else 1,
        "xanchor": at,
        "yref": "paper",
        "y": top,
        "yanchor": "bottom",
        "showarrow": False,
        "align": at,
    }


def look_of(look: Look, name: str) -> dict[str, Any]:
    """Returns how plotly.js draws what has a name and a look.

    Args:
        look: As in the still figures.
        name: In the legend.
    """
    return {
        "type": "scatter",
        "name": name,
        "line": {"color": look.color, "dash": DASHES[look.linestyle], "width": 2},
        "marker": {"color": look.color, "symbol": SYMBOLS[look.marker], "size": 8},
    }


def draw_diagonal(name: str) -> dict[str, Any]:
    """Returns the dotted line from corner to corner.

    Args:
        name: In the legend.
    """
    look = style.CHANCE
    return {
        "type": "scatter",
        "name": name,
        "mode": "lines",
        "x": [0, 1],
        "y": [0, 1],
        "line": {"color": look.color, "dash": DASHES[look.linestyle], "width": 1.5},
        "hoverinfo": "skip",
    }


def draw_intervals(
    look: Mapping[str, Any],
    labels: Sequence[str],
    rows: Sequence[tuple[float | None, Mapping[str, Any]]],
    *,
    sign: bool = False,
    shown: Sequence[bool] | None = None,
) -> dict[str, Any]:
    """Draws a score with its interval a row.

    Args:
        look: As `look_of` returns it.
        labels: Name of each row.
        rows: Score and interval of each, None where undefined.
        sign: Whether a plus is written, as of differences.
        shown: Which differences are shown, the others have open marks; none: nothing
            is said of it.

    Returns:
        The trace, with all that pointing at it shows in words.
    """
    arms = {"array": [], "arrayminus": []}
    for value, ends in rows:
        if value is None or ends["low"] is None:
            more, less = 0, 0
        else:
            more, less = ends["high"] - value, value - ends["low"]
        arms["array"].append(more)
        arms["arrayminus"].append(less)
    marker, texts = look["marker"], [format_score(*row, sign=sign) for row in rows]
    if shown is not None:
        names = [
            marker["symbol"] if one else f"{marker['symbol']}-open" for one in shown
        ]
        marker = {**marker, "symbol": names}
        texts = [
            f"{text}, {'shown' if one else 'not shown'}"
            for text, one in zip(texts, shown, strict=True)
        ]
    return {
        **look,
        "marker": marker,
        "mode": "markers",
        "x": rounded([value for value, _ in rows]),
        "y": list(labels),
        "orientation": "h",
        "error_x": {
            "type": "data",
            "symmetric": False,
            "color": look["line"]["color"],
            "thickness": 2,
            "width": 0,
            **{end: rounded(values) for end, values in arms.items()},
        },
        "text": texts,
        "hovertemplate": "%{y}<br>%{text}",
    }


def rounded(values: Sequence[float | None]) -> list[float | None]:
    """Returns values to as many digits as a screen shows."""
    return [None if one is None else round(float(one), DIGITS) for one in values]
