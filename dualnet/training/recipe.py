"""The recipe: optimizer, loss, targets, and what is done about imbalance."""

import keras
import numpy as np
from scipy.special import logit

from dualnet.config import TrainingConfig
from dualnet.data.labels import SOFTMAX
from dualnet.models.dual import output_activation
from dualnet.training.averaging import AveragingAdamW
from dualnet.training.schedule import build_rate

MAX_CLASS_WEIGHT = 10.0
MIN_PRIOR = 1e-4


def build_optimizer(
    training: TrainingConfig, *, num_batches: int
) -> keras.optimizers.Optimizer:
    """Builds AdamW; see `build_rate` for how its learning rate goes.

    Biases and normalisation do not decay.

    Args:
        training: Gives the highest learning rate, its schedule, the weight decay, the
            decay of the weights' average, and over how many batches gradients are
            accumulated before the weights change.
        num_batches: Batches of the whole run, epochs times batches.

    Returns:
        The optimizer.

    Reference:
        Loshchilov and Hutter, Decoupled weight decay regularization, ICLR 2019.
    """
    optimizer = AveragingAdamW(
        build_rate(training, num_batches=num_batches),
        weight_decay=training.weight_decay,
        use_ema=training.ema > 0,
        ema_momentum=training.ema,
        gradient_accumulation_steps=(
            training.accumulate if training.accumulate > 1 else None
        ),
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def build_loss() -> keras.losses.Loss:
    """Builds the cross-entropy between target shares and probabilities.

    Returns:
        The loss; it takes one-hot and soft targets, float32, shape
        (batch, num_classes).
    """
    return keras.losses.CategoricalCrossentropy()


def smooth_targets(
    targets: np.ndarray, share: float, *, exclusive: bool = True
) -> np.ndarray:
    """Gives a share of each target evenly to all classes: label smoothing.

    Targets are smoothed and not the loss, so that any loss, and the class shares that a
    model begins with, are those of the smoothed targets. Validation targets stay.

    Args:
        targets: One-hot, soft or multi-hot, shape (n, num_classes).
        share: From 0, nothing, to below 1.
        exclusive: Whether a row's targets sum to 1, as softmax takes them; else each
            class is a question of its own, and its share is given to yes and no.

    Returns:
        float32, of the same shape.

    Reference:
        Szegedy et al., Rethinking the Inception architecture for computer vision, CVPR
        2016, section 7.
    """
    num_answers = targets.shape[1] if exclusive else 2
    return ((1 - share) * targets + share / num_answers).astype(np.float32)


def class_weights(targets: np.ndarray, *, cap: float = MAX_CLASS_WEIGHT) -> np.ndarray:
    """Computes a weight for each class: the rarer, the heavier, up to a cap.

    `n / (num_classes * n_c)`, n_c the sum of the class's targets, capped, then scaled
    so that the mean weight of the rows is 1 and the learning rate keeps its meaning.
    Without a cap one Hernia among 1,700 radiographs would weigh as much as 57 percent
    of them that have no finding.

    Args:
        targets: One-hot or soft targets, shape (n, num_classes).
        cap: The largest weight before scaling.

    Returns:
        float32, shape (num_classes,); a class that no row has gets 0. The weights of
        the rows are `targets @ class_weights(targets)`.

    Reference:
        King and Zeng, Logistic regression in rare events data, Political Analysis
        9(2), 2001; scikit-learn's `class_weight="balanced"`.
    """
    counts = targets.sum(axis=0, dtype=np.float64)
    balanced = counts.sum() / (len(counts) * np.maximum(counts, 1e-12))
    weights = np.where(counts > 0, np.minimum(balanced, cap), 0.0)
    mean = (counts * weights).sum() / counts.sum()
    return (weights / mean).astype(np.float32)


def finding_weights(
    targets: np.ndarray, *, cap: float = MAX_CLASS_WEIGHT
) -> np.ndarray:
    """Computes for each finding what its absence and its presence weigh.

    `n / (2 * n_absent)` and `n / (2 * n_present)`, so that both weigh the same in all;
    capped, then scaled so that the mean weight of the rows is 1, finding by finding.

    Args:
        targets: Whether each finding is present, 0 to 1, shape (n, num_findings).
        cap: The largest weight before scaling.

    Returns:
        float32, shape (2, num_findings): of absent, of present.

    Reference:
        Rajpurkar et al., CheXNet, 2017 (arXiv 1711.05225), section 2.1, whose weights
        are half of these.
    """
    present = targets.mean(axis=0, dtype=np.float64)
    shares = np.stack([1 - present, present])
    weights = np.minimum(0.5 / np.maximum(shares, 1e-12), cap)
    return (weights / (weights * shares).sum(axis=0)).astype(np.float32)


def sampling_weights(targets: np.ndarray) -> np.ndarray:
    """Computes how likely each row is to be drawn for every class to be seen as often.

    A row's share is the sum over its classes of target / n_c.

    Args:
        targets: One-hot or soft targets, shape (n, num_classes).

    Returns:
        float64, shape (n,), summing to 1.
    """
    counts = targets.sum(axis=0, dtype=np.float64)
    shares = targets @ np.divide(1, counts, out=np.zeros_like(counts), where=counts > 0)
    return shares / shares.sum()


def with_negative(targets: np.ndarray) -> np.ndarray:
    """Adds a column for the rows without any finding, which else are never drawn.

    Args:
        targets: Whether each finding is present, 0 to 1, shape (n, num_findings).

    Returns:
        Shape (n, num_findings + 1).
    """
    return np.column_stack([targets, 1 - targets.max(axis=1)])


def set_class_prior(model: keras.Model, prior: np.ndarray) -> None:
    """Starts the model at the class prior: the bias of `logits` becomes its logits.

    The first epoch is then not spent on learning how frequent the classes are.

    Args:
        model: A dual classifier.
        prior: Share of each class among the training targets, shape (num_classes,).

    Reference:
        Lin et al., Focal loss for dense object detection, ICCV 2017, section 4.1.
    """
    logits = model.get_layer("logits")
    kernel, _ = logits.get_weights()
    logits.set_weights([kernel, prior_logits(prior, output_activation(model))])


def prior_logits(prior: np.ndarray, activation: str) -> np.ndarray:
    """Returns the logits at which a model says the prior.

    Args:
        prior: Share of each class, shape (num_classes,).
        activation: `softmax`: their logarithms; `sigmoid`: their log-odds.
    """
    if activation == SOFTMAX:
        return log_prior(prior)
    return logit(np.clip(prior, MIN_PRIOR, 1 - MIN_PRIOR))


def log_prior(prior: np.ndarray) -> np.ndarray:
    """Returns the logarithm of a class prior; a class that nobody has keeps a little.

    Args:
        prior: Share of each class, shape (num_classes,).
    """
    return np.log(np.maximum(prior, MIN_PRIOR))
