"""Rows of cells as lines of text."""

from collections.abc import Sequence


def align(
    rows: Sequence[Sequence[str]], *, left: Sequence[int], rules: Sequence[int]
) -> str:
    """Sets columns under each other.

    Args:
        rows: Cells, as many in each row.
        left: Columns that are set to the left; the others are set to the right.
        rules: Rows above which a rule is drawn.

    Returns:
        One line a row.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for number, row in enumerate(rows):
        cells = [
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines += ["  ".join("-" * width for width in widths)] if number in rules else []
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
