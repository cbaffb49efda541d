"""Fits each half of a fused model alone, then joins them: the fused logits are a sum.

Fitted together from the start, each half leaves to the other what both could learn, and
of both less is left on radiographs that nobody has seen. Fitted alone, the image half is
as good as the image-only model, and the metadata half as the metadata-only one.
"""

import logging
from typing import Any

import keras
import numpy as np
from scipy.special import log_softmax

from dualnet.data.batches import Batches, EpochOrder
from dualnet.training.recipe import build_loss, log_prior

logger = logging.getLogger(__name__)

MAX_EPOCHS = 30
PATIENCE = 3  # epochs without a lower validation loss
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 1e-3
WEIGHTS = tuple(number / 10 for number in range(11))  # of the record, in the fusion
MIN_PROBABILITY = 1e-7


def fit_metadata_half(
    metadata_only: Any, train: Batches, val: Batches, *, jit_compile: bool = False
) -> None:
    """Fits the metadata-only model until its validation loss falls no more.

    Args:
        metadata_only: The ablation of a fused model; its weights are changed.
        train: Training batches, with targets.
        val: Validation batches, in order, with targets.
        jit_compile: Whether XLA compiles the steps.
    """
    metadata_only.compile(
        optimizer=keras.optimizers.AdamW(LEARNING_RATE, weight_decay=WEIGHT_DECAY),
        loss=build_loss(),
        jit_compile=jit_compile,
    )
    rows = train.with_modality("metadata")
    history = metadata_only.fit(
        rows,
        validation_data=val.with_modality("metadata"),
        epochs=MAX_EPOCHS,
        shuffle=False,
        verbose=0,
        callbacks=[
            EpochOrder(rows),
            keras.callbacks.EarlyStopping(patience=PATIENCE, restore_best_weights=True),
        ],
    )
    losses = history.history["val_loss"]
    logger.info(
        "metadata half: val_loss %.3f after %s epochs",
        min(losses),
        int(np.argmin(losses)) + 1,
    )


def join_halves(
    fused: keras.Model,
    image_only: keras.Model,
    metadata_only: keras.Model,
    *,
    prior: np.ndarray,
    weight: float = 1.0,
) -> None:
    """Makes the fused logits the sum of both halves' less the logarithm of the prior.

    That is Bayes' rule where picture and record are independent within a class; the
    prior, which both halves know, is counted once. Where they are not, for the picture
    shows age too, the record counts less.

    Args:
        fused: The model to fill; its weights are changed.
        image_only: Its fitted ablation.
        metadata_only: Its fitted ablation.
        prior: Share of each class among the training targets, shape (num_classes,).
        weight: How much the record counts, from 0 to 1; see `choose_weight`.

    Reference:
        Kittler et al., On combining classifiers, IEEE Transactions on Pattern Analysis
        and Machine Intelligence 20(3), 1998, equation 8: the product rule.
    """
    kernels, biases = [], []
    for half in (image_only, metadata_only):
        for layer in half.layers:
            if layer.name != "logits":
                fused.get_layer(layer.name).set_weights(layer.get_weights())
        kernel, bias = half.get_layer("logits").get_weights()
        kernels.append(kernel)
        biases.append(bias)
    # `fusion` begins with the image features
    kernel = np.concatenate([kernels[0], weight * kernels[1]])
    bias = biases[0] + weight * (biases[1] - log_prior(prior))
    fused.get_layer("logits").set_weights([kernel, bias])


def choose_weight(
    image: np.ndarray, metadata: np.ndarray, targets: np.ndarray, *, prior: np.ndarray
) -> float:
    """Chooses how much the record counts: the weight of the least validation loss.

    Args:
        image: Probabilities of the image half on the validation part, shape
            (n, num_classes).
        metadata: Those of the metadata half.
        targets: One-hot or soft targets, shape (n, num_classes).
        prior: Share of each class among the training targets, shape (num_classes,).

    Returns:
        One of `WEIGHTS`.
    """
    record = np.log(np.maximum(metadata, MIN_PROBABILITY)) - log_prior(prior)
    picture = np.log(np.maximum(image, MIN_PROBABILITY))
    losses = []
    for weight in WEIGHTS:
        logits = picture + weight * record
        losses.append(-(targets * log_softmax(logits, axis=1)).sum(axis=1).mean())
    return WEIGHTS[int(np.argmin(losses))]
