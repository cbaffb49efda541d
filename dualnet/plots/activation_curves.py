"""A figure of how the stages change from epoch to epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from dualnet.plots.activations import set_title
from dualnet.plots.style import new_figure, styled

COLOURS = "viridis"  # perceptually uniform: the first stage dark, the last light
DASHES = ("-", "--", "-.", ":")


@dataclass(frozen=True, kw_only=True)
class StageCurves:
    """How stages go over the epochs of a training.

    Args:
        epochs: The epochs, int, shape (rows,); 0 is before the first.
        distances: Name of each stage to how far each epoch's activations are from
            those of the last row, as a share of their size, shape (rows,).
        dead: Name of each stage to the share of its channels that are dead, in
            [0, 1], shape (rows,).
    """

    epochs: Sequence[int]
    distances: Mapping[str, np.ndarray]
    dead: Mapping[str, np.ndarray]


@styled
def plot_stage_curves(curves: StageCurves) -> Figure:
    """Draws distance to the last activations, and dead channels, epoch by epoch.

    Args:
        curves: What to draw.

    Returns:
        The figure.
    """
    figure = new_figure(12, 5.2)
    set_title(
        figure,
        "Activations of one input over the epochs",
        "distance to the last row's as a share of their size; share of dead channels",
    )
    left, right = figure.subplots(1, 2)
    panels = ((left, curves.distances), (right, curves.dead))
    names = list(curves.distances)
    for axes, values in panels:
        for name, line in values.items():
            number = names.index(name)
            shade = 0.9 * number / max(1, len(names) - 1)
            axes.plot(
                curves.epochs,
                line,
                label=name,
                color=mpl.colormaps[COLOURS](shade),
                linestyle=DASHES[number % len(DASHES)],
                marker="o",
                markersize=4,
            )
        axes.set_xlabel("epoch")
        axes.set_ylim(bottom=0)
        axes.xaxis.get_major_locator().set_params(integer=True)
    left.set_ylabel("relative distance")
    right.set_ylabel("share of dead channels")
    figure.legend(
        *left.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=4,
        fontsize=9,
    )
    return figure
