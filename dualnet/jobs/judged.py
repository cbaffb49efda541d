"""Which radiographs a run may be judged on: not those that it was fitted on.

A model knows the patients of its train part, and those of its val part chose the
epoch that was kept. Scores on them are no scores. So they are refused, left out, or
scored because somebody said so, and then the report's first line says it too.
"""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from dualnet.config import Config
from dualnet.data.cache import Cache, open_cache
from dualnet.data.overlap import find_shared_patients, find_shared_pictures
from dualnet.data.split import PARTS
from dualnet.errors import CacheError, ConfigError, RecordError
from dualnet.jobs.finished import FinishedRun
from dualnet.jobs.sources import exclude_findings, read_source
from dualnet.wording import number_of

EXTERNAL = "external"
TRAINING_PATIENTS = ("refuse", "leave-out", "score")
OPTION = "--training-patients"

logger = logging.getLogger(__name__)


def check_choice(
    *,
    data: Path | None,
    format: str | None = None,  # noqa: A002, the option's name
    mapping: str | None = None,
    pictures: Path | None = None,
    part: str | None,
    training_patients: str,
) -> None:
    """Checks the words that choose what a run is judged on.

    Args:
        data: Another dataset; none: the run's own.
        format: Its reader; none: not said.
        mapping: What the columns of its table mean; none: not said.
        pictures: Where its pictures lie; none: not said.
        part: Part of the run's own radiographs; none: not said.
        training_patients: One of `TRAINING_PATIENTS`.

    Raises:
        ConfigError: If a word is not known, or two do not go together.
    """
    check_training_patients(training_patients)
    if part is not None and part not in PARTS:
        raise ConfigError(
            f"--part: must be one of {', '.join(PARTS)}. Received: {part!r}. "
            "Name a part of the run's split."
        )
    words = {"--format": format, "--mapping": mapping, "--pictures": pictures}
    for option, word in words.items():
        if word is not None and data is None:
            raise ConfigError(
                f"{option}: must be left out where --data names no other dataset. "
                f"Received: {str(word)!r}. The run knows how its own table was read."
            )
    if part is not None and data is not None:
        raise ConfigError(
            f"--part: must be left out where --data names another dataset. "
            f"Received: {part!r}. That dataset is judged whole."
        )


def check_training_patients(word: str) -> None:
    """Checks the word that says what becomes of patients a model was fitted on.

    Args:
        word: One of `TRAINING_PATIENTS`.

    Raises:
        ConfigError: If it is none.
    """
    if word not in TRAINING_PATIENTS:
        raise ConfigError(
            f"{OPTION}: must be one of {', '.join(TRAINING_PATIENTS)}. "
            f"Received: {word!r}. Leave it out to refuse them."
        )


def choose_own(run: FinishedRun, part: str, *, training_patients: str) -> pd.DataFrame:
    """Takes one part of the run's own radiographs.

    Args:
        run: The run.
        part: `train`, `val` or `test`.
        training_patients: One of `TRAINING_PATIENTS`.

    Returns:
        Records with their `part`.

    Raises:
        RecordError: If it is the train part, and nobody said to score it.
    """
    rows = run.records[run.records["part"] == part].reset_index(drop=True)
    if part == "train" and training_patients != "score":
        raise RecordError(
            "--part train: no patient may be one that the run was trained on. "
            f"Received: {_count(np.ones(len(rows), dtype=bool), rows)}. "
            f"Judge --part test, or score them all the same with {OPTION} score."
        )
    return rows


def choose_foreign(
    run: FinishedRun, data: Path, config: Config, *, training_patients: str
) -> pd.DataFrame:
    """Takes another dataset's radiographs whose picture is on disk.

    Args:
        run: The run.
        data: The dataset's folder.
        config: How to read it.
        training_patients: One of `TRAINING_PATIENTS`.

    Returns:
        Records with their `part`: `external`, or the run's for patients of its own.

    Raises:
        RecordError: If the dataset's findings are other ones than the run's, or no
            row is left.
    """
    records = read_source(config)
    excluded = run.config.data.exclude_findings
    if excluded and records.vocabulary.name == run.vocabulary.name:
        records = exclude_findings(records, excluded)
    if records.vocabulary != run.vocabulary:
        raise RecordError(
            f"{data}: must be labelled with the {run.vocabulary.name} classes, which "
            f"the run answers. Received: {records.vocabulary.name} classes. "
            "Judge the run on a dataset of its own classes."
        )
    fitted = run.fitted
    table = records.pictured().assign(part=EXTERNAL)
    found = find_shared_patients(table, fitted)
    shared = found >= 0
    table = _mark(table, shared, fitted, found)
    return settle_shared(table, shared, where=data, training_patients=training_patients)


def settle_pictures(
    run: FinishedRun,
    table: pd.DataFrame,
    cache: Cache,
    *,
    data: Path,
    training_patients: str,
) -> pd.DataFrame:
    """Refuses, leaves out or lets pass pictures that the run was fitted on.

    Args:
        run: The run.
        table: Another dataset's records, with their `part`.
        cache: Their pictures.
        data: The dataset's folder.
        training_patients: One of `TRAINING_PATIENTS`.

    Returns:
        The records to judge.
    """
    fitted = run.fitted
    try:
        own = open_cache(run.config.data.cache or Path())
        found = find_shared_pictures(cache, table["image_id"], own, fitted["image_id"])
    except CacheError as error:
        logger.info("pictures not compared with those of training: %s", error)
        return table
    # patients of the run's own are settled already
    same = (found >= 0) & table["part"].eq(EXTERNAL).to_numpy()
    table = _mark(table, same, fitted, found)
    return settle_shared(
        table,
        same,
        where=data,
        training_patients=training_patients,
        rule="no picture may be one of the run's train or val part under another name",
    )


def _mark(
    table: pd.DataFrame, shared: np.ndarray, fitted: pd.DataFrame, found: np.ndarray
) -> pd.DataFrame:
    """Gives shared radiographs the part of the run's that was found for them."""
    parts = table["part"].to_numpy(dtype="object", copy=True)
    parts[shared] = fitted["part"].to_numpy(dtype="object")[found[shared]]
    return table.assign(part=parts)


def settle_shared(
    table: pd.DataFrame,
    shared: np.ndarray,
    *,
    where: Path | str,
    training_patients: str,
    rule: str = "no patient may be of the run's train or val part",
    otherwise: str = "Leave --data out to judge the run's own test part",
) -> pd.DataFrame:
    """Refuses, leaves out or lets pass radiographs that a model was fitted on.

    Args:
        table: Records.
        shared: Whether each is such a one, bool, shape (rows,).
        where: What is judged, named in errors.
        training_patients: One of `TRAINING_PATIENTS`.
        rule: Which rule such a radiograph breaks.
        otherwise: What else can be judged, where all are such.

    Returns:
        The records to judge.

    Raises:
        RecordError: If there are such radiographs and nobody said what to do, or if
            none is left.
    """
    if not shared.any() or training_patients == "score":
        return table
    found = _count(shared, table)
    if training_patients == "refuse":
        advice = (
            otherwise if shared.all() else f"Judge the others with {OPTION} leave-out"
        )
        raise RecordError(
            f"{where}: {rule}. Received: {found}. {advice}, or score them all the same "
            f"with {OPTION} score."
        )
    if shared.all():
        raise RecordError(
            f"{where}: at least one radiograph must be left to judge. Received: "
            f"{found}, all left out. Name another dataset."
        )
    logger.info("%s: left out %s", where, found)
    return table[~shared].reset_index(drop=True)


def _count(shared: np.ndarray, table: pd.DataFrame) -> str:
    rows = table[shared]
    return (
        f"{len(rows):,} of {number_of(len(table), 'radiograph')}, of "
        f"{number_of(rows['patient_id'].nunique(), 'patient')}, "
        f"the first is {rows['image_id'].iloc[0]}"
    )
