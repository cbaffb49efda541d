"""What a run's model makes of the radiographs that it was fitted on, computed once.

They are what a radiograph is compared with: references of its shares, and neighbours. A
run of many has some of them drawn, whole patients at a time, and how many is said.
"""

import logging
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dualnet.data.batches import Batches
from dualnet.data.split import sample_patients
from dualnet.errors import StorageError
from dualnet.explain.split_model import Cases, SplitModel
from dualnet.files import atomic_path
from dualnet.jobs.calibrate import digest_weights
from dualnet.jobs.finished import FinishedRun
from dualnet.jobs.sources import keep_cached, prepare
from dualnet.models.parts import Features
from dualnet.wording import number_of

MAX_CASES = 2_000  # radiographs; 256 pixels a side take X-Net 20 s on two cores, once
FILE = "training_cases.npz"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TrainingCases:
    """Radiographs that a run was fitted on, and what its model makes of them.

    Args:
        table: Their records.
        cases: What the model is told of them, in the same order.
        num_all: How many the training part has.
    """

    table: pd.DataFrame
    cases: Cases
    num_all: int

    @property
    def patient_ids(self) -> np.ndarray:
        """The patient of each, text, shape (n,)."""
        return self.table["patient_id"].to_numpy(dtype=str)


def read_training_cases(run: FinishedRun, model: SplitModel) -> TrainingCases:
    """Reads what the model makes of its training radiographs, or computes and keeps it.

    It is kept in the run's folder of explanations, with the digest of the weights: of
    other weights, or other radiographs, it is computed anew.

    Args:
        run: The run.
        model: Its model, split.

    Returns:
        At most about `MAX_CASES` of them, all radiographs of each patient.

    Raises:
        DualNetError: If their pictures cannot be read.
    """
    everything = run.records[run.records["part"] == "train"].reset_index(drop=True)
    table = sample_patients(everything, num_images=MAX_CASES, seed=run.config.seed)
    if len(table) < len(everything):
        logger.info(
            "compared with %s of %s of the train part, drawn by patient",
            f"{len(table):,}",
            number_of(len(everything), "radiograph"),
        )
    table, pictures = _read_pictures(run, model, table)
    metadata = np.zeros((len(table), 0), np.float32)
    if model.reads_metadata:
        metadata = run.encoder.transform(table)
    cases = Cases(pictures=pictures, metadata=metadata)
    return TrainingCases(table=table, cases=cases, num_all=len(everything))


def _read_pictures(
    run: FinishedRun, model: SplitModel, table: pd.DataFrame
) -> tuple[pd.DataFrame, Features]:
    if model.picture is None:
        return table, []
    file = run.folder.explanations / FILE
    digest = digest_weights(run.folder.model)
    kept = _load(file, digest, table["image_id"])
    if kept is not None:
        return table[kept[0]].reset_index(drop=True), kept[1]
    asked = table["image_id"].to_numpy(dtype=str)
    cache = prepare(table, run.config, run.config.data.path)
    table = keep_cached(table, cache)
    logger.info("reading %s of the train part", number_of(len(table), "radiograph"))
    batches = Batches(
        cache,
        cache.rows(table["image_id"]),
        np.empty((len(table), 0)),
        None,
        batch_size=run.config.evaluation.batch_size,
        modality="image",
    )
    pictures = model.read_pictures(batches)
    readable = np.isin(asked, table["image_id"].to_numpy(dtype=str))
    try:
        _save(file, digest, asked, readable, pictures)
    except StorageError as error:
        logger.info("not kept for the next time: %s", error)
    return table, pictures


def _load(
    file: Path, digest: str, asked: pd.Series
) -> tuple[np.ndarray, Features] | None:
    """Returns which pictures could be read, and their features.

    None where there is no file of these weights and pictures.
    """
    try:
        with np.load(file, allow_pickle=False) as arrays:
            same = np.array_equal(arrays["image_ids"], asked.to_numpy(dtype=str))
            if str(arrays["model_sha256"]) != digest or not same:
                return None
            names = [name for name in arrays.files if name.startswith("picture_")]
            return arrays["readable"], [arrays[name] for name in names]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None  # absent or damaged: made anew


def _save(
    file: Path,
    digest: str,
    asked: np.ndarray,
    readable: np.ndarray,
    pictures: Features,
) -> None:
    named = {"model_sha256": digest, "image_ids": asked, "readable": readable}
    named |= {f"picture_{number}": one for number, one in enumerate(pictures)}
    with atomic_path(file) as unfinished, unfinished.open("wb") as stream:
        np.savez(stream, **named)
