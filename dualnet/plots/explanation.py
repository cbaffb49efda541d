"""The figure of a heat map: the radiograph, the map over it, and the map alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import AbstractPathEffect, withStroke

from dualnet.plots.activations import FEATURE_MAP, format_shape, set_title
from dualnet.plots.style import display_name, new_figure, styled

MOST_OPAQUE = 0.6  # of the map over the radiograph, where it is highest
HALF = 0.5  # of the highest value: where the line around the map is drawn
FAINT = 0.05  # of the highest value: less against the class is not worth a panel
PANEL = 3.3  # inches
OUTLINE: list[AbstractPathEffect] = [  # seen on light and on dark
    withStroke(linewidth=3.2, foreground="black")
]
METHODS = {
    "grad_cam": "Grad-CAM",
    "hires_cam": "HiResCAM",
    "integrated_gradients": "integrated gradients",
    "occlusion": "occlusion",
}


@styled
def plot_heat_map(
    image: np.ndarray, heat_map: np.ndarray, picture: Mapping[str, Any], finding: str
) -> Figure:
    """Draws where in the picture a class's logit comes from.

    Args:
        image: The radiograph, uint8, shape (size, size).
        heat_map: At the picture's size, unscaled: above 0 speaks for the class, below
            against it; float32, shape (size, size).
        picture: Plain values of the map: `method`, `layer`, `shape`, `boxes`.
        finding: The class.

    Returns:
        The radiograph with its boxes, the map over it, the map alone, and, where
        something speaks against the class, that on the same scale.
    """
    high = float(np.abs(heat_map).max()) or 1.0
    top = float(heat_map.max())
    against = -float(heat_map.min()) > FAINT * high
    columns = 4 if against else 3
    figure = new_figure(PANEL * columns + 0.9, PANEL + 1.0)
    set_title(figure, *_describe(picture, finding))
    panels = figure.subplots(1, columns)
    scale = Normalize(0, high)
    for panel in panels:
        panel.set_axis_off()
    for panel in panels[:2]:
        _show(panel, image)
        _draw_boxes(panel, picture["boxes"], finding, len(image))
    panels[0].set_title(_name_boxes(picture["boxes"]), loc="left")
    panels[1].set_title("the map over it", loc="left")
    _lay_over(panels[1], heat_map.clip(0) / high)
    if top > 0 and heat_map.min() < HALF * top:  # not the same everywhere
        panels[1].contour(
            heat_map, [HALF * top], colors="white", linewidths=1.4
        ).set_path_effects(OUTLINE)
    panels[2].imshow(heat_map.clip(0), cmap=FEATURE_MAP, norm=scale)
    panels[2].set_title("speaks for it", loc="left")
    if against:
        panels[3].imshow((-heat_map).clip(0), cmap=FEATURE_MAP, norm=scale)
        panels[3].set_title("speaks against it", loc="left")
    bar = figure.colorbar(
        ScalarMappable(scale, FEATURE_MAP),
        ax=list(panels),
        fraction=0.02,
        pad=0.01,
        aspect=24,
        shrink=0.95,
    )
    # Grad-CAM's weights are mean gradients: its values are no shares
    is_share = picture["method"] != "grad_cam"
    bar.set_label("part of the logit" if is_share else "weighted activation")
    return figure


def describe_map(picture: Mapping[str, Any]) -> str:
    """Returns how a map was made, as in `HiResCAM at image_conv_4, 8 x 8`."""
    method = METHODS.get(picture["method"], picture["method"])
    return f"{method} at {picture['layer']}, {_format_sides(picture['shape'])}"


def _describe(picture: Mapping[str, Any], finding: str) -> tuple[str, str]:
    sides = _format_sides(picture["shape"])
    method = METHODS.get(picture["method"], picture["method"])
    title = f"{display_name(finding)}   {method} at {picture['layer']}   {sides}"
    note = (
        f"from {picture['lowest']:.2g} to {picture['highest']:.2g}; "
        "one scale for and against, light is much; line: half of the highest"
    )
    return title, note


def _format_sides(shape: Sequence[int]) -> str:
    return format_shape(np.empty(tuple(shape), dtype=bool))


def _show(panel: Axes, image: np.ndarray) -> None:
    panel.imshow(image, cmap="gray", vmin=0, vmax=255)


def _lay_over(panel: Axes, shares: np.ndarray) -> None:
    """Draws a map in its colours, the more opaque the higher it is."""
    colours = mpl.colormaps[FEATURE_MAP](shares)
    colours[..., 3] = MOST_OPAQUE * shares
    panel.imshow(colours)


def _name_boxes(boxes: Sequence[Mapping[str, Any]]) -> str:
    names = sorted({display_name(box["finding"]) for box in boxes})
    return f"boxes: {', '.join(names)}" if names else "radiograph, no box known"


def _draw_boxes(
    panel: Axes, boxes: Sequence[Mapping[str, Any]], finding: str, size: int
) -> None:
    """Draws the boxes: solid of the class in question, dashed of others."""
    for box in boxes:
        asked = box["finding"] == finding
        corner = (size * box["left"] - 0.5, size * box["top"] - 0.5)
        patch = Rectangle(
            corner,
            size * box["width"],
            size * box["height"],
            fill=False,
            edgecolor="white",
            linewidth=1.6,
            linestyle="-" if asked else (0, (4, 3)),
        )
        patch.set_path_effects(OUTLINE)
        panel.add_patch(patch)
