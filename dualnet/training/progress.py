"""Epochs as they pass: a bar with loss and macro AUROC on a terminal, else lines."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from dualnet.training.callbacks import SCORE, Logs
from dualnet.wording import format_number

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LOSSES = 0.5  # reading the loss makes an accelerator wait


@contextmanager
def show_epochs(num_epochs: int) -> Iterator[keras.callbacks.Callback]:
    """Shows how training goes: a bar on a terminal, else one log line an epoch.

    Args:
        num_epochs: Epochs at most.

    Yields:
        The callback that shows it.
    """
    if not sys.stderr.isatty():
        yield EpochLines(num_epochs)
        return
    from rich import progress  # here: it costs a tenth of a second
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[loss]}"),
        progress.TextColumn("{task.fields[score]}"),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True)) as bar:
        yield EpochBar(num_epochs, bar)


class EpochLines(keras.callbacks.Callback):
    """Logs one plain line an epoch.

    Args:
        num_epochs: Epochs at most.
    """

    def __init__(self, num_epochs: int) -> None:
        super().__init__()
        self._num_epochs = num_epochs

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Logs the line."""
        logger.info("%s", format_epoch(epoch, self._num_epochs, logs or {}))


class EpochBar(keras.callbacks.Callback):
    """Moves a bar through each epoch and leaves a line above it at its end.

    Args:
        num_epochs: Epochs at most.
        bar: A running `rich.progress.Progress`.
    """

    def __init__(self, num_epochs: int, bar: Any) -> None:
        super().__init__()
        self._num_epochs = num_epochs
        self._bar = bar
        self._task = bar.add_task("", total=None, loss="", score="")
        self._shown = 0.0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Starts the bar anew."""
        del logs
        steps = (self.params or {}).get("steps")
        text = f"epoch {epoch + 1}/{self._num_epochs}"
        self._bar.reset(self._task, total=steps, description=text)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Moves the bar."""
        self._bar.update(self._task, completed=batch + 1)
        if time.monotonic() - self._shown > SECONDS_BETWEEN_LOSSES:
            self._shown = time.monotonic()
            loss = float((logs or {}).get("loss", 0.0))
            self._bar.update(self._task, loss=f"loss {format_number(loss)}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Shows the macro AUROC."""
        given = logs or {}
        score = f"val macro AUROC {format_number(given[SCORE])}"
        self._bar.update(self._task, score=score)
        line = format_epoch(epoch, self._num_epochs, given)
        self._bar.console.print(line, highlight=False, soft_wrap=True)


def format_epoch(epoch: int, num_epochs: int, logs: Logs) -> str:
    """Returns the line that stands for an epoch.

    Args:
        epoch: From 0.
        num_epochs: Epochs at most.
        logs: What `EpochScores` left.

    Example:
        >>> logs = {"loss": 1.52, "val_loss": 1.61, "val_macro_auroc": 0.713}
        >>> format_epoch(2, 8, logs | {"images_per_second": 81.2})
        'epoch 3/8  loss 1.520  val_loss 1.610  val macro AUROC .713  81 pictures/s'
    """
    return (
        f"epoch {epoch + 1}/{num_epochs}  loss {format_number(logs['loss'])}  "
        f"val_loss {format_number(logs['val_loss'])}  "
        f"val macro AUROC {format_number(logs[SCORE])}  "
        f"{logs['images_per_second']:.0f} pictures/s"
    )
