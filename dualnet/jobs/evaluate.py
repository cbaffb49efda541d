"""`dualnet evaluate`: a run's probabilities, judged beside its baselines."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from dualnet.config import Config
from dualnet.data.cache import Cache
from dualnet.data.labels import full_labels, make_targets
from dualnet.data.split import sample_patients
from dualnet.evaluation.auditing.probes import THUMBNAIL
from dualnet.evaluation.breakdown import break_down
from dualnet.evaluation.evaluate import Evaluation, evaluate
from dualnet.evaluation.scores.baselines import IMAGE_ONLY, Prediction, fit_baselines
from dualnet.evaluation.scores.prediction import make_prediction
from dualnet.findings import Vocabulary
from dualnet.jobs.audit import Audit, audit_run, write_audit
from dualnet.jobs.audit_pictures import read_pictures
from dualnet.jobs.breakdown import read_besides
from dualnet.jobs.evaluation_folder import WrittenEvaluation, write_evaluation
from dualnet.jobs.finished import FinishedRun, read_run
from dualnet.jobs.image_only import read_image_only
from dualnet.jobs.judged import (
    check_choice,
    choose_foreign,
    choose_own,
    settle_pictures,
)
from dualnet.jobs.model_card import write_model_card
from dualnet.jobs.other_tables import Join, check_joins
from dualnet.jobs.predicting import predict_rows
from dualnet.jobs.sources import describe_dataset, keep_cached, prepare
from dualnet.jobs.thumbnails import predict_thumbnails
from dualnet.jobs.training_page import link_reports
from dualnet.memory import release_unused
from dualnet.plots.audit import plot_audit
from dualnet.wording import number_of

logger = logging.getLogger(__name__)


def evaluate_run(  # noqa: PLR0913 - one argument an option
    path: Path,
    *,
    data: Path | None = None,
    format: str | None = None,  # noqa: A002, its name in the configuration
    mapping: str | None = None,
    pictures: Path | None = None,
    part: str | None = None,
    sample: int | None = None,
    cache: Path | None = None,
    out: Path | None = None,
    training_patients: str = "refuse",
    joins: Sequence[str] = (),
    adjudicated: Path | None = None,
    image_only: Path | None = None,
    audit: bool = False,
) -> WrittenEvaluation:
    """Judges a run and writes its scores, predictions, figures and report.

    Args:
        path: The run folder.
        data: Another dataset, judged whole; none: the run's own part.
        format: The reader of that dataset, by name; none: found out.
        mapping: What the columns of that dataset's table mean, by name or file; none:
            as its folder says.
        pictures: Folder of that dataset's pictures, if not its own.
        part: Part of the run's own radiographs: `train`, `val` or `test`; none:
            `test`.
        sample: Draws whole patients until about this many radiographs.
        cache: Cache folder, if not the run's.
        out: Folder to write; none: `evaluation` in the run folder.
        training_patients: What becomes of patients that the run was fitted on:
            `refuse`, `leave-out` or `score`.
        joins: Tables whose columns part radiographs into groups, each `TABLE` or
            `TABLE:column,column`.
        adjudicated: Radiologists' labels of some of NIH's radiographs; none: as they
            lie in the dataset's folder.
        image_only: A run that reads pictures alone, to be one of the baselines.
        audit: Whether to find out what the model reads, see `dualnet.jobs.audit`: it
            takes three times as long.

    Returns:
        The evaluation, and where it lies.
    """
    check_choice(
        data=data,
        format=format,
        mapping=mapping,
        pictures=pictures,
        part=part,
        training_patients=training_patients,
    )
    tables = check_joins(joins)
    run = read_run(path)
    config = _data_config(
        run, data, format=format, mapping=mapping, pictures=pictures, cache=cache
    )
    evaluation, audited = _read_and_judge(
        run,
        config,
        data=data,
        part=part,
        sample=sample,
        training_patients=training_patients,
        tables=tables,
        adjudicated=adjudicated,
        image_only=image_only,
        audit=audit,
    )
    evaluation = name_judged(evaluation, run, data)
    own = part or "test" if data is None else data.resolve().name
    folder = out or run.folder.evaluation / ("" if own == "test" else own)
    written = write_evaluation(
        folder, evaluation, besides=plot_audit(audited.values) if audited else {}
    )
    if audited is not None:
        write_audit(folder, audited)
    if out is None:
        write_model_card(run.folder)
        link_reports(run.folder)
    return written


def _read_and_judge(  # noqa: PLR0913 - one argument an option
    run: FinishedRun,
    config: Config,
    *,
    data: Path | None,
    part: str | None,
    sample: int | None,
    training_patients: str,
    tables: Sequence[Join],
    adjudicated: Path | None,
    image_only: Path | None,
    audit: bool,
) -> tuple[Evaluation, Audit | None]:
    """Reads what is judged, and judges it; with the end the records and pictures go."""
    if data is None:
        table = choose_own(run, part or "test", training_patients=training_patients)
    else:
        table = choose_foreign(run, data, config, training_patients=training_patients)
    table = _draw(table, sample, run.config.seed)
    stored = prepare(table, config, data)
    table = keep_cached(table, stored)
    if data is not None:
        table = settle_pictures(
            run, table, stored, data=data, training_patients=training_patients
        )
    besides = read_besides(run, table, config, tables=tables, adjudicated=adjudicated)
    pictures_alone = read_image_only(image_only, run, table) if image_only else None
    release_unused()
    evaluation, audited = _judge_pictures(
        run,
        table,
        stored,
        pictures_alone=pictures_alone,
        audit=audit,
        columns=besides.columns,
    )
    return break_down(evaluation, table, besides), audited


def judge(
    run: FinishedRun,
    table: pd.DataFrame,
    probabilities: np.ndarray,
    pictured: Mapping[str, Prediction] | None = None,
) -> Evaluation:
    """Scores probabilities beside the baselines of the run's training part.

    Args:
        run: Whose training part the baselines are fitted on.
        table: The radiographs judged.
        probabilities: As `predict_rows` returns them, in the order of `table`.
        pictured: More baselines by name: those that read the pictures.

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
        make_prediction(probabilities, unscored=run.unscored),
        vocabulary=run.vocabulary,
        baselines={
            **baselines.predict(run.encoder.transform(table)),
            **(pictured or {}),
        },
        resamples=run.config.evaluation.resamples,
        seed=run.config.seed,
    )


def _judge_pictures(
    run: FinishedRun,
    table: pd.DataFrame,
    cache: Cache,
    *,
    pictures_alone: FinishedRun | None,
    audit: bool,
    columns: Mapping[str, Sequence[str]],
) -> tuple[Evaluation, Audit | None]:
    """Judges a run, and audits it; what was kept of the pictures goes with the end."""
    seen = read_pictures(run, table, cache) if audit else None
    probabilities = seen.probabilities if seen else predict_rows(run, table, cache)
    thumbnails = predict_thumbnails(run, table, cache, border=audit)
    pictured = {name: one for name, one in thumbnails.items() if name == THUMBNAIL}
    if pictures_alone is not None:
        said = predict_rows(pictures_alone, table, cache)
        pictured[IMAGE_ONLY] = make_prediction(said, unscored=run.unscored)
    evaluation = judge(run, table, probabilities, pictured)
    if seen is None:
        return evaluation, None
    audited = audit_run(run, table, evaluation, seen, thumbnails, columns=columns)
    return evaluation, audited


def name_judged(
    evaluation: Evaluation, run: FinishedRun, data: Path | None
) -> Evaluation:
    """Adds `about` to the scores: what kind of model was judged, and on which data.

    The run's name is left out: two runs of the same seed have the same scores.

    Args:
        evaluation: The scores.
        run: Whose they are.
        data: The other dataset; none: the run's own.

    Returns:
        The evaluation, with `about`.
    """
    dataset = run.dataset if data is None else describe_dataset(data)
    about = {
        "model": _name_model(run.config),
        "data": dataset["name"],
        "phantom": dataset["phantom"],
    }
    first = {key: evaluation.metrics[key] for key in ("$schema", "caution")}
    metrics = {**first, "about": about, **evaluation.metrics}
    return replace(evaluation, metrics=metrics)


def _name_model(config: Config) -> str:
    model = config.model
    branch = "" if model.modality == "metadata" else f", {model.image_branch}"
    return f"the {model.modality} model{branch}"


def _first(table: pd.DataFrame, vocabulary: Vocabulary) -> np.ndarray:
    targets = make_targets(list(table["findings"]), vocabulary, "first")
    return targets.matrix.argmax(axis=1)


def _draw(table: pd.DataFrame, sample: int | None, seed: int) -> pd.DataFrame:
    if sample is None:
        return table
    drawn = sample_patients(table, num_images=sample, seed=seed)
    logger.info(
        "%s of %s judged", f"{len(drawn):,}", number_of(len(table), "radiograph")
    )
    return drawn


def _data_config(
    run: FinishedRun,
    data: Path | None,
    *,
    format: str | None,  # noqa: A002
    mapping: str | None,
    pictures: Path | None,
    cache: Path | None,
) -> Config:
    """The run's configuration, with the dataset and the cache to be used."""
    own = run.config.data
    update = {"cache": cache or own.cache}
    if data is not None:  # another dataset may be of another format
        update = {
            "cache": cache,
            "path": data,
            "format": format,
            "mapping": mapping,
            "pictures": pictures,
            "exclude_findings": (),
        }
    return run.config.model_copy(update={"data": own.model_copy(update=update)})
