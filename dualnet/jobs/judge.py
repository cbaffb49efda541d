"""`dualnet judge`: anybody's predictions, judged as a run of ours is."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from dualnet.config import EvaluationConfig
from dualnet.data.readers import read_records
from dualnet.data.readers.prediction_table import PredictionTable, read_predictions
from dualnet.data.readers.records_file import read_records_file
from dualnet.data.records import RecordSet
from dualnet.errors import ConfigError, RecordError
from dualnet.evaluation.evaluate import evaluate
from dualnet.evaluation.prediction import Prediction
from dualnet.evaluation.truth import SUM_TOLERANCE
from dualnet.findings import Vocabulary
from dualnet.jobs.evaluation_folder import WrittenEvaluation, write_evaluation
from dualnet.jobs.sources import describe_dataset
from dualnet.jobs.table_baselines import fit_table_baselines
from dualnet.wording import format_number, number_of

logger = logging.getLogger(__name__)


def judge_predictions(  # noqa: PLR0913 - one argument an option
    predictions: Path,
    truth: Path,
    out: Path,
    *,
    format: str | None = None,  # noqa: A002, the option's name
    mapping: str | None = None,
    id_column: str | None = None,
    prefix: str | None = None,
    columns: Path | None = None,
    logits: bool = False,
    resamples: int | None = None,
    seed: int = 0,
) -> WrittenEvaluation:
    """Judges a table of predictions and writes what `evaluate_run` writes.

    Args:
        predictions: CSV or Parquet, one row a radiograph, one column a class.
        truth: A dataset's folder, NIH's table, or another table of records; pictures
            are not needed.
        out: Folder to write.
        format: The truth's reader, by name; none: found out.
        mapping: What the columns of the truth's table mean, by name or file.
        id_column: The predictions' column with the radiograph's name; none: found out.
        prefix: Of the predictions' columns of the classes; none: found out.
        columns: A YAML file that maps these columns instead.
        logits: Whether the scores are no probabilities.
        resamples: How often patients are drawn for the intervals; none: as `evaluate`.
        seed: Decides the draws, the folds and the baselines.

    Returns:
        The evaluation, and where it lies.

    Raises:
        ConfigError: If `out` is a file.
        RecordError: If no radiograph has both a prediction and truth.
    """
    if out.exists() and not out.is_dir():
        raise ConfigError(
            f"--out: must be a folder. Received: the file {str(out)!r}. Name another."
        )
    records = _read_truth(truth, format=format, mapping=mapping)
    table = read_predictions(
        predictions,
        records.vocabulary,
        id_column=id_column,
        prefix=prefix,
        columns=columns,
        logits=logits,
    )
    notes = _describe_columns(table, records.vocabulary, predictions.name)
    matched = _match(table, records, predictions=predictions, truth=truth)
    judged = records.table.iloc[matched.rows].reset_index(drop=True)
    model = _make_prediction(table, matched.found, logits=logits)
    baselines = fit_table_baselines(
        judged,
        records.table.loc[~records.table.index.isin(matched.rows)],
        records.vocabulary,
        answers=model.probabilities is not None,
        seed=seed,
    )
    notes += [matched.note, baselines.note]
    for note in notes:
        logger.info("%s", note)
    evaluation = evaluate(
        judged,
        model,
        vocabulary=records.vocabulary,
        baselines=baselines.predictions,
        resamples=resamples or EvaluationConfig().resamples,
        seed=seed,
    )
    dataset = describe_dataset(truth if truth.is_dir() else truth.parent)
    told = {
        "about": {
            "model": predictions.name,
            "data": dataset["name"],
            "phantom": dataset["phantom"],
        },
        "notes": notes,
        "judged_files": {predictions.name: table.digest, **records.digests},
        "judged_columns": dict(table.columns),
        "judged_rows": matched.counts,
        "baselines_fitted_on": baselines.fitted_on,
    }
    evaluation = replace(evaluation, metrics={**evaluation.metrics, **told})
    return write_evaluation(out, evaluation)


def _read_truth(truth: Path, *, format: str | None, mapping: str | None) -> RecordSet:  # noqa: A002
    if truth.is_file():
        records = read_records_file(truth, format=format, mapping=mapping)
    else:
        records = read_records(truth, format=format, mapping=mapping)
    records.check_labelled()
    return records


@dataclass(frozen=True, kw_only=True)
class _Matched:
    """Which rows have both a prediction and truth.

    Args:
        rows: Their positions in the records, in the order of the predictions.
        found: Their positions in the predictions.
        counts: What was matched and what was not, for the metrics.
        note: The same as a sentence.
    """

    rows: np.ndarray
    found: np.ndarray
    counts: dict[str, int]
    note: str


def _match(
    table: PredictionTable, records: RecordSet, *, predictions: Path, truth: Path
) -> _Matched:
    known = pd.Index(records.table["image_id"])
    positions = known.get_indexer(pd.Index(table.image_ids))
    by_name = bool((positions < 0).all())
    if by_name:  # published tables often hold paths
        names = [
            name.replace("\\", "/").rpartition("/")[2]
            for name in table.image_ids.tolist()
        ]
        positions = known.get_indexer(pd.Index(names))
    found = np.flatnonzero(positions >= 0)
    if not found.size:
        raise RecordError(
            f"{predictions.name}: at least one radiograph must be in {truth}. "
            f"Received: 0 of {len(table.image_ids):,}; the first is "
            f"{table.image_ids[0][:60]!r}, the truth's first is {str(known[0])[:60]!r}. "
            "Name the column of the radiographs with --id-column, or another truth."
        )
    rows = positions[found]
    if np.unique(rows).size < rows.size:
        raise RecordError(
            f"{predictions.name}: each radiograph must stand once. Received: "
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
    note = (
        f"{found.size:,} of {number_of(len(table.image_ids), 'prediction')} judged, "
        f"{counts['without_truth']:,} without truth; {counts['without_prediction']:,} of "
        f"{number_of(len(known), 'row')} of the truth without a prediction"
        f"{'; matched by file name, without its folder' if by_name else ''}."
    )
    return _Matched(rows=rows, found=found, counts=counts, note=note)


def _describe_columns(
    table: PredictionTable, vocabulary: Vocabulary, where: str
) -> list[str]:
    """Says what was read, what is absent and what was not used."""
    shown = next(iter(table.columns.values()))
    absent = f"; no column of {', '.join(table.unscored)}" if table.unscored else ""
    unused = f"; not used: {', '.join(table.unused)}" if table.unused else ""
    return [
        f"{where}: {len(table.columns)} of {len(vocabulary.class_names)} classes, from "
        f"{shown} on{absent}{unused}."
    ]


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
