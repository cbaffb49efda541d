"""Two phases: the branch keeps its weights and its statistics, then stages of it learn."""

from typing import Any

import keras
import numpy as np
import pytest

from dualnet.config import TrainingConfig
from dualnet.config_layers import read_config
from dualnet.errors import ConfigError
from dualnet.models.dual import build_dual_classifier
from dualnet.training.averaging import AverageIn, AverageOut
from dualnet.training.phases import (
    PhaseChange,
    find_phase,
    frozen_layers,
    plan_phases,
)


def build(branch: str) -> keras.Model:
    return build_dual_classifier(
        image_size=32,
        num_features=3,
        class_names=("Edema", "Mass", "No Finding"),
        image_branch=branch,
        dropout=0.0,
    )


def test_one_phase_is_as_configured():
    (phase,) = plan_phases(TrainingConfig(epochs=5, learning_rate=2e-3))
    assert (phase.first, phase.end, phase.learning_rate) == (0, 5, 2e-3)
    assert phase.learning_stages is None


def test_epoch_alone_tells_its_phase():
    training = TrainingConfig(epochs=6, frozen_epochs=2, learning_rate=1e-3, unfreeze=2)
    phases = [find_phase(training, epoch) for epoch in range(6)]
    assert [one.learning_stages for one in phases] == [0, 0, 2, 2, 2, 2]
    assert [one.learning_rate for one in phases] == [1e-3] * 2 + [
        pytest.approx(1e-4)
    ] * 4
    named = training.model_copy(update={"fine_tune_rate": 5e-5})
    assert find_phase(named, 2).learning_rate == 5e-5


@pytest.mark.parametrize(
    ("stages", "learning"),
    [
        (0, set()),
        (1, {"block5"}),
        (3, {"block3", "block4", "block5"}),
        (None, {"block1", "block2", "block3", "block4", "block5"}),
    ],
)
def test_stages_of_vgg_are_its_blocks(stages: int | None, learning: set[str]):
    model = build("vgg16")
    frozen = frozen_layers(model, stages)
    blocks = {
        layer.name.split("_")[1]
        for layer in model.layers
        if layer.name.startswith("image_block")
        and layer.weights
        and layer.name not in frozen
    }
    assert blocks == learning


class Weights(keras.callbacks.Callback):
    """Notes the branch's arrays, statistics too, at each epoch's end."""

    def __init__(self) -> None:
        super().__init__()
        self.epochs: list[dict[str, list[np.ndarray]]] = []
        self.rates: list[float] = []

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        del epoch, logs
        model: Any = self.model
        self.epochs.append({one.name: one.get_weights() for one in model.layers})
        self.rates.append(float(model.optimizer.learning_rate))


def changed(before: dict, after: dict) -> set[str]:
    return {
        name
        for name, arrays in before.items()
        if any(
            (one != other).any() for one, other in zip(arrays, after[name], strict=True)
        )
    }


HEAD = {"metadata_dense_1", "metadata_dense_2", "logits"}


class Batch:
    """As much of training batches as batch normalisation is measured on."""

    batch_size = 16

    def __init__(self, inputs: dict[str, np.ndarray]) -> None:
        self._inputs = inputs

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray]]:
        return (self._inputs,)


def fit_phases(training: TrainingConfig) -> tuple[Any, dict, Weights]:
    """Fits `residual` on noise; returns it, its first arrays and those of its epochs."""
    model: Any = build("residual")
    random = np.random.default_rng(0)
    inputs = {
        "image": random.integers(0, 256, (16, 32, 32, 1)).astype("float32"),
        "metadata": random.normal(size=(16, 3)).astype("float32"),
    }
    settings = {"steps_per_epoch": 2, "jit_compile": keras.backend.backend() == "jax"}
    start = {one.name: one.get_weights() for one in model.layers}
    loss = keras.losses.CategoricalCrossentropy()
    change = PhaseChange(training, loss=loss, **settings)
    assert change.compile(model, 0)
    assert not change.compile(model, training.frozen_epochs - 1)
    weights = Weights()
    batches: Any = Batch(inputs)
    average_in = AverageIn(batches)
    averages = [average_in, weights, AverageOut(average_in)]
    model.fit(
        inputs,
        np.eye(3)[np.arange(16) % 3],
        batch_size=8,
        epochs=training.epochs,
        shuffle=False,
        verbose=0,
        callbacks=[change, *(averages if training.ema else [weights])],
    )
    return model, start, weights


def learning_layers(model: Any) -> set[str]:
    """Names the branch's layers that learn when its last stage does."""
    return {
        layer.name
        for layer in model.layers
        if layer.name.startswith("image_") and layer.weights
    } - set(frozen_layers(model, 1))


def test_branch_learns_after_the_frozen_epochs_and_only_its_last_stages():
    model, start, weights = fit_phases(
        TrainingConfig(epochs=3, frozen_epochs=2, unfreeze=1, fine_tune_rate=1e-3)
    )
    first, second, third = weights.epochs
    assert changed(start, first) == HEAD
    assert changed(first, second) == HEAD
    last = learning_layers(model)
    assert changed(second, third) == HEAD | last
    convolutions = {name for name in last if name.startswith("image_conv")}
    assert convolutions == {f"image_conv_{number}" for number in range(4, 13)}
    assert weights.rates[2] == pytest.approx(1e-5, rel=1e-3)  # a hundredth at the end


def test_average_of_a_frozen_branch_is_the_branch():
    model, start, judged = fit_phases(
        TrainingConfig(epochs=2, frozen_epochs=1, unfreeze=1, ema=0.9)
    )
    frozen, learned = judged.epochs
    assert changed(start, frozen) == HEAD
    assert changed(start, learned) == HEAD | learning_layers(model)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["training.frozen_epochs=1"], "must be 0 where neither model.weights nor"),
        (
            ["training.frozen_epochs=8", "model.weights=a.keras"],
            "less than training.epochs, 8",
        ),
        (
            ["training.unfreeze=0"],
            "`training.unfreeze`: must be all, or .* Received: 0",
        ),
        (["model.weights=imagenet"], "must not be imagenet with a branch of our own"),
        (
            ["model.weights=a.keras", "model.init_from=runs/a"],
            "must be none where init_from names a run",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(overrides, message: str):
    with pytest.raises(ConfigError, match=message):
        read_config(overrides=overrides)
