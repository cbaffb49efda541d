"""Anybody's predictions of the radiographs that a truth table knows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from dualnet.data.readers.prediction_table import PredictionTable, read_predictions
from dualnet.data.records import RecordSet
from dualnet.errors import RecordError
from dualnet.evaluation.scores.prediction import Prediction
from dualnet.evaluation.scores.truth import SUM_TOLERANCE
from dualnet.wording import format_number, number_of


@dataclass(frozen=True, kw_only=True)
class PredictionWords:
    """How a table of predictions is to be read.

    Args:
        id_column: The column with the radiograph's name; none: found out.
        prefix: Of the columns of the classes; none: found out.
        columns: A YAML file that maps these columns instead.
        logits: Whether the scores are no probabilities.
    """

    id_column: str | None = None
    prefix: str | None = None
    columns: Path | None = None
    logits: bool = False


@dataclass(frozen=True, kw_only=True)
class MatchedPredictions:
    """The predictions of the radiographs that have truth, in the predictions' order.

    Args:
        file: The table of predictions.
        columns: The column of each class that has one.
        unused: Columns with the classes' prefix, of no class.
        digest: SHA-256 of the file.
        rows: Positions of the radiographs in the records.
        records: Their records.
        prediction: What is said of them.
        counts: What was matched and what was not.
        note: The same as a sentence.
    """

    file: Path
    columns: Mapping[str, str]
    unused: tuple[str, ...]
    digest: str
    rows: np.ndarray
    records: pd.DataFrame
    prediction: Prediction
    counts: dict[str, int]
    note: str

    def keep(self, chosen: np.ndarray) -> "MatchedPredictions":
        """Leaves some radiographs out.

        Args:
            chosen: Whether to keep each, bool, shape (rows,).

        Returns:
            The others; `judged` of the counts is how many they are.
        """
        return replace(
            self,
            rows=self.rows[chosen],
            records=self.records[chosen].reset_index(drop=True),
            prediction=self.prediction.take(chosen),
            counts={**self.counts, "judged": int(chosen.sum())},
        )


def read_matched(
    file: Path, records: RecordSet, words: PredictionWords, *, truth: Path
) -> MatchedPredictions:
    """Reads predictions, and finds the radiographs that have truth too.

    Args:
        file: CSV or Parquet, one row a radiograph, one column a class.
        records: The truth.
        words: How the file is to be read.
        truth: The file or folder of the truth, named in errors.

    Returns:
        What is said of these radiographs. Where no name is the truth's, names are
        compared without their folders.

    Raises:
        RecordError: If the file is no such table, no radiograph has truth, or one
            stands twice.
    """
    table = read_predictions(
        file,
        records.vocabulary,
        id_column=words.id_column,
        prefix=words.prefix,
        columns=words.columns,
        logits=words.logits,
    )
    known = pd.Index(records.table["image_id"])
    positions, by_name = find_rows(table.image_ids, known)
    found = np.flatnonzero(positions >= 0)
    if not found.size:
        raise RecordError(
            f"{file.name}: at least one radiograph must be in {truth}. "
            f"Received: 0 of {len(table.image_ids):,}; the first is "
            f"{table.image_ids[0][:60]!r}, the truth's first is {str(known[0])[:60]!r}. "
            "Name the column of the radiographs with --id-column, or another truth."
        )
    rows = positions[found]
    if np.unique(rows).size < rows.size:
        raise RecordError(
            f"{file.name}: each radiograph must stand once. Received: "
            f"{rows.size - np.unique(rows).size:,} of the file names twice, in several "
            "folders. Give the names that the truth has."
        )
    counts = {
        "predictions": len(table.image_ids),
        "without_truth": len(table.image_ids) - found.size,
        "truth": len(known),
        "without_prediction": len(known) - found.size,
        "judged": found.size,
    }
    return MatchedPredictions(
        file=file,
        columns=table.columns,
        unused=table.unused,
        digest=table.digest,
        rows=rows,
        records=records.table.iloc[rows].reset_index(drop=True),
        prediction=_make_prediction(table, found, logits=words.logits),
        counts=counts,
        note=_describe(counts, by_name=by_name),
    )


def find_rows(image_ids: np.ndarray, known: pd.Index) -> tuple[np.ndarray, bool]:
    """Finds radiographs by name, or, where no name is known, without their folders.

    Args:
        image_ids: Names, str, shape (rows,).
        known: Names that are known, each once.

    Returns:
        Each name's position in `known`, -1 for none, int, shape (rows,); and whether
        folders were left out.
    """
    positions = known.get_indexer(pd.Index(image_ids))
    if (positions >= 0).any():
        return positions, False
    names = [  # published tables often hold paths
        name.replace("\\", "/").rpartition("/")[2] for name in image_ids.tolist()
    ]
    return known.get_indexer(pd.Index(names)), True


def _describe(counts: Mapping[str, int], *, by_name: bool) -> str:
    return (
        f"{counts['judged']:,} of {number_of(counts['predictions'], 'prediction')} "
        f"judged, {counts['without_truth']:,} without truth; "
        f"{counts['without_prediction']:,} of {number_of(counts['truth'], 'row')} of "
        "the truth without a prediction"
        f"{'; matched by file name, without its folder' if by_name else ''}."
    )


def _make_prediction(
    table: PredictionTable, found: np.ndarray, *, logits: bool
) -> Prediction:
    """Takes the scores as a softmax where they are one, else as a score a finding."""
    scores = table.scores[found]
    if logits:
        why = "the scores are no probabilities; only their order is judged"
    elif table.unscored:
        why = f"the model gives no probability of {', '.join(table.unscored)}"
    else:
        sums = scores.sum(axis=1)
        if (np.abs(sums - 1) <= SUM_TOLERANCE).all():
            return Prediction(scores)
        why = (
            "the model gives one probability a class, which sum to "
            f"{format_number(sums.min(), digits=2)} to "
            f"{format_number(sums.max(), digits=2)}, not one answer a radiograph"
        )
    return Prediction(
        None,
        scores,
        are_probabilities=not logits,
        unscored=table.unscored,
        why_no_answer=why,
    )
