"""`dualnet train --resume`: goes on with a run that was stopped, to the same bits."""

import logging
from pathlib import Path

from dualnet.config import Config
from dualnet.errors import RunError
from dualnet.jobs.train import finish_run, locked_run, prepare_run
from dualnet.runs import RunFolder
from dualnet.stopping import StopRequest

logger = logging.getLogger(__name__)


def resume_run(
    config: Config, path: Path, *, stop: StopRequest | None = None
) -> RunFolder:
    """Goes on with a run that was stopped; says so of one that is finished.

    The data are read and split again, as they were; where they have changed since, the
    checkpoints are refused and nothing is written.

    Args:
        config: The run's configuration, as `read_resumed` reads it.
        path: The run folder.
        stop: Ends training when it is asked to; none: nobody asks.

    Returns:
        The finished run.
    """
    run = RunFolder(path)
    if run.is_finished:
        logger.info("%s: finished already, nothing is left to do", path)
        return run
    with locked_run(run):
        spent = _read_spent(run)
        data, start = prepare_run(config, spent)
        return finish_run(config, run, data, start, spent=spent, stop=stop)


def _read_spent(run: RunFolder) -> dict[str, dict[str, float]]:
    """Returns the seconds that each stage took before the run was stopped."""
    try:
        return run.read_environment()["spent"]
    except (RunError, LookupError):
        return {}
