"""Weights from elsewhere, put into a model where they fit."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from dualnet.errors import ConfigError
from dualnet.models.transfer import PREFIX, find_backbone
from dualnet.models.weight_files import LayerWeights, stable_names
from dualnet.wording import number_of

LARGE_SIDES = {"nasnetlarge": 331}  # other backbones have weights for 224 pixels
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Which layers a model took from elsewhere.

    Args:
        taken: Layers that have the other's weights now.
        unlike: Layers whose weights have other shapes there.
        absent: Layers that are not there.
        unused: Layers there that the model has no place for.
    """

    taken: tuple[str, ...]
    unlike: tuple[str, ...]
    absent: tuple[str, ...]
    unused: tuple[str, ...]

    def describe(self) -> str:
        """Says how many layers were taken, and which were not."""
        asked = len(self.taken) + len(self.unlike) + len(self.absent)
        others = {
            "of other shapes": self.unlike,
            "not there": self.absent,
            "not used": self.unused,
        }
        told = [
            f"{what}: {_name_some(names)}" for what, names in others.items() if names
        ]
        return "; ".join([f"{len(self.taken)} of {number_of(asked, 'layer')}", *told])


def take_weights(
    model: Any, source: LayerWeights, *, wanted: Callable[[str], bool]
) -> Taken:
    """Gives a model's layers the weights of layers of the same name and shapes.

    A layer `image_conv1` takes those of `conv1` too, as Keras names it.

    Args:
        model: A functional model; its weights are changed.
        source: Weights by layer.
        wanted: Tells by a layer's name whether it is to take weights.

    Returns:
        What was taken.
    """
    own = {layer.name: layer for layer in model.layers if layer.weights}
    taken, unlike, absent, used = [], [], [], set()
    for name, layer in own.items():
        if not wanted(name):
            continue
        there = name if name in source else name.removeprefix(PREFIX)
        arrays = source.get(there)
        if arrays is None:
            absent.append(name)
            continue
        used.add(there)
        if [one.shape for one in arrays] != [tuple(one.shape) for one in layer.weights]:
            unlike.append(name)
            continue
        layer.load_own_variables({str(key): one for key, one in enumerate(arrays)})
        taken.append(name)
    return Taken(
        taken=tuple(taken),
        unlike=tuple(unlike),
        absent=tuple(absent),
        unused=tuple(sorted(set(source) - used)),
    )


def fetch_imagenet(name: str) -> LayerWeights:
    """Fetches the ImageNet weights of a backbone by Keras' own download.

    Keras looks into `KERAS_HOME/models` first, and compares the checksum that it knows.

    Args:
        name: The backbone.

    Returns:
        The arrays of each layer.

    Raises:
        ConfigError: If they cannot be had.
    """
    side = LARGE_SIDES.get(name, 224)
    try:
        model: Any = find_backbone(name)(
            include_top=False, weights="imagenet", input_shape=(side, side, 3)
        )
    except Exception as error:  # Keras raises a bare Exception
        raise ConfigError(_unfetched(name, str(error))) from error
    flat = list(_flatten(model))
    names = stable_names((type(layer).__name__, layer.name) for layer in flat)
    weights = {
        called: layer.get_weights()
        for called, layer in zip(names, flat, strict=True)
        if layer.weights
    }
    return _fold_rescaling(weights) if name.startswith("efficientnetb") else weights


def _flatten(model: Any) -> Iterator[Any]:
    for layer in model.layers:
        if isinstance(layer, keras.Sequential):
            yield from layer.layers
        else:
            yield layer


def _fold_rescaling(weights: LayerWeights) -> LayerWeights:
    """Puts into the variance what Keras does in a layer after the normalisation."""
    # With ImageNet's weights alone, Keras adds `Rescaling(1 / sqrt(std))`: the file holds
    # standard deviations where variances belong.
    mean, variance, *others = weights["normalization_1"]
    variance = variance * np.array(IMAGENET_STD, variance.dtype)
    return weights | {"normalization_1": [mean, variance, *others]}


def _name_some(names: tuple[str, ...]) -> str:
    some = ", ".join(names[:4])
    return some if len(names) <= 4 else f"{some} and {len(names) - 4} more"


def _unfetched(name: str, said: str) -> str:
    """Says what was tried, and how to do without a network."""
    link = re.search(r"https?://\S+\.h5", said)
    where = link[0] if link else "Keras' server"
    file = where.rsplit("/", 1)[-1] if link else "its .h5 file"
    reason = said.split(where)[-1].strip(" :.") if link else said.split("\n")[0]
    return (
        f"model.weights=imagenet: the weights of {name} must come from {where}. "
        f"Received: {reason[:120] or 'no answer'}. Put that file at "
        f"KERAS_HOME/models/{file} (KERAS_HOME is ~/.keras where it is not set), or "
        "name a .keras or .weights.h5 file by model.weights."
    )
