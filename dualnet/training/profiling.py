"""A profile of some training steps, on request: where their time goes.

Written by TensorFlow or by JAX, whichever computes, in the form that TensorBoard's
profile plugin (the package `xprof`) reads.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import keras

from dualnet.training.callbacks import Logs

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Profiler:
    """A back end's profiler.

    Args:
        start: Begins to write into a folder.
        stop: Ends, and writes what was measured.
    """

    start: Callable[[str], None]
    stop: Callable[[], None]


class Profile(keras.callbacks.Callback):
    """Takes a profile of the batches FIRST to LAST, counted from 1 over all epochs.

    Args:
        first: The first batch. 1 holds the compilation too; the tenth is typical.
        last: The last batch; where training ends before, the profile does.
        folder: Where it goes, below `plugins/profile`.
        profiler: Takes it.
    """

    def __init__(
        self, first: int, last: int, folder: Path, *, profiler: Profiler
    ) -> None:
        super().__init__()
        self._first = first
        self._last = last
        self._folder = folder
        self._profiler = profiler
        self._num_batches = 0
        self._runs = False

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Starts before the first batch."""
        del batch, logs
        self._num_batches += 1
        if self._num_batches == self._first:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._profiler.start(str(self._folder))
            self._runs = True

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Stops after the last batch, when the accelerator has done it."""
        del batch
        if self._runs and self._num_batches == self._last:
            float((logs or {}).get("loss", 0.0))  # waits for the accelerator
            self._stop()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Stops if training has ended before."""
        del logs
        if self._runs:
            self._stop()
        elif self._num_batches < self._first:
            logger.info(
                "profile: none was taken, training ended after %s batches",
                f"{self._num_batches:,}",
            )

    def _stop(self) -> None:
        self._profiler.stop()
        self._runs = False
        logger.info(
            "profile of batches %s to %s: %s",
            self._first,
            min(self._last, self._num_batches),
            self._folder / "plugins" / "profile",
        )


def make_profile(batches: tuple[int, int] | None, folder: Path) -> Profile | None:
    """Makes the callback that takes a profile, if one is asked for and can be had.

    Args:
        batches: The first and the last batch; none: no profile is asked for.
        folder: Where it goes.

    Returns:
        The callback; None, and a line in the log, where the back end has no profiler.
    """
    if batches is None:
        return None
    backend = keras.backend.backend()
    if backend not in _PROFILERS:
        logger.info("profile: none, only TensorFlow and JAX take one, not %s", backend)
        return None
    return Profile(*batches, folder, profiler=_PROFILERS[backend]())


def _tensorflow_profiler() -> Profiler:
    profiler = import_module("tensorflow").profiler.experimental
    return Profiler(start=profiler.start, stop=profiler.stop)


def _jax_profiler() -> Profiler:
    profiler = import_module("jax").profiler
    return Profiler(start=profiler.start_trace, stop=profiler.stop_trace)


_PROFILERS = {"tensorflow": _tensorflow_profiler, "jax": _jax_profiler}
