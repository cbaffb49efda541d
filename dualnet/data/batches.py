"""Cache and encoder to batches; the order comes from (seed, epoch) and nothing else.

Keras peeks at a data set before it trains and calls `on_epoch_end` then too, so an
epoch cannot be counted here: `EpochOrder` sets it when an epoch begins. And `fit` must
be told `shuffle=False`, else Keras shuffles the batches with Python's global random
state.
"""

import copy
import math
from typing import Any, Protocol

import keras
import numpy as np

from dualnet.data.augmentation import Augmentation, Draws, augment_images, draw
from dualnet.data.modality_dropout import MetadataDropout

INPUTS = {
    "fused": ("image", "metadata"),
    "image": ("image",),
    "metadata": ("metadata",),
}


class ImageSource(Protocol):
    """What pictures are read from; `dualnet.data.cache.Cache` is one."""

    def read(self, positions: np.ndarray) -> np.ndarray:
        """Returns gray values, uint8, shape (n, side, side, 1)."""
        ...


class Batches(keras.utils.PyDataset):
    """Batches of `({"image", "metadata"}, targets, sample weights)`.

    The image is handed over as uint8 and becomes float32 in the model: 5 instead of
    8 ms of processor time a batch of 32, with TensorFlow 2.21. The last batch may be
    smaller.

    Args:
        cache: Where the pictures are read.
        positions: The radiographs' positions in the cache, shape (n,).
        metadata: Their encoded metadata, shape (n, features).
        targets: Their targets, shape (n, classes); none: batches of inputs alone.
        batch_size: Radiographs a batch.
        seed: Of the order; none: always in the order of `positions`.
        sampling_weights: Non-negative, shape (n,). Each epoch draws n radiographs
            with replacement, in proportion; needs a seed.
        sample_weights: Weight of each radiograph in the loss, shape (n,).
        augmentation: How far each picture is changed, anew each epoch; none: not at
            all. Without a seed none is.
        metadata_dropout: What of the records is shown as missing, anew each epoch;
            none: nothing is. Without a seed nothing is.
        modality: `fused`, `image` or `metadata`: which inputs a batch has.
        multiple_of: The last batch is cut to a multiple of this: how many devices share
            a batch. Another order leaves out other rows in the next epoch.
        image_ids: The radiographs' names, shape (n,); none: their positions.
    """

    def __init__(  # noqa: PLR0913  # arrays that go together, each by name
        self,
        cache: ImageSource,
        positions: np.ndarray,
        metadata: np.ndarray,
        targets: np.ndarray | None,
        *,
        batch_size: int,
        seed: int | None = None,
        sampling_weights: np.ndarray | None = None,
        sample_weights: np.ndarray | None = None,
        augmentation: Augmentation | None = None,
        metadata_dropout: MetadataDropout | None = None,
        modality: str = "fused",
        multiple_of: int = 1,
        image_ids: np.ndarray | None = None,
    ) -> None:
        super().__init__(workers=1)
        self.positions = np.asarray(positions, dtype=np.int64)
        self.batch_size = batch_size
        self._cache = cache
        self._metadata = np.asarray(metadata, dtype=np.float32)
        self._targets = _as_float32(targets)
        self._sample_weights = _as_float32(sample_weights)
        self._shares = _as_shares(sampling_weights)
        self._seed = seed
        self._augmentation = augmentation or Augmentation()
        self._metadata_dropout = None if seed is None else metadata_dropout
        self._inputs = INPUTS[modality]
        self._num_taken = len(self.positions) // multiple_of * multiple_of
        self._image_ids = self.positions if image_ids is None else image_ids
        self.first = 0
        self.set_epoch(0)

    def __len__(self) -> int:
        return math.ceil(self._num_taken / self.batch_size) - self.first

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        start = (self.first + index) * self.batch_size
        rows = self._order[start : min(start + self.batch_size, self._num_taken)]
        inputs = {name: self._read(name, rows) for name in self._inputs}
        if self._draws is not None and "image" in inputs:
            inputs["image"] = augment_images(
                inputs["image"],
                self._augmentation,
                self._draws.take(slice(start, start + len(rows))),
            )
        if self._metadata_dropout and "metadata" in inputs:
            hidden = self._hidden[index * self.batch_size :][: len(rows)]
            inputs["metadata"] = self._metadata_dropout.hide(inputs["metadata"], hidden)
        others = (self._targets, self._sample_weights)
        return (inputs, *(values[rows] for values in others if values is not None))

    def with_modality(self, modality: str) -> "Batches":
        """Returns batches of the same rows, in the same order, with other inputs.

        Args:
            modality: `fused`, `image` or `metadata`.
        """
        other = copy.copy(self)
        other._inputs = INPUTS[modality]
        return other

    def beginning_at(self, first: int) -> "Batches":
        """Returns the batches of each epoch from one on; they stay as they are.

        Args:
            first: The batch, from 0; `self.first` of what is returned.
        """
        other = copy.copy(self)
        other.first = first
        return other

    def name_batch(self, index: int) -> list[str]:
        """Names the radiographs of a batch of this epoch.

        Args:
            index: The batch, as for `self[index]`.

        Returns:
            Their names, in the batch's order.
        """
        start = (self.first + index) * self.batch_size
        rows = self._order[start : min(start + self.batch_size, self._num_taken)]
        return [str(name) for name in self._image_ids[rows]]

    @property
    def order(self) -> np.ndarray:
        """Which rows this epoch's batches take, in turn, int64, shape (n,)."""
        return self._order

    @property
    def class_shares(self) -> np.ndarray:
        """Share of each class in what the loss sees, float64, shape (num_classes,)."""
        weights = np.ones(len(self.targets))
        for given in (self._shares, self._sample_weights):
            weights *= 1.0 if given is None else given
        return np.average(self.targets, axis=0, weights=weights)

    @property
    def targets(self) -> np.ndarray:
        """All rows' targets, float32, shape (n, num_classes), in the rows' order.

        Raises:
            ValueError: If there are none.
        """
        if self._targets is None:
            raise ValueError("batches: targets are needed. Received: none.")
        return self._targets

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch, and with it the order.

        Args:
            epoch: From 0.
        """
        self.epoch = epoch
        self._draws: Draws | None = None
        num_rows = len(self.positions)
        if self._seed is None:
            self._order = np.arange(num_rows)
            return
        random = np.random.default_rng((self._seed, epoch))
        if self._shares is None:
            self._order = random.permutation(num_rows)
        else:
            self._order = random.choice(num_rows, size=num_rows, p=self._shares)
        reach = self._augmentation.shift
        shifts = random.integers(-reach, reach, size=(num_rows, 2), endpoint=True)
        self._draws = draw(self._augmentation, shifts, seed=self._seed, epoch=epoch)

        if self._metadata_dropout:
            self._hidden = self._metadata_dropout.draw(
                num_rows, seed=self._seed, epoch=epoch
            )

    def _read(self, name: str, rows: np.ndarray) -> np.ndarray:
        if name == "image":
            return self._cache.read(self.positions[rows])
        return self._metadata[rows]


class EpochOrder(keras.callbacks.Callback):
    """Callback that gives batches the order of the epoch that begins.

    Args:
        batches: What the model is fitted on.
    """

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self._batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Sets the epoch.

        Args:
            epoch: From 0; `fit` counts on from `initial_epoch`.
            logs: Not used.
        """
        self._batches.set_epoch(epoch)


def _as_float32(values: np.ndarray | None) -> np.ndarray | None:
    return None if values is None else np.asarray(values, dtype=np.float32)


def _as_shares(weights: np.ndarray | None) -> np.ndarray | None:
    if weights is None:
        return None
    weights = np.asarray(weights, dtype=np.float64)
    return weights / weights.sum()
