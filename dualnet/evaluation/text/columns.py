"""Rows of cells as lines of text."""

from collections.abc import Sequence
from itertools import zip_longest
from textwrap import wrap


def align(
    rows: Sequence[Sequence[str]],
    *,
    left: Sequence[int],
    rules: Sequence[int],
    break_names: bool = False,
) -> str:
    """Sets columns under each other.

    Args:
        rows: Cells, as many in each row; the first row holds the columns' names.
        left: Columns that are set to the left; the others are set to the right.
        rules: Rows above which a rule is drawn.
        break_names: Whether the names of columns that are set to the right are broken
            between words where the cells below are narrower.

    Returns:
        One line a row, and more for the first where names are broken.
    """
    names, *below = rows
    heads = [list(names)]
    if break_names:
        columns = zip(*rows, strict=True)
        lines = [
            [name] if number in left else _break_name(name, column)
            for number, (name, *column) in enumerate(columns)
        ]
        heads = [list(row) for row in zip_longest(*lines, fillvalue="")]
    widths = [max(map(len, column)) for column in zip(*heads, *below, strict=True)]
    text = [_join(row, widths, left) for row in heads]
    for number, row in enumerate(below, start=1):
        text += ["  ".join("-" * width for width in widths)] if number in rules else []
        text.append(_join(row, widths, left))
    return "\n".join(text)


def _break_name(name: str, column: Sequence[str]) -> list[str]:
    return wrap(name, max(map(len, ["-", *name.split(), *column])))


def _join(row: Sequence[str], widths: Sequence[int], left: Sequence[int]) -> str:
    cells = [
        cell.ljust(width) if number in left else cell.rjust(width)
        for number, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()
