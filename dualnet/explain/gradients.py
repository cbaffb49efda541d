"""Gradients of a model's outputs by its inputs, on any back end. The one door to them."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import keras
import numpy as np

Gradient = Callable[[Sequence[np.ndarray], np.ndarray], np.ndarray]
"""Given a model's inputs and a weight for each of its outputs, shape (batch, outputs),
returns the gradient of the weighted sum of the outputs by the first input, float32."""


def compile_gradient(model: Any) -> Gradient:
    """Returns what computes the gradient by a model's first input.

    Rows do not touch each other (the model does not train), so the sum over a batch has
    each row's own gradient. TensorFlow and JAX compile it once for each shape; weights
    that are set afterwards are read at each call.

    Args:
        model: A functional model from a list of inputs to one output, shape
            (batch, outputs).

    Returns:
        The function; zeros where the output does not depend on the input.
    """
    return _COMPILERS[keras.backend.backend()](model)


def _compile_tensorflow(model: Any) -> Gradient:
    tf = import_module("tensorflow")

    @tf.function
    def differentiate(first: Any, rest: list[Any], weights: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(first)
            total = tf.reduce_sum(weights * model([first, *rest], training=False))
        zero = tf.UnconnectedGradients.ZERO
        return tape.gradient(total, first, unconnected_gradients=zero)

    def compute(inputs: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
        first, *rest = (tf.convert_to_tensor(one, tf.float32) for one in inputs)
        return differentiate(first, rest, tf.constant(weights, tf.float32)).numpy()

    return compute


def _compile_jax(model: Any) -> Gradient:
    jax = import_module("jax")

    def add_up(
        first: Any, rest: list[Any], weights: Any, trained: Any, fixed: Any
    ) -> Any:
        outputs, _ = model.stateless_call(
            trained, fixed, [first, *rest], training=False
        )
        return (weights * outputs).sum()

    differentiate = jax.jit(jax.grad(add_up))

    def compute(inputs: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
        first, *rest = (np.asarray(one, np.float32) for one in inputs)
        trained = [variable.value for variable in model.trainable_variables]
        fixed = [variable.value for variable in model.non_trainable_variables]
        return np.asarray(differentiate(first, rest, weights, trained, fixed))

    return compute


def _compile_torch(model: Any) -> Gradient:
    torch = import_module("torch")

    def compute(inputs: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
        tensors: list[Any] = [
            keras.ops.convert_to_tensor(one, dtype="float32") for one in inputs
        ]
        first = tensors[0].requires_grad_()
        with torch.enable_grad():
            outputs = model(tensors, training=False)
            total = (keras.ops.convert_to_tensor(weights) * outputs).sum()
        (gradient,) = torch.autograd.grad(total, first, materialize_grads=True)
        return np.asarray(keras.ops.convert_to_numpy(gradient))

    return compute


_COMPILERS = {
    "tensorflow": _compile_tensorflow,
    "jax": _compile_jax,
    "torch": _compile_torch,
}
