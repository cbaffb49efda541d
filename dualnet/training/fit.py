"""Fits the dual classifier and keeps the best model in the run folder."""

import logging
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from dualnet.config import Config
from dualnet.data.batches import Batches, EpochOrder
from dualnet.errors import RecordError
from dualnet.findings import Vocabulary
from dualnet.models.dual import build_dual_classifier
from dualnet.runs import RunFolder
from dualnet.training.backend import find_device, make_deterministic, read_versions
from dualnet.training.callbacks import (
    SCORE,
    BestModel,
    EpochScores,
    HistoryFile,
    StopAtNaN,
    save_model,
    score_batches,
)
from dualnet.training.events import EventFiles
from dualnet.training.halves import choose_weight, fit_metadata_half, join_halves
from dualnet.training.precision import (
    dtype_policy,
    resolve_compilation,
    resolve_precision,
)
from dualnet.training.progress import show_epochs
from dualnet.training.recipe import build_loss, build_optimizer, set_class_prior

logger = logging.getLogger(__name__)


def fit(
    config: Config,
    run: RunFolder,
    *,
    train: Batches,
    val: Batches,
    val_labels: np.ndarray,
    vocabulary: Vocabulary,
) -> pd.DataFrame:
    """Fits a model and writes `model.keras`, `history.csv`, `environment.json`.

    The epoch kept is the best by validation macro AUROC, against all findings of a
    radiograph whatever the training targets are. Where each half of a fused model is
    fitted first, the epochs are the image half's. The same configuration and batches
    give the same weights, bit for bit, on one machine.

    Args:
        config: The whole configuration.
        run: The run folder.
        train: Training batches, with targets.
        val: Validation batches, in order, with targets.
        val_labels: All findings present in `val`, bool, shape (n, num_classes).
        vocabulary: Its `class_names` are the columns of the targets.

    Returns:
        The history: one row an epoch.

    Raises:
        RecordError: If no finding of the validation part can be scored.
        ConfigError: If training goes astray.
    """
    _check_labels(val_labels, vocabulary)
    make_deterministic(config.seed)
    environment, policy, jit_compile = _choose(config)
    run.write_environment(environment)
    modality = config.model.modality
    halves = modality == "fused" and config.training.halves_first
    models = {
        name: _build(config, train, vocabulary.class_names, name, policy)
        for name in (("image", "metadata", "fused") if halves else (modality,))
    }
    score = partial(
        EpochScores,
        val_labels=val_labels,
        vocabulary=vocabulary,
        num_images=len(train.positions),
    )
    fit_epochs = partial(_fit_epochs, config, run, jit_compile=jit_compile)
    if not halves:
        return fit_epochs(models[modality], train, score(val), run.model)
    fit_metadata_half(models["metadata"], train, val, jit_compile=jit_compile)
    run.checkpoints.mkdir(parents=True, exist_ok=True)
    history = fit_epochs(
        models["image"],
        train.with_modality("image"),
        score(val.with_modality("image")),
        run.image_half,
    )
    best: Any = keras.models.load_model(run.image_half)
    fused = models["fused"]
    prior = train.class_shares
    metadata_only = models["metadata"]
    weight = choose_weight(
        score_batches(best, val.with_modality("image"))[0],
        score_batches(metadata_only, val.with_modality("metadata"))[0],
        val.targets,
        prior=prior,
    )
    join_halves(fused, best, metadata_only, prior=prior, weight=weight)
    save_model(fused, run.model)
    shutil.rmtree(run.checkpoints)
    logger.info(
        "halves joined, record weighted %.1f: val macro AUROC %.3f, image half %.3f",
        weight,
        score(val).score(fused)[SCORE],
        history[SCORE].max(),
    )
    return history


def _fit_epochs(
    config: Config,
    run: RunFolder,
    model: Any,
    train: Batches,
    scores: EpochScores,
    path: Path,
    *,
    jit_compile: bool,
) -> pd.DataFrame:
    """Fits a model, keeps its best epoch in `path` and returns the history."""
    training = config.training
    set_class_prior(model, train.class_shares)
    model.compile(
        optimizer=build_optimizer(training, num_steps=training.epochs * len(train)),
        loss=build_loss(),
        jit_compile=jit_compile,
    )
    history = HistoryFile(run.history)
    with show_epochs(training.epochs) as progress:
        callbacks = [
            EpochOrder(train),
            StopAtNaN(),
            scores,
            BestModel(path, patience=training.patience),
            history,
            progress,
        ]
        if training.tensorboard:
            callbacks.append(EventFiles(run.tensorboard))
        # shuffle=False: the batches order themselves, from (seed, epoch).
        model.fit(
            train, epochs=training.epochs, shuffle=False, verbose=0, callbacks=callbacks
        )
    return history.table


def _choose(config: Config) -> tuple[dict[str, Any], str, bool]:
    """Returns what `environment.json` holds, the dtype policy and `jit_compile`."""
    device = find_device()
    precision = resolve_precision(config.training.precision, device)
    compilation = resolve_compilation(config.training.compilation, device)
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


def _build(
    config: Config,
    train: Batches,
    class_names: Sequence[str],
    modality: str,
    policy: str,
) -> Any:
    inputs = train[0][0]
    with dtype_policy(policy):
        return build_dual_classifier(
            image_size=config.data.image_size,
            num_features=inputs["metadata"].shape[1] if "metadata" in inputs else 0,
            class_names=class_names,
            modality=modality,
            image_branch=config.model.image_branch,
            metadata_units=config.model.metadata_units,
            dropout=config.model.dropout,
            seed=config.seed,
        )


def _check_labels(val_labels: np.ndarray, vocabulary: Vocabulary) -> None:
    findings = np.array(
        [name in vocabulary.findings for name in vocabulary.class_names]
    )
    present = val_labels.any(axis=0) & ~val_labels.all(axis=0) & findings
    if not present.any():
        raise RecordError(
            "validation part: must hold a finding that some radiographs have and "
            f"others lack. Received: {len(val_labels)} radiographs without one. "
            "Raise `split.val`, or use more patients."
        )
