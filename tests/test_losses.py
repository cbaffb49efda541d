"""Losses for rare findings, against sums made by hand."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from scipy.special import expit, log_softmax, softmax

from dualnet.training.losses import (
    LogitAdjustedLoss,
    SigmoidLoss,
    SoftmaxFocalLoss,
    read_logits,
)

TARGETS = np.array([[0.5, 0.5, 0], [0, 0, 1]], "float32")
PROBABILITIES = np.array([[0.2, 0.3, 0.5], [0.25, 0.25, 0.5]], "float32")


def value(loss: keras.losses.Loss, targets: np.ndarray, said: np.ndarray) -> float:
    return float(ops.convert_to_numpy(loss(targets, said.astype("float32"))))


def test_focal_loss_counts_less_what_is_known():
    # (1 - p)^2 times -log(p): .8^2 and .7^2 at half a share each, .5^2
    first = 0.5 * 0.64 * -np.log(0.2) + 0.5 * 0.49 * -np.log(0.3)
    expected = (first + 0.25 * -np.log(0.5)) / 2
    found = value(SoftmaxFocalLoss(gamma=2), TARGETS, PROBABILITIES)
    assert found == pytest.approx(expected, rel=1e-5)


def test_focal_loss_of_gamma_nought_is_the_cross_entropy():
    expected = keras.losses.CategoricalCrossentropy()
    found = value(SoftmaxFocalLoss(gamma=0), TARGETS, PROBABILITIES)
    assert found == pytest.approx(value(expected, TARGETS, PROBABILITIES), rel=1e-5)


def test_logit_adjusted_loss_adds_the_logarithm_of_the_shares():
    # equation 10 by hand: the shares times the probabilities, made to sum to 1
    prior = np.array([0.7, 0.2, 0.1])
    adjusted = PROBABILITIES * prior
    adjusted /= adjusted.sum(axis=1, keepdims=True)
    expected = -(TARGETS * np.log(adjusted)).sum(axis=1).mean()
    found = value(LogitAdjustedLoss(prior=prior, tau=1.0), TARGETS, PROBABILITIES)
    assert found == pytest.approx(expected, rel=1e-5)


def test_tau_says_how_much_is_added():
    prior = np.array([0.7, 0.2, 0.1])
    logits = np.log(PROBABILITIES) + 0.5 * np.log(prior)
    expected = -(TARGETS * log_softmax(logits, axis=1)).sum(axis=1).mean()
    found = value(LogitAdjustedLoss(prior=prior, tau=0.5), TARGETS, PROBABILITIES)
    assert found == pytest.approx(expected, rel=1e-5)


PRESENT = np.array([[1, 0], [1, 1]], "float32")
SAID = np.array([[0.9, 0.2], [0.4, 0.5]], "float32")


def test_sigmoid_loss_is_the_mean_of_the_findings():
    expected = -np.log([0.9, 0.8, 0.4, 0.5]).mean()
    assert value(SigmoidLoss(), PRESENT, SAID) == pytest.approx(expected, rel=1e-5)


def test_sigmoid_loss_is_weighted_and_focal():
    # weights of absent and present, of each finding; then (1 - p_t)^2
    weights = np.array([[0.5, 0.6], [3.0, 2.0]])
    rows = np.array([3.0, 0.6, 3.0, 2.0]) * -np.log([0.9, 0.8, 0.4, 0.5])
    found = value(SigmoidLoss(weights=weights), PRESENT, SAID)
    assert found == pytest.approx(rows.mean(), rel=1e-5)
    focused = (rows * np.array([0.1, 0.2, 0.6, 0.5]) ** 2).mean()
    found = value(SigmoidLoss(weights=weights, gamma=2.0), PRESENT, SAID)
    assert found == pytest.approx(focused, rel=1e-5)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_logits_are_read_back_from_probabilities(activation: str):
    logits = np.array([[-9.0, 2.0, 0.5]], "float32")
    activate = expit if activation == "sigmoid" else softmax
    said = ops.convert_to_tensor(activate(logits).astype("float32"))
    found = ops.convert_to_numpy(read_logits(said, activation))
    if activation == "softmax":  # but for one number a row
        found, logits = found - found.mean(), logits - logits.mean()
    np.testing.assert_allclose(found, logits, rtol=1e-4)


LOSSES = {
    "focal": ("softmax", SoftmaxFocalLoss(gamma=0.5)),
    "adjusted": ("softmax", LogitAdjustedLoss(prior=np.array([0.9999, 1e-4]), tau=1)),
    "sigmoid": ("sigmoid", SigmoidLoss()),
    "sigmoid focal": (
        "sigmoid",
        SigmoidLoss(gamma=0.5, weights=np.array([[0.5, 0.5], [10.0, 10.0]])),
    ),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_a_sure_wrong_answer_still_has_a_finite_gradient(name: str, policy: str):
    """One step from logits of 0, 20, and 300, right and wrong."""
    activation, loss = LOSSES[name]
    keras.config.set_dtype_policy(policy)
    try:
        inputs = keras.Input((2,))
        logits = layers.Dense(2, use_bias=False, dtype="float32", name="logits")(inputs)
        outputs = layers.Activation(activation, dtype="float32")(logits)
        model = keras.Model(inputs, outputs)
    finally:
        keras.config.set_dtype_policy("float32")
    eye = np.eye(2, dtype="float32")
    # as Keras keeps the logits, an answer that is wrong by 300 can still be unlearnt
    sure = 300.0 if keras.backend.backend() != "jax" else 15.0
    for size in (0.0, 15.0, sure):
        for targets in (eye, 1 - eye, np.full((2, 2), 0.5, "float32")):
            model.get_layer("logits").set_weights([size * eye])
            model.compile(keras.optimizers.SGD(1.0), loss)
            found = model.train_on_batch(eye, targets)
            (kernel,) = model.get_layer("logits").get_weights()
            assert np.isfinite(found)
            assert np.isfinite(kernel).all()
            if (targets == 1 - eye).all() and size:
                assert (np.diag(kernel) < size - 0.05).all()
