"""Backbones of `keras.applications` as image branches, flat in the graph.

A backbone is built once as Keras builds it and then rebuilt layer by layer on our own
tensors: `image_` before every name, first weights that depend on the seed and the name,
and nothing but standard layers, so that each one can be reached by its name before and
after saving, and the file loads without dualnet.
"""

import inspect
import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

import keras
import numpy as np
from keras import layers

from dualnet.errors import ConfigError
from dualnet.models.seeds import he_normal, layer_seed
from dualnet.models.weight_files import stable_names

PREFIX = "image_"
# Keras' .99 to .999 remember hundreds of steps; see NORM_MOMENTUM in image_branch.
NORM_MOMENTUM = 0.9
# In float32 under mixed precision too: bfloat16 has no digits for 255 gray steps.
EXACT = (layers.Rescaling, layers.Normalization)


def find_backbone(name: str) -> Callable[..., keras.Model]:
    """Returns the function of `keras.applications` that builds a backbone.

    Args:
        name: The function's name in lower case, as in `densenet121`.
    """
    functions = {  # beside modules, of which `mobilenet` is one
        key.lower(): value
        for key, value in vars(keras.applications).items()
        if inspect.isfunction(value)
    }
    return functions[name]


def find_preprocessing(name: str) -> tuple[list[float], list[float]]:
    """Returns what a backbone's own `preprocess_input` does to a gray value.

    All of them are affine for each channel; that some turn RGB to BGR makes no
    difference where the three channels are the same.

    Args:
        name: The backbone.

    Returns:
        Scale and offset of each of the three channels.
    """
    preprocess = _find_module(name).preprocess_input
    black, white = (preprocess(np.full((1, 1, 1, 3), gray)) for gray in (0.0, 255.0))
    scale = (white - black).ravel() / 255
    return scale.tolist(), black.ravel().tolist()


def apply_preprocessing(image: Any, *, name: str) -> Any:
    """Repeats gray to three channels and prepares them as a backbone expects.

    Args:
        image: Gray values 0-255, shape (batch, height, width, 1).
        name: The backbone; some rescale inside, and are given gray values 0-255.

    Returns:
        What `preprocess_input` makes of the three channels, shape
        (batch, height, width, 3).
    """
    rgb = layers.Concatenate(dtype="float32", name="image_rgb")([image] * 3)
    scale, offset = find_preprocessing(name)
    if (scale, offset) == ([1.0] * 3, [0.0] * 3):
        return rgb
    settings: Any = {"scale": scale, "offset": offset}  # one each channel
    return layers.Rescaling(**settings, dtype="float32", name="image_preprocessing")(
        rgb
    )


def apply_backbone(image: Any, *, name: str, dropout: float, seed: int) -> Any:
    """Applies a backbone of `keras.applications`, up to its pooled features.

    Gray is repeated to three channels and goes through the backbone's own
    preprocessing, both inside the graph. The layers are named as in Keras, with
    `image_` before; those that Keras numbers by what was built before are numbered
    anew. The last pooling, over the whole map, is `image_pool`.

    Args:
        image: Tensor of gray values 0-255, shape (batch, size, size, 1).
        name: The backbone, one of `dualnet.image_branches.BACKBONES`.
        dropout: Share of the pooled features dropped.
        seed: Seed of the first weights and of dropout.

    Returns:
        Tensor of features, shape (batch, channels).

    Raises:
        ConfigError: If the picture is too small for the backbone.
    """
    template = _build_template(name, image.shape[1])
    rgb = apply_preprocessing(image, name=name)
    features = _rebuild(template, rgb, seed)
    features = layers.GlobalAveragePooling2D(name="image_pool")(features)
    dropout_name = "image_dropout_1"
    return layers.Dropout(
        dropout, seed=layer_seed(seed, dropout_name), name=dropout_name
    )(features)


def _find_module(name: str) -> ModuleType:
    """Returns the module of `keras.applications` that a backbone is of."""
    return getattr(keras.applications, find_backbone(name).__module__.split(".")[-1])


def _build_template(name: str, side: int) -> Any:
    """Builds a backbone as Keras does; its weights are drawn anew when it is rebuilt."""
    try:
        return find_backbone(name)(
            include_top=False, weights=None, input_shape=(side, side, 3)
        )
    except ValueError as error:
        least = re.search(r"at least (\d+)x", str(error))
        raise ConfigError(
            f"model: `image_size` must be at least {least[1] if least else 75} pixels for "
            f"{name}. Received: image_size={side}. Use larger pictures."
        ) from error


def _rebuild(template: Any, tensor: Any, seed: int) -> Any:
    """Applies a backbone's operations, as standard layers of our own, to a tensor."""
    operations = [
        one for one in template.operations if not isinstance(one, layers.InputLayer)
    ]
    kinds = [(type(one).__name__, one.name) for one in operations]
    tensors = {id(template.inputs[0]): tensor}
    for operation, name in zip(operations, stable_names(kinds), strict=True):
        given = [tensors[id(one)] for one in keras.tree.flatten(operation.input)]
        made = _apply(operation, f"{PREFIX}{name}", given, seed)
        tensors[id(operation.output)] = made
    return tensors[id(template.outputs[0])]


def _apply(operation: Any, name: str, given: list[Any], seed: int) -> Any:
    """Applies one operation of a backbone as one or two standard layers."""
    if isinstance(operation, keras.Sequential):  # the stem of ConvNeXt
        (tensor,) = given
        for layer in operation.layers:
            tensor = _copy(layer, f"{PREFIX}{layer.name}", seed)(tensor)
        return tensor
    if not isinstance(operation, layers.Layer):
        return _apply_arithmetic(operation, name, given)
    kind = type(operation).__name__
    if kind == "LayerScale":  # of ConvNeXt: a factor a channel
        factors: Any = keras.initializers.Constant(
            operation.get_config()["init_values"]
        )
        (tensor,) = given
        return layers.EinsumDense(
            "...c,c->...c",
            output_shape=tensor.shape[-1],
            kernel_initializer=factors,
            name=name,
        )(tensor)
    if kind == "CustomScaleLayer":  # of InceptionResNetV2: x + scale * y
        shortcut, tensor = given
        scale = operation.get_config()["scale"]
        tensor = layers.Rescaling(scale, name=f"{name}_scale")(tensor)
        return layers.Add(name=name)([shortcut, tensor])
    return _copy(operation, name, seed)(given if len(given) > 1 else given[0])


def _apply_arithmetic(operation: Any, name: str, given: list[Any]) -> Any:
    """Applies a sum or a product that Keras did not write as a layer."""
    # ConvNeXt adds its shortcuts so; MobileNetV3's hard sigmoid is relu6(x + 3) / 6
    is_sum = type(operation).__name__ == "Add"
    if len(given) > 1:
        return (layers.Add if is_sum else layers.Multiply)(name=name)(given)
    arguments = operation._inbound_nodes[0].arguments  # the number, nowhere public
    (number,) = [one for one in arguments.args if isinstance(one, int | float)]
    scale, offset = (1.0, number) if is_sum else (number, 0.0)
    return layers.Rescaling(scale, offset=offset, name=name)(given[0])


def _copy(layer: Any, name: str, seed: int) -> Any:
    """Makes a layer anew under another name, its first weights decided by the seed."""
    config = layer.get_config() | {"name": name}
    for key, value in config.items():
        if key.endswith("_initializer") and "seed" in value.get("config", {}):
            place = name if key == "kernel_initializer" else f"{name} {key}"
            drawn = value["config"] | {"seed": layer_seed(seed, place)}
            config[key] = value | {"config": drawn}
    if "seed" in config:
        config["seed"] = layer_seed(seed, name)
    if isinstance(layer, layers.Conv2D) and config["activation"] == "relu":
        # VGG has no normalisation, and Keras' default loses half the signal a layer
        config["kernel_initializer"] = he_normal(seed, name)
    if isinstance(layer, layers.BatchNormalization):
        config["momentum"] = min(config["momentum"], NORM_MOMENTUM)
    if isinstance(layer, EXACT):
        config["dtype"] = "float32"
    return type(layer).from_config(config)
