"""Several devices of one machine: how many, and what a run of more than one changes."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pandas as pd

from dualnet.config import TrainingConfig
from dualnet.errors import ConfigError
from dualnet.training.backend import (
    list_devices,
    name_backend,
    read_peak_memory,
    spread_over,
)
from dualnet.wording import number_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Devices:
    """The devices that a batch is divided among.

    Args:
        names: As the back end calls them; one name stands for no division.
        batch_size: Radiographs of a whole batch.
        learning_rate: The highest.
    """

    names: tuple[str, ...]
    batch_size: int
    learning_rate: float

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.names)

    def scale(self, training: TrainingConfig) -> TrainingConfig:
        """Returns a configuration with the learning rates of all devices together."""
        rates = {"learning_rate": self.count * training.learning_rate}
        if training.fine_tune_rate is not None:
            rates["fine_tune_rate"] = self.count * training.fine_tune_rate
        return training.model_copy(update=rates)

    def describe(self, *, num_rows: int = 0) -> dict[str, float]:
        """Returns what the run folder keeps; logged where there are several.

        Args:
            num_rows: Training radiographs an epoch.
        """
        if left := num_rows % self.count:
            logger.info(
                "each epoch leaves out %s, others each time: %s devices divide the rest",
                number_of(left, "radiograph"),
                self.count,
            )
        if self.count > 1:
            logger.info(
                "%s: batches of %s (%s each), learning rate %g (%s times %g)",
                number_of(self.count, "device"),
                self.batch_size,
                self.batch_size // self.count,
                self.learning_rate,
                self.count,
                self.learning_rate / self.count,
            )
        return {
            "count": self.count,
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
        }

    @contextmanager
    def spread(self) -> Iterator[None]:
        """Builds and fits what is inside on all of them.

        Yields:
            Nothing.
        """
        if self.count == 1:
            yield
            return
        with spread_over(self.names):
            yield


def choose_devices(training: TrainingConfig) -> Devices:
    """Finds the devices of a run, and scales its batch and its learning rate to them.

    The linear rule: n devices take n batches at once, each as large as configured, and
    the learning rate is n times what is configured. A step's gradient is then the mean
    of n gradients, and n times the rate goes as far as n steps. Early steps are too
    unlike one another for it, so that such a run needs the schedule's warm-up.

    Args:
        training: Gives the batch size and the learning rate of one device.

    Returns:
        One device, or all of the kind that Keras will use.

    Raises:
        ConfigError: If TensorFlow is to accumulate gradients on several.

    Reference:
        Goyal et al., Accurate, large minibatch SGD: training ImageNet in 1 hour, 2017,
        section 2.1; its section 2.2 for the warm-up.
    """
    names = list_devices() if training.devices == "all" else ("one",)
    if len(names) > 1 and training.accumulate > 1 and name_backend() == "tensorflow":
        raise ConfigError(
            "training.accumulate: must be 1 where TensorFlow divides batches among "
            f"{len(names)} devices. Received: {training.accumulate}. Say "
            "--set training.devices=one, or use JAX: KERAS_BACKEND=jax."
        )
    return Devices(
        names=names,
        batch_size=len(names) * training.batch_size,
        learning_rate=len(names) * training.learning_rate,
    )


def measure_cost(history: pd.DataFrame) -> dict[str, float | str | None]:
    """Says, and returns as plain values, how fast a fit was and what memory it took.

    Args:
        history: One row an epoch.

    Returns:
        `images_per_second` of the epochs' steps, the median, `peak_memory_mib`, and
        whose memory that is, `device` or `process`; None where it cannot be told.
    """
    rate = float(history["images_per_second"].median())
    whose, peak = read_peak_memory() or (None, None)
    mib = None if peak is None else peak / 2**20
    memory = "" if mib is None else f", at most {mib:,.0f} MiB of {whose} memory"
    logger.info("fitted at %.0f pictures/s%s", rate, memory)
    return {"images_per_second": rate, "peak_memory_mib": mib, "memory_of": whose}
