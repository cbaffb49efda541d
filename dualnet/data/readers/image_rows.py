"""A CSV table with one row a radiograph, in which nothing may be amiss."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from dualnet.data.readers.text_table import read_text_table
from dualnet.errors import RecordError


def read_image_rows(
    file: Path,
    *,
    key: str,
    columns: Sequence[str],
    once: str,
    if_irregular: str,
    if_repeated: str,
) -> pd.DataFrame:
    """Reads columns of a table in which each radiograph stands once.

    Args:
        file: A comma-separated file with a header, UTF-8.
        key: The column of the radiographs' names.
        columns: The other columns wanted.
        once: The rule that each radiograph stands once, as an error says it.
        if_irregular: What to do about a line that is no row.
        if_repeated: What to do about a radiograph that stands twice.

    Returns:
        The columns as text without blanks around it; the index is the line.

    Raises:
        RecordError: If the file is not such a table.
    """
    table = read_text_table(file, columns={name: name for name in (key, *columns)})
    if table.problems:
        line, problem = next(iter(table.problems.items()))
        raise RecordError(f"{file.name} line {line}: {problem} {if_irregular}")
    rows = table.rows.apply(lambda column: column.str.strip())
    twice = rows[key].duplicated()
    if twice.any():
        line = rows.index[twice][0]
        raise RecordError(
            f"{file.name} line {line}: {once}. "
            f"Received: {rows.loc[line, key]} again. {if_repeated}"
        )
    return rows
