"""Figures of an exploration: seven inches wide, so that a phone shows 9-point text."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FixedLocator,
    NullLocator,
    PercentFormatter,
    StrMethodFormatter,
)

from dualnet.explore.exploration import Shift
from dualnet.explore.metadata import ALL, CONTRASTS
from dualnet.explore.shift import SMALL
from dualnet.explore.shortcuts import Probe
from dualnet.plots import style
from dualnet.plots.style import Look, display_name, new_figure, styled

WIDTH = 7.0  # inches
ROW = 0.34  # inches a row
PALE = "#A6CBE3"  # a light blue, told from the dark one in gray too
MAX_GROUPS = 16
RATIO_TICKS = (  # the widest axis first: from which span on these ticks fit
    (20, (0.01, 0.1, 0.3, 1, 3, 10, 30, 100)),
    (3, (0.2, 0.5, 1, 2, 5, 10)),
    (0, (0.5, 0.7, 1, 1.5, 2)),
)
LOOKS = (
    style.METADATA_ONLY,
    style.MODEL,
    style.IMAGE_ONLY,
    Look(color="#000000", linestyle=":", marker="D"),
)


@styled
def plot_findings(findings: pd.DataFrame) -> Figure:
    """Draws how many radiographs have each finding, and how many labels `first` drops.

    Args:
        findings: As `tabulate_findings` returns it, without the negative class.

    Returns:
        The figure, the commonest finding first.
    """
    rows = findings.sort_values("radiographs", ascending=False)
    figure, axes = _row_figure(rows["finding"])
    ticks = range(len(rows))
    kept, dropped = rows["first_kept"].to_numpy(), rows["first_dropped"].to_numpy()
    axes.barh(ticks, kept, color=style.MODEL.color, height=0.7, label="kept by first")
    if dropped.any():
        bars = axes.barh(ticks, dropped, left=kept, color=PALE, hatch="///", height=0.7)
        bars.set_label("dropped by first, kept by soft")
        for bar in bars:
            bar.set_edgecolor(style.MODEL.color)
    share = rows["first_dropped_share"].to_numpy()
    for row, total in enumerate(rows["radiographs"]):
        lost = (
            f", \N{MINUS SIGN}{100 * share[row]:.0f} %" if share[row] >= 0.005 else ""
        )
        axes.text(total, row, f" {total:,}{lost}", va="center", fontsize=11)
    axes.set_xlim(0, max(1, rows["radiographs"].max()) * 1.3)
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_xlabel("Radiographs with the label")
    figure.legend(loc="outside upper center", ncols=2)
    return figure


@styled
def plot_ages(by_class: pd.DataFrame) -> Figure:
    """Draws the median and the quartiles of age in each class.

    Args:
        by_class: As `describe_by_class` returns it.

    Returns:
        The figure; the dotted line is the median of all.
    """
    rows = by_class[by_class["age_median"].notna()]
    everyone = rows["age_median"][rows["finding"] == ALL].iloc[0]
    rows = rows[rows["finding"] != ALL].sort_values("age_median", ascending=False)
    figure, axes = _row_figure(rows["finding"])
    axes.axvline(everyone, color=style.CHANCE.color, linestyle=":", label="all, median")
    for row, (low, high) in enumerate(
        zip(rows["age_low"], rows["age_high"], strict=True)
    ):
        axes.plot(
            [low, high], [row, row], color=style.MODEL.color, linewidth=7, alpha=0.4
        )
    axes.plot(rows["age_median"], range(len(rows)), "o", color=style.MODEL.color)
    axes.set_xlabel("Age in years: median, and where the middle half lies")
    figure.legend(loc="outside upper center")
    return figure


@styled
def plot_shares(by_class: pd.DataFrame) -> Figure:
    """Draws the share of women, of AP views and of first visits in each class.

    Args:
        by_class: As `describe_by_class` returns it.

    Returns:
        The figure: a panel a share; the dotted lines are those of all radiographs.
    """
    columns = {
        "female_share": "Women",
        "ap_share": "AP view",
        "first_visit_share": "First visit",
    }
    known = [name for name in columns if by_class[name].notna().any()]
    everyone = by_class[by_class["finding"] == ALL].iloc[0]
    rows = by_class[(by_class["finding"] != ALL) & (by_class["radiographs"] > 0)]
    rows = rows.sort_values(known[-1], ascending=False)
    figure = new_figure(WIDTH, ROW * len(rows) + 1.4)
    panels = figure.subplots(1, len(known), sharey=True, squeeze=False)[0]
    for axes, column in zip(panels, known, strict=True):
        axes.axvline(everyone[column], color=style.CHANCE.color, linestyle=":")
        axes.hlines(
            range(len(rows)), everyone[column], rows[column], color=PALE, linewidth=3
        )
        axes.plot(rows[column], range(len(rows)), "o", color=style.MODEL.color)
        axes.set(title=columns[column], xlim=(-0.03, 1.03), xticks=(0, 0.4, 0.8))
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
        axes.grid(visible=False, axis="y")
    _name_rows(panels[0], rows["finding"])
    figure.supxlabel("% of the radiographs with the label; dotted: of all", fontsize=12)
    return figure


@styled
def plot_contrasts(contrasts: Mapping[str, pd.DataFrame]) -> Figure:
    """Draws how many times as common each class is in one group as in another.

    Args:
        contrasts: From `compare_prevalence`, by contrast.

    Returns:
        The figure: a panel a contrast, ratios with their intervals on a log scale.
    """
    first = next(iter(contrasts.values()))
    order = first["ratio"].sort_values(ascending=False, na_position="last").index
    figure = new_figure(WIDTH, ROW * len(first) + 1.6)
    panels = figure.subplots(1, len(contrasts), sharey=True, squeeze=False)[0]
    for axes, (kind, table) in zip(panels, contrasts.items(), strict=True):
        rows = table.loc[order]
        ratios = rows[["low", "ratio", "high"]].where(rows["ratio"] > 0)
        axes.set_xscale("log")
        axes.axvline(1, color=style.CHANCE.color, linestyle=":")
        _draw_intervals(axes, ratios.to_numpy("float64"), style.MODEL, label="")
        axes.set_title("{}\nagainst {}".format(*CONTRASTS[kind]))
        _tick_ratios(axes, ratios.to_numpy("float64"))
        axes.grid(visible=False, axis="y")
    _name_rows(panels[0], first["finding"].loc[order])
    figure.supxlabel("Times as common, 95 % interval by patient", fontsize=12)
    return figure


@styled
def plot_patients(per_patient: pd.DataFrame) -> Figure:
    """Draws how many patients have how many radiographs, and what part those are.

    Args:
        per_patient: As `count_per_patient` returns it.

    Returns:
        The figure: two bars a bin.
    """
    rows = per_patient[per_patient["low"] <= _last_bin(per_patient)]
    figure = new_figure(WIDTH, 3.4)
    axes = figure.subplots()
    places = np.arange(len(rows))
    for shift, column, color, hatch, label in (
        (-0.2, "patient_share", PALE, "///", "of the patients"),
        (0.2, "radiograph_share", style.MODEL.color, "", "of the radiographs"),
    ):
        bars = axes.bar(
            places + shift, 100 * rows[column], 0.4, color=color, hatch=hatch
        )
        bars.set_label(label)
        for bar in bars:
            bar.set_edgecolor(style.MODEL.color)
        texts = [f"{100 * share:.0f}" for share in rows[column]]
        axes.bar_label(bars, texts, fontsize=11, padding=2)
    axes.set_xticks(places, rows["pictures"])
    axes.set(xlabel="Radiographs of one patient", ylabel="%")
    axes.margins(y=0.12)
    axes.grid(visible=False, axis="x")
    figure.legend(loc="outside upper center", ncols=2)
    return figure


@styled
def plot_shift(shift: Shift) -> Figure:
    """Draws the standardised difference of two parts by every measure.

    Args:
        shift: The parts and their differences.

    Returns:
        The figure, the largest difference first; the band is where it is small.
    """
    table = shift.table[shift.table["difference"].notna()]
    order = table["difference"].abs().sort_values(ascending=False).index
    rows = table.loc[order]
    figure, axes = _row_figure(rows["measure"])
    axes.axvspan(-SMALL, SMALL, color="#E6E6E6", label=f"small, up to {SMALL:g}")
    axes.axvline(0, color=style.CHANCE.color, linestyle=":")
    values = rows[["low", "difference", "high"]].to_numpy("float64")
    _draw_intervals(axes, values, style.MODEL, label="")
    text = f"Standardised difference: {shift.parts.second} less {shift.parts.first}"
    figure.supxlabel(text, fontsize=12)
    figure.legend(loc="outside upper center")
    return figure


@styled
def plot_shortcuts(probes: Sequence[Probe]) -> Figure:
    """Draws what each probe tells of each finding.

    Args:
        probes: The probes, with the same findings.

    Returns:
        The figure: a row a finding, a marker a probe, with intervals; the mean below.
    """
    scores = [probe.scores for probe in probes]
    defined = np.any([table["auroc"].notna().to_numpy() for table in scores], axis=0)
    names = scores[0]["finding"][defined]
    if len(names) == 2:  # one finding is its own mean
        defined[-1], names = False, names.iloc[:1]
    figure = new_figure(WIDTH, ROW * 1.5 * len(names) + 1.7)
    axes = figure.subplots()
    offsets = np.linspace(-0.27, 0.27, len(probes)) if len(probes) > 1 else [0.0]
    for probe, look, offset in zip(probes, LOOKS, offsets, strict=False):
        values = probe.scores[["low", "auroc", "high"]].to_numpy("float64")[defined]
        _draw_intervals(axes, values, look, label=probe.name, offset=offset)
    axes.axvline(0.5, color=style.CHANCE.color, linestyle=":", label="chance")
    _name_rows(axes, names)
    lows = np.concatenate([table["low"].to_numpy()[defined] for table in scores])
    axes.set_xlim(min(0.4, float(np.nanmin([*lows, 0.45])) - 0.02), 1.0)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("AUROC, 95 % interval by patient")
    figure.legend(loc="outside upper center", ncols=3, handlelength=2.2)
    return figure


@styled
def plot_distributions(
    tables: Mapping[str, pd.DataFrame], labels: Mapping[str, str]
) -> Figure:
    """Draws measures of the pictures by group, as boxes.

    Args:
        tables: As `describe_distribution` returns them, by measure, the same groups.
        labels: The axis label of each measure.

    Returns:
        The figure: boxes from the 25th to the 75th percentile, whiskers from the 5th
        to the 95th; of more than 16 groups the largest.
    """
    first = next(iter(tables.values()))
    order = first["median"].sort_values().index
    largest = first["pictures"].sort_values(ascending=False).index[:MAX_GROUPS]
    order = [index for index in order if index in set(largest)]
    figure = new_figure(WIDTH, ROW * len(order) + 1.1)
    panels = figure.subplots(1, len(tables), sharey=True, squeeze=False)[0]
    for axes, (name, table) in zip(panels, tables.items(), strict=True):
        boxes = [
            {
                "whislo": row["q05"],
                "q1": row["q25"],
                "med": row["median"],
                "q3": row["q75"],
                "whishi": row["q95"],
            }
            for _, row in table.loc[order].iterrows()
        ]
        axes.bxp(
            boxes,
            positions=range(len(boxes)),
            orientation="horizontal",
            widths=0.6,
            showfliers=False,
            patch_artist=True,
            boxprops={"facecolor": PALE, "edgecolor": style.MODEL.color},
            medianprops={"color": style.TEXT, "linewidth": 2},
        )
        axes.set_xlabel(labels[name])
        axes.grid(visible=False, axis="y")
    _name_rows(panels[0], first["group"].loc[order])
    return figure


def _row_figure(names: pd.Series) -> tuple[Figure, Axes]:
    figure = new_figure(WIDTH, ROW * len(names) + 1.4)
    axes = figure.subplots()
    _name_rows(axes, names)
    axes.grid(visible=False, axis="y")
    return figure, axes


def _name_rows(axes: Axes, names: pd.Series) -> None:
    shown = [_shorten(display_name(str(name))) for name in names]
    axes.set_yticks(range(len(shown)), shown)
    axes.set_ylim(len(shown) - 0.4, -0.6)


def _draw_intervals(
    axes: Axes, values: np.ndarray, look: Look, *, label: str, offset: float = 0.0
) -> None:
    """Draws low, middle and high of each row; what is NaN is left out."""
    rows = np.arange(len(values)) + offset
    axes.hlines(rows, values[:, 0], values[:, 2], color=look.color, linewidth=2.2)
    axes.plot(
        values[:, 1],
        rows,
        color=look.color,
        linestyle="none",
        marker=look.marker,
        markersize=6,
        label=label or None,
    )


def _tick_ratios(axes: Axes, values: np.ndarray) -> None:
    """Sets ends and ticks; an interval may run off the panel, a ratio may not."""
    ratios = values[values[:, 1] > 0, 1]
    shown = values[(values > 0) & np.isfinite(values)]
    low, high = (ratios.min(), ratios.max()) if len(ratios) else (1.0, 1.0)
    low = min(0.8, max(low / 3, 0.9 * shown.min(initial=1)))
    high = max(1.25, min(high * 3, 1.1 * shown.max(initial=1)))
    axes.set_xlim(low, high)
    ticks = next(ticks for span, ticks in RATIO_TICKS if high / low > span)
    axes.xaxis.set_major_locator(FixedLocator([t for t in ticks if low <= t <= high]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def _last_bin(per_patient: pd.DataFrame) -> int:
    return int(per_patient.loc[per_patient["patients"] > 0, "low"].max())


def _shorten(name: str) -> str:
    return name if len(name) <= 28 else f"{name[:27]}\N{HORIZONTAL ELLIPSIS}"
