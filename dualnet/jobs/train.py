"""`dualnet train`: records, split, cache, batches, model, run folder."""

import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dualnet.config import Config
from dualnet.data.labels import full_labels
from dualnet.errors import ConfigError, RunError
from dualnet.files import LOCK, empty_folder, lock_folder
from dualnet.jobs.calibrate import calibrate_run
from dualnet.jobs.digests import compute_digests
from dualnet.jobs.finished import read_run
from dualnet.jobs.follow import RunFollower
from dualnet.jobs.model_card import write_model_card
from dualnet.jobs.run_inputs import write_inputs
from dualnet.jobs.start import Origin, read_origin, settle_origin
from dualnet.jobs.training_data import TrainingData, make_batches, read_training_data
from dualnet.jobs.training_page import noting_a_stop, write_run_page
from dualnet.runs import RunFolder, create_run
from dualnet.stopping import StopRequest
from dualnet.training.checkpoint import read_spent, refuse_others
from dualnet.training.fit import fit
from dualnet.training.starting import Start

logger = logging.getLogger(__name__)


def train_run(
    config: Config,
    path: Path,
    *,
    overwrite: bool = False,
    stop: StopRequest | None = None,
) -> RunFolder:
    """Trains a model and writes its run folder.

    All that can be wrong with the data is found before a run that lies there is touched,
    and before there is a new one; of a stop meanwhile the configuration is left, so that
    `resume_run` can go on.

    Args:
        config: The whole configuration.
        path: The run folder to be.
        overwrite: Whether a run that lies there may be replaced.
        stop: Ends training when it is asked to; none: nobody asks.

    Returns:
        The finished run.
    """
    create_run(path, overwrite=overwrite)
    if overwrite:
        _check_outside(config, path)
    is_new = not path.exists()
    with locked_run(RunFolder(path)):
        run = create_run(path, overwrite=overwrite)  # again: nobody else writes now
        replaces = run.is_begun
        if not replaces:
            run.write_config(config)
        spent = dict[str, dict[str, float]]()
        try:
            data, start = prepare_run(config, spent)
        except Exception:
            if not replaces:
                _withdraw(run, folder=is_new)
            raise
        if replaces:
            run.config.unlink()  # first: half a run is none
            empty_folder(path, keep=[LOCK])
        return finish_run(config, run, data, start, spent=spent, stop=stop)


def prepare_run(
    config: Config, spent: dict[str, dict[str, float]]
) -> tuple[TrainingData, Start | None]:
    """Reads all that a run needs before it is fitted.

    Args:
        config: The whole configuration.
        spent: Seconds that each stage took; what it takes is noted.

    Returns:
        What the model is fitted on, and the weights to begin with; none: those that
        the seed decides.
    """
    origin = read_origin(config)
    with timed(spent, "preparing"):
        data = read_training_data(config)
        return data, _settle(origin, config, data) if origin else None


def finish_run(
    config: Config,
    run: RunFolder,
    data: TrainingData,
    start: Start | None = None,
    *,
    spent: dict[str, dict[str, float]],
    stop: StopRequest | None = None,
) -> RunFolder:
    """Does what is left of a run: fits, calibrates, writes the model card.

    Args:
        config: The whole configuration.
        run: The run folder.
        data: What the model is fitted on.
        start: The weights to begin with; none: those that the seed decides.
        spent: Seconds that each stage took so far; what it takes is added.
        stop: Ends training when it is asked to; none: nobody asks.

    Returns:
        The finished run.
    """
    if not run.is_fitted:
        spent["fitting"] = read_spent(run.checkpoints)
        with timed(spent, "fitting"), noting_a_stop(run):
            fit_run(config, run, data, start, stop=stop)
        run.write_environment({**run.read_environment(), "spent": spent})
    with timed(spent, "calibrating"):
        calibrate_run(read_run(run.path), data.cache)
    run.write_environment({**run.read_environment(), "spent": spent})
    write_run_page(run, "finished")
    write_model_card(run)  # last: a run that has one is finished
    return run


@contextmanager
def locked_run(run: RunFolder) -> Iterator[None]:
    """Lets one process at a time train into a run folder.

    Args:
        run: The run folder; made if absent.

    Yields:
        Nothing.

    Raises:
        RunError: If another process trains into it.
    """

    def refuse() -> None:
        raise RunError(
            f"{run.path}: must be trained by one process at a time. Received: another "
            "one is at work in it. Wait for its end, or name another folder."
        )

    with lock_folder(run.path, if_taken=refuse):
        yield


@contextmanager
def timed(spent: dict[str, dict[str, float]], stage: str) -> Iterator[None]:
    """Notes the seconds that a stage took: by the clock, and of all processors.

    Args:
        spent: Seconds by stage; those of this stage are added to.
        stage: Its name.

    Yields:
        Nothing.
    """
    clock, processor = time.perf_counter(), time.process_time()
    yield
    before = spent.get(stage, {})
    spent[stage] = {
        "seconds": before.get("seconds", 0.0) + time.perf_counter() - clock,
        "processor_seconds": before.get("processor_seconds", 0.0)
        + time.process_time()
        - processor,
    }


def fit_run(
    config: Config,
    run: RunFolder,
    data: TrainingData,
    start: Start | None = None,
    *,
    stop: StopRequest | None = None,
) -> None:
    """Fits a model on data that is read already, and writes the run folder.

    Args:
        config: The whole configuration.
        run: The run folder; of checkpoints in it training goes on.
        data: What the model is fitted on.
        start: The weights to begin with; none: those that the seed decides.
        stop: Ends training when it is asked to; none: nobody asks.
    """
    digests = compute_digests(config, data)
    refuse_others(run.checkpoints, digests)
    write_inputs(run, config, data)
    val = data.rows("val")
    fit(
        config,
        run,
        train=make_batches(config, data, "train"),
        val=make_batches(config, data, "val"),
        val_labels=full_labels(
            list(data.table["findings"].iloc[val]), data.records.vocabulary
        ),
        val_patients=data.table["patient_id"].iloc[val].to_numpy(),
        vocabulary=data.records.vocabulary,
        follower=RunFollower(
            run,
            train=data.table.iloc[data.rows("train")],
            val=data.table.iloc[val].assign(part="val"),
            vocabulary=data.records.vocabulary,
            class_names=data.targets.class_names,
            tensorboard=config.training.tensorboard,
        ),
        start=start,
        digests=digests,
        stop=stop,
    )


def _settle(origin: Origin, config: Config, data: TrainingData) -> Start:
    table = data.table.assign(part=data.split["part"].to_numpy())
    judged = table[table["part"] != "train"]
    return settle_origin(
        origin,
        config,
        vocabulary=data.records.vocabulary,
        judged=judged,
        cache=data.cache,
    )


def _withdraw(run: RunFolder, *, folder: bool) -> None:
    """Removes what there is of a run whose data cannot be used."""
    if folder:
        shutil.rmtree(run.path, ignore_errors=True)
        return
    for file in (run.config, run.path / LOCK):
        file.unlink(missing_ok=True)


def _check_outside(config: Config, run: Path) -> None:
    """Refuses what is read and would be deleted when the run is overwritten."""
    data = config.data
    folders = {
        "data.path": data.path,
        "data.pictures": data.pictures,
        "data.cache": data.cache,
        "model.init_from": config.model.init_from,
    }
    for key, folder in folders.items():
        if folder is not None and folder.resolve().is_relative_to(run.resolve()):
            raise ConfigError(
                f"{key}: must not lie in the run folder, which --overwrite empties. "
                f"Received: {folder}. Name a folder outside {run}."
            )
