"""Several inputs looked into side by side: a folder of figures and one page."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from dualnet.plots.activation_curves import StageCurves, plot_stage_curves
from dualnet.plots.activation_rows import (
    StageRows,
    about_zero,
    plot_map_rows,
    plot_unit_rows,
)
from dualnet.plots.activation_views import render_stage_page, view_rows
from dualnet.plots.embed import embed_gray, embed_map
from dualnet.plots.pages import write_stage_page


@dataclass(frozen=True, kw_only=True)
class Table:
    """A small table of words and numbers.

    Args:
        caption: What it holds.
        head: Names of its columns.
        rows: Its cells, the first of each row its name.
    """

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class RowPage:
    """What one page shows of several inputs.

    Args:
        title: What is compared.
        lead: How, and of which model.
        labels: What each row is.
        stages: The stages, each with the same rows.
        images: The pictures of the rows, gray values, shape (rows, size, size); None
            for a model of the metadata alone.
        tables: What is known of the rows.
        curves: How the stages go from row to row; None where the rows have no order.
    """

    title: str
    lead: str
    labels: Sequence[str]
    stages: Sequence[StageRows]
    images: np.ndarray | None = None
    tables: Sequence[Table] = field(default_factory=tuple)
    curves: StageCurves | None = None


def write_row_page(folder: Path, page: RowPage) -> list[Path]:
    """Writes one figure a stage, and `index.html`.

    Numbered figures that an earlier call left in the folder are removed.

    Args:
        folder: Where they go; it is made.
        page: What is shown.

    Returns:
        The files, in the order in which they are numbered; `index.html` is last.
    """
    figures: list[tuple[str, Figure]] = [
        (
            stage.name,
            plot_unit_rows(stage)
            if stage.activations.ndim == 2
            else plot_map_rows(stage),
        )
        for stage in page.stages
    ]
    if page.curves is not None:
        figures.append(("curves", plot_stage_curves(page.curves)))
    return write_stage_page(folder, figures, render_row_page(page))


def render_row_page(page: RowPage) -> str:
    """Returns the page as one HTML text that holds its pictures.

    Args:
        page: What is shown.

    Returns:
        The HTML.
    """
    return render_stage_page(
        "activation_rows.html.j2",
        title=page.title,
        lead=page.lead,
        links=[("rows", "rows"), *((one.name, one.name) for one in page.stages)],
        page=page,
        pictures=_embed_images(page),
        stages=[view_rows(stage) for stage in page.stages],
    )


def _embed_images(page: RowPage) -> list[str]:
    if page.images is None:
        return []
    pictures = [
        embed_gray(image.clip(0, 255).round().astype(np.uint8)) for image in page.images
    ]
    if any(stage.difference for stage in page.stages):
        last = page.images[-1]
        pictures[-1] = embed_map(last, *about_zero(last), "gray")
    return pictures
