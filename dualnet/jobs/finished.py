"""A finished run, read whole, and only if its split is the one it was trained on."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dualnet.config import Config
from dualnet.data.labels import target_activation, target_classes
from dualnet.data.metadata import FIELD_COLUMNS, MetadataEncoder
from dualnet.data.split import count_shared_patients
from dualnet.errors import RunError
from dualnet.files import sha256
from dualnet.findings import VOCABULARIES, Vocabulary
from dualnet.jobs.sources import read_dataset
from dualnet.runs import RunFolder, open_run
from dualnet.wording import number_of

if TYPE_CHECKING:
    import keras


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

    @property
    def activation(self) -> str:
        """What its model ends in: `softmax`, or a `sigmoid` a finding."""
        return target_activation(self.config.training.label_rule)

    @property
    def answered(self) -> tuple[str, ...]:
        """The classes that its model's outputs are, in their order."""
        return target_classes(self.vocabulary, self.config.training.label_rule)

    @property
    def unscored(self) -> tuple[str, ...]:
        """The classes of its vocabulary that its model has no output for."""
        answered = self.answered
        return tuple(
            name for name in self.vocabulary.class_names if name not in answered
        )

    @property
    def fitted(self) -> pd.DataFrame:
        """The radiographs that decided on the model: those of train and val."""
        return self.records[self.records["part"] != "test"].reset_index(drop=True)

    @property
    def taught_missing(self) -> dict[str, int]:
        """Of each field it reads, how many training radiographs were without it."""
        train = self.records[self.records["part"] == "train"]
        if self.config.training.metadata_dropout:  # all were, in some epoch
            return dict.fromkeys(self.encoder.fields, len(train))
        return {
            field: int(train[FIELD_COLUMNS[field]].isna().sum())
            for field in self.encoder.fields
        }

    @property
    def dataset(self) -> dict[str, Any]:
        """The `name` of the dataset it was trained on, and whether it is a `phantom`."""
        return read_dataset(self.config, self.certificate)


def read_run(path: Path) -> FinishedRun:
    """Reads all of a run but its model.

    Args:
        path: The run folder.

    Returns:
        What lies in it.
    """
    run = open_run(path)
    certificate = run.read_certificate()
    split = run.read_split()
    _check_split(run, split, certificate)
    return FinishedRun(
        folder=run,
        config=run.read_config(),
        vocabulary=read_vocabulary(run, certificate),
        encoder=MetadataEncoder.load(run.metadata_encoder),
        records=_join_parts(run, run.read_records(), split),
        certificate=certificate,
    )


def load_model(run: FinishedRun) -> "keras.Model":
    """Loads a run's model; nothing but Keras' own layers is loaded (`safe_mode`).

    Args:
        run: The run.

    Returns:
        The model.

    Raises:
        RunError: If the file is not a model that this version can load.
    """
    import keras  # slow, and a run can be read without

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


def read_vocabulary(run: RunFolder, certificate: dict[str, Any]) -> Vocabulary:
    """Reads a run's classes from its certificate.

    Args:
        run: The run folder, named in the error.
        certificate: Its split certificate.

    Returns:
        The vocabulary.

    Raises:
        RunError: If the certificate names none that is known.
    """
    values = certificate.get("vocabulary")
    try:
        if values is None:  # a run of before, when there was but one
            return VOCABULARIES[certificate["split"]["vocabulary"]]
        return Vocabulary(**{**values, "findings": tuple(values["findings"])})
    except (KeyError, TypeError) as error:
        raise RunError(
            f"{run.path}/split.json: must name the run's vocabulary. "
            "Received: none that is known. "
            "Restore the file that training wrote, or train the run again."
        ) from error


def _check_split(
    run: RunFolder, split: pd.DataFrame, certificate: dict[str, Any]
) -> None:
    """Refuses a split that is not the one the model was trained on."""
    shared = count_shared_patients(split)
    if shared:
        parts = split.groupby("patient_id")["part"].transform("nunique")
        first = split.loc[parts > 1, "image_id"].iloc[0]
        raise RunError(
            f"{run.split}: no patient may be in two parts. "
            f"Received: {number_of(shared, 'shared patient')}, the first radiograph is "
            f"{first}. "
            "Restore the file that training wrote, or train the run again."
        )
    if sha256(run.split) != certificate.get("split_sha256"):
        raise RunError(
            f"{run.split}: must be the split that split.json certifies. "
            "Received: another SHA-256, so a row was changed after training. "
            "Restore the file that training wrote, or train the run again."
        )


def _join_parts(
    run: RunFolder, records: pd.DataFrame, split: pd.DataFrame
) -> pd.DataFrame:
    here, there = (
        set(zip(table["image_id"], table["patient_id"], strict=True))
        for table in (records, split)
    )
    differ = sorted({image_id for image_id, _ in here ^ there})
    if differ:
        raise RunError(
            f"{run.path}/records.csv: must hold the radiographs and patients of "
            f"split.csv. Received: other ones of {number_of(len(differ), 'radiograph')}, "
            f"the first is {differ[0]}. "
            "Restore the file that training wrote, or train the run again."
        )
    return records.merge(split[["image_id", "part"]], on="image_id", validate="1:1")
