"""First weights that depend on `seed` and the layer's name alone."""

import zlib
from typing import Any

from keras import initializers


def layer_seed(seed: int, name: str) -> int:
    """Returns the seed of one layer's initialiser or dropout.

    It depends on the layer's name, not on how many layers were made before it: a
    branch begins with the same weights in every ablation.

    Args:
        seed: The model's seed.
        name: The layer's name.

    Returns:
        An integer in `[0, 2**31)`.

    Example:
        >>> layer_seed(0, "image_conv_1") == layer_seed(0, "image_conv_2")
        False
    """
    return zlib.crc32(f"{seed} {name}".encode()) % 2**31


def he_normal(seed: int, name: str) -> Any:
    """Returns the initialiser of a layer that relu follows.

    Args:
        seed: The model's seed.
        name: The layer's name.

    Returns:
        A Keras initialiser.

    Reference:
        He et al., Delving deep into rectifiers, ICCV 2015, section 2.2.
    """
    return initializers.HeNormal(seed=layer_seed(seed, name))


def glorot_uniform(seed: int, name: str) -> Any:
    """Returns the initialiser of a layer that softmax follows.

    Args:
        seed: The model's seed.
        name: The layer's name.

    Returns:
        A Keras initialiser.

    Reference:
        Glorot and Bengio, Understanding the difficulty of training deep feedforward
        neural networks, AISTATS 2010, equation 16.
    """
    return initializers.GlorotUniform(seed=layer_seed(seed, name))
