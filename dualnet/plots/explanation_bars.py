"""Figures of an explanation that are rows: probabilities with intervals, and shares."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.special import expit, logit

from dualnet.explain.shapley import PICTURE
from dualnet.plots.activations import set_title
from dualnet.plots.forest import name_rows
from dualnet.plots.style import (
    CHANCE,
    METADATA_ONLY,
    MODEL,
    display_name,
    new_figure,
    styled,
)
from dualnet.wording import format_number, number_of

ROW = 0.36  # inches
HATCH = "////"  # what lowers the answer, in gray too
PROBABILITIES = (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999)
BETWEEN = (
    0.002,
    0.005,
    0.02,
    0.1,
    0.3,
    0.4,
    0.6,
    0.7,
    0.9,
    0.98,
)  # where there is room
FIELDS = {"follow_up": "follow-up", "age": "age", "view": "view", "sex": "sex"}


@styled
def plot_observed(values: Mapping[str, Any]) -> Figure:
    """Draws each class's probability beside what was observed at such a probability.

    Args:
        values: Plain values of an explanation.

    Returns:
        The figure, the likeliest class on top.
    """
    rows = sort_classes(values)
    figure = new_figure(8, ROW * len(rows) + 2.0)
    sure = "calibrated" if values["calibrated"] else "not calibrated"
    set_title(figure, f"Probabilities of {len(rows)} classes, {sure}", "")
    axes = figure.subplots()
    name_rows(axes, [_label(name, values) for name, _ in rows])
    for label, (name, _) in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_fontweight("bold" if name == values["finding"] else "normal")
    said = axes.plot(
        [one["probability"] for _, one in rows],
        range(len(rows)),
        linestyle="none",
        marker=MODEL.marker,
        markersize=8,
        color=MODEL.color,
        zorder=3,
        label="what the model says of this radiograph",
    )
    seen = _draw_observed(axes, rows)
    ends = [one["observed"]["high"] for _, one in rows if one["observed"]]
    most = max([*ends, *(one["probability"] for _, one in rows)])
    axes.set_xlim(-0.02, min(1.02, max(0.2, 1.1 * most)))
    axes.set_xlabel("probability")
    figure.legend(handles=[*said, *seen], loc="outside lower left")
    return figure


@styled
def plot_shares(shares: Mapping[str, Any], finding: str) -> Figure:
    """Draws how picture and record lead from the reference to the answer.

    Args:
        shares: Plain values: `reference`, and `log_odds` with `from`, `to`, `players`.
        finding: The class.

    Returns:
        The figure: a bar a player, each from where the one above it has led.
    """
    told = shares["log_odds"]
    players = sort_players(told["players"])
    figure = new_figure(8.5, 0.5 * len(players) + 2.9)
    number = number_of(shares["reference"]["num_patients"], "training patient")
    set_title(
        figure,
        f"{display_name(finding)}   {_name_shares(players)}",
        f"from the mean of {number} to this radiograph; 95 % intervals by patient",
    )
    axes = figure.subplots()
    place = told["from"]
    for row, one in enumerate(players, start=1):
        raises = one["share"] >= 0
        axes.barh(
            row,
            one["share"],
            left=place,
            height=0.56,
            color=MODEL.color if raises else "white",
            edgecolor=MODEL.color if raises else METADATA_ONLY.color,
            hatch=None if raises else HATCH,
        )
        after = place + one["share"]
        below = row + (1.28 if row < len(players) else 1)
        axes.plot([after, after], [row - 0.28, below], color="#555555", lw=0.9)
        axes.annotate(
            format_share(one),
            (max(place, after), row),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            size=10.5,
        )
        place = after
    ends = [(0, told["from"], "mean reference"), (len(players) + 1, told["to"], "")]
    for row, value, _ in ends:
        axes.plot(value, row, color="#222222", marker=CHANCE.marker, markersize=7)
        axes.annotate(
            format_number(value, sign=True, digits=2),
            (value, row),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            size=10.5,
        )
    axes.plot([told["from"]] * 2, [0, 1.28], color="#555555", lw=0.9)
    names = [name_player(one) for one in players]
    name_rows(axes, ["mean reference", *names, "this radiograph"])
    axes.margins(x=0.02)
    low, high = axes.get_xlim()
    axes.set_xlim(low - 0.04 * (high - low), high + 0.3 * (high - low))
    axes.set_xlabel("log-odds of the model's probability: log(p / (1 - p))")
    _mark_probabilities(axes)
    return figure


def _name_shares(players: Sequence[Mapping[str, Any]]) -> str:
    names = {one["player"] for one in players}
    if names == {PICTURE}:
        return "share of the picture"
    return (
        "shares of picture and record" if PICTURE in names else "shares of the record"
    )


def sort_classes(values: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Returns names and probabilities of the classes, the likeliest first."""
    return sorted(
        values["probabilities"].items(), key=lambda item: -item[1]["probability"]
    )


def sort_players(players: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Returns the players, the largest share first, for or against."""
    return sorted(players, key=lambda one: -abs(one["share"]))


def name_player(player: Mapping[str, Any]) -> str:
    """Returns a player and what it is, as in `age 57`."""
    name = player["player"]
    return name if name == PICTURE else f"{FIELDS[name]} {player['value']}"


def format_share(player: Mapping[str, Any], *, digits: int = 2) -> str:
    """Returns a share and its interval, as in `+1.52 [+1.40, +1.63]`."""
    interval = player["share_interval"]
    ends = [interval["low"], interval["high"]]
    said = format_number(player["share"], sign=True, digits=digits)
    if ends[0] is None:
        return said
    low, high = (format_number(one, sign=True, digits=digits) for one in ends)
    return f"{said} [{low}, {high}]"


def _label(name: str, values: Mapping[str, Any]) -> str:
    labelled = name in (values["labels"] or ())
    return f"{display_name(name)} (labelled)" if labelled else display_name(name)


def _draw_observed(axes: Any, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> Any:
    drawn: list[Any] = []
    for row, (_, one) in enumerate(rows):
        seen = one["observed"]
        if seen is None:
            continue
        drawn = axes.plot(
            [seen["low"], seen["high"]],
            [row, row],
            color="#555555",
            linewidth=2.2,
            zorder=1,
            label=f"share that has it among the {seen['num_patients']} test patients "
            "with the\nnearest probabilities, 95 % interval",
        )
        axes.plot(seen["share"], row, marker="|", color="#222222", markersize=11)
    return drawn


def _mark_probabilities(axes: Any) -> None:
    """Writes above the figure which probability the log-odds are."""
    low, high = axes.get_xlim()
    shown = [one for one in PROBABILITIES if low <= logit(one) <= high]
    if len(shown) < 4:
        every = sorted(PROBABILITIES + BETWEEN)
        shown = [one for one in every if low <= logit(one) <= high]
    if len(shown) < 2:  # a short way: the probabilities along it
        shown = [float(expit(np.quantile([low, high], at))) for at in (0.1, 0.5, 0.9)]
    above = axes.secondary_xaxis("top")
    above.set_xticks(logit(shown), [f"{one:.2g}" for one in shown])
    above.set_xlabel("probability, before calibration", labelpad=6)
