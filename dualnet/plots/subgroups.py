"""The figure of the subgroups: each group's scores with intervals, under each other."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dualnet.evaluation.groups.subgroup_scores import (
    MACRO_AUROC,
    PREDICTED_MINUS_PREVALENCE,
    UNDER_DIAGNOSIS,
)
from dualnet.plots import style
from dualnet.plots.forest import draw_interval
from dualnet.plots.style import display_name, new_figure, styled
from dualnet.wording import describe_rows

PANELS = {
    MACRO_AUROC: "Macro AUROC",
    PREDICTED_MINUS_PREVALENCE: "Any finding:\nprobability minus share",
    UNDER_DIAGNOSIS: "Under-diagnosis:\nsick said to be well",
}
LONGEST = 24  # characters of a group's name
_MARK: Any = {"markersize": 7.5, "markeredgewidth": 1.8}


@styled
def plot_subgroups(metrics: Mapping[str, Any]) -> Figure:
    """Draws up to three scores of every group with their intervals, all rows' beside.

    A filled mark is a group whose gap to the rest is shown after the correction for
    how many gaps were asked; of two groups both are filled, for they share their gap.

    Args:
        metrics: Plain values, with the key `subgroups`.

    Returns:
        A figure with a panel a defined score and a row a group, parted by grouping.
    """
    subgroups = metrics["subgroups"]
    rows = _rows(subgroups["groupings"])
    num_lines = rows[-1][0] + 1 if rows else 1
    figure = new_figure(10.5, 0.36 * num_lines + 2.3)
    everyone = subgroups["all"]
    drawn = list_measures(everyone)
    panels = figure.subplots(1, len(drawn), sharey=True, squeeze=False)[0]
    shown = find_shown(subgroups)
    for panel, measure in zip(panels, drawn, strict=True):
        panel.set_title(PANELS[measure])
        _draw_all(panel, everyone[measure], measure)
        for place, grouping, group in rows:
            filled = (grouping, group["group"], measure) in shown
            _draw_group(panel, place, group[measure], filled=filled)
        panel.grid(visible=False, axis="y")
        panel.tick_params(axis="y", length=0)
        panel.margins(x=0.08)
    panels[0].set_yticks(
        [place for place, *_ in rows],
        [label_group(grouping, group) for _, grouping, group in rows],
    )
    panels[0].set_ylim(num_lines - 0.4, -0.6)
    figure.suptitle(f"Subgroups\n{describe_rows(metrics)}, 95 % intervals by patient")
    _draw_legend(figure)
    return figure


def list_measures(everyone: Mapping[str, Any]) -> list[str]:
    """Returns what is drawn: all that is defined of all rows, and the macro AUROC."""
    # what no group has is not drawn: there may be no one answer a radiograph
    return [
        one
        for one in PANELS
        if one == MACRO_AUROC or everyone[one]["value"] is not None
    ]


def _rows(
    groupings: Sequence[Mapping[str, Any]],
) -> list[tuple[float, str, Mapping[str, Any]]]:
    """Places the groups from the top, half a line left free between groupings."""
    rows, place = [], 0.0
    for grouping in groupings:
        for group in grouping["groups"]:
            rows.append((place, grouping["name"], group))
            place += 1
        place += 0.5
    return rows


def find_shown(subgroups: Mapping[str, Any]) -> set[tuple[str, str, str]]:
    """Returns the groups whose gap is shown: grouping, group, measure."""
    groups = {
        one["name"]: [group["group"] for group in one["groups"]]
        for one in subgroups["groupings"]
    }
    shown = set()
    for gap in subgroups["gaps"]:
        if gap["shown"]:
            names = groups[gap["grouping"]]
            both = names if len(names) == 2 else [gap["group"]]
            shown |= {(gap["grouping"], name, gap["measure"]) for name in both}
    return shown


def label_group(grouping: str, group: Mapping[str, Any]) -> str:
    """Returns a group's name with how many radiographs it has."""
    name = f"{display_name(grouping)} {group['group']}"
    short = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
    return f"{short} (n={group['num_images']:,})"


def _draw_all(panel: Axes, block: Mapping[str, Any], measure: str) -> None:
    """Draws the score of all rows as a line, its interval as a band."""
    look = style.CHANCE
    if measure == PREDICTED_MINUS_PREVALENCE:
        panel.axvline(0, color=style.TEXT, linewidth=0.8)
    if block["value"] is None:
        return
    panel.axvline(block["value"], color=look.color, linestyle=look.linestyle)
    if block["interval"]["low"] is not None:
        ends = block["interval"]["low"], block["interval"]["high"]
        panel.axvspan(*ends, color=style.GRID, alpha=0.5, linewidth=0)


def _draw_group(
    panel: Axes, place: float, block: Mapping[str, Any], *, filled: bool
) -> None:
    look, value = style.MODEL, block["value"]
    if value is None:
        panel.text(
            0.06,
            place,
            "n/a",
            color=style.TEXT,
            ha="left",
            va="center",
            size=10,
            transform=panel.get_yaxis_transform(),
        )
        return
    draw_interval(
        *(panel, place, value, block["interval"], look),
        filled=filled,
        bar={"linestyle": "-", "linewidth": 2.2},
        **_MARK,
    )


def _draw_legend(figure: Figure) -> None:
    axes, look = figure.axes[0], style.MODEL
    kinds = {"gap to the rest shown": look.color, "not shown": "white"}
    marks = [
        axes.plot(
            [],
            [],
            color=look.color,
            marker=look.marker,
            markerfacecolor=face,
            label=label,
            **_MARK,
        )[0]
        for label, face in kinds.items()
    ]
    everyone = style.CHANCE
    marks += axes.plot(
        [], [], color=everyone.color, linestyle=everyone.linestyle, label="all rows"
    )
    figure.legend(handles=marks, loc="outside lower center", ncols=3)
