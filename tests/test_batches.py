"""Batches: the right rows together, the order from (seed, epoch) and nothing else."""

import random
from typing import Any

import keras
import numpy as np
import pytest

from dualnet.data.augmentation import Augmentation
from dualnet.data.batches import Batches, EpochOrder

NUM_ROWS = 22
SIDE = 4


class Memory:
    """Pictures in memory; picture p is filled with the value p."""

    def __init__(self) -> None:
        self.reads = 0

    def read(self, positions: np.ndarray) -> np.ndarray:
        self.reads += 1
        values = np.asarray(positions, np.uint8)[:, None, None, None]
        return np.broadcast_to(values, (len(values), SIDE, SIDE, 1)).copy()


def make(cache: Memory | None = None, **options: Any) -> Batches:
    """Rows whose position is 100 + row, metadata (row,) and target (row, 1)."""
    rows = np.arange(NUM_ROWS)
    targets = np.stack([rows, np.ones(NUM_ROWS)], axis=1)
    options = {"targets": targets, "batch_size": 5, **options}
    targets = options.pop("targets")
    return Batches(cache or Memory(), 100 + rows, rows[:, None], targets, **options)


def rows_of(batches: Batches) -> list[int]:
    return [int(row) for batch in batches for row in batch[1][:, 0]]


def test_a_batch_has_the_same_rows_throughout() -> None:
    batches = make(seed=3, sample_weights=np.arange(NUM_ROWS) / 2)
    assert len(batches) == 5
    for inputs, targets, weights in batches:
        assert list(inputs) == ["image", "metadata"]
        assert inputs["image"].dtype == np.uint8
        assert inputs["image"].shape == (len(targets), SIDE, SIDE, 1)
        assert inputs["metadata"].dtype == targets.dtype == weights.dtype == np.float32
        np.testing.assert_array_equal(inputs["image"][:, 0, 0, 0], 100 + targets[:, 0])
        np.testing.assert_array_equal(inputs["metadata"][:, 0], targets[:, 0])
        np.testing.assert_array_equal(weights, targets[:, 0] / 2)


def test_the_last_batch_is_kept() -> None:
    sizes = [len(batch[1]) for batch in make()]
    assert sizes == [5, 5, 5, 5, 2]
    assert [len(batch[1]) for batch in make(batch_size=11)] == [11, 11]
    assert [len(batch[1]) for batch in make(batch_size=64)] == [22]


@pytest.mark.parametrize("index", [-1, 5, 99])
def test_a_batch_that_does_not_exist_is_an_index_error(index: int) -> None:
    with pytest.raises(IndexError, match=f"batch {index} of 5"):
        make()[index]


def test_without_targets_a_batch_is_inputs_alone() -> None:
    (inputs,) = make(targets=None)[4]
    assert inputs["metadata"][:, 0].tolist() == [20, 21]


@pytest.mark.parametrize("modality", ["fused", "image", "metadata"])
def test_a_batch_has_only_the_inputs_of_the_modality(modality: str) -> None:
    cache = Memory()
    inputs, _ = make(cache, modality=modality)[0]
    expected = ["image", "metadata"] if modality == "fused" else [modality]
    assert list(inputs) == expected
    assert cache.reads == ("image" in inputs)


def test_without_a_seed_the_order_is_the_rows_order() -> None:
    batches = make()
    assert rows_of(batches) == list(range(NUM_ROWS))
    batches.set_epoch(7)
    assert rows_of(batches) == list(range(NUM_ROWS))


def test_each_epoch_has_each_row_once_in_its_own_order() -> None:
    batches = make(seed=0)
    orders = []
    for epoch in range(4):
        batches.set_epoch(epoch)
        orders.append(rows_of(batches))
        assert sorted(orders[-1]) == list(range(NUM_ROWS))
    assert len({tuple(order) for order in orders}) == 4


def test_the_order_is_that_of_the_seed_and_the_epoch_alone() -> None:
    continued = make(seed=5)
    for epoch in range(4):
        continued.set_epoch(epoch)
        rows_of(continued)
    fresh = make(seed=5)
    fresh.set_epoch(3)
    expected = np.random.default_rng((5, 3)).permutation(NUM_ROWS).tolist()
    assert rows_of(fresh) == rows_of(continued) == expected
    assert make(seed=6).order.tolist() != make(seed=5).order.tolist()


def test_no_global_random_state_is_used_or_changed() -> None:
    np.random.seed(1)  # noqa: NPY002
    random.seed(1)
    before = (np.random.get_state()[1].tolist(), random.getstate())  # noqa: NPY002
    first = rows_of(make(seed=0))
    after = (np.random.get_state()[1].tolist(), random.getstate())  # noqa: NPY002
    np.random.seed(2)  # noqa: NPY002
    random.seed(2)
    assert before == after
    assert rows_of(make(seed=0)) == first


def test_sampling_weights_draw_rows_in_proportion() -> None:
    weights = np.zeros(NUM_ROWS)
    weights[[3, 4]] = (30, 10)
    batches = make(seed=0, sampling_weights=weights)
    drawn = []
    for epoch in range(50):
        batches.set_epoch(epoch)
        drawn += rows_of(batches)
    assert len(drawn) == 50 * NUM_ROWS
    assert set(drawn) == {3, 4}
    assert abs(drawn.count(3) / len(drawn) - 0.75) < 0.04  # three standard errors
    fresh = make(seed=0, sampling_weights=weights)
    fresh.set_epoch(49)
    assert rows_of(fresh) == drawn[-NUM_ROWS:]


# --- what Keras does with them


def mean_model() -> keras.Model:
    """Gives the picture's mean and the metadata; training does not change it."""
    image = keras.Input((SIDE, SIDE, 1), name="image")
    metadata = keras.Input((1,), name="metadata")
    mean = keras.layers.GlobalAveragePooling2D()(image)
    values = keras.layers.Concatenate()([mean, metadata])
    same = keras.layers.Dense(2, kernel_initializer="identity")(values)
    model = keras.Model({"image": image, "metadata": metadata}, same)
    model.compile(loss="mse", optimizer=keras.optimizers.SGD(0.0))
    return model


def test_predict_gives_float_pictures_in_the_rows_order() -> None:
    values = mean_model().predict(make(targets=None), verbose=0)
    assert values.dtype == np.float32
    assert values[:, 0].tolist() == list(range(100, 100 + NUM_ROWS))
    assert values[:, 1].tolist() == list(range(NUM_ROWS))


class LossTrace(keras.callbacks.Callback):
    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []

    def on_train_batch_end(self, _batch: int, logs: dict | None = None) -> None:
        self.losses.append(logs["loss"])  # pyright: ignore


def trace(initial_epoch: int, epochs: int) -> list[float]:
    """Fits a model whose running loss depends on which rows came in which batch."""
    keras.utils.set_random_seed(0)
    batches = make(seed=1)
    losses = LossTrace()
    mean_model().fit(
        batches,
        initial_epoch=initial_epoch,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=[EpochOrder(batches), losses],
    )
    return losses.losses


def expected_losses(epoch: int) -> list[float]:
    """Running mean squared error of rows r: (100 + r - r)² and (r - 1)²."""
    rows = np.random.default_rng((1, epoch)).permutation(NUM_ROWS)
    each = (100.0**2 + (rows - 1.0) ** 2) / 2
    ends = [5, 10, 15, 20, 22]
    return [each[:end].mean() for end in ends]


def test_fit_sees_the_order_of_each_epoch() -> None:
    losses = trace(0, 3)
    expected = np.concatenate([expected_losses(epoch) for epoch in range(3)])
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_a_continued_fit_sees_what_an_unbroken_one_sees() -> None:
    np.testing.assert_array_equal(trace(2, 4), trace(0, 4)[10:])


class Ramp(Memory):
    """Pictures whose value is the column."""

    def read(self, positions: np.ndarray) -> np.ndarray:
        ramp = np.arange(SIDE, dtype=np.uint8)[np.newaxis, np.newaxis, :, np.newaxis]
        return np.broadcast_to(ramp, (len(positions), SIDE, SIDE, 1)).copy()


def test_shifts_come_from_seed_and_epoch() -> None:
    first, second = (
        make(Ramp(), seed=7, augmentation=Augmentation(shift=2)) for _ in range(2)
    )
    pictures = np.concatenate([batch[0]["image"] for batch in first])
    again = np.concatenate([batch[0]["image"] for batch in second])
    np.testing.assert_array_equal(pictures, again)
    assert len({picture.tobytes() for picture in pictures}) > 2
    first.set_epoch(1)
    second.set_epoch(3)
    second.set_epoch(1)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one[0]["image"], other[0]["image"])


def test_changes_are_those_of_a_row_s_place_in_the_epoch() -> None:
    everything = Augmentation(shift=1, rotation=20, zoom=0.2, contrast=0.4)
    continued, fresh = (make(Ramp(), seed=7, augmentation=everything) for _ in range(2))
    for epoch in range(3):
        continued.set_epoch(epoch)
        pictures = [batch[0]["image"] for batch in continued]
    fresh.set_epoch(2)
    for index in (3, 1):  # whatever was read before
        np.testing.assert_array_equal(fresh[index][0]["image"], pictures[index])
    assert len({picture.tobytes() for batch in pictures for picture in batch}) > 5


def test_without_a_seed_nothing_moves() -> None:
    for inputs, *_ in make(Ramp(), augmentation=Augmentation(shift=2)):
        np.testing.assert_array_equal(
            inputs["image"][:, 0, :, 0], [range(SIDE)] * len(inputs["image"])
        )


def test_class_shares_are_those_that_the_loss_sees() -> None:
    targets = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.0, 1.0]])
    rows = np.arange(4)

    def shares(**options: Any) -> list[float]:
        batches = Batches(
            Memory(), rows, rows[:, None], targets, batch_size=2, seed=0, **options
        )
        return batches.class_shares.tolist()

    assert shares() == pytest.approx([1.5 / 4, 2.5 / 4])
    assert shares(sample_weights=np.array([3, 1, 2, 0])) == pytest.approx(
        [4 / 6, 2 / 6]
    )
    assert shares(sampling_weights=np.array([3, 1, 2, 0])) == pytest.approx(
        [4 / 6, 2 / 6]
    )


def test_batches_without_targets_have_no_class_shares() -> None:
    with pytest.raises(ValueError, match="targets are needed"):
        _ = make(targets=None).class_shares
