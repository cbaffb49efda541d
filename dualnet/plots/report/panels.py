"""Interactive figures of several panels of rows, under each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dualnet.plots import style
from dualnet.plots.report.chart_parts import DASHES, Chart, lay_out, write_title

ROW = 28  # pixels
ABOVE = 34  # pixels of a panel's title
BELOW = 44  # pixels of a panel's axis
LEGEND = 60  # pixels


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Rows of scores.

    Args:
        title: What is drawn; short, as a phone shows some forty characters.
        labels: Name of each row, the first on top; no two alike.
        traces: What is drawn, as `draw_intervals` returns it.
        line_at: Where a dotted line stands; none: nowhere.
        row: Height of a row, in pixels.
    """

    title: str
    labels: Sequence[str]
    traces: Sequence[dict[str, Any]]
    line_at: float | None = None
    row: int = ROW

    @property
    def height(self) -> int:
        """Of its rows, in pixels."""
        return self.row * len(self.labels)


def stack_panels(panels: Sequence[Panel], *, one_scale: bool = False) -> Chart:
    """Sets panels under each other.

    Args:
        panels: One or more, the first on top.
        one_scale: Whether all have the same axis, so that they compare.

    Returns:
        The figure; a trace stands in the legend where it says so.
    """
    total = sum(ABOVE + one.height + BELOW for one in panels)
    named = any(trace.get("showlegend") for one in panels for trace in one.traces)
    below = LEGEND if named else 0
    layout = {**lay_out("", ""), "scattermode": "group", "height": total + below}
    base = {"x": layout.pop("xaxis"), "y": layout.pop("yaxis")}
    layout |= {
        "margin": {"l": 8, "r": 16, "t": 4, "b": max(8, below)},
        "annotations": [],
    }
    layout["shapes"], traces, used = [], [], 0
    for number, panel in enumerate(panels, start=1):
        key = "" if number == 1 else str(number)
        top = 1 - (used + ABOVE) / total
        bottom = top - panel.height / total
        used += ABOVE + panel.height + BELOW
        ends = _find_ends(panels if one_scale else [panel])
        layout[f"xaxis{key}"] = {**base["x"], **_lay_out_x(f"y{key}", ends)}
        layout[f"yaxis{key}"] = _lay_out_y(panel, f"x{key}", (bottom, top))
        layout["annotations"].append(write_title(panel.title, top, at="right"))
        if panel.line_at is not None:
            layout["shapes"].append(_draw_line(panel.line_at, key))
        for trace in panel.traces:
            axes = {"xaxis": f"x{key}", "yaxis": f"y{key}"}
            traces.append({"showlegend": False, **trace, **axes})
    return {"data": traces, "layout": layout}


def _find_ends(panels: Sequence[Panel]) -> list[float]:
    """Finds what holds every mark, bar and line, a twentieth left free."""
    values = [one.line_at for one in panels if one.line_at is not None]
    for trace in (trace for one in panels for trace in one.traces):
        arms = trace["error_x"]
        for value, more, less in zip(
            trace["x"], arms["array"], arms["arrayminus"], strict=True
        ):
            if value is not None:
                values += [value + more, value - less]
    low, high = min(values, default=0.0), max(values, default=1.0)
    free = 0.05 * ((high - low) or 1.0)
    return [low - free, high + free]


def _lay_out_x(anchor: str, ends: list[float]) -> dict[str, Any]:
    return {"anchor": anchor, "nticks": 6, "tickangle": 0, "range": ends, "title": {}}


def _lay_out_y(
    panel: Panel, anchor: str, domain: tuple[float, float]
) -> dict[str, Any]:
    return {
        "anchor": anchor,
        "domain": [max(0.0, domain[0]), domain[1]],
        "automargin": True,
        "fixedrange": True,
        "categoryorder": "array",
        "categoryarray": list(panel.labels),
        "range": [len(panel.labels) - 0.4, -0.6],
    }


def _draw_line(place: float, key: str) -> dict[str, Any]:
    look = style.CHANCE
    return {
        "type": "line",
        "xref": f"x{key}",
        "x0": place,
        "x1": place,
        "yref": f"y{key} domain",
        "y0": 0,
        "y1": 1,
        "line": {"color": look.color, "dash": DASHES[look.linestyle], "width": 1.5},
    }
