"""The stages of a classifier: the layers that a person asks for by name.

A stage is known by the name of its convolution, pooling, sum or dense layer; its values
are taken after the normalisation and the activation function that follow that layer
directly.
"""

import difflib
import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from dualnet.errors import ConfigError

CONVOLUTIONS = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.Conv2DTranspose,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)
POOLINGS = (
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.GlobalAveragePooling2D,
)
NORMALISATIONS = (
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.GroupNormalization,
)
ACTIVATIONS = (
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.ELU,
)
MAPS = ("convolution", "pooling", "sum", "concatenation")
NAMED_KINDS = ("fusion", "logits", "probabilities")  # the model contract's own names
OTHER = "other"
MANY_STAGES = 24  # of the image branch; a page of more is not looked through
MANY_NAMES = 20  # in one message; DenseNet-121 has 300
NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Stage:
    """One stage of a model.

    Args:
        name: Its layer's.
        kind: Convolution, pooling, sum, concatenation, dense, metadata dense, fusion,
            logits, probabilities, or other for a layer that is no stage of its own.
        tensor: Its values, symbolic, with the batch axis.
        branch: What it depends on: 0 the picture, 1 the record, 2 both.
    """

    name: str
    kind: str
    tensor: Any
    branch: int


def select_stages(
    model: keras.Model, layers: Sequence[str] | None = None
) -> list[Stage]:
    """Finds the stages of a model, image branch first, then metadata branch, then both.

    Args:
        model: A functional model, as `build_dual_classifier` makes it.
        layers: Names or patterns such as `image_conv_*`; None is every stage, or of
            an image branch with more than `MANY_STAGES` its first convolution and the
            last stage of each size of its maps. A pattern that matches no stage is
            tried on every other layer.

    Returns:
        The stages, in the order in which they are shown.

    Raises:
        ConfigError: If a pattern matches no layer.
    """
    everything = list_stages(model)
    stages = [stage for stage in everything if stage.kind != OTHER]
    if layers is None:
        return _thin(stages)
    chosen: set[str] = set()
    for pattern in layers:
        chosen |= _match(pattern, [stage.name for stage in stages]) or _match(
            pattern, [stage.name for stage in everything]
        )
        if not _match(pattern, chosen):
            raise ConfigError(_say_unmatched(pattern, stages))
    return [stage for stage in everything if stage.name in chosen]


def list_stages(model: keras.Model) -> list[Stage]:
    """Lists every layer once: image branch, metadata branch, then the rest.

    Args:
        model: A functional model, as `build_dual_classifier` makes it.

    Returns:
        The layers of one output, those that are no stage of their own among them.
    """
    consumers: dict[int, list[keras.layers.Layer]] = {}
    for layer in model.layers:
        for tensor in tensors_of(layer, "input"):
            consumers.setdefault(id(tensor), []).append(layer)
    sources = find_sources(model)
    stages = [
        _stage(layer, consumers, sources)
        for layer in model.layers
        if not isinstance(layer, keras.layers.InputLayer)
        and len(tensors_of(layer, "output")) == 1
    ]
    return sorted(stages, key=lambda stage: stage.branch)


def _thin(stages: list[Stage]) -> list[Stage]:
    """Of a deep image branch, keeps one stage for each size of its maps."""
    branch = [
        stage
        for stage in stages
        if stage.branch == 0 and (stage.kind in MAPS or _side(stage))
    ]
    if len(branch) <= MANY_STAGES:
        return stages
    first = next(stage for stage in branch if stage.kind == "convolution")
    # squeeze and excitation has maps of 1x1, and means nothing to look at
    last = {_side(stage): stage.name for stage in branch if _side(stage) > 1}
    kept = {first.name, *last.values(), "image_pool"}
    left = {stage.name for stage in branch} - kept
    return [stage for stage in stages if stage.name not in left]


def _side(stage: Stage) -> int:
    """The height of a stage's maps; 0 of a vector."""
    shape = stage.tensor.shape
    return shape[1] if len(shape) == 4 else 0


def _match(pattern: str, names: Sequence[str] | set[str]) -> set[str]:
    return {name for name in names if fnmatch.fnmatchcase(name, pattern)}


def _say_unmatched(pattern: str, stages: Sequence[Stage]) -> str:
    names = [stage.name for stage in stages]
    near = difflib.get_close_matches(pattern, names, n=3)
    hint = f"Near it: {', '.join(near)}. " if near else ""
    shown = ", ".join(names[:MANY_NAMES])
    more = len(names) - MANY_NAMES
    return (
        "layers: each must name a layer of the model, or be a pattern such as "
        f"'image_conv_*'. Received: {pattern!r}. {hint}"
        f"Choose from: {shown}{f' and {more} more' if more > 0 else ''}."
    )


def _stage(
    layer: keras.layers.Layer,
    consumers: Mapping[int, list[keras.layers.Layer]],
    sources: Mapping[int, frozenset[str]],
) -> Stage:
    tensor = tensors_of(layer, "output")[0]
    inputs = sources[id(tensor)]
    branch = 2 if len(inputs) > 1 else int(inputs == {"metadata"})
    kind = _kind(layer)
    if kind == "dense" and branch == 1:
        kind = "metadata dense"
    if kind in MAPS:
        tensor = _activated(layer, consumers)
    return Stage(layer.name, kind, tensor, branch)


def _kind(layer: keras.layers.Layer) -> str:
    if layer.name in NAMED_KINDS:
        return layer.name
    kinds = {
        "convolution": CONVOLUTIONS,
        "pooling": POOLINGS,
        "sum": (keras.layers.Add,),
        "concatenation": (keras.layers.Concatenate,),
        "dense": (keras.layers.Dense,),
    }
    found = (kind for kind, classes in kinds.items() if isinstance(layer, classes))
    kind = next(found, OTHER)
    repeated = len({id(one) for one in tensors_of(layer, "input")}) == 1
    return OTHER if kind == "concatenation" and repeated else kind  # gray, three times


def _activated(
    layer: keras.layers.Layer, consumers: Mapping[int, list[keras.layers.Layer]]
) -> Any:
    """Follows a layer through its normalisation to its activation, if it has them."""
    tensor = tensors_of(layer, "output")[0]
    while len(following := consumers.get(id(tensor), [])) == 1:
        if not isinstance(following[0], NORMALISATIONS + ACTIVATIONS):
            break
        tensor = tensors_of(following[0], "output")[0]
        if isinstance(following[0], ACTIVATIONS):
            break
    return tensor


def find_sources(model: Any) -> dict[int, frozenset[str]]:
    """Finds the inputs that each symbolic tensor of a model depends on.

    In one pass from the inputs on. To follow every tensor back, as
    `keras.utils.get_source_inputs` does, takes DenseNet-121 minutes: its paths double
    with each layer.

    Args:
        model: A functional model.

    Returns:
        `id` of each tensor to the names of the inputs.
    """
    sources = {id(tensor): frozenset({tensor.name}) for tensor in model.inputs}
    for operation in model.operations:
        taken = [
            sources.get(id(one), NOTHING) for one in tensors_of(operation, "input")
        ]
        for tensor in tensors_of(operation, "output"):
            sources.setdefault(id(tensor), NOTHING.union(*taken))
    return sources


def tensors_of(layer: Any, side: str) -> list[Any]:
    """Returns the symbolic inputs or outputs of a layer that is used once.

    Args:
        layer: Of a functional model.
        side: `input` or `output`.

    Returns:
        The tensors; none of a layer that is used several times.
    """
    try:
        return keras.tree.flatten(getattr(layer, side))
    except (AttributeError, ValueError):  # used several times, or not in this graph
        return []
