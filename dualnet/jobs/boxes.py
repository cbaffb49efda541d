"""The boxes of a run's radiographs, from where its dataset lies."""

from pathlib import Path

from dualnet.explain.boxes import find_boxes
from dualnet.jobs.finished import FinishedRun


def find_run_boxes(run: FinishedRun) -> Path | None:
    """Finds the file of boxes of the dataset that a run was trained on.

    Args:
        run: The run.

    Returns:
        The file; None where the dataset has no boxes, or is gone.
    """
    folders = [run.config.data.path]
    paths = run.records["path"].dropna()
    if len(paths):  # where no dataset was named, the phantom beside its pictures
        folders.append(Path(paths.iloc[0]).parent.parent)
    found = (find_boxes(folder) for folder in folders)
    return next((file for file in found if file is not None), None)
