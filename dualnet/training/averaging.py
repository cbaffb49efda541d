"""The weights' running average: what is scored and kept instead of the last step's.

The average is kept by the optimizer, step by step, on the device. Around the scoring of
an epoch it takes the place of the weights (`AverageIn`, `AverageOut`); training goes on
with the weights themselves. A checkpoint is written outside of the two and needs nothing
besides the optimizer's variables.
"""

import math
from typing import Any

import keras
import numpy as np

from dualnet.data.batches import Batches

FORGETTING = 9  # steps after which the average may keep half of what it was
STATISTICS_IMAGES = 512


class AveragingAdamW(keras.optimizers.AdamW):
    """AdamW whose average of the weights does not remember where they began.

    Keras' average keeps the first weights for 1 / (1 - decay) steps, which may be the
    whole run. Here the decay of the step t, from 0, is at most t / (t + 9). With
    gradients accumulated, a step is a change of the weights.

    Reference:
        Polyak and Juditsky, Acceleration of stochastic approximation by averaging, SIAM
        Journal on Control and Optimization 30(4), 1992; the decay's start as in
        TensorFlow's `ExponentialMovingAverage(num_updates)`.
    """

    def _update_model_variables_moving_average(
        self, trainable_variables: list[Any]
    ) -> None:
        if not self.use_ema:
            return
        ops: Any = keras.ops  # whose types say that any result may be None
        every = self.gradient_accumulation_steps or 1
        batch = self._iterations + 1
        step = ops.cast(batch // every, "float32") - 1
        decay = ops.minimum(self.ema_momentum, step / (step + FORGETTING))
        changed = ops.cast(batch % every == 0, "float32")
        decay = ops.where(step < 0, 0.0, 1 - changed * (1 - decay))
        averages = self._model_variables_moving_average
        for variable, average in zip(trainable_variables, averages, strict=True):
            if average is not None:
                share = ops.cast(decay, variable.dtype)
                average.assign(share * average + (1 - share) * variable)

    def assign_average(self, variables: list[Any]) -> None:
        """Gives the average to the weights that it is the average of.

        Args:
            variables: The model's trainable variables.
        """
        averages = self._model_variables_moving_average
        for variable, average in zip(variables, averages, strict=True):
            variable.assign(_copy(average))  # JAX would share memory and free it

    def finalize_variable_values(self, var_list: list[Any]) -> None:
        """Leaves the weights as they are, where Keras ends a fit with the average.

        Args:
            var_list: The model's trainable variables.
        """


class AverageIn(keras.callbacks.Callback):
    """Puts the average in the weights' place at the end of an epoch, to be scored.

    Args:
        train: Training batches: what batch normalisation is measured on anew.
    """

    def __init__(self, train: Batches) -> None:
        super().__init__()
        self._train = train
        self._kept: list[tuple[Any, np.ndarray]] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Keeps the weights and puts the average in their place."""
        del epoch, logs
        model: Any = self.model
        variables = [*model.trainable_variables, *model.non_trainable_variables]
        self._kept = [(one, _copy(one)) for one in variables]
        optimizer = model.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of float16
        optimizer.assign_average(model.trainable_variables)
        measure_normalisation(model, self._train)

    def put_back(self) -> None:
        """Puts the weights back."""
        for variable, value in self._kept:
            variable.assign(value)
        self._kept = []


class AverageOut(keras.callbacks.Callback):
    """Puts the weights back when an epoch has been scored.

    Args:
        average_in: What put the average in their place.
    """

    def __init__(self, average_in: AverageIn) -> None:
        super().__init__()
        self._average_in = average_in

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Puts the weights back."""
        del epoch, logs
        self._average_in.put_back()


def measure_normalisation(
    model: Any, train: Batches, *, num_images: int = STATISTICS_IMAGES
) -> None:
    """Gives batch normalisation the means and variances of the weights as they are.

    The statistics that training kept are those of the weights that training had. With
    averaged weights every layer sees other features: the mean over batches of what they
    are takes their place. Nothing is done where no such layer is trained.

    Args:
        model: A functional model; its statistics are changed, and the states of its
            random layers if any stand before the last normalisation.
        train: Training batches, as augmented in their epoch.
        num_images: About how many radiographs are looked at.

    Reference:
        Izmailov et al., Averaging weights leads to wider optima and better
        generalization, UAI 2018, section 3.2; Wu and Johnson, Rethinking "batch" in
        BatchNorm, 2021, section 3.
    """
    norms: list[Any] = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    if not norms:
        return
    inputs = {tensor.name: tensor for tensor in model.inputs}
    features = keras.Model(inputs, norms[-1].output)
    before = [layer.momentum for layer in norms]
    num_batches = min(len(train), math.ceil(num_images / train.batch_size))
    for index in range(num_batches):
        for layer in norms:
            layer.momentum = index / (index + 1)  # the mean of all batches so far
        features(train[index][0], training=True)
    for layer, momentum in zip(norms, before, strict=True):
        layer.momentum = momentum


def _copy(variable: Any) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(variable))
