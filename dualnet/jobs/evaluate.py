"""`dualnet evaluate`: a run's probabilities, judged beside its baselines."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from dualnet.config import Config
from dualnet.data.batches import Batches
from dualnet.data.cache import Cache
from dualnet.data.labels import full_labels, make_targets
from dualnet.data.metadata import MetadataEncoder
from dualnet.data.split import sample_patients
from dualnet.errors import ConfigError, RecordError, RunError
from dualnet.evaluation.baselines import fit_baselines
from dualnet.evaluation.evaluate import (
    Evaluation,
    evaluate,
    predict_probabilities,
)
from dualnet.files import write_json
from dualnet.findings import VOCABULARIES, Vocabulary
from dualnet.jobs.sources import (
    exclude_findings,
    keep_cached,
    prepare,
    read_source,
)
from dualnet.plots.evaluation import plot_evaluation
from dualnet.plots.style import save_figure
from dualnet.runs import RunFolder, open_run, write_table

logger = logging.getLogger(__name__)

PARTS = ("train", "val", "test")


@dataclass(frozen=True, kw_only=True)
class EvaluatedRun:
    """What an evaluation left.

    Args:
        folder: Where `metrics.json`, `predictions.csv` and `figures/` lie.
        evaluation: The scores, the predictions and the verdict.
    """

    folder: Path
    evaluation: Evaluation


@dataclass(frozen=True, kw_only=True)
class FinishedRun:
    """A run folder, read whole.

    Args:
        folder: The run folder.
        config: Its configuration.
        vocabulary: Its classes.
        encoder: Its fitted metadata encoder.
        records: The radiographs that it used, with their `part`.
        certificate: Its split certificate.
    """

    folder: RunFolder
    config: Config
    vocabulary: Vocabulary
    encoder: MetadataEncoder
    records: pd.DataFrame
    certificate: dict[str, Any]


def read_run(path: Path) -> FinishedRun:
    """Reads all of a run but its model.

    Args:
        path: The run folder.

    Returns:
        What lies in it.
    """
    run = open_run(path)
    certificate = run.read_certificate()
    records = run.read_records().merge(
        run.read_split()[["image_id", "part"]], on="image_id", validate="1:1"
    )
    return FinishedRun(
        folder=run,
        config=run.read_config(),
        vocabulary=_read_vocabulary(certificate),
        encoder=MetadataEncoder.load(run.metadata_encoder),
        records=records,
        certificate=certificate,
    )


def evaluate_run(
    path: Path,
    *,
    data: Path | None = None,
    part: str = "test",
    sample: int | None = None,
    cache: Path | None = None,
    out: Path | None = None,
) -> EvaluatedRun:
    """Judges a run and writes `metrics.json`, `predictions.csv` and figures.

    Args:
        path: The run folder.
        data: Another dataset, judged whole; none: the run's own part.
        part: Part of the run's own radiographs: `train`, `val` or `test`.
        sample: Draws whole patients until about this many radiographs.
        cache: Cache folder, if not the run's.
        out: Folder to write; none: `evaluation` in the run folder.

    Returns:
        The evaluation, and where it lies.
    """
    run = read_run(path)
    table = _own_part(run, part) if data is None else _foreign_rows(run, data)
    table = _draw(table, sample, run.config.seed)
    pictures = prepare(table, _data_config(run, data, cache), data)
    table = keep_cached(table, pictures)
    evaluation = judge(run, table, predict_rows(run, table, pictures))
    own = part if data is None else data.resolve().name
    folder = out or run.folder.evaluation / ("" if own == "test" else own)
    write_evaluation(folder, evaluation)
    return EvaluatedRun(folder=folder, evaluation=evaluation)


def load_model(run: FinishedRun) -> keras.Model:
    """Loads a run's model; nothing but Keras' own layers is loaded (`safe_mode`).

    Args:
        run: The run.

    Returns:
        The model.

    Raises:
        RunError: If the file is not a model that this version can load.
    """
    try:
        model = keras.saving.load_model(run.folder.model, compile=False)
    except (ValueError, TypeError, OSError, KeyError) as error:
        raise RunError(
            f"{run.folder.model}: must be a Keras model. "
            f"Received: {type(error).__name__} while loading. Train the run again."
        ) from error
    if not isinstance(model, keras.Model):
        raise RunError(
            f"{run.folder.model}: must be a Keras model. "
            f"Received: {type(model).__name__}. Train the run again."
        )
    return model


def predict_rows(run: FinishedRun, table: pd.DataFrame, cache: Cache) -> np.ndarray:
    """Predicts radiographs batch by batch, in the order of the table.

    Args:
        run: Whose model, encoder and modality to use.
        table: Records whose picture the cache holds.
        cache: The pictures.

    Returns:
        Probabilities, float32, shape (rows, classes).
    """
    batches = Batches(
        cache,
        cache.rows(table["image_id"]),
        run.encoder.transform(table),
        None,
        batch_size=run.config.evaluation.batch_size,
        modality=run.config.model.modality,
    )
    return predict_probabilities(load_model(run), batches)


def judge(
    run: FinishedRun, table: pd.DataFrame, probabilities: np.ndarray
) -> Evaluation:
    """Scores probabilities beside the baselines of the run's training part.

    Args:
        run: Whose training part the baselines are fitted on.
        table: The radiographs judged.
        probabilities: Shape (rows, classes), in the order of `table`.

    Returns:
        The evaluation.
    """
    train = run.records[run.records["part"] == "train"]
    baselines = fit_baselines(
        run.encoder.transform(train),
        first=_first(train, run.vocabulary),
        labels=full_labels(list(train["findings"]), run.vocabulary),
        seed=run.config.seed,
    )
    return evaluate(
        table,
        probabilities,
        vocabulary=run.vocabulary,
        baselines=baselines.predict(run.encoder.transform(table)),
        resamples=run.config.evaluation.resamples,
        seed=run.config.seed,
    )


def write_evaluation(folder: Path, evaluation: Evaluation) -> None:
    """Writes an evaluation: scores, predictions and figures.

    Args:
        folder: The folder to write.
        evaluation: What to write.
    """
    write_table(folder / "predictions.csv", evaluation.predictions)
    for name, figure in plot_evaluation(evaluation).items():
        save_figure(figure, folder / "figures" / f"{name}.png")
    write_json(folder / "metrics.json", evaluation.metrics)


def _read_vocabulary(certificate: dict[str, Any]) -> Vocabulary:
    values = certificate.get("vocabulary")
    if values is None:  # a run of before, when there was but one
        return VOCABULARIES[certificate["split"]["vocabulary"]]
    return Vocabulary(**{**values, "findings": tuple(values["findings"])})


def _first(table: pd.DataFrame, vocabulary: Vocabulary) -> np.ndarray:
    targets = make_targets(list(table["findings"]), vocabulary, "first")
    return targets.matrix.argmax(axis=1)


def _draw(table: pd.DataFrame, sample: int | None, seed: int) -> pd.DataFrame:
    if sample is None:
        return table
    drawn = sample_patients(table, num_images=sample, seed=seed)
    logger.info("%s of %s radiographs judged", f"{len(drawn):,}", f"{len(table):,}")
    return drawn


def _data_config(run: FinishedRun, data: Path | None, cache: Path | None) -> Config:
    """The run's configuration, with the cache that is to be used."""
    own = run.config.data.cache if data is None else None
    update = {"cache": cache or own, "path": data or run.config.data.path}
    if data is not None:
        update |= {"format": None, "exclude_findings": ()}
    return run.config.model_copy(
        update={"data": run.config.data.model_copy(update=update)}
    )


def _own_part(run: FinishedRun, part: str) -> pd.DataFrame:
    if part not in PARTS:
        raise ConfigError(
            f"--part: must be one of {', '.join(PARTS)}. Received: {part!r}. "
            "Name a part of the run's split."
        )
    rows = run.records["part"] == part
    return run.records[rows].reset_index(drop=True)


def _foreign_rows(run: FinishedRun, data: Path) -> pd.DataFrame:
    records = read_source(_data_config(run, data, None))
    excluded = run.config.data.exclude_findings
    if excluded and records.vocabulary.name == run.vocabulary.name:
        records = exclude_findings(records, excluded)
    _check_vocabulary(records.vocabulary, run, data)
    table = records.pictured().assign(part="external")
    fitted = run.records[run.records["part"] != "test"]
    known = set(zip(fitted["source"], fitted["patient_id"], strict=True))
    pairs = zip(table["source"], table["patient_id"], strict=True)
    shared = sum(pair in known for pair in pairs)
    if shared:
        raise RecordError(
            f"{data}: no patient may be of the run's train or val part. "
            f"Received: {shared:,} radiographs of such patients. "
            "Leave --data out to judge the run's own test part."
        )
    return table


def _check_vocabulary(vocabulary: Vocabulary, run: FinishedRun, data: Path) -> None:
    own = run.vocabulary
    if vocabulary.class_names != own.class_names:
        raise RecordError(
            f"{data}: must have the run's classes, those of {own.name}. "
            f"Received: the classes of {vocabulary.name}. Judge a dataset of that kind."
        )
