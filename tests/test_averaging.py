"""The weights' average: hand-computed, and scored, kept and put back."""

from typing import Any

import keras
import numpy as np
import pytest
from test_fit import load, make_config, make_parts

from dualnet.runs import RunFolder
from dualnet.training.averaging import (
    AverageIn,
    AverageOut,
    AveragingAdamW,
    measure_normalisation,
)
from dualnet.training.callbacks import SCORE, score_batches
from dualnet.training.fit import fit


def to_list(variables: list[Any]) -> list[np.ndarray]:
    return [np.array(keras.ops.convert_to_numpy(one)) for one in variables]


def steps(optimizer: Any, count: int) -> tuple[list[float], float]:
    """Takes steps with a gradient of 1; returns the weight after each, the average."""
    weight = keras.Variable(np.zeros((), "float32"), name="kernel")
    optimizer.build([weight])
    weights = []
    for _ in range(count):
        optimizer.apply([keras.ops.ones(())])
        weights.append(float(keras.ops.convert_to_numpy(weight)))
    optimizer.assign_average([weight])
    return weights, float(keras.ops.convert_to_numpy(weight))


def test_average_forgets_the_first_weights():
    optimizer = AveragingAdamW(0.1, use_ema=True, ema_momentum=0.15)
    weights, average = steps(optimizer, 3)
    assert weights == pytest.approx([-0.1, -0.2, -0.3], rel=1e-3)  # Adam's steps
    # decays 0, 1 / 10, then 2 / 11, of which .15 is less
    second = 0.1 * weights[0] + 0.9 * weights[1]
    assert average == pytest.approx(0.15 * second + 0.85 * weights[2], rel=1e-5)


def test_average_with_accumulated_gradients_counts_changes_of_the_weights():
    optimizer = AveragingAdamW(
        0.1, use_ema=True, ema_momentum=0.9, gradient_accumulation_steps=2
    )
    weights, average = steps(optimizer, 5)
    assert weights == pytest.approx([0, -0.1, -0.1, -0.2, -0.2], rel=1e-3, abs=1e-9)
    assert average == pytest.approx(0.1 * weights[1] + 0.9 * weights[3], rel=1e-5)


class Batch:
    """Batches of given pictures; all that `measure_normalisation` asks."""

    batch_size = 2

    def __init__(self, *pictures: list[float]) -> None:
        self._pictures = [
            np.array(values, "float32")[:, None, None, None] for values in pictures
        ]

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray]]:
        return ({"image": self._pictures[index]},)


def norm_model(*, trainable: bool = True) -> keras.Model:
    image = keras.Input((1, 1, 1), name="image")
    norm = keras.layers.BatchNormalization(trainable=trainable, name="norm")
    dropped = keras.layers.Dropout(0.5, seed=0)(norm(image))
    return keras.Model({"image": image}, dropped)


def test_statistics_are_the_mean_over_batches():
    model: Any = norm_model()
    batches: Any = Batch([0, 2], [4, 8], [100, 100])
    measure_normalisation(model, batches, num_images=4)  # the first two batches
    norm = model.get_layer("norm")
    # means 1 and 6, variances 1 and 4
    assert to_list([norm.moving_mean])[0].tolist() == pytest.approx([3.5])
    assert to_list([norm.moving_variance])[0].tolist() == pytest.approx([2.5])
    assert norm.momentum == 0.99


def test_statistics_of_a_frozen_layer_stay():
    model: Any = norm_model(trainable=False)
    batches: Any = Batch([0, 2])
    before = to_list(model.variables)
    measure_normalisation(model, batches)
    for one, other in zip(before, to_list(model.variables), strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_are_put_back_after_the_score():
    model: Any = norm_model()
    model.compile(AveragingAdamW(0.1, use_ema=True, ema_momentum=0.9), "mse")
    x, y = np.arange(4.0, dtype="float32").reshape(4, 1, 1, 1), np.ones((4, 1, 1, 1))
    model.fit({"image": x}, y, epochs=2, batch_size=2, shuffle=False, verbose=0)
    batches: Any = Batch([0, 1], [2, 3])
    average_in = AverageIn(batches)
    average_out = AverageOut(average_in)
    for one in (average_in, average_out):
        one.set_model(model)
    model.layers[1].gamma.assign([5.0])
    before = to_list(model.variables)
    average_in.on_epoch_end(0)
    averaged = to_list(model.variables)
    average_out.on_epoch_end(0)
    assert averaged[0] != before[0]
    for one, other in zip(before, to_list(model.variables), strict=True):
        np.testing.assert_array_equal(one, other)


def test_averaged_weights_are_judged_and_kept(tmp_path):
    parts = make_parts(num_rows=32)
    histories = {}
    for ema in (0.0, 0.9):
        run = RunFolder(tmp_path / str(ema))
        config = make_config(epochs=2, ema=ema, halves_first=False)
        histories[ema] = fit(config, run, **parts)
    plain, averaged = histories.values()
    # judging the average does not change the steps
    assert list(averaged["loss"]) == list(plain["loss"])
    assert averaged["val_loss"].iloc[-1] != plain["val_loss"].iloc[-1]
    best = averaged.loc[averaged[SCORE].idxmax()]
    _, val_loss = score_batches(load(run), parts["val"])
    assert val_loss == pytest.approx(best["val_loss"], rel=1e-5)


def test_halves_are_fitted_with_all_of_the_recipe(tmp_path):
    config = make_config(epochs=2, ema=0.9, accumulate=2, schedule="plateau")
    history = fit(config, RunFolder(tmp_path), **make_parts(num_rows=32))
    assert np.isfinite(history[["loss", "val_loss"]]).to_numpy().all()
    assert history["learning_rate"].iloc[0] == pytest.approx(1e-3)
