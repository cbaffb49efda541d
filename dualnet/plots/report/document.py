"""The report as PDF: A4 pages of words, tables and figures, drawn by matplotlib.

The same sections give the same bytes: no date is written, nor who wrote the file.
Words and tables are text that can be searched; figures are the saved pictures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_pdf import PdfPages
from PIL import Image

from dualnet.files import atomic_path
from dualnet.plots.embed import keep_together
from dualnet.plots.report.heading import Heading
from dualnet.plots.report.paper import BODY, Font, Paper
from dualnet.plots.report.sections import Picture, Section, Table

TITLE = Font(size=17, weight="bold")
HEADLINE = Font(size=13, weight="bold")
CAUTION = Font(size=9.5, weight="bold", color="#B3261E")
LEAD = Font(size=10.5, weight="bold")
CAPTION = Font(size=9, weight="bold")
NOTE = Font(size=8, color="#555555")
SIZES = (8.0, 7.5, 7.0, 6.5, 6.0)  # points: of a cell, the first at which it fits
GAP = 0.14  # inches between two columns
MOST_OF_PAGE = 0.82  # of a page's height, for the largest figure
LEAST = 0.8  # of its full size, for a figure that may be on the same page so


def write_document(
    path: Path,
    heading: Heading,
    sections: Sequence[Section],
    figures: Mapping[str, Image.Image],
) -> None:
    """Writes the report as PDF, whole or not at all.

    Args:
        path: The file.
        heading: The report's top.
        sections: Its sections.
        figures: Each figure that the sections show, as `read_figure` returns it.
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
        paper = Paper(pages, footer=f"{heading.cautions[0]} {heading.title}.")
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
        paper.skip(0.05 if parts else 0.0)
    paper.skip(0.1)
    for value, said in heading.facts:
        paper.write(f"{value}  {said}", BODY, after=0.02)
    paper.skip(0.08)
    paper.write(heading.subtitle, NOTE, after=0.05)


def _draw_section(
    paper: Paper, section: Section, figures: Mapping[str, Image.Image]
) -> None:
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
    for number, (block, size, widths) in enumerate(_fit_columns(paper, table)):
        caption = f"{table.caption}, continued" if number else table.caption
        _draw_block(paper, replace(block, caption=caption), size, widths)
    if table.note:
        paper.write(table.note, NOTE, after=0.05)


def _draw_block(
    paper: Paper, table: Table, size: float, widths: Sequence[float]
) -> None:
    font, header = Font(size=size), Font(size=size, color="#555555")
    edges = [sum(widths[:number]) for number in range(len(widths) + 1)]
    places = [
        (edges[number], "left")
        if number in table.left
        else (edges[number + 1] - GAP, "right")
        for number in range(len(widths))
    ]
    names = [
        header.wrap(keep_together(cell), width - GAP)
        for cell, width in zip(table.header, widths, strict=True)
    ]
    paper.need(min(3.0, 0.5 + font.height * (len(table.rows) + 2)))
    paper.skip(0.08)
    paper.write(table.caption, CAPTION, after=0.04)
    _draw_header(paper, names, places, header)
    for row in table.rows:
        if not paper.has_room(font.height):
            paper.turn()
            _draw_header(paper, names, places, header)
        paper.rule(edges[-1] - GAP)
        _draw_row(paper, row, places, font)
    paper.skip(0.05)


def _draw_header(
    paper: Paper,
    names: Sequence[Sequence[str]],
    places: Sequence[tuple[float, str]],
    font: Font,
) -> None:
    """Draws the columns' names, each from the bottom up where it has several lines."""
    height = max(map(len, names))
    for line in range(height):
        shown = [
            name[line - height + len(name)] if line >= height - len(name) else ""
            for name in names
        ]
        _draw_row(paper, shown, places, font)


def _draw_row(
    paper: Paper, cells: Sequence[str], places: Sequence[tuple[float, str]], font: Font
) -> None:
    for cell, (place, side) in zip(cells, places, strict=True):
        paper.put(cell, font, place, side=side)
    paper.skip(font.height)


def _fit_columns(paper: Paper, table: Table) -> list[tuple[Table, float, list[float]]]:
    """Finds the size of the cells, in points, and the widths of the columns.

    Returns:
        One block, or, where the smallest size is still too wide, several that each
        begin with the first column.
    """
    for size in SIZES:
        widths = _measure_columns(table, Font(size=size))
        if sum(widths) - GAP <= paper.width:
            return [(table, size, widths)]
    widths = _measure_columns(table, Font(size=SIZES[-1]))
    blocks: list[list[int]] = [[0]]
    for column in range(1, len(widths)):
        taken = sum(widths[one] for one in blocks[-1])
        if len(blocks[-1]) > 1 and taken + widths[column] - GAP > paper.width:
            blocks.append([0])
        blocks[-1].append(column)
    return [
        (_take_columns(table, block), SIZES[-1], [widths[one] for one in block])
        for block in blocks
    ]


def _measure_columns(table: Table, font: Font) -> list[float]:
    """A column is as wide as its widest cell and the widest word of its name."""
    columns = zip(table.header, *table.rows, strict=True)
    return [
        max(map(font.width_of, [*keep_together(name).split(" "), *cells])) + GAP
        for name, *cells in columns
    ]


def _take_columns(table: Table, columns: Sequence[int]) -> Table:
    return replace(
        table,
        header=[table.header[one] for one in columns],
        rows=[[row[one] for one in columns] for row in table.rows],
        left=[place for place, one in enumerate(columns) if one in table.left],
    )


def _draw_picture(paper: Paper, picture: Picture, figure: Image.Image) -> None:
    pixels = figure.convert("RGB")
    share = pixels.height / pixels.width
    height = min(paper.width * share, paper.height * MOST_OF_PAGE)
    caption = f"{picture.title}. {picture.caption}".strip()
    lines = BODY.wrap(keep_together(caption), paper.width)
    room = paper.room - 0.3 - len(lines) * BODY.height
    if LEAST * height <= room:
        height = min(height, room)
    paper.need(height + 0.3 + len(lines) * BODY.height)
    paper.paste(pixels, height / share, height)
    paper.write(caption, BODY, after=0.1)
