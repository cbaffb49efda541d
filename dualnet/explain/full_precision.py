"""A model of mixed precision once more, in float32 throughout.

bfloat16 has three digits. They are enough for an answer; but what hiding a corner takes
from a logit, or a step of an integral adds, is smaller than what is rounded off, and
each back end rounds elsewhere.
"""

import keras


def in_float32(model: keras.Model) -> keras.Model:
    """Returns a model that computes in float32.

    Args:
        model: A functional model of standard layers.

    Returns:
        The model itself where it does already, else a copy with its weights.
    """
    if all(layer.compute_dtype == "float32" for layer in model.layers):
        return model
    config = model.get_config()
    for layer in config["layers"]:
        layer["config"]["dtype"] = "float32"
    copy = type(model).from_config(config)
    copy_weights(model, copy)
    return copy


def copy_weights(model: keras.Model, copy: keras.Model) -> None:
    """Sets the weights of a copy anew.

    Args:
        model: Whose weights to read; they are float32 in mixed precision too.
        copy: A model with the same layers.
    """
    for layer in model.layers:
        if layer.weights:
            copy.get_layer(layer.name).set_weights(layer.get_weights())
