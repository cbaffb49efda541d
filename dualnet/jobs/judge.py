"""`dualnet judge`: anybody's predictions, judged as a run of ours is."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dualnet.config import EvaluationConfig
from dualnet.data.readers import read_records
from dualnet.data.readers.records_file import read_records_file
from dualnet.data.records import RecordSet
from dualnet.errors import ConfigError
from dualnet.evaluation.breakdown import break_down
from dualnet.evaluation.evaluate import evaluate
from dualnet.evaluation.groups.groupings import RECORD_GROUPINGS, group_by_record
from dualnet.findings import Vocabulary
from dualnet.jobs.evaluation_folder import WrittenEvaluation, write_evaluation
from dualnet.jobs.matched import MatchedPredictions, PredictionWords, read_matched
from dualnet.jobs.other_tables import check_joins, read_tables
from dualnet.jobs.sources import describe_dataset
from dualnet.jobs.table_baselines import TableBaselines, fit_table_baselines
from dualnet.jobs.trained_on import (
    check_trained_on,
    read_trained_on,
    settle_trained_on,
)
from dualnet.jobs.validated import (
    NO_PROBABILITIES,
    NOT_GIVEN,
    FittedCalibration,
    check_validation,
    read_validation,
)

PATIENTS_NOT_KNOWN = (
    "Not known: whether the model was fitted on these patients (--trained-on LIST)."
)
NOT_KNOWN = (
    "Not known of predictions: what the model's label rule dropped. Not judged, as no "
    "model and no picture is read: what it reads (dualnet evaluate --audit), and "
    "baselines of pictures alone."
)

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
    validation: Path | None = None,
    trained_on: Path | None = None,
    training_patients: str = "refuse",
    joins: Sequence[str] = (),
    adjudicated: Path | None = None,
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
        validation: The model's predictions of other patients of the truth, on which
            temperature and operating points are fitted; none: they are not.
        trained_on: A list of the radiographs that the model was fitted on, one a line,
            so that their patients are found; none: not known.
        training_patients: What becomes of these: `refuse`, `leave-out` or `score`.
        joins: Tables whose columns part radiographs into groups, each `TABLE` or
            `TABLE:column,column`.
        adjudicated: Radiologists' labels of some of NIH's radiographs; none: as they
            lie in the truth's folder.
        resamples: How often patients are drawn for the intervals; none: as `evaluate`.
        seed: Decides the draws, the folds and the baselines.

    Returns:
        The evaluation, and where it lies.

    Raises:
        ConfigError: If `out` is a file.
    """
    if out.exists() and not out.is_dir():
        raise ConfigError(
            f"--out: must be a folder. Received: the file {str(out)!r}. Name another."
        )
    check_validation(validation, logits=logits)
    check_trained_on(trained_on, training_patients=training_patients)
    tables = check_joins(joins)
    words = PredictionWords(
        id_column=id_column, prefix=prefix, columns=columns, logits=logits
    )
    records = _read_truth(truth, format=format, mapping=mapping)
    judged = settle_trained_on(
        read_matched(predictions, records, words, truth=truth),
        read_trained_on(trained_on, records, truth=truth),
        training_patients=training_patients,
    )
    folder = truth if truth.is_dir() else truth.parent
    besides = read_tables(
        judged.records,
        records.vocabulary,
        folder,
        tables=tables,
        adjudicated=adjudicated,
    )
    fitted = read_validation(validation, judged, records, words, truth=truth)
    if fitted is None:
        besides = replace(
            besides, uncalibrated=NO_PROBABILITIES if logits else NOT_GIVEN
        )
    else:
        besides = replace(besides, calibration=fitted.calibration)
    baselines = fit_table_baselines(
        judged.records,
        records.table.loc[~records.table.index.isin(judged.rows)],
        records.vocabulary,
        answers=judged.prediction.probabilities is not None,
        seed=seed,
    )
    notes = [
        *_list_notes(judged, fitted, records, baselines),
        *([PATIENTS_NOT_KNOWN] if trained_on is None else []),
        NOT_KNOWN,
    ]
    for note in notes:
        logger.info("%s", note)
    evaluation = evaluate(
        judged.records,
        judged.prediction,
        vocabulary=records.vocabulary,
        baselines=baselines.predictions,
        resamples=resamples or EvaluationConfig().resamples,
        seed=seed,
    )
    evaluation = break_down(evaluation, judged.records, besides)
    told = {"notes": notes, **_tell(judged, fitted, records, baselines, folder)}
    evaluation = replace(evaluation, metrics={**evaluation.metrics, **told})
    return write_evaluation(out, evaluation)


def _read_truth(truth: Path, *, format: str | None, mapping: str | None) -> RecordSet:  # noqa: A002
    if truth.is_file():
        records = read_records_file(truth, format=format, mapping=mapping)
    else:
        records = read_records(truth, format=format, mapping=mapping)
    records.check_labelled()
    return records


def _list_notes(
    judged: MatchedPredictions,
    fitted: FittedCalibration | None,
    records: RecordSet,
    baselines: TableBaselines,
) -> list[str]:
    """Says what was read, left out and fitted on, and what cannot be said."""
    parted = {grouping.name for grouping in group_by_record(judged.records)}
    absent = [name for name in RECORD_GROUPINGS if name not in parted]
    none = f"No subgroups by {', '.join(absent)}: the truth does not tell."
    return [
        _describe_columns(judged, records.vocabulary),
        judged.note,
        *([fitted.note] if fitted else []),
        baselines.note,
        *([none] if absent else []),
    ]


def _describe_columns(judged: MatchedPredictions, vocabulary: Vocabulary) -> str:
    """Says what was read, what is absent and what was not used."""
    shown = next(iter(judged.columns.values()))
    unscored = judged.prediction.unscored
    absent = f"; no column of {', '.join(unscored)}" if unscored else ""
    unused = f"; not used: {', '.join(judged.unused)}" if judged.unused else ""
    return (
        f"{judged.file.name}: {len(judged.columns)} of {len(vocabulary.class_names)} "
        f"classes, from {shown} on{absent}{unused}."
    )


def _tell(
    judged: MatchedPredictions,
    fitted: FittedCalibration | None,
    records: RecordSet,
    baselines: TableBaselines,
    folder: Path,
) -> dict[str, Any]:
    """Returns which files, columns and rows the scores are of, as plain values."""
    dataset = describe_dataset(folder)
    files = {judged.file.name: judged.digest, **records.digests}
    told: dict[str, Any] = {
        "about": {
            "model": judged.file.name,
            "data": dataset["name"],
            "phantom": dataset["phantom"],
        },
        "judged_files": files,
        "judged_columns": dict(judged.columns),
        "judged_rows": judged.counts,
        "baselines_fitted_on": baselines.fitted_on,
    }
    if fitted is not None:
        file = fitted.predictions.file
        name = str(file) if file.name in files else file.name
        files[name] = fitted.predictions.digest
        told["validation_rows"] = fitted.counts
    return told
