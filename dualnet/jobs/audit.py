"""`dualnet evaluate --audit`: what the model reads, from one checkpoint.

Each picture goes through the image branch three times: as it is, without its centre,
and with its border alone. Everything else is asked of what is kept of that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dualnet.data.batches import Batches, ImageSource
from dualnet.data.cache import Cache
from dualnet.data.hidden import HiddenPictures, all_but_centre, only_border
from dualnet.data.metadata import FIELD_COLUMNS
from dualnet.data.records import COLUMNS
from dualnet.errors import ConfigError
from dualnet.evaluation.audit import audit_modalities, average_out, draw_references
from dualnet.evaluation.audit_verdict import say_audit
from dualnet.evaluation.baselines import Prediction
from dualnet.evaluation.bootstrap import PatientResamples, resample_patients
from dualnet.evaluation.counterfactuals import ask_counterfactuals
from dualnet.evaluation.evaluate import Evaluation
from dualnet.evaluation.probes import (
    BORDER_ONLY,
    CENTRE_MASKED,
    probe_source,
    score_probes,
)
from dualnet.files import write_json
from dualnet.jobs.finished import FinishedRun, load_model
from dualnet.models.parts import Features, cut_at_fusion, show_features
from dualnet.runs import write_table

ROWS_AT_A_TIME = 4096  # of what is kept of pictures: 2 MB


@dataclass(frozen=True, kw_only=True)
class ReadPictures:
    """What a run's model made of the judged pictures, and of less than them.

    Args:
        probabilities: What it says of each radiograph, shape (n, num_classes).
        features: What its image branch made of each picture, shape (n, k).
        ask: Given encoded metadata and whose picture each row gets, what it says;
            None for a model without a record.
        alone: Its probabilities from the picture alone: `model`, `centre_masked` and
            `border_only`.
        references: The rows whose records were averaged over.
    """

    probabilities: np.ndarray
    features: np.ndarray
    ask: Any
    alone: Mapping[str, np.ndarray]
    references: np.ndarray


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


def read_pictures(run: FinishedRun, table: pd.DataFrame, cache: Cache) -> ReadPictures:
    """Computes once what an audit asks of the pictures.

    Args:
        run: Whose model, encoder and modality to use.
        table: Records whose picture the cache holds.
        cache: The pictures.

    Returns:
        What the model made of them.

    Raises:
        ConfigError: If the model sees no pictures.
    """
    modality = run.config.model.modality
    if modality == "metadata":
        raise ConfigError(
            f"--audit: needs a model that sees pictures. Received: modality={modality}. "
            "Leave --audit out, or name another run."
        )
    side = cache.image_size
    sources: dict[str, ImageSource] = {
        "model": cache,
        CENTRE_MASKED: HiddenPictures(cache, all_but_centre(side)),
        BORDER_ONLY: HiddenPictures(cache, only_border(side)),
    }
    batches = {
        name: _make_batches(run, table, cache, source)
        for name, source in sources.items()
    }
    read = _read_fused if modality == "fused" else _read_image_only
    return read(run, table, batches)


def audit_run(
    run: FinishedRun,
    table: pd.DataFrame,
    evaluation: Evaluation,
    pictures: ReadPictures,
    thumbnails: Mapping[str, Prediction],
) -> Audit:
    """Audits a run on the rows it was judged on, and adds that to its evaluation.

    Args:
        run: The run.
        table: The radiographs judged.
        evaluation: Its evaluation; `audit` is added to the metrics, and sentences to
            the verdict.
        pictures: What the model made of the pictures.
        thumbnails: What the thumbnail models say.

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
            taught_missing=_count_missing(run),
        )
        changes, cases = ask_counterfactuals(
            table,
            class_names=truth.class_names,
            encoder=run.encoder,
            predict=pictures.ask,
        )
    alone = {name: Prediction(one) for name, one in pictures.alone.items()}
    intact = alone.pop("model")
    values = {
        "num_images": truth.num_images,
        "num_patients": truth.num_patients,
        "negative": truth.vocabulary.negative,
        "modalities": modalities,
        "counterfactuals": changes,
        "probes": score_probes(truth, intact, {**alone, **thumbnails}, draws),
        "sources": _probe_sources(run, table, pictures.features, draws),
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


def _make_batches(
    run: FinishedRun, table: pd.DataFrame, cache: Cache, source: ImageSource
) -> Batches:
    return Batches(
        source,
        cache.rows(table["image_id"]),
        np.empty((len(table), 0)),
        None,
        batch_size=run.config.evaluation.batch_size,
        modality="image",
    )


def _read_fused(
    run: FinishedRun, table: pd.DataFrame, batches: Mapping[str, Batches]
) -> ReadPictures:
    """Keeps what the image branch makes of the pictures: 512 bytes of each."""
    parts = cut_at_fusion(load_model(run))
    metadata = run.encoder.transform(table)
    patient_ids = table["patient_id"].to_numpy(dtype=str)
    references = draw_references(patient_ids, seed=run.config.seed)
    kept: Features = []
    alone = {}
    for name, one in batches.items():
        features = parts.read_pictures(one)
        kept = kept or features
        alone[name] = average_out(
            lambda others, seen=features: parts.predict(
                seen, metadata[others], batch_size=ROWS_AT_A_TIME
            ),
            references,
            len(table),
        )

    def ask(record: np.ndarray, whose: np.ndarray) -> np.ndarray:
        seen = [one[whose] for one in kept]
        return parts.predict(seen, record, batch_size=ROWS_AT_A_TIME)

    return ReadPictures(
        probabilities=parts.predict(
            kept, metadata, batch_size=run.config.evaluation.batch_size
        ),
        features=_flatten(kept),
        ask=ask,
        alone=alone,
        references=references,
    )


def _read_image_only(
    run: FinishedRun,
    table: pd.DataFrame,  # noqa: ARG001 - such a model has no record
    batches: Mapping[str, Batches],
) -> ReadPictures:
    model: Any = show_features(load_model(run))
    found = {name: model.predict(one, verbose=0) for name, one in batches.items()}
    features, probabilities = found["model"]
    return ReadPictures(
        probabilities=np.asarray(probabilities, dtype=np.float32),
        features=_flatten([features]),
        ask=None,
        alone={name: np.asarray(one[1], np.float32) for name, one in found.items()},
        references=np.empty(0, dtype=np.int64),
    )


def _flatten(features: Features) -> np.ndarray:
    blocks = [one.reshape(len(one), -1).astype(np.float32) for one in features]
    return np.concatenate(blocks, axis=1)


def _count_missing(run: FinishedRun) -> dict[str, int]:
    train = run.records[run.records["part"] == "train"]
    return {
        field: int(train[FIELD_COLUMNS[field]].isna().sum())
        for field in run.encoder.fields
    }


def _probe_sources(
    run: FinishedRun,
    table: pd.DataFrame,
    features: np.ndarray,
    draws: PatientResamples,
) -> dict[str, Any]:
    """Asks for `source`, and any column that the table or the dataset has besides."""
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
    found = {}
    for name in told.columns:
        values = told[name].astype("string").fillna("").to_numpy(dtype=str)
        one = probe_source(features, values, draws, seed=run.config.seed)
        if one is not None:
            found[str(name)] = one
    return found


def _add_to_verdict(evaluation: Evaluation, values: dict[str, Any]) -> None:
    """A shortcut stands first, unless the model says the same of everybody."""
    verdict = evaluation.metrics["verdict"]
    lines = verdict["lines"]
    place = len(lines) if verdict["always_says"] else 0
    lines[place:place] = values["warnings"]
    lines += values["lines"]
    evaluation.metrics["audit"] = values
