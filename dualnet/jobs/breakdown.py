"""What a run's evaluation is broken down by: calibration, other tables, label rule."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from dualnet.config import Config
from dualnet.evaluation.breakdown import Besides
from dualnet.evaluation.groups.label_report import count_dropped
from dualnet.evaluation.probabilities.calibration import Calibration
from dualnet.jobs.calibrate import PART, read_or_fit_calibration
from dualnet.jobs.finished import FinishedRun
from dualnet.jobs.other_tables import Join, read_tables

logger = logging.getLogger(__name__)


def read_besides(
    run: FinishedRun,
    table: pd.DataFrame,
    config: Config,
    *,
    tables: Sequence[Join] = (),
    adjudicated: Path | None = None,
) -> Besides:
    """Reads what a run's evaluation is broken down by; fits a calibration if need be.

    Args:
        run: The run.
        table: The radiographs judged.
        config: The run's configuration, with the dataset and cache that are judged.
        tables: Tables to join, and the columns wanted of each.
        adjudicated: Radiologists' labels; none: as they lie in the dataset's folder.

    Returns:
        What is known besides the records. What a table lacks is logged.
    """
    said = read_tables(
        table, run.vocabulary, config.data.path, tables=tables, adjudicated=adjudicated
    )
    calibration, reason = _calibrate(run, table, config)
    rule = run.config.training.label_rule
    parts = {
        "train": run.records[run.records["part"] == "train"],
        "+".join(sorted(table["part"].unique())): table,
    }
    return replace(
        said,
        calibration=calibration,
        uncalibrated=reason,
        label_rule=rule,
        dropped=count_dropped(parts, run.vocabulary, rule),
    )


def _calibrate(
    run: FinishedRun, table: pd.DataFrame, config: Config
) -> tuple[Calibration | None, str]:
    """Takes the run's calibration, but never scores it on what it was fitted on."""
    if table["part"].eq(PART).any():
        return None, "the val part, which is judged, is what a calibration is fitted on"
    own = config if config.data.path == run.config.data.path else run.config
    calibration, reason = read_or_fit_calibration(run, own)
    if reason:
        logger.info("not calibrated: %s", reason)
    return calibration, reason
