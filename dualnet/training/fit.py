"""Fits the dual classifier and keeps the best model in the run folder."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd

from dualnet.config import Config
from dualnet.data.batches import Batches
from dualnet.data.labels import find_columns
from dualnet.errors import RunError
from dualnet.files import flush, remove_folder
from dualnet.findings import Vocabulary
from dualnet.runs import RunFolder
from dualnet.stopping import StopRequest
from dualnet.training.backend import find_device, make_deterministic, read_versions
from dualnet.training.callbacks import SCORE, save_model, score_batches
from dualnet.training.checkpoint import list_checkpoints, remove_remnants
from dualnet.training.checkpoint_keeper import keep_in
from dualnet.training.devices import Devices, choose_devices, measure_cost
from dualnet.training.epochs import Fitting
from dualnet.training.following import Follower
from dualnet.training.halves import choose_weights, fit_metadata_half, join_halves
from dualnet.training.objective import build_objective
from dualnet.training.precision import resolve_compilation, resolve_precision
from dualnet.training.selection import choose_findings
from dualnet.training.starting import Start
from dualnet.wording import format_number

logger = logging.getLogger(__name__)


def fit(  # noqa: PLR0913 (what a model is fitted on and scored by, all named)
    config: Config,
    run: RunFolder,
    *,
    train: Batches,
    val: Batches,
    val_labels: np.ndarray,
    val_patients: np.ndarray,
    vocabulary: Vocabulary,
    digests: Mapping[str, str] | None = None,
    stop: StopRequest | None = None,
    follower: Follower | None = None,
    start: Start | None = None,
) -> pd.DataFrame:
    """Fits a model and writes `model.keras`, `history.csv`, `environment.json`.

    Where the run folder holds checkpoints, training goes on from them, to the bits of
    one that was never stopped.

    The epoch kept is the best by validation macro AUROC (see `choose_findings`),
    against all findings of a radiograph whatever the training targets are. Where each
    half of a fused model is fitted first, the epochs are the image half's. The same
    configuration and batches give the same weights, bit for bit, on one machine.

    Args:
        config: The whole configuration.
        run: The run folder.
        train: Training batches, with targets.
        val: Validation batches, in order, with targets.
        val_labels: All findings present in `val`, bool, shape (n, num_classes).
        val_patients: The patients of `val`, shape (n,).
        vocabulary: Its `class_names` are the columns of `val_labels`; those of the
            targets are the `target_classes` of the label rule.
        digests: Of the configuration and the data, by name: checkpoints of others are
            refused; none: nothing is compared.
        stop: Ends training at the next batch, when it is asked to; none: nobody asks.
        follower: Draws the training as it goes on; none: nobody does.
        start: The weights to begin with; none: those that the seed decides.

    Returns:
        The history: one row an epoch.

    Raises:
        RecordError: If no finding of the validation part can be scored.
        ConfigError: If training goes astray.
        RunError: If a checkpoint is of another configuration or other data.
        Stopped: If a signal asked for it; a checkpoint is written first.
    """
    scored = choose_findings(val_labels, val_patients, vocabulary)
    make_deterministic(config.seed)
    devices = choose_devices(config.training)
    environment, policy, jit_compile = _choose(config, devices)
    environment["devices"] = devices.describe(num_rows=len(train.positions))
    _tell_changes(run, environment)
    run.write_environment(environment)
    remove_remnants(run.checkpoints)
    objective = build_objective(config.training, vocabulary, train)
    answered = find_columns(objective.class_names, vocabulary)
    fitting = Fitting(
        config=config,
        run=run,
        train=train,
        val=val,
        val_labels=val_labels[:, answered],
        scored=scored[answered],
        objective=objective,
        devices=devices,
        policy=policy,
        jit_compile=jit_compile,
        keeping=keep_in(
            run.checkpoints,
            digests=digests,
            minutes=config.training.checkpoint_minutes,
            stop=stop,
            every_epoch=config.training.keep_checkpoints,
        ),
        follower=follower,
        start=start,
    )
    if fits_halves(config):
        model, history = _fit_halves(fitting)
    else:
        model, history = fitting.fit_epochs(config.model.modality)
    save_model(model, run.model)
    known = run.read_environment()
    run.write_environment({**known, "cost": measure_cost(history)})
    if not config.training.keep_checkpoints:
        flush(run.path)
        remove_folder(run.checkpoints)
    return history


def fits_halves(config: Config) -> bool:
    """Returns whether each half is fitted alone; says where it was asked in vain.

    Args:
        config: The whole configuration.
    """
    model, halves_first = config.model, config.training.halves_first
    if model.modality != "fused" or not halves_first:
        return False
    if model.fusion != "concat":
        logger.info(
            "model.fusion=%s is fitted as a whole: there is no sum of halves, so "
            "training.halves_first does nothing",
            model.fusion,
        )
        return False
    return True


def _fit_halves(fitting: Fitting) -> tuple[Any, pd.DataFrame]:
    """Fits both halves, joins them and returns the image half's history."""
    objective = fitting.objective
    metadata_only = fitting.build("metadata")
    losses = fit_metadata_half(
        metadata_only,
        fitting.train,
        fitting.val,
        objective=objective,
        jit_compile=fitting.jit_compile,
        keeping=fitting.keeping,
    )
    image_only, history = fitting.fit_epochs("image")
    weights = choose_weights(
        score_batches(image_only, fitting.val.with_modality("image"))[0],
        score_batches(metadata_only, fitting.val.with_modality("metadata"))[0],
        fitting.val.targets,
        prior=objective.prior,
        adjustment=objective.adjustment,
        activation=objective.activation,
    )
    fused = fitting.build("fused")
    join_halves(
        fused, image_only, metadata_only, prior=objective.prior, weights=weights
    )
    joined = fitting.scores("fused").score(fused)
    keeps_last = fitting.config.training.keep == "last"
    image_half = history[SCORE].iloc[-1] if keeps_last else history[SCORE].max()
    fitting.run.write_halves(
        {
            "metadata_half": {"val_loss": losses},
            "record_weights": dict(
                zip(objective.class_names, weights.tolist(), strict=True)
            ),
            "fused": joined,
            "image_half": {SCORE: float(image_half)},
        }
    )
    logger.info(
        "halves joined, record weighted %s: val macro AUROC %s, image half %s",
        _format_weights(weights, objective.class_names),
        format_number(joined[SCORE]),
        format_number(image_half),
    )
    return fused, history


def _tell_changes(run: RunFolder, environment: Mapping[str, Any]) -> None:
    """Says what is not as it was when the run was begun: its bits may differ then."""
    if not list_checkpoints(run.checkpoints):
        return
    try:
        before = run.read_environment()
    except RunError:
        return  # it is written anew
    for name, now in environment.items():
        if before.get(name) != now:
            logger.warning(
                "%s: was %s when the run was begun, is %s: its bits may differ from "
                "those of a run that was not stopped",
                name,
                before.get(name),
                now,
            )


def _format_weights(weights: np.ndarray, names: Sequence[str]) -> str:
    """Says the least and the greatest weight, with their classes, and the mean."""
    low, high = int(weights.argmin()), int(weights.argmax())
    least, most, mean = (
        format_number(one, digits=2)
        for one in (weights[low], weights[high], weights.mean())
    )
    return f"{least} ({names[low]}) to {most} ({names[high]}), mean {mean}"


def _choose(config: Config, devices: Devices) -> tuple[dict[str, Any], str, bool]:
    """Returns what `environment.json` holds, the dtype policy and `jit_compile`."""
    device = find_device()
    precision = resolve_precision(config.training.precision, device)
    compilation = resolve_compilation(
        config.training.compilation, device, num_devices=devices.count
    )
    environment = {
        "versions": read_versions(),
        "backend": keras.backend.backend(),
        "device": {"kind": device.kind, "name": device.name},
        "precision": {"chosen": precision.value, "why": precision.reason},
        "compilation": {
            "chosen": "xla" if compilation.value else "none",
            "why": compilation.reason,
        },
    }
    return environment, precision.value, compilation.value
