"""The metadata branch: dense layers on what `MetadataEncoder` makes."""

from collections.abc import Sequence
from typing import Any

from keras import layers

from dualnet.models.seeds import he_normal


def apply_metadata_branch(metadata: Any, *, units: Sequence[int], seed: int) -> Any:
    """Applies dense layers with relu, `metadata_dense_1`, `metadata_dense_2` ….

    Args:
        metadata: Tensor of encoded fields, never NaN, shape (batch, num_features).
        units: Width of each layer.
        seed: Seed of the first weights.

    Returns:
        Tensor of features, shape (batch, units[-1]).
    """
    for number, width in enumerate(units, start=1):
        name = f"metadata_dense_{number}"
        metadata = layers.Dense(
            width,
            activation="relu",
            kernel_initializer=he_normal(seed, name),
            name=name,
        )(metadata)
    return metadata
