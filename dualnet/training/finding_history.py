"""The history by finding: AUROC on the validation part, one row an epoch."""

import keras
import pandas as pd

from dualnet.runs import RunFolder, write_table
from dualnet.training.callbacks import AREA, Logs


class FindingHistory(keras.callbacks.Callback):
    """Writes `finding_history.csv` anew after each epoch.

    A table of its own beside `history.csv`, whose columns are the same for every
    vocabulary. Rows that the file holds of epochs before are kept, so that a training
    that is resumed goes on where it was; rows of epochs that come again are not.

    Args:
        run: The run folder.
    """

    def __init__(self, run: RunFolder) -> None:
        super().__init__()
        self._run = run
        self._table: pd.DataFrame | None = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Adds a row."""
        areas = {
            name.removeprefix(AREA): value
            for name, value in (logs or {}).items()
            if name.startswith(AREA)
        }
        row = pd.DataFrame([{"epoch": epoch + 1, **areas}])
        table = self._run.read_finding_history() if self._table is None else self._table
        before = table[table["epoch"] <= epoch]
        self._table = (
            pd.concat([before, row], ignore_index=True) if len(before) else row
        )
        write_table(self._run.finding_history, self._table)
