"""Two phases of a training: first the image branch keeps its weights, then it learns.

Which phase an epoch is of depends on the configuration and the epoch alone, so a
training that goes on in the middle knows where it is.
"""

import logging
from dataclasses import dataclass
from typing import Any

import keras

from dualnet.config import TrainingConfig
from dualnet.training.recipe import build_optimizer
from dualnet.wording import number_of

logger = logging.getLogger(__name__)

BRANCH = "image_"  # what the layers of the image branch are called
FINE_TUNE = 0.1  # of the learning rate, where none is configured

Logs = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Phase:
    """Epochs that are fitted alike.

    Args:
        first: Its first epoch, from 0.
        end: The first epoch that is no more of it.
        learning_rate: The highest.
        learning_stages: How many stages of the image branch learn, from the last;
            None: all.
    """

    first: int
    end: int
    learning_rate: float
    learning_stages: int | None

    def training(self, training: TrainingConfig) -> TrainingConfig:
        """Returns the configuration with this phase's learning rate."""
        return training.model_copy(update={"learning_rate": self.learning_rate})


def plan_phases(training: TrainingConfig) -> list[Phase]:
    """Lists the phases of a training.

    Args:
        training: How the model is fitted.

    Returns:
        One phase; or two, the first with the image branch frozen.

    Example:
        >>> config = TrainingConfig(epochs=8, frozen_epochs=2, unfreeze=1)
        >>> [(one.first, one.end, one.learning_stages) for one in plan_phases(config)]
        [(0, 2, 0), (2, 8, 1)]
    """
    frozen, rate = training.frozen_epochs, training.learning_rate
    if not frozen:
        return [
            Phase(
                first=0, end=training.epochs, learning_rate=rate, learning_stages=None
            )
        ]
    stages = None if training.unfreeze == "all" else training.unfreeze
    return [
        Phase(first=0, end=frozen, learning_rate=rate, learning_stages=0),
        Phase(
            first=frozen,
            end=training.epochs,
            learning_rate=training.fine_tune_rate or FINE_TUNE * rate,
            learning_stages=stages,
        ),
    ]


def find_phase(training: TrainingConfig, epoch: int) -> Phase:
    """Returns the phase of an epoch.

    Args:
        training: How the model is fitted.
        epoch: From 0.
    """
    return next(one for one in reversed(plan_phases(training)) if epoch >= one.first)


def compile_phase(
    model: Any,
    phase: Phase,
    training: TrainingConfig,
    *,
    loss: keras.losses.Loss,
    steps_per_epoch: int,
    jit_compile: bool,
) -> None:
    """Freezes what does not learn in a phase, and gives the model its recipe.

    A frozen batch normalisation uses the statistics that it has, and keeps them.

    Args:
        model: A dual classifier; its optimizer begins anew.
        phase: The phase.
        training: How the model is fitted.
        loss: What is minimised.
        steps_per_epoch: Batches an epoch.
        jit_compile: Whether XLA compiles the steps.
    """
    frozen = set(frozen_layers(model, phase.learning_stages))
    for layer in model.layers:
        if layer.name.startswith(BRANCH):
            layer.trainable = layer.name not in frozen
    num_batches = (phase.end - phase.first) * steps_per_epoch
    model.compile(
        optimizer=build_optimizer(phase.training(training), num_batches=num_batches),
        loss=loss,
        jit_compile=jit_compile,
    )


def frozen_layers(model: Any, learning_stages: int | None) -> list[str]:
    """Lists the layers of the image branch that do not learn.

    A stage is the layers that make maps of one size: in VGG, ResNet and DenseNet, what
    their names call a block. What has no height and width, pooled features and dense
    layers upon them, is of the last stage.

    Args:
        model: A dual classifier.
        learning_stages: How many stages learn, from the last; None: all.

    Returns:
        Names of layers that have weights, in the order of the graph.
    """
    if learning_stages is None:
        return []
    branch = [
        layer
        for layer in model.layers
        if layer.name.startswith(BRANCH) and layer.weights
    ]
    sides, last = [], 0
    for layer in branch:
        shape = layer.output.shape
        # squeeze and excitation works on 1x1: it belongs to the maps that it weighs
        last = shape[1] if len(shape) == 4 and shape[1] > 1 else last
        sides.append(last)
    stages = sorted(set(sides))[:learning_stages]
    return [
        layer.name
        for layer, side in zip(branch, sides, strict=True)
        if side not in stages
    ]


class PhaseChange(keras.callbacks.Callback):
    """Gives a model the recipe of its phase, where the epoch that begins has another.

    Args:
        training: How the model is fitted.
        loss: What is minimised.
        steps_per_epoch: Batches an epoch.
        jit_compile: Whether XLA compiles the steps.
    """

    def __init__(
        self,
        training: TrainingConfig,
        *,
        loss: keras.losses.Loss,
        steps_per_epoch: int,
        jit_compile: bool,
    ) -> None:
        super().__init__()
        self._training = training
        self._loss = loss
        self._steps_per_epoch = steps_per_epoch
        self._jit_compile = jit_compile
        self._phase: Phase | None = None

    def compile(self, model: Any, epoch: int) -> bool:
        """Compiles a model as it is in an epoch, if it is not so already.

        Args:
            model: The model, always the same.
            epoch: From 0.

        Returns:
            Whether it was compiled.
        """
        phase = find_phase(self._training, epoch)
        if phase == self._phase:
            return False
        self._phase = phase
        compile_phase(
            model,
            phase,
            self._training,
            loss=self._loss,
            steps_per_epoch=self._steps_per_epoch,
            jit_compile=self._jit_compile,
        )
        return True

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Compiles the model anew where a phase begins."""
        del logs
        model: Any = self.model
        if self.compile(model, epoch):
            # `fit` builds an optimizer before the first epoch alone; JAX needs it built
            model.optimizer.build(model.trainable_variables)
            model.make_train_function(force=True)
            learning = number_of(len(model.trainable_variables), "array")
            logger.info("epoch %s: fine-tuning begins, %s learn", epoch + 1, learning)
