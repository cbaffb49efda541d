"""What a checkpoint holds of a model and its callbacks, and how it comes back.

A callback that remembers something offers `get_state()`, plain values and arrays by
name, and `set_state(state)`, which takes them back. Keras' own are known here.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import keras
import numpy as np

from dualnet.errors import RunError
from dualnet.training.backend import sync_variables

ARRAY = "$array"  # stands in the plain values for an array that lies elsewhere
MODEL, METRICS = "model", "metrics"
_NUMBERED = re.compile(r"^\w*(adam|optimizer|seed_generator)\w*/")
KERAS_CALLBACKS: Mapping[type, tuple[str, ...]] = {
    keras.callbacks.EarlyStopping: (
        "best",
        "best_epoch",
        "best_weights",
        "stopped_epoch",
        "wait",
    ),
    keras.callbacks.ReduceLROnPlateau: ("best", "cooldown_counter", "wait"),
}


@runtime_checkable
class Remembering(Protocol):
    """A callback whose memory belongs into a checkpoint."""

    def get_state(self) -> dict[str, Any]:
        """Returns plain values, arrays, and lists and dicts of them."""
        ...

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Takes back what `get_state` returned, after `on_train_begin`."""
        ...


def read_variables(model: Any) -> tuple[dict[str, list[str]], dict[str, np.ndarray]]:
    """Copies all that the next batch depends on.

    Args:
        model: A compiled model while it is being fitted.

    Returns:
        The names of the variables by group, and their values as `group/number`:
        weights with the state of dropout, optimizer, sums of the running epoch.
    """
    sync_variables(model)
    names, arrays = {}, {}
    for group, variables in _groups(model).items():
        names[group] = _name(variables)
        for number, variable in enumerate(variables):
            # a copy: the back end may go on to write where it lent its memory
            value = np.array(keras.ops.convert_to_numpy(variable))
            arrays[f"{group}/{number}"] = value
    return names, arrays


def write_variables(
    model: Any,
    names: Mapping[str, Sequence[str]],
    arrays: Mapping[str, np.ndarray],
    *,
    metrics: bool,
) -> None:
    """Gives variables the values that `read_variables` copied.

    Args:
        model: A compiled and built model of the same make.
        names: As `read_variables` returned them.
        arrays: As `read_variables` returned them.
        metrics: Whether to write the sums of the running epoch, which Keras sets to 0
            when an epoch begins, or all others.

    Raises:
        RunError: If they are of another model.
    """
    if not model.optimizer.built:  # TensorFlow builds it with the first batch
        model.optimizer.build(model.trainable_variables)
    for group, variables in _groups(model).items():
        if (group == METRICS) != metrics:
            continue
        _assign(group, variables, names, arrays)


def write_weights(
    model: Any, names: Mapping[str, Sequence[str]], arrays: Mapping[str, np.ndarray]
) -> None:
    """Gives a model that is only looked at the weights that `read_variables` copied.

    Args:
        model: A model of the same make; it need not be compiled.
        names: As `read_variables` returned them.
        arrays: As `read_variables` returned them.
    """
    _assign(MODEL, model.variables, names, arrays)


def read_callbacks(
    callbacks: Sequence[keras.callbacks.Callback],
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Collects what callbacks remember.

    Args:
        callbacks: Those of the fit; one of a class.

    Returns:
        Plain values by the class's name, and the arrays that these name.
    """
    arrays: dict[str, np.ndarray] = {}
    values = {
        type(callback).__name__: _pack(
            state, f"callbacks/{type(callback).__name__}", arrays
        )
        for callback in callbacks
        if (state := _get_state(callback)) is not None
    }
    return values, arrays


def write_callbacks(
    callbacks: Sequence[keras.callbacks.Callback],
    values: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
) -> None:
    """Gives callbacks back what `read_callbacks` collected.

    Args:
        callbacks: Those of the fit; one that was not there before begins anew.
        values: As `read_callbacks` returned them.
        arrays: As `read_callbacks` returned them.
    """
    for callback in callbacks:
        name = type(callback).__name__
        if name not in values:
            continue
        state = _unpack(values[name], arrays)
        if isinstance(callback, Remembering):
            callback.set_state(state)
        else:
            for attribute in _attributes(callback):
                setattr(callback, attribute, state[attribute])


def _assign(
    group: str,
    variables: Sequence[Any],
    names: Mapping[str, Sequence[str]],
    arrays: Mapping[str, np.ndarray],
) -> None:
    values = [arrays[f"{group}/{number}"] for number in range(len(names[group]))]
    shapes = [tuple(variable.shape) for variable in variables]
    if names[group] != _name(variables) or shapes != [one.shape for one in values]:
        raise RunError(
            f"checkpoints: must hold the variables of the model's {group}. "
            f"Received: {len(values)} of another model. Go on with the version "
            "of dualnet that wrote them, or begin again with --overwrite."
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _groups(model: Any) -> dict[str, list[Any]]:
    return {
        MODEL: model.variables,
        "optimizer": model.optimizer.variables,
        METRICS: model.metrics_variables,
    }


def _name(variables: Sequence[Any]) -> list[str]:
    """Names variables; Keras numbers optimizers and seeds as they are made."""
    return [_NUMBERED.sub("", variable.path) for variable in variables]


def _get_state(callback: keras.callbacks.Callback) -> dict[str, Any] | None:
    if isinstance(callback, Remembering):
        return callback.get_state()
    names = _attributes(callback)
    return {name: getattr(callback, name) for name in names} if names else None


def _attributes(callback: keras.callbacks.Callback) -> tuple[str, ...]:
    for kind, names in KERAS_CALLBACKS.items():
        if isinstance(callback, kind):
            return names
    return ()


def _pack(value: Any, key: str, arrays: dict[str, np.ndarray]) -> Any:
    """Moves the arrays out of nested plain values."""
    if isinstance(value, np.ndarray):
        arrays[key] = np.array(value)
        return {ARRAY: key}
    if isinstance(value, Mapping):
        return {
            name: _pack(one, f"{key}/{name}", arrays) for name, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [_pack(one, f"{key}/{i}", arrays) for i, one in enumerate(value)]
    return value.item() if isinstance(value, np.generic) else value


def _unpack(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """Moves the arrays back."""
    if isinstance(value, Mapping):
        if ARRAY in value:
            return arrays[value[ARRAY]]
        return {name: _unpack(one, arrays) for name, one in value.items()}
    if isinstance(value, list):
        return [_unpack(one, arrays) for one in value]
    return value
