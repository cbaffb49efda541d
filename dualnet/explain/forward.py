"""A model's outputs a batch at a time, compiled once. The one door to what that needs."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import keras
import numpy as np

Forward = Callable[[Any], Any]
"""Given the arrays of a batch, in the structure of the model's inputs, returns those of
its outputs, float32, likewise; they may be read only."""


def compile_forward(model: Any) -> Forward:
    """Returns what computes a model's outputs.

    `predict_on_batch` does the same, but on TensorFlow copies every output: those of all
    stages of 32 radiographs are 125 MB, and the copy takes half as long as the model.
    Here they are read where they are.

    Args:
        model: A functional model.

    Returns:
        The function; weights that are set afterwards are read at each call.
    """
    if keras.backend.backend() == "tensorflow":
        return _compile_tensorflow(model)

    def compute(inputs: Any) -> Any:
        outputs = model.predict_on_batch(keras.tree.map_structure(_as_float32, inputs))
        return keras.tree.map_structure(_as_float32, outputs)

    return compute


def _compile_tensorflow(model: Any) -> Forward:
    tf = import_module("tensorflow")

    @tf.function(reduce_retracing=True)
    def apply(inputs: Any) -> Any:
        outputs = model(inputs, training=False)
        return keras.tree.map_structure(lambda one: tf.cast(one, tf.float32), outputs)

    def compute(inputs: Any) -> Any:
        tensors = keras.tree.map_structure(
            lambda one: tf.convert_to_tensor(_as_float32(one)), inputs
        )
        return keras.tree.map_structure(_view, apply(tensors))

    return compute


def _view(tensor: Any) -> np.ndarray:
    return np.asarray(memoryview(tensor))


def _as_float32(values: Any) -> np.ndarray:
    return np.asarray(values, np.float32)
