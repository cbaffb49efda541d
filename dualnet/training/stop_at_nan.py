"""Ends a training that has gone astray, and names the radiographs it went astray on."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from dualnet.data.batches import Batches
from dualnet.errors import ConfigError
from dualnet.training.backend import sync_variables

CHECK_EVERY = 50  # batches; a look at the loss waits for an accelerator

Logs = dict[str, Any]


class NotFiniteError(ConfigError):
    """A loss or a weight is not finite.

    Args:
        received: What it is.
        where: When it was found, as in `"epoch 2"`.
        epoch: In which epoch, from 0.
    """

    def __init__(self, received: str, where: str, epoch: int) -> None:
        super().__init__(
            "training: loss and weights must stay finite. "
            f"Received: {received} at {where}. Lower `training.learning_rate`."
        )
        self.epoch = epoch


class StopAtNaN(keras.callbacks.Callback):
    """Ends a training that has gone astray, instead of writing its weights.

    The weights are looked at too: on a processor relu can turn NaN into 0, and both
    loss and probabilities then look ordinary.

    Args:
        batches: What the model is fitted on.
        every: Batches between two looks at the loss. 1: at the weights as well, and
            the radiographs of the batch are named.
    """

    def __init__(self, batches: Batches, *, every: int = CHECK_EVERY) -> None:
        super().__init__()
        self._batches = batches
        self._every = every

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Looks at the loss now and then."""
        if batch % self._every == 0:
            where = self._describe(batch)
            self._check_loss(logs, where)
            if self._every == 1:
                self._check_weights(where)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Looks at the loss and at every weight."""
        where = f"epoch {epoch + 1}"
        self._check_loss(logs, where)
        self._check_weights(where)

    def _check_loss(self, logs: Logs | None, where: str) -> None:
        loss = float((logs or {}).get("loss", 0.0))
        if not np.isfinite(loss):
            raise NotFiniteError(f"loss={loss}", where, self._batches.epoch)

    def _check_weights(self, where: str) -> None:
        model: Any = self.model
        sync_variables(model)
        variables = model.trainable_variables
        check_finite(
            [one.path for one in variables],
            [to_numpy(one) for one in variables],
            where=where,
            epoch=self._batches.epoch,
        )

    def _describe(self, batch: int) -> str:
        number = self._batches.first + batch + 1
        where = f"batch {number} of epoch {self._batches.epoch + 1}"
        if self._every > 1:
            return where
        return f"{where}, of {', '.join(self._batches.name_batch(batch))}"


def check_finite(
    names: Sequence[str], values: Sequence[np.ndarray], *, where: str, epoch: int
) -> None:
    """Looks at weights.

    Args:
        names: Their names.
        values: The weights, in the same order.
        where: When it is, as in `"epoch 2"`.
        epoch: In which epoch, from 0.

    Raises:
        NotFiniteError: If one is not finite.
    """
    for name, value in zip(names, values, strict=True):
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise NotFiniteError(f"weights of {name}", where, epoch)


def to_numpy(value: Any) -> np.ndarray:
    """Returns a tensor or a variable as an array."""
    return np.asarray(keras.ops.convert_to_numpy(value))
