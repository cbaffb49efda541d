"""A run's model as it was after each epoch, from the checkpoints that it kept."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dualnet.errors import RunError
from dualnet.jobs.finished import FinishedRun
from dualnet.models.dual import build_dual_classifier
from dualnet.training.checkpoint import (
    DamagedCheckpoint,
    ends_epoch,
    list_checkpoints,
    read_checkpoint,
)
from dualnet.training.checkpoint_state import write_weights
from dualnet.wording import number_of

if TYPE_CHECKING:
    import keras

logger = logging.getLogger(__name__)

MAX_EPOCHS = 8  # rows that a person can still compare


def find_stage(run: FinishedRun) -> str:
    """Returns which model of a run has its epochs looked at.

    Args:
        run: The run.

    Returns:
        Its own modality; `image` where each half was fitted alone.

    Raises:
        RunError: If it kept no checkpoint of an epoch.
    """
    folder, modality = run.folder.checkpoints, run.config.model.modality
    for stage in (modality, "image"):
        if any(ends_epoch(path) for path in list_checkpoints(folder, stage)):
            return stage
    raise RunError(
        f"{folder}: must hold the checkpoint of at least one epoch. Received: none. "
        "Train the run with --set training.keep_checkpoints=true."
    )


def choose_epochs(run: FinishedRun, stage: str) -> list[Path]:
    """Chooses the epochs that are looked at, spread evenly; the first and the last too.

    Args:
        run: The run.
        stage: Which of its models.

    Returns:
        Folders of at most `MAX_EPOCHS` checkpoints, the oldest first.
    """
    kept = [
        path
        for path in reversed(list_checkpoints(run.folder.checkpoints, stage))
        if ends_epoch(path)
    ]
    if len(kept) <= MAX_EPOCHS:
        return kept
    logger.info(
        "%s of %s shown, spread evenly",
        MAX_EPOCHS,
        number_of(len(kept), "kept epoch"),
    )
    places = np.linspace(0, len(kept) - 1, MAX_EPOCHS).round().astype(int)
    return [kept[place] for place in places]


def load_epochs(
    run: FinishedRun, stage: str, paths: Sequence[Path]
) -> Iterator[tuple[int, "keras.Model"]]:
    """Loads a model as it was after each of some epochs.

    These are the weights that were being fitted; where `training.ema` averages them,
    the average is not among them.

    Args:
        run: The run.
        stage: Which of its models.
        paths: Folders of checkpoints of it; a damaged one is passed over, and said.

    Yields:
        How many epochs were done, and the model, the same one with other weights.
    """
    model = _build(run, stage)
    for path in paths:
        try:
            checkpoint = read_checkpoint(path)
        except DamagedCheckpoint as reason:
            logger.warning("%s: passed over, %s", path, reason)
            continue
        write_weights(model, checkpoint.variables, checkpoint.arrays)
        yield checkpoint.epoch, model


def _build(run: FinishedRun, stage: str) -> "keras.Model":
    config = run.config
    return build_dual_classifier(
        image_size=config.data.image_size,
        num_features=len(run.encoder.feature_names),
        class_names=run.answered,
        modality=stage,
        image_branch=config.model.image_branch,
        metadata_units=config.model.metadata_units,
        dropout=config.model.dropout,
        fusion=config.model.fusion,
        seed=config.seed,
        activation=run.activation,
    )
