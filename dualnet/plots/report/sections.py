"""What a report is made of: sections, each of words, tables and figures.

A section says nothing of how it looks; `page` and `document` both draw it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table, its cells written already.

    Args:
        caption: What it holds.
        header: Names of the columns.
        rows: Cells, as many a row as there are columns.
        left: Columns of words; numbers stand to the right.
        note: What to mind when reading it.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: Sequence[int] = (0,)
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure that a section shows.

    Args:
        name: Of its file in `figures/`, without suffix.
        title: What it is, for those who cannot see it.
        caption: How to read it.
    """

    name: str
    title: str
    caption: str


@dataclass(frozen=True, kw_only=True)
class Section:
    """One part of a report.

    Args:
        key: A word for its address in the page.
        title: Its headline.
        paragraphs: How to read it, and what it says in words.
        tables: Its tables.
        pictures: Its figures; one that was not drawn is left out.
    """

    key: str
    title: str
    paragraphs: Sequence[str] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()


# makes a section of the plain values of `metrics.json`; None where they have nothing
MakeSection = Callable[[Mapping[str, Any]], Section | None]
