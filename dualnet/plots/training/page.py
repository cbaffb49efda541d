"""The page to follow a training by: one file, which nothing is fetched for."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from dualnet.files import atomic_path, write_text
from dualnet.plots.embed import COLORS, embed_png
from dualnet.plots.report.page import render_page
from dualnet.plots.style import render_figure
from dualnet.plots.training.charts import CURVES, FINDINGS, draw_training_charts
from dualnet.plots.training.curves import plot_curves, plot_finding_curves
from dualnet.plots.training.facts import TrainingFacts
from dualnet.plots.training.sections import (
    SAMPLES,
    make_training_heading,
    make_training_sections,
)


def write_training_page(
    page: Path, facts: TrainingFacts, *, figure: Path, samples: Path
) -> None:
    """Writes the page and, when all is done, its still figures.

    Those take most of the time, and are for paper and for who has no browser.

    Args:
        page: The HTML file.
        facts: What the run folder says.
        figure: File of the curves as a picture.
        samples: The file of the sample grid; shown if it is there.
    """
    figures: dict[str, Image.Image | str] = {}
    if facts.finished and facts.num_done:
        curves = _draw(plot_curves(facts))
        with atomic_path(figure) as unfinished:
            curves.save(unfinished)
        figures[CURVES] = curves
    if facts.finished and facts.findings:
        figures[FINDINGS] = _draw(plot_finding_curves(facts))
    if samples.is_file():
        figures[SAMPLES] = embed_png(samples.read_bytes())
    write_text(page, render_training_page(facts, figures))


def render_training_page(
    facts: TrainingFacts, figures: Mapping[str, Image.Image | str]
) -> str:
    """Returns the page as one HTML text.

    Args:
        facts: What the run folder says.
        figures: The still figures, by name, as `render_page` takes them.

    Returns:
        The HTML.
    """
    return render_page(
        make_training_heading(facts),
        make_training_sections(facts, figures),
        figures,
        draw_training_charts(facts),
    )


def _draw(figure: Figure) -> Image.Image:
    picture = Image.fromarray(render_figure(figure))
    return picture.quantize(COLORS, dither=Image.Dither.NONE)
