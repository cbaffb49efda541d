"""What a model is fitted to: its outputs, its loss, and where it starts."""

from dataclasses import dataclass

import keras
import numpy as np

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
        prior: Share of each class that a model knows who has seen no radiograph: in
            what the loss sees, and of this only what is not added by the loss itself,
            shape (num_classes,). The model starts there.
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
    activation = target_activation(training.label_rule)
    shares = train.class_shares
    prior, adjustment = shares, np.zeros_like(shares)
    gamma = training.focal_gamma if training.loss == "focal" else 0.0
    loss: keras.losses.Loss
    if activation == SIGMOID:
        weights = None
        if training.imbalance == "class_weights":
            weights = finding_weights(train.targets)
            absent, present = weights * (1 - shares, shares)
            prior = present / (absent + present)
        loss = SigmoidLoss(gamma=gamma, weights=weights)
    elif training.loss == "logit_adjusted":
        known = np.exp(log_prior(shares))
        adjustment = training.logit_adjustment * np.log(known)
        rest = known ** (1 - training.logit_adjustment)
        prior = rest / rest.sum()
        loss = LogitAdjustedLoss(prior=known, tau=training.logit_adjustment)
    elif training.loss == "focal":
        loss = SoftmaxFocalLoss(gamma=gamma)
    else:
        loss = build_loss()
    return Objective(
        class_names=target_classes(vocabulary, training.label_rule),
        activation=activation,
        loss=loss,
        prior=prior,
        adjustment=adjustment,
    )
