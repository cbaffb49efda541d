"""What a training begins with: ImageNet's weights, a file's, or another run's."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from dualnet.config import Config
from dualnet.data.cache import Cache, open_cache
from dualnet.data.overlap import find_shared_patients, find_shared_pictures
from dualnet.errors import CacheError, RunError
from dualnet.files import sha256
from dualnet.findings import Vocabulary
from dualnet.jobs.finished import FinishedRun, read_run
from dualnet.models.weight_files import read_layer_weights
from dualnet.models.weights import fetch_imagenet
from dualnet.training.starting import Start
from dualnet.wording import number_of

OPTION = "--init-from"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Weights to begin with, and the run that they are of, if they are of one.

    Args:
        start: The weights.
        run: The run.
    """

    start: Start
    run: FinishedRun | None = None


def read_origin(config: Config) -> Origin | None:
    """Reads the weights that a configuration names, before any picture is read.

    Args:
        config: The whole configuration.

    Returns:
        The weights; None where it names none.
    """
    model = config.model
    if model.modality == "metadata":
        return None  # it has no image branch
    if model.init_from is not None:
        return _read_run(model.init_from)
    if model.weights == "none":
        return None
    if model.weights == "imagenet":
        layers = fetch_imagenet(model.image_branch)
        facts = {"weights": "imagenet"}
        return Origin(start=Start(layers=layers, source="ImageNet", facts=facts))
    file = Path(model.weights)
    layers = read_layer_weights(file)
    facts = {"weights": str(file.resolve()), "sha256": sha256(file)}
    return Origin(start=Start(layers=layers, source=str(file), facts=facts))


def settle_origin(
    origin: Origin,
    config: Config,
    *,
    vocabulary: Vocabulary,
    judged: pd.DataFrame,
    cache: Cache,
) -> Start:
    """Checks that nobody who is to be judged has taught the weights already.

    Args:
        origin: The weights.
        config: The whole configuration.
        vocabulary: The classes of the run to be.
        judged: Records of its val and test part, with their `part`.
        cache: Their pictures.

    Returns:
        What may be taken of the weights.
    """
    run = origin.run
    if run is None:
        return origin.start
    _refuse_shared(run, judged, find_shared_patients(judged, run.fitted))
    _refuse_shared(run, judged, _share_pictures(run, judged, cache))
    model = config.model
    return replace(
        origin.start,
        metadata=run.config.model.metadata_fields == model.metadata_fields,
        head=run.vocabulary == vocabulary,
    )


def _read_run(path: Path) -> Origin:
    run = read_run(path)
    file = run.folder.model
    facts = {"run": str(path.resolve()), "sha256": sha256(file)}
    layers = read_layer_weights(file)
    start = Start(layers=layers, source=f"run {path}", facts=facts)
    return Origin(start=start, run=run)


def _share_pictures(run: FinishedRun, judged: pd.DataFrame, cache: Cache) -> np.ndarray:
    """Finds the pictures that the run was fitted on, under whatever name."""
    fitted = run.fitted["image_id"]
    try:
        own = open_cache(run.config.data.cache or Path())
        return find_shared_pictures(cache, judged["image_id"], own, fitted)
    except CacheError as error:
        logger.info("%s: pictures not compared: %s", OPTION, error)
        return np.full(len(judged), -1)


def _refuse_shared(
    run: FinishedRun, judged: pd.DataFrame, positions: np.ndarray
) -> None:
    """Refuses weights that know who is to choose the epoch, or to be judged.

    What chose the run's own epoch, its val part, may choose again; it may not be judged.

    Args:
        run: The run that the weights are of.
        judged: Records, with their `part`.
        positions: Where each is in `run.fitted`, -1 where it is not.

    Raises:
        RunError: If one is.
    """
    parts = np.append(run.fitted["part"].to_numpy(dtype="object"), "")[positions]
    test = judged["part"].to_numpy() == "test"
    rows = judged[(parts == "train") | ((parts == "val") & test)]
    if rows.empty:
        return
    raise RunError(
        f"{OPTION} {run.folder.path}: no patient of its train part may be in this run's "
        "val or test part, and none of its val part in this run's test part. Received: "
        f"{len(rows):,} of {number_of(len(judged), 'radiograph')}, the first is "
        f"{rows['image_id'].iloc[0]}. "
        "Split as that run did (seed, split, data), or begin with another."
    )
