"""Lists and tables in Markdown."""

from collections.abc import Mapping, Sequence


def format_markdown_list(rows: Mapping[str, str]) -> str:
    """Writes names and what is said of them, one a line.

    Args:
        rows: What is said, by name.

    Returns:
        The list, its names bold.

    Example:
        >>> format_markdown_list({"Seed": "0"})
        '- **Seed**: 0'
    """
    return "\n".join(f"- **{name}**: {value}" for name, value in rows.items())


def format_markdown_table(rows: Sequence[Sequence[str]]) -> str:
    r"""Writes rows as a table in Markdown, numbers to the right.

    Args:
        rows: The header, then the rows; as many cells in each.

    Returns:
        The table. A bar in a cell is escaped.

    Example:
        >>> print(format_markdown_table([["part", "n"], ["a|b", "3"]]))
        | part | n |
        |---|---:|
        | a\|b | 3 |
    """
    header, *body = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    rule = f"|---|{'---:|' * (len(header) - 1)}"
    lines = [f"| {' | '.join(row)} |" for row in (header, *body)]
    return "\n".join([lines[0], rule, *lines[1:]])
