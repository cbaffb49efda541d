"""Intermediate activations: what each stage of a classifier makes of its input.

Arrays only, on any Keras back end, before saving and after loading alike. What a stage
is, `dualnet.explain.stages` says.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from dualnet.errors import ImageError, RecordError
from dualnet.explain.forward import compile_forward
from dualnet.explain.stages import find_sources, select_stages, tensors_of


def activation_layers(
    model: keras.Model, layers: Sequence[str] | None = None
) -> list[tuple[str, str]]:
    """Lists the stages of a model, in the order in which they are shown.

    Image branch first, then metadata branch, then what both feed.

    Args:
        model: A functional model, as `build_dual_classifier` makes it.
        layers: Names or patterns, as in `select_stages`; None is every stage.

    Returns:
        Name and kind of each: convolution, pooling, sum, concatenation, dense, fusion, logits,
        probabilities, or other for a layer that is no stage of its own.
    """
    return [(stage.name, stage.kind) for stage in select_stages(model, layers)]


def compute_activations(
    model: keras.Model,
    inputs: Mapping[str, np.ndarray],
    layers: Sequence[str] | None = None,
) -> dict[str, np.ndarray]:
    """Computes the activations of all stages in one forward pass.

    Args:
        model: A functional model, as `build_dual_classifier` makes it.
        inputs: One array per input of the model, by its name, batch axis first:
            `image` (batch, size, size, 1), gray values 0-255; `metadata` (batch,
            features). Inputs that the model does not have are left aside.
        layers: Names or patterns, as in `select_stages`; None is every stage.

    Returns:
        Name of each stage to its values, float32, batch axis first, in the order
        of `activation_layers`.
    """
    inner = show_stages(model, layers)
    outputs: Any = inner(check_inputs(model, inputs), training=False)
    return _as_arrays(outputs, _names(model, layers))


def read_activations(
    model: keras.Model,
    batches: Iterable[Mapping[str, np.ndarray]],
    layers: Sequence[str] | None = None,
) -> Iterator[tuple[Mapping[str, np.ndarray], dict[str, np.ndarray]]]:
    """Computes the activations of many pictures, a batch at a time.

    The forward pass is compiled once, so that all stages cost little more than the
    model's own `predict`; no batch is kept.

    Args:
        model: A functional model, as `build_dual_classifier` makes it.
        batches: Inputs of each batch, as `compute_activations` takes them.
        layers: Names or patterns, as in `select_stages`; None is every stage.

    Yields:
        Each batch, and what `compute_activations` returns of it.
    """
    compute = compile_forward(show_stages(model, layers))
    names = _names(model, layers)
    for inputs in batches:
        found = compute(check_inputs(model, inputs))
        yield inputs, {name: found[name] for name in names}  # some back ends sort them


def show_stages(model: keras.Model, layers: Sequence[str] | None = None) -> keras.Model:
    """Returns the model that says what its stages make of its inputs.

    Args:
        model: A functional model; its weights are shared, not copied.
        layers: Names or patterns, as in `select_stages`; None is every stage.

    Returns:
        The model from the same inputs to a dict of each stage's values by its name.
    """
    outputs = {stage.name: stage.tensor for stage in select_stages(model, layers)}
    return keras.Model(_inputs(model), outputs, name="stages")


def compute_prepared(
    model: keras.Model, inputs: Mapping[str, np.ndarray]
) -> np.ndarray | None:
    """Computes the picture as the first convolution reads it.

    Rescaling, repeating gray to three channels and a backbone's own preprocessing are
    inside the graph; padding, which only adds a frame, is left aside.

    Args:
        model: A functional model, as `build_dual_classifier` makes it.
        inputs: As `compute_activations` takes them.

    Returns:
        float32, shape (batch, size, size, 1 or 3); None for a model without a
        convolution.
    """
    convolution = _first_convolution(model)
    if convolution is None:
        return None
    tensor = tensors_of(convolution, "input")[0]
    makers = {
        id(one): layer for layer in model.layers for one in tensors_of(layer, "output")
    }
    while isinstance(makers[id(tensor)], keras.layers.ZeroPadding2D):
        tensor = tensors_of(makers[id(tensor)], "input")[0]
    inner = keras.Model(_inputs(model), {"prepared": tensor}, name="prepared")
    outputs: Any = inner(check_inputs(model, inputs), training=False)
    return _as_arrays(outputs, ["prepared"])["prepared"]


def check_inputs(
    model: keras.Model, inputs: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Returns the arrays that a model reads; refuses those that do not fit.

    Args:
        model: A functional model, as `build_dual_classifier` makes it.
        inputs: As `compute_activations` takes them.

    Returns:
        Name of each of the model's inputs to its array, in the model's order.
    """
    return {
        name: _checked(name, tensor, inputs.get(name))
        for name, tensor in _inputs(model).items()
    }


def first_filters(model: keras.Model) -> np.ndarray | None:
    """Returns the kernels of the first convolution of the image branch.

    Args:
        model: A functional model.

    Returns:
        Kernels, float32, shape (height, width, inputs, filters); None for a model
        without a convolution, such as one of the metadata alone.
    """
    convolution = _first_convolution(model)
    if convolution is None:
        return None
    return np.asarray(convolution.get_weights()[0], np.float32)


def fusion_parts(model: keras.Model) -> dict[str, int]:
    """Says how the fusion vector is divided between the branches.

    Args:
        model: A functional model, as `build_dual_classifier` makes it.

    Returns:
        Name of the input behind each part to the number of its units, in the order
        of the vector; empty where `fusion` does not join several branches.
    """
    layers = {layer.name: layer for layer in model.layers}
    fusion = layers.get("fusion")
    tensors = tensors_of(fusion, "input") if fusion is not None else []
    if len(tensors) < 2 or not isinstance(fusion, keras.layers.Concatenate):
        return {}
    sources = find_sources(model)
    return {
        "+".join(sorted(sources[id(tensor)])): tensor.shape[-1] for tensor in tensors
    }


def split_logits(model: keras.Model, fusion: np.ndarray) -> dict[str, np.ndarray]:
    """Says how much each half of the fusion vector adds to each logit.

    The logits are a sum over the units of the vector, so the shares are exact: they
    add up to the logits, `bias` among them.

    Args:
        model: A functional model, as `build_dual_classifier` makes it.
        fusion: Fusion vectors, shape (batch, units).

    Returns:
        Name of each part, as `fusion_parts` has it, to its share, float64, shape
        (batch, classes), then `bias`, shape (1, classes); empty where there are no
        parts, or the logits are not a dense layer on the vector.
    """
    parts = fusion_parts(model)
    logits = next((one for one in model.layers if one.name == "logits"), None)
    if not parts or not isinstance(logits, keras.layers.Dense):
        return {}
    fused = tensors_of(model.get_layer("fusion"), "output")[0]
    if tensors_of(logits, "input")[0] is not fused:
        return {}
    kernel, bias = (one.astype(np.float64) for one in logits.get_weights())
    ends = np.cumsum([0, *parts.values()])
    shares = {
        name: fusion[:, first:end] @ kernel[first:end]
        for name, first, end in zip(parts, ends[:-1], ends[1:], strict=True)
    }
    return {**shares, "bias": bias[np.newaxis]}


def _first_convolution(model: keras.Model) -> keras.layers.Layer | None:
    for stage in select_stages(model):
        if stage.kind == "convolution":
            return model.get_layer(stage.name)
    return None


def _inputs(model: keras.Model) -> dict[str, Any]:
    return {tensor.name: tensor for tensor in model.inputs}


def _names(model: keras.Model, layers: Sequence[str] | None) -> list[str]:
    return [stage.name for stage in select_stages(model, layers)]


def _as_arrays(
    outputs: Mapping[str, Any], names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Returns values in float32, in order: JAX and torch sort them by name."""
    return {
        name: np.asarray(keras.ops.convert_to_numpy(outputs[name]), np.float32)
        for name in names
    }


def _checked(name: str, tensor: Any, values: np.ndarray | None) -> np.ndarray:
    error = ImageError if name == "image" else RecordError
    shape = ", ".join("any" if side is None else str(side) for side in tensor.shape[1:])
    received = "none" if values is None else f"shape={values.shape}"
    if (
        values is None
        or values.ndim != len(tensor.shape)
        or any(
            side not in {None, got}
            for side, got in zip(tensor.shape[1:], values.shape[1:], strict=True)
        )
    ):
        raise error(
            f"{name}: shape must be (batch, {shape}). Received: {received}. "
            "Make it as the model's training did."
        )
    if not np.isfinite(values).all():
        raise error(
            f"{name}: every value must be finite. Received: a NaN or an infinity. "
            "Encode missing values with the run's MetadataEncoder."
        )
    return values
