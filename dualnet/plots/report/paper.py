"""Sheets of A4 that fill from top to bottom, on which nothing lies on anything else.

Widths are measured with the font's own metrics, so lines break where the sheet ends.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path
from PIL import Image

from dualnet.plots.embed import keep_together
from dualnet.plots.style import GRID, TEXT, styled

WIDTH, HEIGHT = 8.27, 11.69  # inches: A4
MARGIN = 0.7
FOOT = 0.4  # of the footer's line, from the lower edge
LEADING = 1.38  # of the size, from line to line
POINTS = 72  # to the inch


@dataclass(frozen=True)
class Font:
    """How words are written.

    Args:
        size: In points.
        weight: `normal` or `bold`.
        color: Matplotlib's name of the colour.
    """

    size: float
    weight: str = "normal"
    color: str = TEXT

    @property
    def height(self) -> float:
        """From line to line, in inches."""
        return self.size * LEADING / POINTS

    def width_of(self, text: str) -> float:
        """Returns how wide a line is, in inches."""
        return _measure(text, self.size, self.weight)

    def wrap(self, text: str, width: float) -> list[str]:
        """Breaks a text between words.

        Args:
            text: What to break; its own spaces count as one, at
                no-break spaces it is not broken.
            width: Of the lines at most, in inches; a longer word has its own line.

        Returns:
            The lines.
        """
        lines: list[str] = []
        line = ""
        for word in filter(None, text.split(" ")):  # not at a no-break space
            longer = f"{line} {word}" if line else word
            if line and self.width_of(longer) > width:
                lines.append(line)
                line = word
            else:
                line = longer
        return [*lines, line] if line else lines


BODY = Font(size=9)
FOOTER = Font(size=7.5, color="#555555")
FOOTER_LINES = 2  # more would lie on the edge of the sheet


class Paper:
    """Writes downwards, and turns to a new sheet where there is no room left.

    Args:
        pages: The document.
        footer: Stands at the foot of every sheet, before its number; what does not fit
            into two lines is left out.
    """

    def __init__(self, pages: PdfPages, *, footer: str) -> None:
        self.width = WIDTH - 2 * MARGIN
        self.height = HEIGHT - 2 * MARGIN
        self._pages = pages
        self._footer = FOOTER.wrap(footer, self.width - 0.4)[:FOOTER_LINES]
        self._number = 0
        self._start()

    def skip(self, height: float) -> None:
        """Leaves some inches free."""
        self._top += height

    @property
    def room(self) -> float:
        """Inches that are left on this sheet."""
        return HEIGHT - MARGIN - self._top

    def has_room(self, height: float) -> bool:
        """Returns whether so many inches are left on this sheet."""
        return height <= self.room

    def need(self, height: float) -> None:
        """Turns to a new sheet unless so many inches are left."""
        if not self.has_room(height) and self._top > MARGIN:
            self.turn()

    def write(
        self, text: str, font: Font, *, indent: float = 0.0, after: float = 0.0
    ) -> None:
        """Writes a paragraph.

        Args:
            text: Its words.
            font: How they are written.
            indent: Inches free to the left.
            after: Inches free below.
        """
        for line in font.wrap(keep_together(text), self.width - indent):
            self.need(font.height)
            self.put(line, font, indent)
            self.skip(font.height)
        self.skip(after)

    def put(self, text: str, font: Font, left: float, *, side: str = "left") -> None:
        """Puts words on the line where the paper is, without going on.

        Args:
            text: The words.
            font: How they are written.
            left: Inches from the left margin to the words' end on that side.
            side: `left` or `right`.
        """
        self._sheet.text(
            (MARGIN + left) / WIDTH,
            1 - (self._top + font.size / POINTS) / HEIGHT,
            text,
            size=font.size,
            weight=font.weight,
            color=font.color,
            ha=side,
            va="baseline",
            parse_math=False,
        )

    def rule(self, width: float) -> None:
        """Draws a thin line from the left margin, where the paper is."""
        height = 1 - self._top / HEIGHT
        ends = (MARGIN / WIDTH, (MARGIN + width) / WIDTH)
        self._sheet.add_artist(
            Line2D(ends, (height, height), color=GRID, linewidth=0.6)
        )

    def paste(self, pixels: Image.Image, width: float, height: float) -> None:
        """Pastes a picture below all that is there.

        Args:
            pixels: The picture, in RGB.
            width: In inches.
            height: In inches.
        """
        self.skip(0.1)
        place = (
            (WIDTH - width) / 2 / WIDTH,
            1 - (self._top + height) / HEIGHT,
            width / WIDTH,
            height / HEIGHT,
        )
        axes = self._sheet.add_axes(place)
        axes.axis("off")
        axes.imshow(np.asarray(pixels), aspect="auto", interpolation="none")
        self.skip(height + 0.1)

    def turn(self) -> None:
        """Ends this sheet and starts another."""
        self.finish()
        self._start()

    @styled
    def finish(self) -> None:
        """Writes this sheet into the document."""
        self._pages.savefig(self._sheet)

    @styled
    def _start(self) -> None:
        self._number += 1
        self._top = MARGIN
        self._sheet = Figure(figsize=(WIDTH, HEIGHT))
        look = {"size": FOOTER.size, "color": FOOTER.color, "parse_math": False}
        right, foot = 1 - MARGIN / WIDTH, FOOT / HEIGHT
        self._sheet.text(right, foot, str(self._number), ha="right", **look)
        for number, line in enumerate(self._footer):
            height = (FOOT - number * FOOTER.height) / HEIGHT
            self._sheet.text(MARGIN / WIDTH, height, line, **look)


@lru_cache(maxsize=20_000)
def _measure(text: str, size: float, weight: str) -> float:
    font = FontProperties(size=size, weight=weight)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return width / POINTS
