"""Several inputs looked into side by side: a folder of figures and one page."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from dualnet.plots.activation_curves import StageCurves, plot_stage_curves
from dualnet.plots.activation_rows import (
    StageRows,
    about_zero,
    plot_map_rows,
    plot_unit_rows,
)
from dualnet.plots.activation_views import render_stage_page, view_rows
from dualnet.plots.embed import COLORS, embed_figure, embed_gray, embed_map
from dualnet.plots.pages import write_stage_page
from dualnet.plots.style import render_figure


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
        images: The pictures of the rows, gray values, shape (rows, size, size), or one
            for all, shape (1, size, size); None for a model of the metadata alone.
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
        pictures=_view_images(page),
        curves=None if page.curves is None else _embed_curves(page.curves),
        stages=[view_rows(stage) for stage in page.stages],
    )


def _embed_curves(curves: StageCurves) -> str:
    picture = Image.fromarray(render_figure(plot_stage_curves(curves)))
    return embed_figure(picture.quantize(COLORS, dither=Image.Dither.NONE))


def _view_images(page: RowPage) -> list[dict[str, str]]:
    if page.images is None:
        return []
    labels = page.labels if len(page.images) > 1 else ["in every row"]
    views = [
        {
            "picture": embed_gray(image.clip(0, 255).round().astype(np.uint8)),
            "text": label,
        }
        for image, label in zip(page.images, labels, strict=True)
    ]
    if any(stage.difference for stage in page.stages):
        last = page.images[-1]
        low, high = about_zero(last)
        text = f"{page.labels[-1]}: black {low:.3g}, middle gray 0, white {high:.3g}"
        views[-1] = {"picture": embed_map(last, low, high, "gray"), "text": text}
    return views
