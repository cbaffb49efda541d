"""Fits a model so that a stop costs minutes: checkpoints as it goes, and back to them."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import keras

from dualnet.data.batches import Batches, EpochOrder
from dualnet.errors import StorageError
from dualnet.stopping import StopRequest
from dualnet.training.checkpoint import (
    Checkpoint,
    find_checkpoint,
    read_spent,
    write_checkpoint,
)
from dualnet.training.checkpoint_state import (
    read_callbacks,
    read_variables,
    write_callbacks,
    write_variables,
)
from dualnet.training.stop_at_nan import (
    CHECK_EVERY,
    Logs,
    NotFiniteError,
    StopAtNaN,
    check_finite,
)

logger = logging.getLogger(__name__)


class Clock:
    """Counts the seconds that a run's fitting takes, over all of its processes.

    Args:
        before: `seconds` and `processor_seconds` of the processes before this one.
    """

    def __init__(self, before: Mapping[str, float]) -> None:
        self._before = dict(before)
        self._started = self._now()

    def read(self) -> dict[str, float]:
        """Returns `seconds` and `processor_seconds` so far."""
        now = self._now()
        return {
            name: self._before.get(name, 0.0) + now[name] - self._started[name]
            for name in now
        }

    def _now(self) -> dict[str, float]:
        return {
            "seconds": time.perf_counter(),
            "processor_seconds": time.process_time(),
        }


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """How a run's training is kept.

    Args:
        folder: Where its checkpoints lie; none: nothing is kept.
        digests: Of the configuration and the data, by name.
        seconds: Between two checkpoints inside an epoch, at least.
        stop: Ends training at the next batch, when it is asked to.
        clock: Counts the seconds.
        writing: Whether checkpoints are written, and not only read.
        every_epoch: Whether the checkpoint of every epoch is kept.
    """

    folder: Path | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 300.0
    stop: StopRequest = field(default_factory=StopRequest)
    clock: Clock = field(default_factory=lambda: Clock({}))
    writing: bool = True
    every_epoch: bool = False

    def find(self, stage: str) -> Checkpoint | None:
        """Returns the newest checkpoint of a stage that is whole, if there is one."""
        if self.folder is None:
            return None
        return find_checkpoint(self.folder, stage, self.digests)


def keep_in(
    folder: Path,
    *,
    digests: Mapping[str, str] | None,
    minutes: float,
    stop: StopRequest | None,
    every_epoch: bool = False,
) -> Keeping:
    """Keeps a run's training in a folder.

    Args:
        folder: Where its checkpoints lie, or will.
        digests: Of the configuration and the data, by name; none: not compared.
        minutes: Between two checkpoints inside an epoch, at least.
        stop: Ends training at the next batch, when it is asked to; none: nobody asks.
        every_epoch: Whether the checkpoint of every epoch is kept.

    Returns:
        How it is kept.
    """
    return Keeping(
        folder=folder,
        digests=digests or {},
        seconds=60 * minutes,
        stop=stop or StopRequest(),
        clock=Clock(read_spent(folder)),
        every_epoch=every_epoch,
    )


class Recipe(Protocol):
    """A callback that gives a model its optimizer and what learns, epoch by epoch."""

    def compile(self, model: Any, epoch: int) -> bool:
        """Compiles a model as it is in an epoch, from 0, if it is not so already."""
        ...


def fit_kept(  # noqa: PLR0913 (a fit's parts, all named)
    prepare: Callable[[], tuple[Any, Any]],
    batches: Batches,
    callbacks: Sequence[keras.callbacks.Callback],
    *,
    stage: str,
    epochs: int,
    keeping: Keeping,
    shown: Sequence[keras.callbacks.Callback] = (),
    validation_data: Batches | None = None,
) -> Any:
    """Fits a model from where its newest checkpoint stands to the end, to the same bits.

    From inside an epoch the rest of it is fitted first, on batches that begin where it
    was left; then the epochs after it. If the training goes astray, what came after
    the newest checkpoint is done again with a look at each batch, to name its
    radiographs.

    Args:
        prepare: Returns a model with its first weights, and its `Recipe`; it is not
            compiled.
        batches: Training batches, with targets.
        callbacks: What happens around an epoch; see `checkpoint_state` for those that
            remember something.
        stage: Which model of the run it is.
        epochs: Epochs at most.
        keeping: How training is kept.
        shown: Callbacks that come after the checkpoint, and so speak of what is kept.
        validation_data: Validation batches, for Keras to compute the loss on.

    Returns:
        The model.

    Raises:
        NotFiniteError: If training goes astray.
    """
    fit = _Fit(batches=batches, stage=stage, epochs=epochs, keeping=keeping)
    try:
        return fit.run(prepare(), callbacks, shown, validation_data=validation_data)
    except NotFiniteError as error:
        logger.info("%s The batches since are run again to find which it was.", error)
        again = replace(
            fit,
            epochs=error.epoch + 1,
            keeping=replace(keeping, writing=False),
            check_every=1,
        )
        again.run(prepare(), [], [])  # raises where it goes astray
        raise


@dataclass(frozen=True, kw_only=True)
class _Fit:
    """One model's training, which may be in several pieces."""

    batches: Batches
    stage: str
    epochs: int
    keeping: Keeping
    check_every: int = CHECK_EVERY

    def run(
        self,
        prepared: tuple[Any, Any],
        callbacks: Sequence[keras.callbacks.Callback],
        shown: Sequence[keras.callbacks.Callback],
        *,
        validation_data: Batches | None = None,
    ) -> Any:
        model, recipe = prepared
        at = self.keeping.find(self.stage)
        recipe.compile(model, at.last_epoch if at else 0)
        if at is not None and at.finished:
            _finish(model, callbacks, at)
        while at is None or not at.finished:
            rest = self.batches
            if at is not None and at.step:
                rest = rest.beginning_at(at.step)
            keeper = Keeper(
                callbacks,
                rest,
                stage=self.stage,
                epochs=self.epochs,
                keeping=self.keeping,
                at=at,
            )
            first = at.epoch if at else 0
            with self.keeping.stop.held():
                # shuffle=False: the batches order themselves, from (seed, epoch).
                model.fit(
                    rest,
                    initial_epoch=first,
                    epochs=first + 1 if rest.first else self.epochs,
                    shuffle=False,
                    verbose=0,
                    validation_data=validation_data,
                    callbacks=[
                        EpochOrder(self.batches),  # which callbacks may look at
                        EpochOrder(rest),
                        recipe,
                        StopAtNaN(rest, every=self.check_every),
                        *callbacks,
                        keeper,
                        *shown,
                    ],
                )
            at = keeper.last
        return model


class Keeper(keras.callbacks.Callback):
    """Takes a model to a checkpoint, and writes one at each epoch's end and inside it.

    Args:
        callbacks: Those that stand before this one.
        batches: What the model is fitted on.
        stage: Which model of the run it is.
        epochs: Epochs at most.
        keeping: How training is kept.
        at: Where training begins; none: at the beginning.
    """

    def __init__(
        self,
        callbacks: Sequence[keras.callbacks.Callback],
        batches: Batches,
        *,
        stage: str,
        epochs: int,
        keeping: Keeping,
        at: Checkpoint | None,
    ) -> None:
        super().__init__()
        self.last = at
        self._epochs = epochs
        self._callbacks = callbacks
        self._batches = batches
        self._stage = stage
        self._keeping = keeping
        self._restored: Checkpoint | None = at
        self._written = 0.0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Takes the model and the callbacks to where training begins."""
        del logs
        self._written = time.monotonic()
        if self._restored is not None:
            _restore(self.model, self._callbacks, self._restored)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Takes back the sums of an epoch that was begun, after Keras set them to 0."""
        del epoch, logs
        self._keeping.stop.raise_if_asked()
        at, self._restored = self._restored, None
        if at is not None and at.step:
            write_variables(self.model, at.variables, at.arrays, metrics=True)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Writes a checkpoint if it is time, or training is to end."""
        del logs
        if batch + 1 == len(self._batches):
            return  # the epoch's end is near, with its scores
        keeping = self._keeping
        due = time.monotonic() - self._written >= keeping.seconds
        if keeping.stop.asked or due:
            step = self._batches.first + batch + 1
            self._keep(self._batches.epoch, step, finished=False)
            keeping.stop.raise_if_asked()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Writes a checkpoint."""
        del logs
        model: Any = self.model
        finished = model.stop_training or epoch + 1 == self._epochs
        self._keep(epoch + 1, 0, finished=finished)

    def _keep(self, epoch: int, step: int, *, finished: bool) -> None:
        variables, arrays = read_variables(self.model)
        names = variables["model"]
        weights = [arrays[f"model/{number}"] for number in range(len(names))]
        now = self._batches.epoch
        where = f"batch {step} of epoch {now + 1}" if step else f"epoch {now + 1}"
        check_finite(names, weights, where=where, epoch=now)
        remembered, more = read_callbacks(self._callbacks)
        self.last = Checkpoint(
            stage=self._stage,
            epoch=epoch,
            step=step,
            finished=finished,
            digests=self._keeping.digests,
            spent=self._keeping.clock.read(),
            variables=variables,
            callbacks=remembered,
            arrays={**arrays, **more},
        )
        self._write(self.last)
        self._written = time.monotonic()

    def _write(self, checkpoint: Checkpoint) -> None:
        folder = self._keeping.folder
        if folder is None or not self._keeping.writing:
            return
        try:
            write_checkpoint(folder, checkpoint, every_epoch=self._keeping.every_epoch)
        except (StorageError, OSError) as error:
            logger.warning("no checkpoint this time, training goes on: %s", error)


def _restore(
    model: Any, callbacks: Sequence[keras.callbacks.Callback], at: Checkpoint
) -> None:
    write_variables(model, at.variables, at.arrays, metrics=False)
    write_callbacks(callbacks, at.callbacks, at.arrays)


def _finish(
    model: Any, callbacks: Sequence[keras.callbacks.Callback], at: Checkpoint
) -> None:
    """Takes a model and its callbacks to the end of a training that is over."""
    for callback in callbacks:
        callback.set_model(model)
        callback.on_train_begin()
    _restore(model, callbacks, at)
    model.optimizer.finalize_variable_values(model.trainable_variables)
    for callback in callbacks:
        callback.on_train_end()
