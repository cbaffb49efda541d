"""A run that reads pictures alone, judged beside a run as one of its baselines."""

from pathlib import Path

import pandas as pd

from dualnet.data.overlap import find_shared_patients
from dualnet.errors import RunError
from dualnet.jobs.finished import FinishedRun, read_run
from dualnet.wording import number_of

OPTION = "--image-only"


def read_image_only(path: Path, run: FinishedRun, table: pd.DataFrame) -> FinishedRun:
    """Reads an image-only run and checks that it is a fair baseline of another run.

    Args:
        path: Folder of the image-only run.
        run: The run that is judged.
        table: The radiographs judged.

    Returns:
        The image-only run.

    Raises:
        RunError: If it reads the record too, answers other classes, reads pictures of
            another size, or was fitted on patients judged on whom `run` was not.
    """
    other = read_run(path)
    own, its = run.config, other.config
    advice = f"Train it as `{run.folder.path}`, with --set model.modality=image."
    classes = (", ".join(one.vocabulary.class_names) for one in (run, other))
    for what, expected, received in (
        ("read pictures alone", "image", its.model.modality),
        ("answer the run's classes", *classes),
        ("end as it does", run.activation, other.activation),
        ("read pictures of its size", own.data.image_size, its.data.image_size),
    ):
        if expected != received:
            raise RunError(
                f"{OPTION} {path}: must {what} ({expected}). "
                f"Received: {received}. {advice}"
            )
    ahead = find_shared_patients(table, other.fitted) >= 0
    ahead &= find_shared_patients(table, run.fitted) < 0
    if ahead.any():
        first = table.loc[ahead, "image_id"].iloc[0]
        raise RunError(
            f"{OPTION} {path}: no patient judged may be one that it was fitted on. "
            f"Received: {ahead.sum():,} of {number_of(len(table), 'radiograph')}, "
            f"the first is {first}. {advice}"
        )
    return other
