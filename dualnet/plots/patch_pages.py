"""What the channels of a model look for: kernels, patches, and the page of both."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dualnet.plots.activation_patches import StagePatches, plot_patches
from dualnet.plots.activation_views import (
    render_stage_page,
    view_filters,
    view_patches,
)
from dualnet.plots.activations import plot_filters
from dualnet.plots.pages import write_stage_page


@dataclass(frozen=True, kw_only=True)
class PatchPage:
    """What one page shows of a model's filters.

    Args:
        title: What the page is.
        lead: Of which model, and of which pictures.
        filters: Kernels of the first convolution, shape (height, width, inputs,
            filters).
        stages: The strongest patches of each stage.
    """

    title: str
    lead: str
    filters: np.ndarray
    stages: Sequence[StagePatches]


def write_patch_page(folder: Path, page: PatchPage) -> list[Path]:
    """Writes the kernels, one figure a stage, and `index.html`.

    Numbered figures that an earlier call left in the folder are removed.

    Args:
        folder: Where they go; it is made.
        page: What is shown.

    Returns:
        The files, in the order in which they are numbered; `index.html` is last.
    """
    figures = [("filters", plot_filters("First convolution", page.filters))]
    figures += [(stage.name, plot_patches(stage)) for stage in page.stages]
    return write_stage_page(folder, figures, render_patch_page(page))


def render_patch_page(page: PatchPage) -> str:
    """Returns the page as one HTML text that holds its pictures.

    Args:
        page: What is shown.

    Returns:
        The HTML.
    """
    stages = [view_patches(stage) for stage in page.stages]
    return render_stage_page(
        "activation_patches.html.j2",
        title=page.title,
        lead=page.lead,
        links=[("filters", "filters"), *((one["name"], one["name"]) for one in stages)],
        filters=view_filters(page.filters),
        stages=stages,
    )
