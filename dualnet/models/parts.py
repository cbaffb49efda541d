"""A fused model cut where picture and record meet, so that each is computed once.

An audit asks the same pictures with many records. What a picture alone decides is
nearly all of the work, and it does not depend on the record: it is kept, and only the
few layers after it are computed again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from dualnet.errors import RunError
from dualnet.models.graph import build_above

Features = list[np.ndarray]
"""What pictures give to the fusion, each of shape (n, ...), in the model's precision."""


@dataclass(frozen=True)
class FusedParts:
    """A fused model in two, with the weights of the one that was cut.

    Args:
        picture: `{"image"}` to the list of what the fusion takes of it.
        rest: That list and the encoded metadata to the probabilities.
    """

    picture: keras.Model
    rest: keras.Model

    def read_pictures(self, batches: Any) -> Features:
        """Computes what pictures give to the fusion; the pictures are not kept.

        Args:
            batches: Batches of `{"image"}` alone, in a fixed order.

        Returns:
            The features, in the order of the rows.
        """
        return _as_list(self.picture.predict(batches, verbose=0))

    def predict(
        self, features: Features, metadata: np.ndarray, *, batch_size: int
    ) -> np.ndarray:
        """Predicts from what was kept of the pictures, and records.

        Args:
            features: As `read_pictures` returns them.
            metadata: Encoded, of the same rows, shape (n, num_features).
            batch_size: Rows at a time.

        Returns:
            Probabilities, float32, shape (n, num_classes).
        """
        inputs = [*features, metadata]
        # `predict` sets up a data set each time, a tenth of a second, for a few ms of work
        chunks = [
            self.rest.predict_on_batch(
                [one[start : start + batch_size] for one in inputs]
            )
            for start in range(0, len(metadata), batch_size)
        ]
        return np.concatenate(chunks).astype(np.float32, copy=False)


def cut_at_fusion(model: keras.Model) -> FusedParts:
    """Cuts a model after what depends on the picture alone.

    Nothing is asked of the model but two inputs, `image` and `metadata`, and layers
    that are each used once: it may have been fitted in halves or as a whole, and meet
    in a sum, a concatenation or anything else, in one place or several.

    Args:
        model: A functional model; its weights are shared, not copied.

    Returns:
        Its two parts.

    Raises:
        RunError: If it has other inputs, or a layer that is used more than once.
    """
    inputs = {tensor.name: tensor for tensor in model.inputs}
    if set(inputs) != {"image", "metadata"}:
        raise RunError(
            "model: must have the inputs image and metadata to be audited. "
            f"Received: {', '.join(sorted(inputs))}. Name a run of a fused model."
        )
    meeting = _find_meeting(model, inputs)
    picture = keras.Model({"image": inputs["image"]}, meeting, name="picture")
    met = [*meeting, inputs["metadata"]]
    rest = build_above(model, met, model.outputs[0], name="rest")
    return FusedParts(picture=picture, rest=rest)


def show_features(model: keras.Model) -> keras.Model:
    """Returns a model that says its features too: what its layer `logits` takes.

    Args:
        model: A functional model with the layer `logits`; its weights are shared.

    Returns:
        The model from the same inputs to the list of features and probabilities.
    """
    inputs = {tensor.name: tensor for tensor in model.inputs}
    features = model.get_layer("logits").input
    return keras.Model(inputs, [features, model.outputs[0]], name="features")


def _find_meeting(model: keras.Model, inputs: dict[str, Any]) -> list[Any]:
    """Finds what the picture alone decides and something of the record is joined to."""
    sources = {id(tensor): {name} for name, tensor in inputs.items()}
    meeting = {}
    for layer in model.layers:  # each stands after those that it takes from
        if isinstance(layer, keras.layers.InputLayer):
            continue
        taken = _as_list(layer.input)
        _check_traced(layer, taken, sources)
        reached = set().union(*(sources[id(one)] for one in taken))
        if reached == set(inputs):
            meeting |= {id(one): one for one in taken if sources[id(one)] == {"image"}}
        sources |= {id(tensor): reached for tensor in _as_list(layer.output)}
    return list(meeting.values())


def _check_traced(
    layer: keras.layers.Layer, taken: list[Any], sources: dict[int, set[str]]
) -> None:
    """Refuses a layer of several uses: `input` and `output` tell of one of them."""
    if all(id(one) in sources for one in taken):
        return
    raise RunError(
        "model: each layer must be used once to be audited. "
        f"Received: {layer.name}, which takes what a layer of several uses makes, "
        "or is one. Name a run of a model that dualnet built."
    )


def _as_list(values: Any) -> list[Any]:
    return list(values) if isinstance(values, Sequence) else [values]
