"""Anybody's predictions: a table with one row a radiograph, one column a class."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dualnet.data.readers.parquet import (
    SUFFIXES,
    read_parquet_header,
    read_parquet_table,
)
from dualnet.data.readers.prediction_columns import (
    find_class_columns,
    read_prediction_columns,
)
from dualnet.data.readers.text_table import TextTable, read_header, read_text_table
from dualnet.errors import RecordError
from dualnet.findings import Vocabulary
from dualnet.wording import describe_more, number_of

ROUNDING = 1e-6  # a float32 sigmoid may pass 1 by its last digit


@dataclass(frozen=True, kw_only=True)
class PredictionTable:
    """Scores of some radiographs.

    Args:
        image_ids: Names of the radiographs, each once, str, shape (n,).
        scores: The higher the likelier, float64, shape (n, num_classes) in the order
            of the vocabulary; NaN in the columns of `unscored`.
        unscored: Classes without a column.
        columns: The column of each class that has one.
        unused: Columns with the classes' prefix, of no class.
        digest: SHA-256 of the file.
    """

    image_ids: np.ndarray
    scores: np.ndarray
    unscored: tuple[str, ...]
    columns: Mapping[str, str]
    unused: tuple[str, ...]
    digest: str


def read_predictions(
    file: Path,
    vocabulary: Vocabulary,
    *,
    id_column: str | None = None,
    prefix: str | None = None,
    columns: Path | None = None,
    logits: bool = False,
) -> PredictionTable:
    """Reads predictions.

    Args:
        file: CSV, or Parquet with the extra `parquet`; one row a radiograph.
        vocabulary: Names the classes; a column may lack.
        id_column: The column with the radiograph's name; none: found out.
        prefix: Of the classes' columns; none: found out.
        columns: A YAML file that maps them instead.
        logits: Whether the scores may be any finite number; else they are
            probabilities.

    Returns:
        The scores, in the file's order.

    Raises:
        RecordError: If the table cannot be read, a row has another length, a name is
            missing or stands twice, or a score is no number or out of range; the line
            and the value are named.
    """
    mapping = None if columns is None else read_prediction_columns(columns)
    parquet = file.suffix.lower() in SUFFIXES
    found = find_class_columns(
        read_parquet_header(file) if parquet else read_header(file),
        vocabulary,
        where=file.name,
        id_column=id_column,
        prefix=prefix,
        columns=mapping,
    )
    wanted = [found.image_id, *found.classes.values()]
    text = _read_text(file, wanted, parquet=parquet)
    if text.problems:
        line = min(text.problems)
        raise RecordError(
            f"{file.name} line {line}: {text.problems[line]} "
            f"{describe_more(len(text.problems) - 1, 'row')}Write the table again."
        )
    image_ids = text.rows[found.image_id].str.strip()
    _check_names(image_ids, where=file.name)
    scores = np.full((len(image_ids), len(vocabulary.class_names)), np.nan)
    for position, name in enumerate(vocabulary.class_names):
        if name in found.classes:
            cells = text.rows[found.classes[name]]
            scores[:, position] = _read_numbers(cells, where=file.name, logits=logits)
    return PredictionTable(
        image_ids=image_ids.to_numpy(dtype=str),
        scores=scores,
        unscored=tuple(n for n in vocabulary.class_names if n not in found.classes),
        columns=found.classes,
        unused=found.unused,
        digest=text.digest,
    )


def _read_text(file: Path, wanted: list[str], *, parquet: bool) -> TextTable:
    if parquet:
        return read_parquet_table(file, columns=wanted, date_format="%Y-%m-%d")
    return read_text_table(file, columns={name: name for name in wanted})


def _check_names(image_ids: pd.Series, *, where: str) -> None:
    empty = image_ids[image_ids == ""]
    if len(empty):
        raise RecordError(
            f"{where} line {empty.index[0]}: must name a radiograph. Received: '' "
            f"({_of_rows(len(empty), image_ids)}). Name it, or leave the row out."
        )
    again = image_ids[image_ids.duplicated()]
    if len(again):
        first = image_ids.index[image_ids == again.iloc[0]][0]
        raise RecordError(
            f"{where} line {again.index[0]}: each radiograph must stand once. "
            f"Received: {again.iloc[0][:60]!r}, which stands on line {first} too "
            f"({_of_rows(len(again), image_ids)}). Give one prediction a radiograph."
        )


def _read_numbers(cells: pd.Series, *, where: str, logits: bool) -> np.ndarray:
    try:
        values = cells.to_numpy(dtype="object").astype(np.float64)
    except ValueError:  # some cell is no number
        values = np.array(
            pd.to_numeric(cells, errors="coerce"), dtype=np.float64, copy=True
        )
    _refuse(
        ~np.isfinite(values),
        cells,
        where=where,
        expected="a finite number",
        advice="Give every radiograph a score, or leave its row out.",
    )
    if not logits:
        _refuse(
            (values < -ROUNDING) | (values > 1 + ROUNDING),
            cells,
            where=where,
            expected="a probability, in [0, 1]",
            advice="Say --logits if the scores are no probabilities.",
        )
    return values


def _refuse(
    bad: np.ndarray, cells: pd.Series, *, where: str, expected: str, advice: str
) -> None:
    if bad.any():
        row = int(bad.argmax())
        raise RecordError(
            f"{where} line {cells.index[row]}: `{cells.name}` must be {expected}. "
            f"Received: {cells.iloc[row][:40]!r} ({_of_rows(int(bad.sum()), cells)}). "
            f"{advice}"
        )


def _of_rows(number: int, rows: pd.Series) -> str:
    return f"{number:,} of {number_of(len(rows), 'row')}"
