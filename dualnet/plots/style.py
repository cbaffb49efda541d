"""One look for every figure: readable on a phone, in gray and by the colour-blind.

Figures are made without pyplot, so nothing is kept between them and no screen is
needed. Colours are Okabe and Ito's (https://jfly.uni-koeln.de/color/), dark to light
in the order of use; what a colour tells, a line style or a marker tells as well.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dualnet.files import atomic_path

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

DPI = 150
TEXT = "#222222"
GRID = "#D9D9D9"
SEQUENTIAL = "Blues"  # light is little, dark is much: the same in gray

_SETTINGS: Any = {
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.labelsize": 12,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "legend.fontsize": 12,
    "figure.titlesize": 14,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "text.color": TEXT,
    "axes.labelcolor": TEXT,
    "axes.edgecolor": "#888888",
    "xtick.color": TEXT,
    "ytick.color": TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}


@dataclass(frozen=True)
class Look:
    """How one model is drawn in every figure.

    Args:
        color: Of its lines and markers.
        linestyle: Matplotlib's name of the line style.
        marker: Matplotlib's name of the marker.
    """

    color: str
    linestyle: str
    marker: str


MODEL = Look(color="#0072B2", linestyle="-", marker="o")
METADATA_ONLY = Look(color="#D55E00", linestyle="--", marker="s")
IMAGE_ONLY = Look(color="#009E73", linestyle="-.", marker="^")
CHANCE = Look(color="#777777", linestyle=":", marker="D")


def styled(plot: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Makes a function that draws a figure draw it in this look.

    Args:
        plot: Makes a figure.

    Returns:
        The same function, under this look; the settings outside it stay.
    """

    @wraps(plot)
    def styled_plot(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        with mpl.rc_context(_SETTINGS):
            return plot(*args, **kwargs)

    return styled_plot


def new_figure(width: float, height: float) -> Figure:
    """Returns an empty figure whose panels keep clear of each other.

    Args:
        width: In inches; 8 is as wide as a page, a phone shows it at half size.
        height: In inches.
    """
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def save_figure(figure: Figure, path: Path) -> None:
    """Writes a figure, whole or not at all.

    Args:
        figure: What to write.
        path: The file; its suffix says the format, such as `.png`.
    """
    with atomic_path(path) as unfinished:
        # no Software tag: it would change the bytes with matplotlib's version
        metadata = {"Software": None} if path.suffix == ".png" else None
        figure.savefig(unfinished, dpi=DPI, metadata=metadata)


def render_figure(figure: Figure) -> np.ndarray:
    """Draws a figure at its own size.

    Args:
        figure: What to draw.

    Returns:
        Its pixels, uint8, shape (height, width, 3).
    """
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def display_name(finding: str) -> str:
    """Returns a finding's name as a person writes it.

    Example:
        >>> display_name("Pleural_Thickening")
        'Pleural Thickening'
    """
    return finding.replace("_", " ")
