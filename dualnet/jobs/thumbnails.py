"""Thumbnails of a run's training part and of the rows it is judged on."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from dualnet.data.cache import Cache, open_cache
from dualnet.data.labels import full_labels, make_targets
from dualnet.data.split import sample_patients
from dualnet.data.thumbnails import SIDE, border_mask, read_thumbnails
from dualnet.errors import CacheError
from dualnet.evaluation.auditing.probes import (
    BORDER_THUMBNAIL,
    THUMBNAIL,
    ThumbnailModel,
    fit_thumbnails,
)
from dualnet.evaluation.scores.baselines import ROWS_AT_A_TIME
from dualnet.evaluation.scores.prediction import Prediction, concatenate
from dualnet.jobs.finished import FinishedRun
from dualnet.wording import number_of

MAX_FITTED = 20_000  # radiographs: the fit takes 10 s, 5 MB of thumbnails

logger = logging.getLogger(__name__)


def predict_thumbnails(
    run: FinishedRun, table: pd.DataFrame, cache: Cache, *, border: bool = False
) -> dict[str, Prediction]:
    """Fits thumbnail models on the run's train part and asks them of the judged rows.

    Args:
        run: The run.
        table: The radiographs judged.
        cache: Their pictures.
        border: Whether to ask a model of the outermost pixels too.

    Returns:
        `thumbnail`, on all of its pixels, and if asked `border_thumbnail`, on the
        outermost; nothing where the pictures of the training part are gone, which is said.
    """
    train = run.records[run.records["part"] == "train"].reset_index(drop=True)
    drawn = sample_patients(train, num_images=MAX_FITTED, seed=run.config.seed)
    if len(drawn) < len(train):
        logger.info(
            "thumbnails: %s of %s of the training part",
            f"{len(drawn):,}",
            number_of(len(train), "radiograph"),
        )
    try:
        own = open_cache(run.config.data.cache or Path())
        fitted = read_thumbnails(own, own.rows(drawn["image_id"]))
    except CacheError as error:
        logger.info("no thumbnail baseline, for want of training pictures: %s", error)
        return {}
    findings = list(drawn["findings"])
    targets = make_targets(findings, run.vocabulary, "first").matrix
    cells = {THUMBNAIL: None, BORDER_THUMBNAIL: border_mask(SIDE, 1)}
    models = {
        name: fit_thumbnails(
            fitted,
            first=targets.argmax(axis=1),
            labels=full_labels(findings, run.vocabulary),
            cells=seen,
        )
        for name, seen in cells.items()
        if border or name == THUMBNAIL
    }
    return _predict(models, cache, cache.rows(table["image_id"]))


def _predict(
    models: Mapping[str, ThumbnailModel], cache: Cache, positions: np.ndarray
) -> dict[str, Prediction]:
    """Asks the models of some thumbnails at a time, which are not kept."""
    said: dict[str, list[Prediction]] = {name: [] for name in models}
    for start in range(0, len(positions), ROWS_AT_A_TIME):
        thumbnails = read_thumbnails(cache, positions[start : start + ROWS_AT_A_TIME])
        for name, model in models.items():
            said[name].append(model.predict(thumbnails))
    return {name: concatenate(blocks) for name, blocks in said.items()}
