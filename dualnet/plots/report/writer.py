"""Writes the report of an evaluation, or of a comparison, beside its scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dualnet.files import write_text
from dualnet.plots.embed import read_figure
from dualnet.plots.report import comparison
from dualnet.plots.report.chart_parts import Chart
from dualnet.plots.report.comparison_charts import draw_comparison_charts
from dualnet.plots.report.comparison_heading import make_comparison_heading
from dualnet.plots.report.contents import make_sections
from dualnet.plots.report.document import write_document
from dualnet.plots.report.heading import Heading, make_heading
from dualnet.plots.report.page import render_page
from dualnet.plots.report.sections import Section

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
    sections = make_sections(metrics, figures)
    _write(folder, make_heading(metrics), sections, figures, charts)


def write_comparison_report(
    folder: Path, metrics: Mapping[str, Any], *, figures: Mapping[str, Path]
) -> None:
    """Writes `report.html` and `report.pdf` of runs side by side.

    Args:
        folder: Where they go; it is made.
        metrics: Plain values, as in `compare.json`.
        figures: The file of each figure, by its name.
    """
    sections = make_sections(metrics, figures, comparison.SECTIONS)
    heading = make_comparison_heading(metrics)
    _write(folder, heading, sections, figures, draw_comparison_charts(metrics))


def _write(
    folder: Path,
    heading: Heading,
    sections: Sequence[Section],
    figures: Mapping[str, Path],
    charts: Mapping[str, Chart],
) -> None:
    pictures = {name: read_figure(path) for name, path in figures.items()}
    write_document(folder / DOCUMENT, heading, sections, pictures)
    write_text(folder / PAGE, render_page(heading, sections, pictures, charts))
