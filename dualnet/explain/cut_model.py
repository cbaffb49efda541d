"""A model cut at the maps of one layer, so that what lies above can be asked alone."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from dualnet.errors import ConfigError, RunError
from dualnet.explain.forward import Forward, compile_forward
from dualnet.explain.gradients import Gradient, compile_gradient
from dualnet.explain.stages import MANY_NAMES, MAPS, Stage, list_stages
from dualnet.models.graph import build_above

PICTURE = "image"  # the input itself, where a method looks at no layer
# That of the last maps of most backbones, for pictures of 224. `residual` has 4x4 at the
# end of pictures of 128: there the share of HiResCAM inside the box of the finding is .15,
# of the maps of 8x8 before them .27 (phantom, 200 boxes, where chance is .10).
SMALLEST_SIDE = 7


@dataclass(frozen=True)
class CutModel:
    """What a picture's maps at one layer are, and what the logits make of them.

    Args:
        layer: The layer's name, or `image`.
        names: The names of the model's inputs, in its order.
        shape: Height, width and channels of the maps.
        num_outputs: How many logits there are.
        below: The list of inputs to the maps; None where the maps are the picture.
        above: The list of the maps and all inputs (but the picture, where it is the
            maps) to the logits. Where a shortcut goes around the layer it is computed
            from the picture.
        gradient: That of the logits by the maps.
    """

    layer: str
    names: tuple[str, ...]
    shape: tuple[int, int, int]
    num_outputs: int
    below: Forward | None
    above: Forward
    gradient: Gradient

    def read_maps(self, batch: Mapping[str, np.ndarray]) -> np.ndarray:
        """Computes the maps of a batch.

        Args:
            batch: Arrays by the names of the inputs.

        Returns:
            float32, shape (batch, height, width, channels).
        """
        if self.below is None:
            return batch[PICTURE]
        return self.below([batch[name] for name in self.names])

    def differentiate(
        self, maps: np.ndarray, batch: Mapping[str, np.ndarray], columns: np.ndarray
    ) -> np.ndarray:
        """Computes the gradient of one logit a row by the maps.

        Args:
            maps: Where to take it, shape (batch, height, width, channels).
            batch: Arrays by the names of the inputs.
            columns: The logit of each row, shape (batch,).

        Returns:
            float32, the shape of `maps`.
        """
        weights = np.eye(self.num_outputs, dtype=np.float32)[columns]
        return self.gradient(self._given(maps, batch), weights)

    def read_logits(
        self, maps: np.ndarray, batch: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Computes the logits from maps.

        Args:
            maps: Shape (batch, height, width, channels).
            batch: Arrays by the names of the inputs.

        Returns:
            float32, shape (batch, num_outputs).
        """
        return self.above(self._given(maps, batch))

    def _given(
        self, maps: np.ndarray, batch: Mapping[str, np.ndarray]
    ) -> list[np.ndarray]:
        rest = [batch[n] for n in self.names if self.below is not None or n != PICTURE]
        return [maps, *rest]


def cut_at_layer(model: keras.Model, layer: str | None) -> CutModel:
    """Cuts a model at the maps of a layer.

    Args:
        model: A functional model with the input `image` and the layer `logits`, as
            `build_dual_classifier` makes it; its weights are shared.
        layer: A layer's name; its maps are taken after the normalisation and the
            activation that follow it, as `compute_activations` takes them. None: the
            last one of the image branch with maps of at least 7x7.

    Returns:
        The cut model.

    Raises:
        ConfigError: If the layer is not there, or has no maps.
        RunError: If the model reads no picture, or has no logits.
    """
    logits = _find_logits(model)
    stages = {one.name: one for one in list_stages(model) if _has_maps(one)}
    name = _find_last(list(stages.values())) if layer is None else layer
    if name not in stages:
        raise ConfigError(_say_unfit(name, model, stages))
    maps = stages[name].tensor
    above = build_above(model, [maps, *model.inputs], logits, name="above")
    return CutModel(
        layer=name,
        names=_input_names(model),
        shape=tuple(maps.shape[1:]),
        num_outputs=logits.shape[-1],
        below=compile_forward(keras.Model(list(model.inputs), maps, name="below")),
        above=compile_forward(above),
        gradient=compile_gradient(above),
    )


def cut_at_picture(model: keras.Model) -> CutModel:
    """Cuts a model at its picture: the maps are the gray values.

    Args:
        model: As `cut_at_layer` takes it.

    Returns:
        The cut model.

    Raises:
        RunError: If the model reads no picture, or has no logits.
    """
    logits = _find_logits(model)
    picture = next(one for one in model.inputs if one.name == PICTURE)
    rest = [one for one in model.inputs if one.name != PICTURE]
    above = keras.Model([picture, *rest], logits, name="above")
    return CutModel(
        layer=PICTURE,
        names=_input_names(model),
        shape=tuple(picture.shape[1:]),
        num_outputs=logits.shape[-1],
        below=None,
        above=compile_forward(above),
        gradient=compile_gradient(above),
    )


def split_batches(
    inputs: Mapping[str, np.ndarray], batch_size: int
) -> Iterator[tuple[slice, dict[str, np.ndarray]]]:
    """Deals rows to batches of one size; what is compiled for it is compiled once.

    Args:
        inputs: Arrays of the same rows.
        batch_size: Rows at a time.

    Yields:
        Which rows, and their arrays, float32; the last batch is filled up with its
        last row.
    """
    num_rows = len(next(iter(inputs.values())))
    size = min(batch_size, num_rows)
    for start in range(0, num_rows, max(1, size)):
        rows = np.minimum(np.arange(start, start + size), num_rows - 1)
        batch = {name: np.asarray(x[rows], np.float32) for name, x in inputs.items()}
        yield slice(start, min(start + size, num_rows)), batch


def _find_logits(model: keras.Model) -> Any:
    names = _input_names(model)
    if PICTURE not in names:
        raise RunError(
            "model: must read a picture to have a heat map. "
            f"Received: the input {', '.join(names)} alone. "
            "Name a run of a fused or an image-only model."
        )
    layers = {layer.name: layer for layer in model.layers}
    if "logits" not in layers:
        raise RunError(
            "model: must have the layer logits to have a heat map. "
            f"Received: {', '.join(list(layers)[-3:])} as its last layers. "
            "Name a run of a model that dualnet built."
        )
    return layers["logits"].output


def _input_names(model: keras.Model) -> tuple[str, ...]:
    return tuple(tensor.name for tensor in model.inputs)


def _has_maps(stage: Stage) -> bool:
    return len(stage.tensor.shape) == 4


def _find_last(stages: Sequence[Stage]) -> str:
    """Returns the deepest stage of maps that are fine enough to point somewhere."""
    sides = {
        one.name: min(one.tensor.shape[1:3])
        for one in stages
        if one.kind in MAPS and one.kind != "pooling"
    }
    finest = max(sides.values(), default=0)
    if finest < 2:
        raise ConfigError(
            "layer: maps of at least 2x2 are needed. Received: a model that has none. "
            "Use larger pictures, or occlusion."
        )
    return [n for n, side in sides.items() if side >= min(finest, SMALLEST_SIDE)][-1]


def _say_unfit(name: str, model: keras.Model, stages: Mapping[str, Stage]) -> str:
    names = [one.name for one in stages.values() if one.kind in MAPS]
    near = difflib.get_close_matches(name, list(stages), n=3)
    hint = f"Near it: {', '.join(near)}. " if near else ""
    known = name in {layer.name for layer in model.layers}
    received = f"{name!r}, which has none" if known else repr(name)
    more = len(names) - MANY_NAMES
    return (
        "layer: must name a layer of the image branch that has maps. "
        f"Received: {received}. {hint}Choose from: {', '.join(names[:MANY_NAMES])}"
        f"{f' and {more} more' if more > 0 else ''}."
    )
