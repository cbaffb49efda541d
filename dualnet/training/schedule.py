"""How the learning rate goes: along a cosine, by plateaus, or as it is."""

from typing import Any

import keras

from dualnet.config import TrainingConfig

WARM_UP = 0.1  # share of all steps
LAST_RATE = 0.01  # the last learning rate, as a share of the highest
PLATEAU_FACTOR = 0.1
PLATEAU_PATIENCE = 1  # epochs


def build_rate(training: TrainingConfig, *, num_batches: int) -> Any:
    """Builds the learning rate that the optimizer takes.

    `cosine`: it rises over the first tenth of the steps and falls along a cosine to a
    hundredth. `constant`: it rises likewise, and stays. `plateau`: the number itself,
    without warm-up, for `PlateauRate` to lower.

    Where gradients are accumulated, a step is a change of the weights: the rate is that
    of as many large batches.

    Args:
        training: Gives the highest rate, the schedule, and over how many batches
            gradients accumulate.
        num_batches: Batches of the whole run, epochs times batches.

    Returns:
        A Keras schedule, or a number.

    Reference:
        Loshchilov and Hutter, SGDR, ICLR 2017, equation 5; the warm-up: Goyal et al.,
        Accurate, large minibatch SGD, 2017, section 2.2.
    """
    if training.schedule == "plateau":
        return training.learning_rate
    num_steps = max(1, num_batches // training.accumulate)
    warm_up = max(1, round(WARM_UP * num_steps))
    schedule: Any = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=max(1, num_steps - warm_up),
        alpha=LAST_RATE if training.schedule == "cosine" else 1.0,
        warmup_target=training.learning_rate,
        warmup_steps=warm_up,
    )
    if training.accumulate == 1:
        return schedule
    return EverySteps(schedule, every=training.accumulate)


class EverySteps(keras.optimizers.schedules.LearningRateSchedule):
    """Counts changes of the weights, where Keras gives a schedule batches to count.

    Args:
        schedule: From steps to learning rates.
        every: Batches a step.
    """

    def __init__(self, schedule: Any, *, every: int) -> None:
        super().__init__()
        self.schedule = schedule
        self.every = every

    def __call__(self, step: Any) -> Any:
        """Returns the learning rate of a batch."""
        return self.schedule(keras.ops.floor_divide(step, self.every))

    def get_config(self) -> dict[str, Any]:
        """Returns what it is made of."""
        return {"schedule": self.schedule, "every": self.every}


class PlateauRate(keras.callbacks.ReduceLROnPlateau):
    """Divides the learning rate by ten when the validation loss has not fallen.

    After an epoch without a lower validation loss, down to a hundredth of the first.

    Args:
        rate: The learning rate that training begins with.

    Reference:
        Rajpurkar et al., CheXNet, 2017, section 2.1.
    """

    KEYS = ("best", "wait", "cooldown_counter")

    def __init__(self, rate: float) -> None:
        super().__init__(
            monitor="val_loss",
            mode="min",
            factor=PLATEAU_FACTOR,
            patience=PLATEAU_PATIENCE,
            min_delta=0.0,
            min_lr=LAST_RATE * rate,
        )
        self._restored = False

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begins anew, unless a state was set."""
        if not self._restored:
            super().on_train_begin(logs)

    def get_state(self) -> dict[str, float | None]:
        """Returns what it remembers, as plain values; the rate is the optimizer's."""
        return {key: getattr(self, key) for key in self.KEYS}

    def set_state(self, state: dict[str, float | None]) -> None:
        """Makes it remember what another one did.

        Args:
            state: What `get_state` returned.
        """
        for key in self.KEYS:
            setattr(self, key, state[key])
        self._restored = True
