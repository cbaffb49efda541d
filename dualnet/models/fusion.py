"""Where picture and record meet: side by side, or the record acts on the picture."""

from collections.abc import Sequence
from typing import Any

from keras import layers


def apply_fusion(features: Sequence[Any], kind: str) -> Any:
    """Joins the features of the picture with those of the record.

    Args:
        features: Those of the picture, shape (batch, n), and those of the record,
            shape (batch, m).
        kind: One of `FUSIONS`.

    Returns:
        The output of the layer `fusion`.
    """
    image, metadata = features
    return FUSIONS[kind](image, metadata)


def concatenate(image: Any, metadata: Any) -> Any:
    """Puts the features side by side.

    Args:
        image: Features of the picture, shape (batch, n).
        metadata: Features of the record, shape (batch, m).

    Returns:
        Shape (batch, n + m), those of the picture first.
    """
    return layers.Concatenate(name="fusion")([image, metadata])


def modulate(image: Any, metadata: Any) -> Any:
    """Scales and shifts each feature of the picture by what the record says.

    Of the pooled features: to scale and shift a map as a whole and then to take its
    mean gives the same, and an audit need keep only the pooled ones. Both start as if
    there were no record, scale 1 and shift 0.

    Args:
        image: Features of the picture, shape (batch, n).
        metadata: Features of the record, shape (batch, m).

    Returns:
        Shape (batch, n).

    Reference:
        Perez et al., FiLM: visual reasoning with a general conditioning layer, AAAI
        2018, equations 1 and 2.
    """
    width = image.shape[-1]
    scale = layers.Dense(
        width, kernel_initializer="zeros", bias_initializer="ones", name="film_scale"
    )(metadata)
    shift = layers.Dense(width, kernel_initializer="zeros", name="film_shift")(metadata)
    scaled = layers.Multiply(name="film_scaled")([image, scale])
    return layers.Add(name="fusion")([scaled, shift])


FUSIONS = {"concat": concatenate, "film": modulate}
