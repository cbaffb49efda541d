"""Figures of an audit: what each half adds, what the model does without, shortcuts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dualnet.evaluation.auditing.audit_verdict import COUNTERFACTUAL_NAMES, FIELD_NAMES
from dualnet.plots import style
from dualnet.plots.forest import draw_interval, name_rows, write_value
from dualnet.plots.style import Look, display_name, new_figure, styled
from dualnet.wording import describe_rows

WIDTH = 8.0  # inches
ROW = 0.36  # inches a row
BAR = 1.8  # points: width of an interval's bar
AROUND = 1.9  # inches of title, axis and legend
VIEW_NAMES = {
    ("image_only", "averaged"): "picture alone, records averaged over",
    ("image_only", "missing"): "picture alone, record missing",
    ("image_only", "permuted"): "picture, another patient's record",
    ("metadata_only", "averaged"): "record alone, pictures averaged over",
    ("metadata_only", "permuted"): "record, another patient's picture",
}
VIEW_LOOKS = {"image_only": style.IMAGE_ONLY, "metadata_only": style.METADATA_ONLY}
PROBES: Mapping[str, tuple[str, Look]] = {
    "model": ("this model, whole pictures", style.MODEL),
    "centre_masked": ("this model, centre hidden", style.IMAGE_ONLY),
    "border_only": ("this model, border only", style.METADATA_ONLY),
    "thumbnail": (
        "16 by 16 pixels, fitted",
        Look(color="#000000", linestyle=":", marker="v"),
    ),
    "border_thumbnail": (
        "border of 16 by 16 pixels, fitted",
        Look(color="#000000", linestyle=":", marker="D"),
    ),
}
DRAWN_BY_FINDING = ("model", "border_only", "border_thumbnail")


def plot_audit(values: Mapping[str, Any]) -> dict[str, Figure]:
    """Draws every figure of an audit.

    Args:
        values: Plain values, as `dualnet.jobs.audit` collects them.

    Returns:
        The figures by their file name, without suffix.
    """
    figures = {"shortcuts": plot_shortcuts(values)}
    if values["modalities"]:
        figures |= {
            "record_adds": plot_gain(values),
            "missing_fields": plot_patterns(values),
        }
    if any(one["num_images"] for one in (values["counterfactuals"] or {}).values()):
        figures["counterfactuals"] = plot_counterfactuals(values)
    return figures


@styled
def plot_gain(values: Mapping[str, Any]) -> Figure:
    """Draws what the record adds: the views of the model, and the gain by finding.

    Args:
        values: Plain values of the audit, with `modalities`.

    Returns:
        A figure of two panels.
    """
    found = values["modalities"]
    rows = list_views(found)
    gains = found["adds"]["record"]["findings"]
    names = rank_findings(values, gains)
    heights = (len(rows), len(names) + 1)
    figure = new_figure(WIDTH, ROW * sum(heights) + 2.8)
    upper, lower = figure.subplots(2, 1, height_ratios=[one + 0.8 for one in heights])
    _draw_means(upper, rows)
    drawn = [*(gains[name] for name in names), found["adds"]["record"]["macro_auroc"]]
    for place, one in enumerate(drawn):
        shown = one["low"] is not None and (one["low"] > 0 or one["high"] < 0)
        _draw_row(lower, place, one["difference"], one, style.MODEL, filled=shown)
    lower.axvline(0, color=style.CHANCE.color, linestyle=":")
    labels = [*map(display_name, names), "Mean of all findings"]
    name_rows(lower, labels, with_mean=True)
    lower.set_xlabel(
        "AUROC that the record adds: both less the picture alone\n"
        "(filled: the whole 95 % interval is on one side of 0)"
    )
    figure.suptitle(f"What the record adds\n{describe_rows(values)}")
    return figure


@styled
def plot_patterns(values: Mapping[str, Any]) -> Figure:
    """Draws the macro AUROC of every pattern of missing fields.

    Args:
        values: Plain values of the audit, with `modalities`.

    Returns:
        A figure with a row a pattern, the complete record first.
    """
    patterns = values["modalities"]["patterns"]
    figure = new_figure(WIDTH, ROW * len(patterns) + AROUND)
    axes = figure.subplots()
    _draw_means(
        axes,
        [(name_pattern(one["missing"]), one["macro"], style.MODEL) for one in patterns],
    )
    figure.suptitle(
        f"What the model scores without some fields\n{describe_rows(values)}"
    )
    return figure


@styled
def plot_counterfactuals(values: Mapping[str, Any]) -> Figure:
    """Draws how each class moves when one field of the record is changed.

    Args:
        values: Plain values of the audit, with `counterfactuals`.

    Returns:
        A figure with a panel a counterfactual that some row allows.
    """
    asked = {k: v for k, v in values["counterfactuals"].items() if v["num_images"]}
    names = list(next(iter(asked.values()))["classes"])
    columns = min(3, len(asked))
    num_rows = -(-len(asked) // columns)
    figure = new_figure(WIDTH, (0.23 * len(names) + 1.1) * num_rows + 1.2)
    panels = figure.subplots(
        num_rows, columns, sharex=True, sharey=True, squeeze=False
    ).flatten()
    for panel, (name, one) in zip(panels, asked.items(), strict=False):
        _draw_changes(panel, one["classes"])
        panel.set_title(
            f"{COUNTERFACTUAL_NAMES[name]}\nn={one['num_images']:,}\n"
            f"other answer: {100 * one['answers_changed']:.0f} %",
            size=11,
        )
    for panel in panels[len(asked) :]:
        panel.axis("off")
    for panel in panels[: len(asked)]:
        panel.tick_params(axis="x", labelbottom=True)
    for panel in panels[::columns]:
        panel.set_yticks(range(len(names)), [display_name(name) for name in names])
        panel.tick_params(axis="y", labelsize=9)
    panels[0].set_ylim(len(names) - 0.4, -0.6)
    figure.supxlabel(
        "Change of the class's logit: median, middle half (thick) and 90 % (thin)"
    )
    figure.suptitle(
        f"The same picture, were the record another\n{describe_rows(values)}"
    )
    return figure


@styled
def plot_shortcuts(values: Mapping[str, Any]) -> Figure:
    """Draws what is told without the lungs, on the mean and by finding.

    Args:
        values: Plain values of the audit.

    Returns:
        A figure of two panels.
    """
    probes = values["probes"]
    rows = {name: one for name, one in PROBES.items() if name in probes}
    names = rank_findings(values, probes["model"]["findings"], key="auroc")
    figure = new_figure(WIDTH, ROW * (len(rows) + 1.25 * len(names)) + 2.9)
    upper, lower = figure.subplots(
        2, 1, height_ratios=(len(rows) + 0.8, 1.25 * len(names) + 0.8)
    )
    _draw_means(
        upper,
        [(label, probes[name]["macro"], look) for name, (label, look) in rows.items()],
    )
    drawn = [name for name in DRAWN_BY_FINDING if name in probes]
    for number, name in enumerate(drawn):
        label, look = PROBES[name]
        offset = 0.26 * (number - (len(drawn) - 1) / 2)
        for place, finding in enumerate(names):
            block = probes[name]["findings"][finding]
            _draw_row(
                *(lower, place + offset, block["auroc"], block["auroc_interval"], look),
                label=None if place else label,
            )
    for axes in (upper, lower):
        axes.axvline(0.5, color=style.CHANCE.color, linestyle=":")
    name_rows(lower, [display_name(name) for name in names])
    lower.set_xlabel("AUROC, 95 % interval by patient")
    figure.legend(
        *lower.get_legend_handles_labels(), loc="outside lower center", ncols=2
    )
    figure.suptitle(f"What is told without the lungs\n{describe_rows(values)}")
    return figure


def list_views(found: Mapping[str, Any]) -> list[tuple[str, Any, Look]]:
    """Returns the views of the model: name, scores and look of each."""
    rows = [("picture and record", found["fused"]["macro"], style.MODEL)]
    for (half, how), label in VIEW_NAMES.items():
        if found[half][how] is not None:
            rows.append((label, found[half][how]["macro"], VIEW_LOOKS[half]))
    return rows


def rank_findings(
    values: Mapping[str, Any], blocks: Mapping[str, Any], *, key: str = "difference"
) -> list[str]:
    """Returns the findings, the largest first, the undefined last."""
    names = [name for name in blocks if name != values["negative"]]
    return sorted(
        names,
        key=lambda name: -np.inf if blocks[name][key] is None else blocks[name][key],
        reverse=True,
    )


def _draw_row(
    axes: Axes,
    place: float,
    value: float | None,
    interval: Mapping[str, Any],
    look: Look,
    **mark: Any,
) -> None:
    """As `draw_interval`, in this look's own line style."""
    draw_interval(
        *(axes, place, value, interval, look),
        bar={"linestyle": look.linestyle, "linewidth": BAR},
        **mark,
    )


def _draw_means(axes: Axes, rows: Sequence[tuple[str, Any, Look]]) -> None:
    """Draws macro AUROCs under each other, each with its name, block and look."""
    for place, (_, block, look) in enumerate(rows):
        _draw_row(axes, place, block["auroc"], block["auroc_interval"], look)
        write_value(axes, place, block["auroc"], block["auroc_interval"])
    name_rows(axes, [label for label, _, _ in rows])
    axes.margins(x=0.12)
    axes.locator_params(axis="x", nbins=6)
    axes.set_xlabel("Macro AUROC, 95 % interval by patient")


def _draw_changes(axes: Axes, classes: Mapping[str, Any]) -> None:
    for place, block in enumerate(classes.values()):
        quantiles = block["logit"]["quantiles"]
        low, first, middle, third, high = quantiles.values()
        axes.plot((low, high), (place, place), color=style.MODEL.color, linewidth=1.2)
        axes.plot(
            (first, third),
            (place, place),
            color=style.MODEL.color,
            linewidth=4.5,
            solid_capstyle="butt",
        )
        axes.plot(
            [middle],
            [place],
            color=style.TEXT,
            marker="o",
            markersize=4.5,
            markerfacecolor="white",
        )
    axes.axvline(0, color=style.CHANCE.color, linestyle=":")
    axes.grid(visible=False, axis="y")


def name_pattern(missing: Sequence[str]) -> str:
    """Returns which fields are missing, in words."""
    if not missing:
        return "nothing missing"
    return f"no {', no '.join(FIELD_NAMES[field] for field in missing)}"
