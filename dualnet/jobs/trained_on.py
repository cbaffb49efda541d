"""Patients that anybody's model was fitted on, of whom its scores are no scores."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from dualnet.data.readers.text_lines import read_lines
from dualnet.data.records import RecordSet
from dualnet.errors import ConfigError, RecordError
from dualnet.jobs.judged import EXTERNAL, check_training_patients, settle_shared
from dualnet.jobs.matched import MatchedPredictions, find_rows
from dualnet.wording import number_of

OPTION = "--trained-on"
RULE = f"no patient may be one whose radiographs {OPTION} names"


@dataclass(frozen=True, kw_only=True)
class TrainedOn:
    """The radiographs that a model was fitted on, as far as the truth knows them.

    Args:
        file: The list.
        num_listed: Radiographs that it names.
        num_known: Those of them that the truth knows.
        patients: Whose these are.
    """

    file: Path
    num_listed: int
    num_known: int
    patients: frozenset[str]


def check_trained_on(file: Path | None, *, training_patients: str) -> None:
    """Checks the words that say what becomes of patients the model was fitted on.

    Args:
        file: The list of its radiographs; none: not given.
        training_patients: `refuse`, `leave-out` or `score`.

    Raises:
        ConfigError: If the word is not known, or says something of no list.
    """
    check_training_patients(training_patients)
    if file is None and training_patients != "refuse":
        raise ConfigError(
            f"--training-patients: must be left out where {OPTION} names no list. "
            f"Received: {training_patients!r}. Give the list of the radiographs that "
            "the model was fitted on."
        )


def read_trained_on(
    file: Path | None, records: RecordSet, *, truth: Path
) -> TrainedOn | None:
    """Reads which radiographs a model was fitted on.

    Args:
        file: A text file, one radiograph's name a line; None: it is not known.
        records: The truth, which says whose they are.
        truth: Its file or folder, named in errors.

    Returns:
        Their patients; None where there is no list.

    Raises:
        RecordError: If the file cannot be read, or names no radiograph of the truth.
    """
    if file is None:
        return None
    lines = read_lines(
        file,
        where=f"{OPTION} {file}",
        expected="a readable text file",
        advice="Write one radiograph's name a line.",
    )
    names = np.array(sorted({line.strip() for line in lines} - {""}), dtype="object")
    positions, _ = find_rows(names, pd.Index(records.table["image_id"]))
    known = positions[positions >= 0]
    if not known.size:
        first = repr(names[0][:60]) if names.size else "nothing"
        raise RecordError(
            f"{OPTION} {file}: at least one radiograph must be in {truth}. "
            f"Received: 0 of {names.size:,}; the first is {first}. "
            "Write one radiograph's name a line, as the truth has it."
        )
    patients = records.table["patient_id"].iloc[known]
    return TrainedOn(
        file=file,
        num_listed=names.size,
        num_known=known.size,
        patients=frozenset(patients),
    )


def settle_trained_on(
    judged: MatchedPredictions, trained: TrainedOn | None, *, training_patients: str
) -> MatchedPredictions:
    """Refuses, leaves out or marks predictions of patients the model was fitted on.

    Args:
        judged: The predictions.
        trained: What the model was fitted on; None where it is not known.
        training_patients: `refuse`, `leave-out` or `score`.

    Returns:
        The predictions to judge. Of rows to be scored all the same, the `part` is
        `train`, so that the report's first line says so.
    """
    if trained is None:
        return judged
    shared = judged.records["patient_id"].isin(trained.patients).to_numpy()
    settle_shared(
        judged.records,
        shared,
        where=judged.file.name,
        training_patients=training_patients,
        rule=RULE,
        otherwise="Predict radiographs of other patients",
    )
    note = _describe(trained, judged.records, shared, training_patients)
    counts = {**judged.counts, "of_training_patients": int(shared.sum())}
    judged = replace(judged, counts=counts, note=f"{judged.note} {note}")
    if training_patients == "leave-out":
        return judged.keep(~shared)
    parts = np.where(shared, "train", EXTERNAL)
    return replace(judged, records=judged.records.assign(part=parts))


def _describe(
    trained: TrainedOn, records: pd.DataFrame, shared: np.ndarray, choice: str
) -> str:
    done = {"leave-out": ", left out", "score": ", scored all the same"}
    return (
        f"{trained.file.name}: the model was fitted on "
        f"{number_of(trained.num_listed, 'radiograph')}, of which the truth knows "
        f"{trained.num_known:,}, of {number_of(len(trained.patients), 'patient')}; "
        f"{shared.sum():,} of {number_of(len(records), 'prediction')} are of these "
        f"patients{done.get(choice, '') if shared.any() else ''}."
    )
