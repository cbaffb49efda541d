"""Radiographs drawn to look into a model: one a patient, read some at a time."""

import logging
from collections.abc import Iterator

import numpy as np
import pandas as pd

from dualnet.data.split import PARTS
from dualnet.errors import ConfigError
from dualnet.jobs.chosen import make_inputs
from dualnet.jobs.finished import FinishedRun
from dualnet.wording import number_of

logger = logging.getLogger(__name__)


def take_part(run: FinishedRun, part: str) -> pd.DataFrame:
    """Takes one part of a run's radiographs.

    Args:
        run: The run.
        part: `train`, `val` or `test`.

    Returns:
        Their records.

    Raises:
        ConfigError: If there is no such part.
    """
    if part not in PARTS:
        raise ConfigError(
            f"--part: must be one of {', '.join(PARTS)}. Received: {part!r}. "
            "Name a part of the run's split."
        )
    return run.records[run.records["part"] == part].reset_index(drop=True)


def draw_one_a_patient(table: pd.DataFrame, *, most: int, seed: int) -> pd.DataFrame:
    """Draws radiographs, one of each patient; how many are left out is said.

    Args:
        table: Records.
        most: How many at most.
        seed: Decides which.

    Returns:
        Their rows, in the table's order.
    """
    order = np.random.default_rng(seed).permutation(len(table))
    drawn = table.iloc[order].drop_duplicates("patient_id")
    num_patients = len(drawn)
    drawn = drawn.iloc[:most]
    if len(drawn) < len(table):
        logger.info(
            "%s of %s looked at: one of each of %s",
            f"{len(drawn):,}",
            number_of(len(table), "radiograph"),
            (f"{len(drawn):,} of " if len(drawn) < num_patients else "")
            + number_of(num_patients, "patient"),
        )
    return drawn.sort_index().reset_index(drop=True)


def read_batches(
    run: FinishedRun, table: pd.DataFrame
) -> Iterator[dict[str, np.ndarray]]:
    """Reads what a run's model is given for radiographs, a batch at a time.

    Args:
        run: The run.
        table: Records whose pictures are on disk.

    Yields:
        Inputs, as `make_inputs` makes them.
    """
    rows, size = table.to_dict("records"), run.config.evaluation.batch_size
    for start in range(0, len(rows), size):
        yield make_inputs(run, [_named(row) for row in rows[start : start + size]])


def _named(row: dict) -> dict[str, object]:
    return {str(key): value for key, value in row.items()}
