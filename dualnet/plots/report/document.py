"""The report as PDF: A4 pages of words, tables and figures, drawn by matplotlib.

The same sections give the same bytes: no date is written, nor who wrote the file.
Words and tables are text that can be searched; figures are the saved pictures.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_pdf import PdfPages
from PIL import Image

from dualnet.files import atomic_path
from dualnet.plots.report.heading import Heading
from dualnet.plots.report.paper import BODY, Font, Paper
from dualnet.plots.report.sections import Picture, Section, Table

TITLE = Font(size=17, weight="bold")
HEADLINE = Font(size=13, weight="bold")
CAUTION = Font(size=9.5, weight="bold", color="#B3261E")
LEAD = Font(size=10.5, weight="bold")
CAPTION = Font(size=9, weight="bold")
NOTE = Font(size=8, color="#555555")
CELL = 8.0  # points: the largest a cell is written in
SMALLEST = 5.5  # points: what a printer still gives legibly
GAP = 0.14  # inches between two columns
MOST_OF_PAGE = 0.82  # of a page's height, for the largest figure
LEAST = 0.7  # of its full size, for a figure that may be on the same page so


def write_document(
    path: Path,
    heading: Heading,
    sections: Sequence[Section],
    figures: Mapping[str, Path],
) -> None:
    """Writes the report as PDF, whole or not at all.

    Args:
        path: The file.
        heading: The report's top.
        sections: Its sections.
        figures: The file of each figure that the sections show, by its name.
    """
    # None leaves a key out: a date or a version would change the bytes
    metadata: dict[str, Any] = {
        "Title": heading.title,
        "Creator": None,
        "Producer": None,
        "CreationDate": None,
    }
    with (
        atomic_path(path) as unfinished,
        PdfPages(unfinished, metadata=metadata) as pages,
    ):
        paper = Paper(pages, footer=f"{heading.title}. {heading.cautions[0]}")
        _draw_heading(paper, heading)
        for section in sections:
            _draw_section(paper, section, figures)
        paper.finish()


def _draw_heading(paper: Paper, heading: Heading) -> None:
    paper.write(heading.title, TITLE, after=0.1)
    for line in heading.cautions:
        paper.write(line, CAUTION, after=0.05)
    paper.skip(0.12)
    paper.write("Verdict", HEADLINE, after=0.05)
    for number, (sentence, parts) in enumerate(heading.verdict):
        paper.write(sentence, BODY if number else LEAD, after=0.03)
        for part in parts:
            paper.write(part, BODY, indent=0.25, after=0.02)
    paper.skip(0.1)
    for value, said in heading.facts:
        paper.write(f"{value}  {said}", BODY, after=0.02)
    paper.skip(0.08)
    paper.write(heading.subtitle, NOTE, after=0.05)


def _draw_section(paper: Paper, section: Section, figures: Mapping[str, Path]) -> None:
    paper.need(1.6)  # a headline does not stand alone at the foot of a page
    paper.skip(0.22)
    paper.write(section.title, HEADLINE, after=0.06)
    for paragraph in section.paragraphs:
        paper.write(paragraph, BODY, after=0.08)
    for table in section.tables:
        _draw_table(paper, table)
    for picture in section.pictures:
        _draw_picture(paper, picture, figures[picture.name])


def _draw_table(paper: Paper, table: Table) -> None:
    size, widths = _fit_columns(paper, table)
    font, header = Font(size=size), Font(size=size, color="#555555")
    edges = [sum(widths[:number]) for number in range(len(widths) + 1)]
    places = [
        (edges[number], "left")
        if number in table.left
        else (edges[number + 1] - GAP, "right")
        for number in range(len(widths))
    ]
    paper.need(min(3.0, 0.5 + font.height * (len(table.rows) + 2)))
    paper.skip(0.08)
    paper.write(table.caption, CAPTION, after=0.04)
    _draw_row(paper, table.header, places, header)
    for row in table.rows:
        if not paper.has_room(font.height):
            paper.turn()
            _draw_row(paper, table.header, places, header)
        paper.rule(edges[-1] - GAP)
        _draw_row(paper, row, places, font)
    paper.skip(0.05)
    if table.note:
        paper.write(table.note, NOTE, after=0.05)


def _draw_row(
    paper: Paper, cells: Sequence[str], places: Sequence[tuple[float, str]], font: Font
) -> None:
    for cell, (place, side) in zip(cells, places, strict=True):
        paper.put(cell, font, place, side=side)
    paper.skip(font.height)


def _fit_columns(paper: Paper, table: Table) -> tuple[float, list[float]]:
    """Returns the size of the cells, in points, and the widths of the columns."""
    columns = list(zip(table.header, *table.rows, strict=True))
    for size in (CELL, CELL - 0.5, CELL - 1, CELL - 1.5, CELL - 2, SMALLEST):
        font = Font(size=size)
        widths = [max(map(font.width_of, column)) + GAP for column in columns]
        if sum(widths) - GAP <= paper.width:
            break
    return size, widths


def _draw_picture(paper: Paper, picture: Picture, path: Path) -> None:
    with Image.open(path) as file:
        pixels = file.convert("RGB")
    share = pixels.height / pixels.width
    height = min(paper.width * share, paper.height * MOST_OF_PAGE)
    caption = f"{picture.title}. {picture.caption}".strip()
    lines = BODY.wrap(caption, paper.width)
    room = paper.room - 0.3 - len(lines) * BODY.height
    if LEAST * height <= room:
        height = min(height, room)
    paper.need(height + 0.3 + len(lines) * BODY.height)
    paper.paste(pixels, height / share, height)
    paper.write(caption, BODY, after=0.1)
