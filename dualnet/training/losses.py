"""Losses for rare findings, computed in float32 from logits.

Keras leaves a softmax's or sigmoid's logits at its output, and its own cross-entropies
read them there. So do these; a loss of probabilities alone has no gradient left where a
wrong answer is sure. Where the back end keeps no such note, as compiled JAX does not,
logits are made of the probabilities.
"""

from typing import Any

import keras
import numpy as np

from dualnet.data.labels import SIGMOID, SOFTMAX

ops: Any = keras.ops  # whose types say that any result may be None
FLOAT32 = np.finfo(np.float32)
LEAST = float(FLOAT32.tiny)  # of a softmax: the last that has a float32 logarithm
MOST = 1 - float(FLOAT32.epsneg)  # of a sigmoid: float32's last before 1
NEVER = -1e30  # a logit that adds nothing, and no NaN as minus infinity would


class SoftmaxFocalLoss(keras.losses.Loss):
    """Cross-entropy in which a class counts the less, the surer it is known already.

    `-sum(target * (1 - p)**gamma * log(p))` over the classes; of soft targets each
    class counts by its share.

    Args:
        gamma: How much less, at least 0; 0 is the cross-entropy.

    Reference:
        Lin et al., Focal loss for dense object detection, ICCV 2017, equation 4.
    """

    def __init__(self, *, gamma: float) -> None:
        super().__init__(name="softmax_focal_loss")
        self.gamma = gamma

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Returns the loss of each row, float32, shape (batch,).

        Args:
            y_true: Target shares, shape (batch, num_classes).
            y_pred: Probabilities, same shape.
        """
        logits = read_logits(y_pred, SOFTMAX)
        log_probability = ops.log_softmax(logits, axis=-1)
        # log(1 - p) as the sum over the other classes: of p near 1 nothing is lost
        others = ops.expand_dims(logits, -2) + NEVER * ops.eye(logits.shape[-1])
        log_rest = ops.logsumexp(others, axis=-1) - ops.logsumexp(
            logits, axis=-1, keepdims=True
        )
        focus = ops.exp(self.gamma * log_rest)
        return -ops.sum(y_true * focus * log_probability, axis=-1)


class LogitAdjustedLoss(keras.losses.Loss):
    """Cross-entropy of logits to which the logarithm of the class shares is added.

    The model learns what a class has in excess of being frequent. The addition is part
    of the loss alone: what the fitted model gives back are the probabilities there
    would be, were all classes as frequent (for `tau` 1), whose likeliest class makes
    the fewest errors on the mean of the classes.

    Args:
        prior: Share of each class in what the loss sees, above 0, shape
            (num_classes,).
        tau: How much of its logarithm is added.

    Reference:
        Menon et al., Long-tail learning via logit adjustment, ICLR 2021, equation 10.
    """

    def __init__(self, *, prior: np.ndarray, tau: float) -> None:
        super().__init__(name="logit_adjusted_loss")
        self.adjustment = (tau * np.log(prior)).astype(np.float32)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Returns the loss of each row, float32, shape (batch,).

        Args:
            y_true: Target shares, shape (batch, num_classes).
            y_pred: Probabilities, same shape.
        """
        adjustment = ops.convert_to_tensor(self.adjustment)  # torch adds no arrays
        logits = read_logits(y_pred, SOFTMAX) + adjustment
        return -ops.sum(y_true * ops.log_softmax(logits, axis=-1), axis=-1)


class SigmoidLoss(keras.losses.Loss):
    """Cross-entropy of one sigmoid a finding, weighted and focal on request.

    The mean over the findings of `-w1 * y * (1 - p)**gamma * log(p)
    - w0 * (1 - y) * p**gamma * log(1 - p)`.

    Args:
        gamma: How much less a finding counts that is known already, at least 0; 0 is
            the cross-entropy.
        weights: Of absent and of present, `w0` and `w1`, shape (2, num_findings);
            none: 1.

    Reference:
        Lin et al., Focal loss for dense object detection, ICCV 2017, equation 5;
        weights by share as in Rajpurkar et al., CheXNet, 2017 (arXiv 1711.05225),
        section 2.1.
    """

    def __init__(
        self, *, gamma: float = 0.0, weights: np.ndarray | None = None
    ) -> None:
        super().__init__(name="sigmoid_loss")
        self.gamma = gamma
        self.weights = None if weights is None else weights.astype(np.float32)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Returns the loss of each row, float32, shape (batch,).

        Args:
            y_true: Whether a finding is present, 0 to 1, shape (batch, num_findings).
            y_pred: Probabilities, same shape.
        """
        logits = read_logits(y_pred, SIGMOID)
        log_present, log_absent = ops.log_sigmoid(logits), ops.log_sigmoid(-logits)
        present, absent = y_true * log_present, (1 - y_true) * log_absent
        if self.gamma:
            present = present * ops.exp(self.gamma * log_absent)
            absent = absent * ops.exp(self.gamma * log_present)
        if self.weights is not None:
            absent, present = self.weights[0] * absent, self.weights[1] * present
        return -ops.mean(present + absent, axis=-1)


def read_logits(probabilities: Any, activation: str) -> Any:
    """Returns the logits that probabilities were made of, in float32.

    Args:
        probabilities: What a softmax or sigmoid gives back, shape (batch, outputs).
        activation: `softmax` or `sigmoid`.

    Returns:
        Keras' own note of them where there is one; else their logarithm or log-odds,
        those of a softmax but for one number a row, which changes no probability.
    """
    noted = getattr(probabilities, "_keras_logits", None)
    if noted is not None:
        return ops.cast(noted, "float32")
    values = ops.cast(probabilities, "float32")
    if activation == SOFTMAX:
        return ops.log(ops.maximum(values, LEAST))
    values = ops.clip(values, LEAST, MOST)
    return ops.log(values) - ops.log1p(-values)
