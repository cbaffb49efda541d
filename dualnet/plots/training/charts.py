"""The curves of a training, as the plain values that plotly.js draws."""

from collections.abc import Mapping, Sequence
from typing import Any

from dualnet.plots import style
from dualnet.plots.report.chart_parts import (
    DASHES,
    Chart,
    lay_out,
    lay_out_menu,
    look_of,
    write_title,
)
from dualnet.plots.style import Look, display_name
from dualnet.plots.training.curves import (
    KEPT,
    MARKED,
    PANELS,
    area_at_kept,
    lower_end,
)
from dualnet.plots.training.facts import SCORE, TrainingFacts
from dualnet.wording import format_number

CURVES = "training"
FINDINGS = "finding_curves"
PANEL = 190  # pixels
BETWEEN = 62  # pixels: an axis' ticks and the next title
BELOW = 8  # pixels
SIGNIFICANT = 5
# twelve that gray and the colour-blind tell apart by their dashes and marks as well
COLORS = ("#0072B2", "#D55E00", "#009E73", "#882255", "#666666")
LINES = ("-", "--", ":", "-.")
MARKS = ("o", "s", "^", "D", "v", "P")


def draw_training_charts(facts: TrainingFacts) -> dict[str, Chart]:
    """Draws the figures of a training that gain from being pointed at.

    Args:
        facts: What the run folder says.

    Returns:
        `data` and `layout` of each, by the name of its still twin; none before the
        first epoch has ended.
    """
    charts = {}
    if facts.num_done:
        charts[CURVES] = draw_curves(facts)
    if facts.findings:
        charts[FINDINGS] = draw_finding_curves(facts)
    return charts


def draw_curves(facts: TrainingFacts) -> Chart:
    """Draws loss, macro AUROC, learning rate and speed under each other, by epoch.

    Args:
        facts: What the run folder says; it holds an epoch.

    Returns:
        The figure; a dotted line stands at the epoch that is kept.
    """
    total = len(PANELS) * (PANEL + BETWEEN)
    base = lay_out("", "")
    axes = {"x": base.pop("xaxis"), "y": base.pop("yaxis")}
    layout: dict[str, Any] = {
        **base,
        "height": total + BELOW,
        "margin": {"l": 8, "r": 16, "t": 4, "b": BELOW},
        # beside the title of the first panel, which alone has two curves
        "legend": {
            **base["legend"],
            "x": 1,
            "xanchor": "right",
            "xref": "paper",
            "y": 1,
            "yref": "paper",
            "yanchor": "top",
        },
        "hovermode": "x",
        "annotations": [],
        "shapes": [],
    }
    traces = []
    for number, (title, curves) in enumerate(PANELS, start=1):
        key = "" if number == 1 else str(number)
        top = 1 - ((number - 1) * (PANEL + BETWEEN) + 28) / total
        bottom = top - PANEL / total
        layout[f"xaxis{key}"] = {
            **axes["x"],
            **_lay_out_epochs(facts),
            "anchor": f"y{key}",
        }
        layout[f"yaxis{key}"] = {
            **axes["y"],
            "anchor": f"x{key}",
            "domain": [max(0.0, bottom), top],
            "tickformat": "~g",  # a learning rate of .0008 as such
            "title": {},
        }
        del layout[f"yaxis{key}"]["range"]
        layout["annotations"].append(write_title(title, top, at="left"))
        layout["shapes"] += _mark_kept(facts, f"x{key}", f"y{key} domain")
        traces += [
            {
                **_draw_line(facts, facts.history[column].tolist(), label, look),
                "xaxis": f"x{key}",
                "yaxis": f"y{key}",
                "showlegend": len(curves) > 1,
            }
            for column, label, look in curves
        ]
    return {"data": traces, "layout": layout}


def draw_finding_curves(facts: TrainingFacts) -> Chart:
    """Draws each finding's AUROC by epoch; a menu and the legend switch them.

    Args:
        facts: What the run folder says; it holds an epoch.

    Returns:
        A trace for the macro AUROC, then one a finding; undefined findings have none.
    """
    macro = facts.history.set_index("epoch")[SCORE].reindex(facts.areas["epoch"])
    thick = _draw_line(facts, macro.tolist(), "macro AUROC", style.CHANCE)
    thick["line"] = {"color": style.TEXT, "dash": "solid", "width": 3.5}
    thick["marker"] = {**thick["marker"], "color": style.TEXT, "size": 7}
    traces = [thick]
    for number, name in enumerate(facts.findings):
        look = Look(
            color=COLORS[number % len(COLORS)],
            linestyle=LINES[number % len(LINES)],
            marker=MARKS[number % len(MARKS)],
        )
        values = facts.area_of(name).tolist()
        traces.append(_draw_line(facts, values, display_name(name), look))
    layout = lay_out("Epoch", "AUROC on the validation part")
    layout["xaxis"] |= _lay_out_epochs(facts)
    layout["yaxis"] |= {"range": [lower_end(facts), 1.0]}
    return {
        "data": traces,
        "layout": {
            **layout,
            "height": 620,
            "margin": {"l": 8, "r": 16, "t": 56, "b": 190},
            "hovermode": "closest",
            "shapes": _mark_kept(facts, "x", "y domain"),
            "updatemenus": [_make_menu(facts)],
        },
    }


def _lay_out_epochs(facts: TrainingFacts) -> dict[str, Any]:
    last = int(facts.history["epoch"].max())
    return {
        "range": [0.6, max(last, 2) + 0.4],
        "tickformat": "d",
        "dtick": max(1, -(-last // 8)),
        "tickangle": 0,
    }


def _draw_line(
    facts: TrainingFacts, values: Sequence[float], name: str, look: Look
) -> dict[str, Any]:
    mode = "lines+markers" if len(values) <= MARKED else "lines"
    epochs = facts.history["epoch"].tolist()[-len(values) :] if values else []
    return {
        **look_of(look, name),
        "mode": mode,
        "x": [int(one) for one in epochs],
        "y": [_shorten(one) for one in values],
        "hovertemplate": f"epoch %{{x}}: {name} %{{y}}<extra></extra>",
    }


def _shorten(value: float) -> float | None:
    """Returns a value to as many digits as a screen shows; NaN is a gap."""
    return None if value != value else float(f"{value:.{SIGNIFICANT}g}")


def _mark_kept(facts: TrainingFacts, x: str, y: str) -> list[Mapping[str, Any]]:
    if facts.kept is None:
        return []
    ends = {"x0": facts.kept, "x1": facts.kept, "y0": 0, "y1": 1}
    line = {"color": KEPT.color, "dash": DASHES[KEPT.linestyle], "width": 1.5}
    return [{"type": "line", "xref": x, "yref": y, **ends, "line": line}]


def _make_menu(facts: TrainingFacts) -> dict[str, Any]:
    """Makes the menu: all findings, none, or one; the macro AUROC is always shown."""
    num = len(facts.findings)
    shown = [("all findings", [True] * num), ("macro AUROC alone", [False] * num)]
    for number, name in enumerate(facts.findings):
        area = format_number(area_at_kept(facts, name))
        label = f"{display_name(name)}: {area} (n={facts.num_positive[name]:,})"
        shown.append((label, [one == number for one in range(num)]))
    buttons = [
        {
            "label": label,
            "method": "restyle",
            # a finding that is switched off can be switched on in the legend
            "args": [{"visible": [True, *(one or "legendonly" for one in which)]}],
        }
        for label, which in shown
    ]
    return lay_out_menu(buttons)
