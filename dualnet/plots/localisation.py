"""Figures of heat maps against boxes: scores, by finding, and examples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from dualnet.explain.localisation import CENTRE, CHANCE, SCORES, USUAL_PLACE
from dualnet.explain.score_verdict import (
    NAMES,
    OTHER_PATIENT,
    SCORE_NAMES,
    SHUFFLED,
)
from dualnet.plots import style
from dualnet.plots.activations import FEATURE_MAP
from dualnet.plots.forest import draw_interval, name_rows, write_value
from dualnet.plots.style import Look, display_name, new_figure, styled
from dualnet.wording import describe_rows, format_number, number_of, of_phantom

WIDTH = 8.0  # inches
ROW = 0.36  # inches a row
LOOKS = (  # of methods, in their order
    style.MODEL,
    style.METADATA_ONLY,
    style.IMAGE_ONLY,
    Look(color="#CC79A7", linestyle="--", marker="D"),
)
BASELINE_LOOKS = {
    CHANCE: style.CHANCE,
    CENTRE: Look(color="#000000", linestyle=":", marker="v"),
    USUAL_PLACE: Look(color="#56B4E9", linestyle=":", marker="P"),
}
EXAMPLES_A_ROW = 4
OUTLINE = "#56B4E9"


@dataclass(frozen=True, kw_only=True)
class ScoredMap:
    """One radiograph, its map and its box.

    Args:
        image: Gray values, uint8, shape (size, size).
        heat: The map, unscaled, of the same shape.
        mask: Which pixels are in the box, bool, of the same shape.
        finding: What is boxed.
        scores: What the map scores, by name.
    """

    image: np.ndarray
    heat: np.ndarray
    mask: np.ndarray
    finding: str
    scores: Mapping[str, float]


@styled
def plot_localisation(values: Mapping[str, Any]) -> Figure:
    """Draws the three scores of methods, of shuffled weights and of baselines.

    Args:
        values: Plain values of the scores.

    Returns:
        A figure of three panels, a row a map.
    """
    rows = _list_maps(values)
    figure = new_figure(WIDTH, ROW * len(rows) + 2.0)
    panels = figure.subplots(1, len(SCORES), sharey=True)
    for panel, score in zip(panels, SCORES, strict=True):
        for place, (_, scores, look, filled) in enumerate(rows):
            one = scores[score]
            draw_interval(
                *(panel, place, one["value"], one["interval"], look), filled=filled
            )
            write_value(panel, place, one["value"], one["interval"])
        panel.set_xlim(-0.04, 1.04)
        panel.set_xticks([0, 0.5, 1], ["0", ".5", "1"])
        panel.set_xlabel(SCORE_NAMES[score])
        panel.grid(visible=False, axis="y")
    name_rows(panels[0], [name for name, *_ in rows])
    panels[1].set_xlabel(f"{SCORE_NAMES[SCORES[1]]}\n95 % intervals by patient")
    figure.suptitle(_title("Do the maps point into the boxes?", values))
    return figure


@styled
def plot_findings(values: Mapping[str, Any]) -> Figure:
    """Draws the pointing game by finding.

    Args:
        values: Plain values of the scores.

    Returns:
        A figure with a row a finding; methods beside each other, baselines as marks.
    """
    findings, methods = values["findings"], list(values["methods"])
    height = (ROW + 0.12 * len(methods)) * len(findings) + 2.4
    figure = new_figure(WIDTH, height)
    axes = figure.subplots()
    looks = dict(zip(methods, LOOKS, strict=False)) | BASELINE_LOOKS
    for place, finding in enumerate(findings):
        for number, (name, look) in enumerate(looks.items()):
            one = finding["scores"][name]["pointing"]
            label = None if place else NAMES.get(name, name)
            is_method = name in methods
            offset = 0.22 * (number - (len(methods) - 1) / 2) if is_method else 0
            ends = one["interval"] if is_method else {"low": None, "high": None}
            draw_interval(
                *(axes, place + offset, one["value"], ends, look),
                filled=is_method,
                label=label,
            )
    names = [f"{display_name(one['finding'])}, {one['n']:,}" for one in findings]
    name_rows(axes, names)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("Share of maps whose maximum is in the box, 95 % interval")
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=3
    )
    figure.suptitle(_title("Pointing game by finding", values))
    return figure


@styled
def plot_examples(values: Mapping[str, Any], examples: Sequence[ScoredMap]) -> Figure:
    """Draws radiographs with their box, and below each its map.

    Args:
        values: Plain values of the scores.
        examples: What is shown, at most as many as fit a page.

    Returns:
        The figure, with the scale of the maps.
    """
    bands = -(-len(examples) // EXAMPLES_A_ROW)
    tile = WIDTH / EXAMPLES_A_ROW
    figure = new_figure(WIDTH, bands * (2 * tile + 0.4) + 1.6)
    panels = figure.subplots(2 * bands, EXAMPLES_A_ROW, squeeze=False)
    for panel in panels.flat:
        panel.set_axis_off()
    for number, example in enumerate(examples):
        band, column = divmod(number, EXAMPLES_A_ROW)
        _draw_example(panels[2 * band, column], panels[2 * band + 1, column], example)
    name, block = next(iter(values["methods"].items()))
    bar = figure.colorbar(
        ScalarMappable(Normalize(0, 1), FEATURE_MAP),
        ax=panels,
        location="bottom",
        fraction=0.02,
        aspect=40,
    )
    bar.set_label("Share of the map's own maximum; below 0 as 0")
    shape = " \N{MULTIPLICATION SIGN} ".join(map(str, block["map_shape"]))
    at = f" at {block['layer']}, {shape}" if block["layer"] else ""
    figure.suptitle(f"{name}{at}: drawn by chance, none picked{of_phantom(values)}")
    return figure


def _draw_example(above: Axes, below: Axes, example: ScoredMap) -> None:
    positive = np.maximum(example.heat, 0)
    above.imshow(example.image, cmap="gray", vmin=0, vmax=255)
    below.imshow(positive / (positive.max() or 1), cmap=FEATURE_MAP, vmin=0, vmax=1)
    for panel in (above, below):
        panel.contour(example.mask, levels=[0.5], colors=OUTLINE, linewidths=1.6)
    above.set_title(display_name(example.finding), size=10, loc="left")
    said = "hit" if example.scores["pointing"] >= 0.5 else "miss"
    if not positive.any():
        said = "nothing above 0"
    energy = format_number(example.scores["energy"], digits=2)
    below.set_title(f"{said}, energy {energy}", size=9, loc="left")


def _list_maps(
    values: Mapping[str, Any],
) -> list[tuple[str, Mapping[str, Any], Look, bool]]:
    """Returns name, scores and look of each row, and whether its mark is filled."""
    rows = []
    for (name, block), look in zip(values["methods"].items(), LOOKS, strict=False):
        others = [(NAMES[one], block[one]) for one in (SHUFFLED, OTHER_PATIENT)]
        rows += [
            (label, one["scores"], look, one is block)
            for label, one in [(name, block), *others]
        ]
    rows += [
        (NAMES[name], scores, BASELINE_LOOKS[name], False)
        for name, scores in values["baselines"].items()
    ]
    return rows


def _title(title: str, values: Mapping[str, Any]) -> str:
    boxed = number_of(values["num_boxed"], "boxed finding")
    return f"{title}\n{boxed}, {describe_rows(values)}{of_phantom(values)}"
