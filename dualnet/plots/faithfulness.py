"""Figures of whether maps tell what a model reads: curves of pixels, shuffled weights."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dualnet.explain.faithfulness import AREAS
from dualnet.plots import style
from dualnet.plots.localisation import LOOKS, WIDTH
from dualnet.plots.style import Look, new_figure, styled
from dualnet.wording import number_of, of_phantom


@styled
def plot_faithfulness(values: Mapping[str, Any]) -> Figure:
    """Draws the deletion and the insertion curve.

    Args:
        values: Plain values of the scores.

    Returns:
        A figure of two panels: the mean probability over the share of pixels.
    """
    figure = new_figure(WIDTH, 4.6)
    panels = figure.subplots(1, 2, sharey=True)
    methods = values["methods"]
    blocks = [one["faithfulness"][area] for one in methods.values() for area in AREAS]
    heights = [max(*one["curve"], *one["noise_curve"]) for one in blocks]
    top = min(1.05, 1.08 * max(heights))
    for panel, area in zip(panels, AREAS, strict=True):
        for name, look in zip(methods, LOOKS, strict=False):
            block = methods[name]["faithfulness"][area]
            _draw_curve(panel, block["curve"], look, name)
        noise = next(iter(methods.values()))["faithfulness"][area]["noise_curve"]
        _draw_curve(panel, noise, style.CHANCE, "an order of noise")
        panel.set_title(area.capitalize(), loc="left")
        panel.set_ylim(0, top)
    panels[0].set_xlabel("Share of pixels blurred, the map's highest first")
    panels[1].set_xlabel("Share of pixels put back, the same first")
    panels[0].set_ylabel("Probability of the finding")
    number = next(iter(methods.values()))["faithfulness"]["n"]
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3
    )
    figure.suptitle(
        "Does the model read what the map shows?\n"
        f"mean of {number_of(number, 'boxed finding')}{of_phantom(values)}"
    )
    return figure


@styled
def plot_sanity_check(values: Mapping[str, Any]) -> Figure:
    """Draws how maps change as weights are shuffled, layer by layer.

    Args:
        values: Plain values of the scores.

    Returns:
        A figure: rank correlation with the trained model's maps, after each stage.
    """
    figure = new_figure(WIDTH, 5.0)
    axes = figure.subplots()
    methods = values["methods"]
    stages: list[str] = []
    for number, (name, look) in enumerate(zip(methods, LOOKS, strict=False)):
        found = methods[name]["randomisation"]["stages"]
        stages = [stage["layer"] for stage in found]
        places = np.arange(len(found) + 1) + 0.06 * number
        for place, stage in zip(places[1:], found, strict=True):
            ends = [stage["interval"][end] for end in ("low", "high")]
            if ends[0] is not None:
                axes.plot([place] * 2, ends, color=look.color, linewidth=2.4)
        heights = [1.0, *(stage["correlation"] for stage in found)]
        axes.plot(
            *(places, heights),
            color=look.color,
            linestyle=look.linestyle,
            marker=look.marker,
            label=name,
        )
    axes.axhline(0, color=style.CHANCE.color, linestyle=":", label="no relation")
    axes.set_xticks(range(len(stages) + 1), ["trained", *stages], rotation=20)
    axes.set_xlabel("Weights shuffled from the answer down to this layer")
    axes.set_ylabel("Rank correlation with\nthe trained model's map")
    axes.set_ylim(-0.4, 1.05)
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=3
    )
    number = next(iter(methods.values()))["randomisation"]["n"]
    figure.suptitle(
        "Does shuffling the weights destroy the map?\n"
        f"{number_of(number, 'boxed finding')}{of_phantom(values)}, 95 % intervals"
    )
    return figure


def _draw_curve(axes: Axes, curve: Sequence[float], look: Look, label: str) -> None:
    axes.plot(
        np.linspace(0, 1, len(curve)),
        curve,
        color=look.color,
        linestyle=look.linestyle,
        marker=look.marker,
        markersize=4.5,
        label=label,
    )
