"""Plateaus, and steps of accumulated batches beside large batches."""

from typing import Any

import keras
import numpy as np
import pytest

from dualnet.config import TrainingConfig
from dualnet.training.recipe import build_optimizer
from dualnet.training.schedule import PlateauRate


class Model:
    """All that the callback asks of a model."""

    def __init__(self) -> None:
        training = TrainingConfig(schedule="plateau", learning_rate=0.1)
        self.optimizer = build_optimizer(training, num_batches=10)


def run(callback: PlateauRate, losses: list[float], model: Model) -> list[float]:
    """Returns the learning rate after each epoch."""
    callback.set_model(model)
    callback.on_train_begin()
    rates = []
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"val_loss": loss})
        rate = keras.ops.convert_to_numpy(model.optimizer.learning_rate)
        rates.append(float(rate))
    return rates


LOSSES = [2.0, 1.5, 1.5, 1.4, 1.6, 1.7]
RATES = [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]  # never below a hundredth


def test_rate_falls_when_the_loss_does_not():
    assert run(PlateauRate(0.1), LOSSES, Model()) == pytest.approx(RATES)


def test_plateaus_continue_from_their_state():
    model = Model()
    first, second = PlateauRate(0.1), PlateauRate(0.1)
    before = run(first, LOSSES[:4], model)
    second.set_state(first.get_state())
    assert before + run(second, LOSSES[4:], model) == pytest.approx(RATES)
    assert first.get_state() == {"best": 1.4, "wait": 0, "cooldown_counter": 0}


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_accumulated_batches_equal_the_large_batch(schedule: Any):
    random = np.random.default_rng(0)
    x, y = random.normal(size=(16, 5)), random.normal(size=(16, 2))
    weights = {}
    for accumulate in (1, 4):
        keras.utils.set_random_seed(0)
        model: Any = keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)])
        training = TrainingConfig(
            learning_rate=0.05, schedule=schedule, accumulate=accumulate
        )
        num_batches = 3 * 2 * accumulate
        model.compile(build_optimizer(training, num_batches=num_batches), "mse")
        size = 8 // accumulate
        model.fit(x, y, batch_size=size, epochs=3, shuffle=False, verbose=0)
        weights[accumulate] = model.get_weights()
        assert int(model.optimizer.iterations) == 6
    for one, four in zip(*weights.values(), strict=True):
        np.testing.assert_allclose(four, one, rtol=1e-4, atol=1e-6)
