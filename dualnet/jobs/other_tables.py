"""What other tables say of the radiographs judged: joined columns, radiologists."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from dualnet.data.adjudicated import (
    align_adjudicated,
    find_adjudicated,
    read_adjudicated,
)
from dualnet.data.joined_columns import JoinedColumns, parse_join, read_joined
from dualnet.errors import ConfigError
from dualnet.evaluation.breakdown import Adjudicated, Besides
from dualnet.evaluation.groups.adjudicated import CLASSES
from dualnet.findings import Vocabulary
from dualnet.wording import number_of

logger = logging.getLogger(__name__)

Join = tuple[Path, tuple[str, ...]]


def check_joins(joins: Sequence[str]) -> list[Join]:
    """Checks the words of `--join` before anything slow is done.

    Args:
        joins: Each `TABLE` or `TABLE:column,column`.

    Returns:
        The tables, and the columns that are wanted of each.

    Raises:
        ConfigError: If a table is no file.
    """
    tables = [parse_join(text) for text in joins]
    for file, _ in tables:
        if not file.is_file():
            raise ConfigError(
                f"--join: must name a CSV file. Received: {file}, no such file. "
                "Write TABLE or TABLE:column,column."
            )
    return tables


def read_tables(
    table: pd.DataFrame,
    vocabulary: Vocabulary,
    folder: Path | None,
    *,
    tables: Sequence[Join] = (),
    adjudicated: Path | None = None,
) -> Besides:
    """Reads what other tables say of the radiographs judged; no run is needed.

    Args:
        table: The radiographs judged.
        vocabulary: Names the classes.
        folder: The dataset's folder; None: not known.
        tables: Tables to join, and the columns wanted of each.
        adjudicated: Radiologists' labels; none: as they lie in the folder.

    Returns:
        What is known besides the records. What a table lacks is logged.
    """
    image_ids = table["image_id"].tolist()
    joined = [read_joined(file, columns, image_ids) for file, columns in tables]
    for one in joined:
        logger.info("%s", one.line)
    return Besides(
        columns=_name_columns(joined),
        joined=[_count_joined(one) for one in joined],
        adjudicated=_adjudicate(adjudicated, image_ids, vocabulary, folder),
    )


def _name_columns(joined: Sequence[JoinedColumns]) -> dict[str, list[str]]:
    """Names columns as their tables do; with the table's name where two share one."""
    names = [name for one in joined for name in one.columns]
    return {
        name if names.count(name) == 1 else f"{one.file.stem} {name}": values
        for one in joined
        for name, values in one.columns.items()
    }


def _count_joined(one: JoinedColumns) -> dict[str, Any]:
    return {
        "file": one.file.name,
        "columns": list(one.columns),
        "left_out": list(one.left_out),
        "num_matched": one.num_matched,
        "num_without_row": one.num_images - one.num_matched,
        "num_rows_unused": one.num_rows_unused,
    }


def _adjudicate(
    file: Path | None,
    image_ids: Sequence[str],
    vocabulary: Vocabulary,
    folder: Path | None,
) -> Adjudicated | None:
    """Looks radiographs up in the radiologists' table, if there is one for them."""
    classes = {name for names in CLASSES.values() for name in names}
    found = file
    if file is None and classes & {*vocabulary.class_names}:
        found = find_adjudicated(folder)
    if found is None:
        return None
    answers = read_adjudicated(found)
    matched, answers_here = align_adjudicated(answers, image_ids)
    logger.info(
        "%s: labels of %s, %s of the %s judged",
        found.name,
        number_of(len(answers), "radiograph"),
        f"{int(matched.sum()):,}",
        f"{len(image_ids):,}",
    )
    return Adjudicated(file=found.name, matched=matched, answers=answers_here)
