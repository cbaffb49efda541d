"""Which radiographs runs may be compared on: those all predicted and none was fitted on."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import pandas as pd

from dualnet.data.overlap import find_shared_patients
from dualnet.errors import RecordError
from dualnet.jobs.finished import FinishedRun
from dualnet.jobs.judged import OPTION
from dualnet.jobs.predicted import Predicted
from dualnet.wording import number_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What all runs have predicted.

    Args:
        image_ids: The radiographs, in the order of the first run, shape (rows,).
        class_names: The classes that all score, in the order of the first run.
        unshared: The classes that only some score.
        fitted_parts: For each radiograph `train` or `val`, if its patient is in that
            part of any of the runs, else empty; shape (rows,).
        num_left_out: Radiographs of such patients that were left out.
    """

    image_ids: np.ndarray
    class_names: tuple[str, ...]
    unshared: tuple[str, ...]
    fitted_parts: np.ndarray
    num_left_out: int = 0

    def take(self, predicted: Predicted) -> pd.DataFrame:
        """Returns one run's predictions of these radiographs, in their order."""
        return predicted.table.set_index("image_id").loc[self.image_ids]


def share(all_predicted: Sequence[Predicted]) -> Shared:
    """Finds what all runs have predicted, judged by the same labels and patients.

    Args:
        all_predicted: Two or more.

    Returns:
        The radiographs and classes.

    Raises:
        RecordError: If there is no such radiograph or finding, or the runs were judged
            by different tables.
    """
    first, *others = all_predicted
    image_ids = first.table["image_id"]
    for other in others:
        image_ids = image_ids[image_ids.isin(other.table["image_id"])]
    if image_ids.empty:
        raise RecordError(
            f"{first.folder}: must share radiographs with the other runs. "
            "Received: none that all have predicted. "
            "Evaluate all on the same part or dataset."
        )
    everything = dict.fromkeys(
        name for one in all_predicted for name in one.class_names
    )
    names = [
        name
        for name in everything
        if all(name in one.class_names for one in all_predicted)
    ]
    if not set(names) - {first.negative}:
        raise RecordError(
            f"{first.folder}: must share a finding with the other runs. "
            f"Received: none of {', '.join(everything)} that all score. "
            "Compare runs of the same findings."
        )
    for other in others:
        _check_truth(first, other, image_ids)
    ids = image_ids.to_numpy(dtype="object")
    return Shared(
        image_ids=ids,
        class_names=tuple(names),
        unshared=tuple(name for name in everything if name not in names),
        fitted_parts=_find_fitted_parts(all_predicted, ids),
    )


def settle_patients(
    shared: Shared, *, refused: Sequence[str], training_patients: str
) -> Shared:
    """Refuses, leaves out or lets pass patients that a run was fitted on.

    Args:
        shared: What all runs have predicted.
        refused: The parts that may not be scored.
        training_patients: `refuse`, `leave-out` or `score`.

    Returns:
        What is left.

    Raises:
        RecordError: If such patients are to be refused, or nobody else is left.
    """
    fitted = np.isin(shared.fitted_parts.astype(str), refused)
    if training_patients == "score" or not fitted.any():
        return shared
    rule = f"no patient may be of the {' or '.join(refused)} part of any of them"
    found = (
        f"{int(fitted.sum()):,} of {number_of(fitted.size, 'shared radiograph')}, "
        f"the first is {shared.image_ids[int(fitted.argmax())]}"
    )
    score = f"score them all the same with {OPTION} score"
    if fitted.all():
        raise RecordError(
            f"RUN: {rule}. Received: {found}. Compare runs of one split, or {score}."
        )
    if training_patients == "refuse":
        raise RecordError(
            f"RUN: {rule}. Received: {found}. "
            f"Compare the others with {OPTION} leave-out, or {score}."
        )
    logger.info("left out, as %s: %s", rule, found)
    return replace(
        shared,
        image_ids=shared.image_ids[~fitted],
        fitted_parts=shared.fitted_parts[~fitted],
        num_left_out=int(fitted.sum()),
    )


def _check_truth(first: Predicted, other: Predicted, image_ids: pd.Series) -> None:
    """Refuses runs that were judged by other labels, or other patients."""
    mine, theirs = (
        one.table.set_index("image_id").loc[image_ids] for one in (first, other)
    )
    patients = [pd.factorize(table["patient_id"])[0] for table in (mine, theirs)]
    for what, differ in (
        ("labels", mine["findings"].ne(theirs["findings"]).to_numpy()),
        ("patients", patients[0] != patients[1]),
    ):
        if differ.any():
            raise RecordError(
                f"{other.folder}: the {what} must be those that {first.folder} was "
                f"judged by. Received: other ones of {int(differ.sum()):,} of "
                f"{number_of(len(differ), 'radiograph')}, the first is "
                f"{image_ids.iloc[int(differ.argmax())]}. "
                "Judge both by the same table."
            )


def _find_fitted_parts(
    all_predicted: Sequence[Predicted], image_ids: np.ndarray
) -> np.ndarray:
    """Finds the part that a run was fitted on, for each shared radiograph.

    A run's `split.csv` tells; of radiographs that no run has in its own records, and
    whose source is therefore not known, `evaluate` has told in their `part`.

    Returns:
        `train` where any run was trained on the radiograph's patient, else `val` where
        any chose its epoch by it, else empty; object, shape (rows,).
    """
    runs = [one.run for one in all_predicted if one.run is not None]
    records = [run.records[["image_id", "patient_id", "source"]] for run in runs]
    asked = pd.DataFrame({"image_id": image_ids})
    if records:
        known = pd.concat(records).drop_duplicates("image_id")
        asked = asked.merge(known, on="image_id", how="left", validate="1:1")
    told = [
        one.table.set_index("image_id")["part"].loc[image_ids].to_numpy(dtype="object")
        for one in all_predicted
        if one.run is not None
    ]
    found = [_parts_of(run, asked) for run in runs]
    nothing = np.full(len(image_ids), "", dtype="object")
    return reduce(_gravest, [*told, *found], nothing)


def _parts_of(run: FinishedRun, asked: pd.DataFrame) -> np.ndarray:
    fitted = run.fitted
    position = find_shared_patients(asked, fitted)
    parts = np.append(fitted["part"].to_numpy(dtype="object"), "")
    return parts[position]  # -1, no such patient, is the last


def _gravest(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    train = (one == "train") | (other == "train")
    val = (one == "val") | (other == "val")
    return np.where(train, "train", np.where(val, "val", "")).astype("object")
