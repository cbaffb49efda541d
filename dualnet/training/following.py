"""Who follows a training from outside is shown each epoch, and may draw it.

Figures are drawn above training (`plots`), so training takes the one who draws as an
argument, a `Follower`, and puts what comes back into the event files.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import keras
import numpy as np

from dualnet.data.batches import Batches
from dualnet.training.callbacks import EpochScores, Logs
from dualnet.training.events import EventFiles

Images = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class FirstBatch:
    """What the model is fed first: the first batch of the first epoch.

    Args:
        rows: Which rows of the training part, int64, shape (n,).
        images: Their pictures, changed as training changes them, gray values 0-255,
            shape (n, side, side, 1); None where the model reads no picture.
    """

    rows: np.ndarray
    images: np.ndarray | None


class Follower(Protocol):
    """Draws a training. What it returns is written to the event files.

    Each function returns figures by name, uint8, shape (height, width, 3); it may
    return none, as when drawing would take too much of the time.
    """

    def begin(self, batch: FirstBatch) -> Images:
        """Is called before the first epoch, and after a resume before the next."""
        ...

    def end_epoch(self, number: int, probabilities: np.ndarray) -> Images:
        """Is called at an epoch's end, when its row of the history is written.

        Args:
            number: Of the epoch, from 1.
            probabilities: On the validation part, shape (n, num_classes).
        """
        ...

    def end(self) -> Images:
        """Is called after the last epoch; returns what was left out of it."""
        ...


class Following(keras.callbacks.Callback):
    """Shows each epoch to a follower.

    Args:
        follower: Who follows.
        scores: Has scored the epoch before.
        train: Training batches; they are left as they are.
        events: Where the figures go; none: nowhere.
    """

    def __init__(
        self,
        follower: Follower,
        *,
        scores: EpochScores,
        train: Batches,
        events: EventFiles | None,
    ) -> None:
        super().__init__()
        self._follower = follower
        self._scores = scores
        self._train = train
        self._events = events
        self._number = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Shows the first batch."""
        del logs
        self._write(self._follower.begin(take_first_batch(self._train)))

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Shows the epoch."""
        del logs
        self._number = epoch + 1
        probabilities = self._scores.probabilities
        self._write(self._follower.end_epoch(self._number, probabilities))

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Shows that no epoch comes any more."""
        del logs
        self._write(self._follower.end())

    def _write(self, images: Images) -> None:
        if self._events is not None:
            self._events.write_images(images, step=max(0, self._number - 1))


def take_first_batch(train: Batches) -> FirstBatch:
    """Takes the first batch of the first epoch, whatever epoch the batches are at.

    Args:
        train: Training batches; they are left as they are.

    Returns:
        The very pixels that the model is fed: batches are decided by (seed, epoch).
    """
    first = copy.copy(train)
    first.set_epoch(0)
    inputs = first[0][0]
    return FirstBatch(
        rows=first.order[: first.batch_size],
        images=np.asarray(inputs["image"]) if "image" in inputs else None,
    )
