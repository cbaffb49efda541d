"""The report as one HTML file: figures, plotly.js and its values are all inside.

Nothing is fetched, and its Content-Security-Policy forbids to: only the two scripts whose
digests it names may run. Where no script runs, and on paper, each interactive figure
gives way to its still twin.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache

from markupsafe import Markup
from PIL import Image

from dualnet.plots.embed import Script, embed_figure, keep_together, open_template
from dualnet.plots.report.chart_parts import Chart
from dualnet.plots.report.heading import Heading
from dualnet.plots.report.sections import Section


def render_page(
    heading: Heading,
    sections: Sequence[Section],
    figures: Mapping[str, Image.Image | str],
    charts: Mapping[str, Chart],
) -> str:
    """Returns the report as one HTML text.

    Args:
        heading: Its top.
        sections: Its sections.
        figures: Each figure that the sections show, as `read_figure` returns it, or
            embedded already; one that has a chart may lack.
        charts: Interactive twins of some of them.

    Returns:
        The HTML.
    """
    shown = {picture.name for section in sections for picture in section.pictures}
    charts = {name: chart for name, chart in charts.items() if name in shown}
    return open_template("report.html.j2", keep=keep_together).render(
        heading=heading,
        sections=sections,
        sources={
            name: one if isinstance(one, str) else embed_figure(one)
            for name, one in sorted(figures.items())
            if name in shown
        },
        charts=charts,
        chart_values=_as_script_values(charts),
        scripts=_read_scripts() if charts else [],
    )


def _as_script_values(charts: Mapping[str, Chart]) -> Markup:
    """Writes values so that none of their texts can end the element they stand in."""
    text = json.dumps(charts, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


@lru_cache(maxsize=1)  # the page of a running training is written again and again
def _read_scripts() -> list[Script]:
    from plotly.offline import get_plotlyjs  # half a second: only where it is needed

    own = open_template("report.js.j2").render()
    return [Script(Markup(text)) for text in (get_plotlyjs(), own)]
