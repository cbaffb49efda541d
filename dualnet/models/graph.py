"""A model's layers applied once more, from other tensors on."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras


def build_above(
    model: keras.Model, tensors: Sequence[Any], outputs: Any, *, name: str
) -> keras.Model:
    """Returns the model from tensors inside another to others that follow from them.

    `keras.Model(tensors, outputs)` does it too. But where an input of the model is among
    the tensors beside one from inside, it gives the input another history, after which
    the model itself can be neither saved nor copied (Keras 3.15, `clone_graph_nodes`).

    Args:
        model: A functional model whose layers are each used once; they are shared.
        tensors: Symbolic tensors of the model, each with its batch axis.
        outputs: A symbolic tensor of the model that follows from them, or a list.
        name: The name of the new model.

    Returns:
        A model of a list of inputs, in the order of `tensors`.
    """
    inputs = [
        keras.Input(batch_shape=one.shape, dtype=one.dtype, name=f"{name}_{number}")
        for number, one in enumerate(tensors)
    ]
    given = {id(one): new for one, new in zip(tensors, inputs, strict=True)}
    return keras.Model(inputs, _apply_again(model, given, outputs), name=name)


def _apply_again(model: keras.Model, given: Mapping[int, Any], outputs: Any) -> Any:
    layers = [
        one for one in model.layers if not isinstance(one, keras.layers.InputLayer)
    ]
    needed = _ids(outputs)
    for layer in reversed(layers):  # each stands after those that it takes from
        if _ids(layer.output) & (needed - set(given)):
            needed |= _ids(layer.input)
    known = dict(given)
    for layer in layers:
        if _ids(layer.output) & (needed - set(known)):
            taken = keras.tree.map_structure(lambda one: known[id(one)], layer.input)
            made = layer(taken)
            for old, new in zip(_flat(layer.output), _flat(made), strict=True):
                known[id(old)] = new
    return keras.tree.map_structure(lambda one: known[id(one)], outputs)


def _ids(tensors: Any) -> set[int]:
    return {id(one) for one in _flat(tensors)}


def _flat(tensors: Any) -> list[Any]:
    return keras.tree.flatten(tensors)
