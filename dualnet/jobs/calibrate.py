"""A run's calibration: fitted on its val part, kept in its folder, read with checks."""

import hashlib
import logging
import zipfile
from pathlib import Path

from dualnet.config import Config
from dualnet.data.cache import Cache
from dualnet.errors import DualNetError, RunError, StorageError
from dualnet.evaluation.probabilities.calibration import Calibration, fit_calibration
from dualnet.evaluation.scores.truth import make_truth
from dualnet.files import write_json
from dualnet.jobs.finished import FinishedRun
from dualnet.jobs.predicting import predict_rows
from dualnet.jobs.sources import prepare
from dualnet.wording import format_number, number_of

PART = "val"
WEIGHTS = "model.weights.h5"  # in a `.keras` file, where Keras keeps them

logger = logging.getLogger(__name__)


def calibrate_run(run: FinishedRun, cache: Cache) -> Calibration:
    """Fits temperature and operating points on the val part and writes them.

    Args:
        run: A finished run.
        cache: Holds the pictures of its val part.

    Returns:
        The calibration, as it lies in `calibration.json`.
    """
    calibration = fit_run_calibration(run, cache)
    write_json(run.folder.calibration, calibration.as_dict())
    return calibration


def fit_run_calibration(run: FinishedRun, cache: Cache) -> Calibration:
    """Fits temperature and operating points on the val part.

    Args:
        run: A finished run.
        cache: Holds the pictures of its val part.

    Returns:
        The calibration.
    """
    table = run.records[run.records["part"] == PART].reset_index(drop=True)
    calibration = fit_calibration(
        make_truth(table, run.vocabulary, unscored=run.unscored),
        predict_rows(run, table, cache),
        model_digest=digest_weights(run.folder.model),
        activation=run.activation,
    )
    logger.info(
        "calibrated on %s of val: temperature %s",
        number_of(len(table), "radiograph"),
        format_number(calibration.temperatures.mean(), digits=2),
    )
    return calibration


def read_calibration(run: FinishedRun) -> Calibration:
    """Reads a run's calibration.

    Args:
        run: The run.

    Returns:
        The calibration.

    Raises:
        RunError: If there is none, it is damaged, or it is of other weights or
            classes than the run's.
    """
    file = run.folder.calibration
    advice = f"Fit it again with `dualnet evaluate {run.folder.path}`."
    if not file.is_file():
        raise RunError(f"{file}: must be there. Received: no such file. {advice}")
    values = run.folder.read_calibration()
    try:
        calibration = Calibration.from_dict(values)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise RunError(
            f"{file}: must be as it was written. Received: {type(error).__name__} "
            f"while reading. Delete it. {advice}"
        ) from error
    if calibration.class_names != run.vocabulary.class_names:
        raise RunError(
            f"{file}: must be of the run's classes. Received: other classes. {advice}"
        )
    if calibration.model_digest != digest_weights(run.folder.model):
        raise RunError(
            f"{file}: must be of the weights in {run.folder.model.name}. "
            f"Received: the SHA-256 of others. {advice}"
        )
    return calibration


def read_or_fit_calibration(
    run: FinishedRun, config: Config
) -> tuple[Calibration | None, str]:
    """Reads a run's calibration; fits it where there is none that is the run's.

    Args:
        run: The run.
        config: Its configuration, with the cache to be used.

    Returns:
        The calibration and nothing, or None and why there is none, such as pictures
        of the val part that are gone.
    """
    try:
        return read_calibration(run), ""
    except RunError as error:
        if run.folder.calibration.is_file():
            logger.info("calibrated anew: %s", error)
    table = run.records[run.records["part"] == PART].reset_index(drop=True)
    try:
        cache = prepare(table, config, config.data.path)
        calibration = fit_run_calibration(run, cache)
    except DualNetError as error:
        return None, f"the pictures of the val part cannot be used ({error})"
    try:
        write_json(run.folder.calibration, calibration.as_dict())
    except StorageError as error:
        logger.info("calibration not kept: %s", error)
    return calibration, ""


def digest_weights(model: Path) -> str:
    """Computes the SHA-256 of a model's weights.

    Args:
        model: A `.keras` file. Its other members hold names, which may change with
            the version that saved it while the weights stay.

    Returns:
        The digest, in hexadecimal.

    Raises:
        RunError: If the file holds no weights.
    """
    try:
        with zipfile.ZipFile(model) as members, members.open(WEIGHTS) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()  # pyright: ignore[reportArgumentType] - a file of bytes
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise RunError(
            f"{model}: must be a Keras model. Received: {type(error).__name__} while "
            "reading its weights. Train the run again."
        ) from error
