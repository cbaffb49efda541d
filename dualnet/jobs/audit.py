"""`dualnet evaluate --audit`: what the model reads, from one checkpoint."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dualnet.data.records import COLUMNS
from dualnet.data.split import sample_patients
from dualnet.evaluation.auditing.audit import (
    audit_modalities,
)
from dualnet.evaluation.auditing.audit_verdict import say_audit
from dualnet.evaluation.auditing.counterfactuals import ask_counterfactuals
from dualnet.evaluation.auditing.probes import (
    probe_source,
    score_probes,
)
from dualnet.evaluation.evaluate import Evaluation
from dualnet.evaluation.intervals.bootstrap import PatientResamples, resample_patients
from dualnet.evaluation.scores.baselines import Prediction
from dualnet.evaluation.scores.prediction import make_prediction
from dualnet.files import write_json
from dualnet.jobs.audit_pictures import MODEL, ReadPictures
from dualnet.jobs.finished import FinishedRun
from dualnet.runs import write_table
from dualnet.wording import number_of

MAX_PROBED = 20_000  # radiographs: 2 kB each, and again as much while they are scaled

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What an audit found.

    Args:
        values: Plain values for JSON: `num_images`, `num_patients`, `negative` (the
            class that is no finding), `modalities` and `counterfactuals` (None for a
            model without a record), `probes`, `sources`, and in words `warnings` and
            `lines`.
        cases: Each radiograph's counterfactuals, from `ask_counterfactuals`.
    """

    values: dict[str, Any]
    cases: pd.DataFrame


def audit_run(
    run: FinishedRun,
    table: pd.DataFrame,
    evaluation: Evaluation,
    pictures: ReadPictures,
    thumbnails: Mapping[str, Prediction],
    *,
    columns: Mapping[str, Sequence[str]] | None = None,
) -> Audit:
    """Audits a run on the rows it was judged on, and adds that to its evaluation.

    Args:
        run: The run.
        table: The radiographs judged.
        evaluation: Its evaluation; `audit` is added to the metrics, and sentences to
            the verdict.
        pictures: What the model made of the pictures.
        thumbnails: What the thumbnail models say.
        columns: What other tables say of each row, by column; empty where unknown.

    Returns:
        The audit.
    """
    truth, seed = evaluation.truth, run.config.seed
    draws = resample_patients(
        truth.patient_ids, num_resamples=run.config.evaluation.resamples, seed=seed
    )
    modalities = changes = None
    cases = pd.DataFrame()
    if pictures.ask is not None:
        modalities = audit_modalities(
            table,
            truth,
            encoder=run.encoder,
            predict=pictures.ask,
            draws=draws,
            references=pictures.references,
            taught_missing=run.taught_missing,
        )
        changes, cases = ask_counterfactuals(
            table,
            class_names=truth.class_names,
            negative=truth.vocabulary.negative,
            encoder=run.encoder,
            predict=pictures.ask,
        )
    alone = {
        name: make_prediction(one, unscored=truth.unscored)
        for name, one in pictures.alone.items()
    }
    intact = alone.pop(MODEL)
    values = {
        "num_images": truth.num_images,
        "num_patients": truth.num_patients,
        "negative": truth.vocabulary.negative,
        "modalities": modalities,
        "counterfactuals": changes,
        "probes": score_probes(truth, intact, {**alone, **thumbnails}, draws),
        "sources": _probe_sources(run, table, pictures.features, draws, columns or {}),
    }
    values |= say_audit(values)
    _add_to_verdict(evaluation, values)
    return Audit(values=values, cases=cases)


def write_audit(folder: Path, audit: Audit) -> None:
    """Writes `audit.json` and `counterfactuals.csv`.

    Args:
        folder: The evaluation's folder.
        audit: What to write.
    """
    if len(audit.cases):
        write_table(folder / "counterfactuals.csv", audit.cases)
    write_json(folder / "audit.json", audit.values)


def _probe_sources(
    run: FinishedRun,
    table: pd.DataFrame,
    features: np.ndarray,
    draws: PatientResamples,
    columns: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """Asks for `source`, and any column that this or another table has besides."""
    drawn = sample_patients(table, num_images=MAX_PROBED, seed=run.config.seed)
    rows = table["image_id"].isin(drawn["image_id"]).to_numpy()
    features, draws = features[rows], replace(draws, codes=draws.codes[rows])
    own = set(COLUMNS) - {"source"} | {"part"}
    told = table[[name for name in table.columns if name not in own]]
    details = run.folder.path / "details.csv"
    if details.is_file():
        more = pd.read_csv(details, dtype=str).set_index("image_id")
        told = told.assign(
            **{
                name: more[name].reindex(table["image_id"]).to_numpy()
                for name in more.columns.difference(told.columns)
            }
        )
    told = told.assign(**columns)
    found = {}
    for name in told.columns:
        values = told[name].astype("string").fillna("").to_numpy(dtype=str)
        one = probe_source(features, values[rows], draws, seed=run.config.seed)
        if one is not None:
            found[str(name)] = one
    if found and len(drawn) < len(table):
        logger.info(
            "%s asked of %s of %s",
            ", ".join(found),
            f"{len(drawn):,}",
            number_of(len(table), "radiograph"),
        )
    return found


def _add_to_verdict(evaluation: Evaluation, values: dict[str, Any]) -> None:
    """A shortcut stands first, unless the model says the same of everybody."""
    verdict = evaluation.metrics["verdict"]
    lines = verdict["lines"]
    place = len(lines) if verdict["always_says"] else 0
    lines[place:place] = values["warnings"]
    lines += values["lines"]
    evaluation.metrics["audit"] = values
