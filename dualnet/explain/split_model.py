"""A model in two: what the picture alone decides, and what is made of it and a record.

To explain one radiograph, a model is asked thousands of times with the same few pictures
and other records. What it makes of a picture is computed once; what is asked again is
the few layers behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from dualnet.models.dual import output_activation
from dualnet.models.graph import build_above
from dualnet.models.parts import Features, cut_at_fusion

ROWS_AT_A_TIME = 1024


@dataclass(frozen=True, kw_only=True)
class Cases:
    """What a model is told of some radiographs.

    Args:
        pictures: What it makes of the pictures, as `SplitModel.read_pictures` returns
            it: float32, each of shape (n, ...); none for a model of the record alone.
        metadata: The encoded records, float32, shape (n, features); no features for a
            model of the picture alone.
    """

    pictures: Sequence[np.ndarray]
    metadata: np.ndarray

    def __len__(self) -> int:
        return len(self.metadata)

    def take(self, rows: np.ndarray) -> "Cases":
        """Returns some of the rows, integers or bool, in the order asked for."""
        return Cases(
            pictures=[one[rows] for one in self.pictures], metadata=self.metadata[rows]
        )


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a model says of some radiographs.

    Args:
        features: What its layer `logits` is given, float32, shape (n, k).
        logits: float32, shape (n, classes).
    """

    features: np.ndarray
    logits: np.ndarray


@dataclass(frozen=True, kw_only=True)
class SplitModel:
    """A model in two, with the weights of the one that was split.

    Args:
        picture: `{"image"}` to the list of what the record meets; None for a model of
            the record alone.
        head: That list, and the encoded metadata if the model reads them, to the list
            of features and logits.
        reads_metadata: Whether it reads the record.
        activation: What makes probabilities of logits: `softmax` or `sigmoid`.
    """

    picture: keras.Model | None
    head: keras.Model
    reads_metadata: bool
    activation: str

    def read_pictures(self, pictures: Any) -> Features:
        """Computes what the model makes of pictures.

        Args:
            pictures: Batches of `{"image"}` in a fixed order, as `predict` takes them,
                or one such batch.

        Returns:
            The features, float32, in the order of the rows; none for a model of the
            record alone.
        """
        if self.picture is None:
            return []
        found = self.picture.predict(pictures, verbose=0)
        found = list(found) if isinstance(found, Sequence) else [found]
        return [np.asarray(one, np.float32) for one in found]

    def answer(self, cases: Cases) -> Answers:
        """Computes features and logits, some rows at a time.

        Args:
            cases: What the model is told.

        Returns:
            Its answers, in the order of the rows.
        """
        blocks = [
            self._answer_some(cases.take(np.arange(start, end)))
            for start, end in _chunks(len(cases))
        ]
        return Answers(
            features=np.concatenate([one.features for one in blocks]),
            logits=np.concatenate([one.logits for one in blocks]),
        )

    def _answer_some(self, cases: Cases) -> Answers:
        given = [*cases.pictures, *([cases.metadata] if self.reads_metadata else [])]
        # called, not predicted: to trace a graph takes longer than these few layers
        found: Any = self.head(given, training=False)
        features, logits = (
            np.asarray(keras.ops.convert_to_numpy(one), np.float32) for one in found
        )
        return Answers(features=features, logits=logits)


def split_model(model: keras.Model) -> SplitModel:
    """Splits a model behind what depends on the picture alone.

    Args:
        model: A functional model with the layer `logits` and the inputs `image`,
            `metadata` or both; its weights are shared, not copied.

    Returns:
        Its two parts.

    Raises:
        RunError: If it has both inputs and cannot be cut where they meet.
    """
    inputs = {tensor.name: tensor for tensor in model.inputs}
    logits = model.get_layer("logits")
    both: Any = [logits.input, logits.output]
    picture = None
    if "metadata" not in inputs:
        picture = keras.Model(inputs, logits.input, name="picture")
        meeting = [logits.input]
    elif "image" not in inputs:
        meeting = [inputs["metadata"]]
    else:
        picture = cut_at_fusion(model).picture
        meeting = [*picture.outputs, inputs["metadata"]]
    return SplitModel(
        picture=picture,
        head=build_above(model, meeting, both, name="head"),
        reads_metadata="metadata" in inputs,
        activation=output_activation(model),
    )


def _chunks(num_rows: int) -> list[tuple[int, int]]:
    starts = range(0, max(1, num_rows), ROWS_AT_A_TIME)
    return [(start, min(start + ROWS_AT_A_TIME, num_rows)) for start in starts]
