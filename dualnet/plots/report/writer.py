"""Writes the report of an evaluation beside its scores."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dualnet.files import write_text
from dualnet.plots.embed import read_figure
from dualnet.plots.report.charts import Chart
from dualnet.plots.report.contents import make_sections
from dualnet.plots.report.document import write_document
from dualnet.plots.report.heading import make_heading
from dualnet.plots.report.page import render_page

PAGE, DOCUMENT = "report.html", "report.pdf"


def write_report(
    folder: Path,
    metrics: Mapping[str, Any],
    *,
    figures: Mapping[str, Path],
    charts: Mapping[str, Chart],
) -> None:
    """Writes `report.html` and `report.pdf`.

    Args:
        folder: Where they go; it is made.
        metrics: Plain values, as in `metrics.json`.
        figures: The file of each figure, by its name.
        charts: Interactive twins of some of them, for the page.
    """
    heading = make_heading(metrics)
    sections = make_sections(metrics, figures)
    pictures = {name: read_figure(path) for name, path in figures.items()}
    write_document(folder / DOCUMENT, heading, sections, pictures)
    write_text(folder / PAGE, render_page(heading, sections, pictures, charts))
