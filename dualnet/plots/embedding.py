"""Figures of what a model keeps of radiographs: the map, and what each layer knows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dualnet.explain.embedding import Embedding
from dualnet.explain.embedding_verdict import CHANCE, THUMBNAIL
from dualnet.plots import style
from dualnet.plots.forest import draw_interval, name_rows
from dualnet.plots.style import Look, new_figure, styled
from dualnet.wording import describe_rows, of_phantom

WIDTH = 8.0  # inches
ROW = 0.3  # inches a layer
METHOD_NAMES = {"tsne": "t-SNE", "pca": "PCA"}
MOST_GROUPS = 6  # with a colour of their own; the others are gray
GROUP_LOOKS = (
    style.MODEL,
    style.METADATA_ONLY,
    style.IMAGE_ONLY,
    Look(color="#CC79A7", linestyle="-", marker="D"),
    Look(color="#E69F00", linestyle="-", marker="v"),
    Look(color="#56B4E9", linestyle="-", marker="P"),
)
REST = Look(color="#BBBBBB", linestyle="-", marker=".")


@styled
def plot_embedding(
    values: Mapping[str, Any],
    embedding: Embedding,
    shown: Mapping[str, np.ndarray],
    *,
    negative: str,
) -> Figure:
    """Draws the map once for each thing that parts the radiographs.

    Args:
        values: Plain values, as `dualnet.jobs.embedding` collects them.
        embedding: Where the radiographs lie.
        shown: The group of each row, by what parts them; empty where unknown.
        negative: The class without a finding, which is drawn in gray.

    Returns:
        A figure with a panel each.
    """
    rows = -(-len(shown) // 2)
    figure = new_figure(WIDTH, 3.9 * rows + 1.0)
    panels = figure.subplots(rows, 2, squeeze=False).flatten()
    for panel, (name, groups) in zip(panels, shown.items(), strict=False):
        _draw_groups(panel, embedding.points, groups, negative=negative)
        panel.set_title(name, loc="left")
        _label_axes(panel, embedding)
    for panel in panels[len(shown) :]:
        panel.set_axis_off()
    figure.suptitle(
        f"{values['layer']}, {METHOD_NAMES[embedding.method]}: one mark a radiograph\n"
        f"{describe_rows(values)}{of_phantom(values)}"
    )
    return figure


@styled
def plot_probes(values: Mapping[str, Any]) -> Figure:
    """Draws how well each layer tells each grouping.

    Args:
        values: Plain values, with `probes`.

    Returns:
        A figure with a panel a grouping, the first layer on top.
    """
    probes = values["probes"]
    names = list(dict.fromkeys(name for one in probes.values() for name in one))
    columns = min(3, len(probes))
    rows = -(-len(probes) // columns)
    figure = new_figure(WIDTH, rows * (ROW * len(names) + 0.9) + 1.2)
    grid = figure.subplots(rows, columns, sharey=True, sharex=True, squeeze=False)
    panels = grid.flatten()
    for panel, (grouping, layers) in zip(panels, probes.items(), strict=False):
        for place, name in enumerate(names):
            if (one := layers.get(name)) is not None:
                look = style.METADATA_ONLY if name == THUMBNAIL else style.MODEL
                draw_interval(panel, place, one["auroc"], one["auroc_interval"], look)
        panel.axvline(CHANCE, color=style.CHANCE.color, linestyle=":")
        given = " (in the record)" if grouping in values["given"] else ""
        panel.set_title(f"{grouping}{given}", loc="left", size=11)
        panel.tick_params(axis="x", labelbottom=True)
        panel.grid(visible=False, axis="y")
    for panel in panels[len(probes) :]:
        panel.set_axis_off()
    name_rows(panels[0], names)
    figure.supxlabel("AUROC of a linear probe, mean of the groups; 95 % interval")
    figure.suptitle(
        f"What each layer knows\n{describe_rows(values)}{of_phantom(values)}"
    )
    return figure


def _draw_groups(
    axes: Axes, points: np.ndarray, groups: np.ndarray, *, negative: str
) -> None:
    named = [name for name in groups.tolist() if name not in ("", negative)]
    largest = [name for name, _ in Counter(named).most_common(MOST_GROUPS)]
    rest = ~np.isin(groups, largest)
    if rest.any():
        _scatter(axes, points[rest], REST, _name_rest(groups[rest], negative))
    largest.sort(key=lambda name: (not name.startswith("<"), name))  # ages: <20 first
    for name, look in zip(largest, GROUP_LOOKS, strict=False):
        _scatter(axes, points[groups == name], look, name)
    axes.legend(fontsize=8, loc="best", frameon=True, framealpha=0.7, handletextpad=0.2)


def _name_rest(groups: np.ndarray, negative: str) -> str:
    names = {*groups.tolist()}
    if names == {negative}:
        return negative
    return "unknown" if names == {""} else "all others"


def _scatter(axes: Axes, points: np.ndarray, look: Look, label: str) -> None:
    axes.scatter(
        points[:, 0],
        points[:, 1],
        s=12,
        color=look.color,
        marker=look.marker,
        linewidths=0,
        alpha=0.8,
        label=label,
    )


def _label_axes(axes: Axes, embedding: Embedding) -> None:
    axes.grid(visible=False)
    if embedding.explained is None:  # neither axes nor distances mean anything
        axes.set_xticks([])
        axes.set_yticks([])
        return
    shares: Sequence[float] = embedding.explained.tolist()
    axes.set_xlabel(f"1st component, {shares[0]:.0%} of the variance", size=9)
    axes.set_ylabel(f"2nd, {shares[1]:.0%}", size=9)
