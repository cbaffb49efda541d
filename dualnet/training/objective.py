"""What a model is fitted to: its outputs, its loss, and where it starts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from dualnet.config import TrainingConfig
from dualnet.data.batches import Batches
from dualnet.data.labels import SIGMOID, target_activation, target_classes
from dualnet.findings import Vocabulary
from dualnet.training.losses import LogitAdjustedLoss, SigmoidLoss, SoftmaxFocalLoss
from dualnet.training.recipe import build_loss, finding_weights, log_prior


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What every model of one run is fitted to.

    Args:
        class_names: What the outputs are, the columns of the targets.
        activation: `softmax` or `sigmoid`.
        loss: The loss.
        prior: What the loss makes of a model that has seen no radiograph, shape
            (num_classes,): the shares of the classes, weighted as the loss weighs them,
            less what the loss adds by itself. The model starts there.
        adjustment: What the loss adds to the logits, shape (num_classes,).
    """

    class_names: tuple[str, ...]
    activation: str
    loss: keras.losses.Loss
    prior: np.ndarray
    adjustment: np.ndarray

    @property
    def val_loss(self) -> keras.losses.Loss | None:
        """What `val_loss` is; None: the cross-entropy of a softmax."""
        plain = isinstance(self.loss, keras.losses.CategoricalCrossentropy)
        return None if plain else self.loss


def build_objective(
    training: TrainingConfig, vocabulary: Vocabulary, train: Batches
) -> Objective:
    """Builds what a run's models are fitted to.

    Args:
        training: Names the label rule, the loss and what is done about imbalance.
        vocabulary: The classes.
        train: Training batches, with targets.

    Returns:
        The objective.
    """
    rule = training.label_rule
    apart = target_activation(rule) == SIGMOID
    build = _build_sigmoids if apart else _build_softmax
    loss, prior, adjustment = build(training, train)
    return Objective(
        class_names=target_classes(vocabulary, rule),
        activation=target_activation(rule),
        loss=loss,
        prior=prior,
        adjustment=adjustment,
    )


def _build_softmax(
    training: TrainingConfig, train: Batches
) -> tuple[keras.losses.Loss, np.ndarray, np.ndarray]:
    shares = train.class_shares
    nothing = np.zeros_like(shares)
    if training.loss == "focal":
        gamma = training.focal_gamma
        prior = softmax(_find_least(lambda z: _focal(shares, z, gamma), shares))
        return SoftmaxFocalLoss(gamma=gamma), prior, nothing
    if training.loss == "logit_adjusted":
        tau, known = training.logit_adjustment, np.exp(log_prior(shares))
        rest = known ** (1 - tau)
        loss = LogitAdjustedLoss(prior=known, tau=tau)
        return loss, rest / rest.sum(), tau * np.log(known)
    return build_loss(), shares, nothing


def _build_sigmoids(
    training: TrainingConfig, train: Batches
) -> tuple[keras.losses.Loss, np.ndarray, np.ndarray]:
    shares, weights = train.class_shares, None
    nothing = np.zeros_like(shares)
    gamma = training.focal_gamma if training.loss == "focal" else 0.0
    if training.imbalance == "class_weights":
        weights = finding_weights(train.targets)
        absent, present = weights * (1 - shares, shares)
        shares = present / (absent + present)
    prior = shares
    if gamma:
        both = [np.array([1 - share, share]) for share in shares]
        least = [
            _find_least(lambda z, two=two: _focal(two, z, gamma), two) for two in both
        ]
        prior = np.array([softmax(logits)[1] for logits in least])
    return SigmoidLoss(gamma=gamma, weights=weights), prior, nothing


def _focal(shares: np.ndarray, logits: np.ndarray, gamma: float) -> float:
    """Returns the focal loss of saying the same of every radiograph."""
    said = softmax(logits)
    return float(-(shares * (1 - said) ** gamma * log_softmax(logits)).sum())


def _find_least(loss: Callable[[np.ndarray], float], shares: np.ndarray) -> np.ndarray:
    """Returns the logits of the least loss; those of the shares come near."""
    # .31 is said of what one in ten has, where gamma is 2
    found: Any = minimize(loss, log_prior(shares), method="BFGS")
    return found.x
