"""The sanity check of heat maps: weights shuffled layer by layer must destroy the map.

A method whose map stays as it was when the model has forgotten all that it learnt shows
the picture, not the model: it works as an edge detector does.

Reference:
    Adebayo et al., Sanity checks for saliency maps, NeurIPS 2018, section 3 (cascading
    randomisation, from the answer down; rank correlation of the maps).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
from scipy.stats import rankdata

from dualnet.evaluation.intervals.bootstrap import PatientResamples
from dualnet.explain.localisation import resample_scores
from dualnet.explain.stages import find_sources, tensors_of

MAX_STAGES = 6


def list_stages(model: keras.Model) -> list[list[str]]:
    """Lists which layers are shuffled together, from the answer down.

    Args:
        model: A functional model with the input `image` and the layer `logits`.

    Returns:
        Names of the layers with weights that the picture passes, at most `MAX_STAGES`
        groups: `logits` alone, then the others in equal shares. Layers of the record
        alone are left out, as no map of the picture sees them.
    """
    sources = find_sources(model)
    names = [
        layer.name
        for layer in reversed(model.layers)
        if layer.weights
        and any("image" in sources[id(one)] for one in tensors_of(layer, "output"))
    ]
    below = np.array_split(names[1:], min(MAX_STAGES - 1, len(names[1:])) or 1)
    return [names[:1], *(list(map(str, stage)) for stage in below if len(stage))]


def copy_model(model: keras.Model) -> keras.Model:
    """Returns a copy with weights of its own, for `shuffle_stages`.

    Args:
        model: A functional model.
    """
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def shuffle_stages(model: keras.Model, *, seed: int) -> Iterator[str]:
    """Shuffles the weights of a model, stage by stage, from the answer down.

    The values of each array are dealt anew to its places, so that their size and spread
    stay: what a layer learnt is gone, but not how strong it is.

    Args:
        model: A copy from `copy_model`: its weights are changed.
        seed: Decides the shuffles.

    Yields:
        The name of the lowest layer whose weights are shuffled by now.
    """
    random = np.random.default_rng((seed, 6))
    for stage in list_stages(model):
        for name in stage:
            layer = model.get_layer(name)
            layer.set_weights(
                [
                    random.permutation(weights.ravel()).reshape(weights.shape)
                    for weights in layer.get_weights()
                ]
            )
        yield stage[-1]


def correlate_maps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Computes the rank correlation of maps, pair by pair.

    Of the positive parts, as they are scored against boxes.

    Args:
        first: Shape (n, height, width).
        second: Of the same shape.

    Returns:
        Spearman's coefficient, ties by their mean rank, float64, shape (n,); 0 where a
        map is the same everywhere, and so says nothing of the other.
    """
    num_places = first[0].size if len(first) else 1
    ranks = [
        rankdata(np.maximum(one, 0).reshape(len(one), num_places), axis=1)
        for one in (first, second)
    ]
    centred = [one - one.mean(axis=1, keepdims=True) for one in ranks]
    common = (centred[0] * centred[1]).sum(axis=1)
    spread = np.sqrt((centred[0] ** 2).sum(axis=1) * (centred[1] ** 2).sum(axis=1))
    return np.divide(common, spread, out=np.zeros(len(common)), where=spread > 0)


def describe_correlations(
    stages: Mapping[str, np.ndarray], draws: PatientResamples
) -> dict[str, Any]:
    """Describes how alike the maps are to those of the trained model.

    Args:
        stages: By the name of the lowest layer shuffled, the correlation of each row's
            map with that of the trained model, shape (n,).
        draws: Draws of patients over the rows.

    Returns:
        Plain values: `n`, `num_patients`, and `stages`: `layer`, the mean
        `correlation` and its `interval`.
    """
    means = {
        layer: resample_scores(draws, values[:, np.newaxis])
        for layer, values in stages.items()
    }
    return {
        "n": len(draws.codes),
        "num_patients": draws.num_patients,
        "stages": [
            {
                "layer": layer,
                "correlation": float(one.values[0]),
                "interval": one.intervals()[0],
            }
            for layer, one in means.items()
        ],
    }
