"""Intermediate activations: what each stage of a classifier makes of its input.

Arrays only, on any Keras back end, before saving and after loading alike. A stage is
known by the name of its convolution, pooling, sum or dense layer; its values are taken
after the normalisation and the activation function that follow that layer directly.
"""

import difflib
import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from dualnet.errors import ConfigError, ImageError, RecordError

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
LOW_PERCENTILE, HIGH_PERCENTILE = 1, 99


@dataclass(frozen=True)
class _Stage:
    name: str
    kind: str
    tensor: Any  # symbolic, with the batch axis
    branch: int  # 0 image, 1 metadata, 2 both


@dataclass(frozen=True, kw_only=True)
class ChannelStatistics:
    """What the channels of one stage do for one input.

    Args:
        dead: Whether each channel has no value above 0, or the same value
            everywhere; bool, shape (channels,).
        activity: Mean absolute value of each channel, shape (channels,).
        order: The channels, most active first, the dead ones last.
        low: 1st percentile of the whole stage: the low end of the colour scale.
        high: 99th percentile, above `low` wherever the stage is not constant.
    """

    dead: np.ndarray
    activity: np.ndarray
    order: np.ndarray
    low: float
    high: float

    @property
    def num_channels(self) -> int:
        """How many channels there are."""
        return len(self.dead)

    @property
    def num_dead(self) -> int:
        """How many channels are dead for this input."""
        return int(self.dead.sum())


def activation_layers(
    model: keras.Model, layers: Sequence[str] | None = None
) -> list[tuple[str, str]]:
    """Lists the stages of a model, in the order in which they are shown.

    Image branch first, then metadata branch, then what both feed.

    Args:
        model: A functional model, as `build_dual_classifier` makes it.
        layers: Names or patterns such as `image_conv_*`; None is every stage, or of
            an image branch with more than `MANY_STAGES` its first convolution and the
            last stage of each size of its maps. A pattern that matches no stage is
            tried on every other layer.

    Returns:
        Name and kind of each: convolution, pooling, sum, concatenation, dense, fusion, logits,
        probabilities, or other for a layer that is no stage of its own.

    Raises:
        ConfigError: If a pattern matches no layer.
    """
    return [(stage.name, stage.kind) for stage in _select(model, layers)]


def compute_activations(
    model: keras.Model,
    inputs: Mapping[str, np.ndarray],
    layers: Sequence[str] | None = None,
) -> dict[str, np.ndarray]:
    """Computes the activations of all stages in one forward pass.

    Args:
        model: A functional model, as `build_dual_classifier` makes it.
        inputs: One array per input of the model, by its name, batch axis first:
            `image` (batch, size, size, 1), gray values 0-255; `metadata` (batch,
            features). Inputs that the model does not have are left aside.
        layers: Names or patterns, as in `activation_layers`.

    Returns:
        Name of each stage to its values, float32, batch axis first, in the order
        of `activation_layers`.

    Raises:
        ConfigError: If a pattern matches no layer.
        ImageError: If the image is absent or has another shape than the model's.
        RecordError: If the metadata are, or hold a NaN.
    """
    stages = _select(model, layers)
    symbolic = _inputs(model)
    arrays = {
        name: _checked(name, tensor, inputs.get(name))
        for name, tensor in symbolic.items()
    }
    inner = keras.Model(symbolic, {stage.name: stage.tensor for stage in stages})
    outputs: Any = inner(arrays, training=False)
    return {
        stage.name: np.asarray(
            keras.ops.convert_to_numpy(outputs[stage.name]), np.float32
        )
        for stage in stages
    }


def compute_statistics(values: np.ndarray) -> ChannelStatistics:
    """Computes what the channels of one stage do for one input.

    Args:
        values: Activations without batch axis, shape (height, width, channels) or
            (channels,).

    Returns:
        The statistics; of a vector, a unit is dead if it is not above 0.

    Example:
        >>> maps = np.array([[[0.0, 1.0, -2.0]], [[0.0, 5.0, -4.0]]])  # (2, 1, 3)
        >>> statistics = compute_statistics(maps)
        >>> statistics.dead.tolist(), statistics.order.tolist()
        ([True, False, True], [1, 2, 0])
    """
    flat = np.asarray(values, np.float32).reshape(-1, values.shape[-1])
    dead = flat.max(axis=0) <= 0
    if len(flat) > 1:
        dead |= flat.max(axis=0) == flat.min(axis=0)
    activity = np.abs(flat).mean(axis=0)
    low, high = np.percentile(flat, (LOW_PERCENTILE, HIGH_PERCENTILE))
    if low == high:  # nearly all values are alike: the whole range says more
        low, high = flat.min(), flat.max()
    return ChannelStatistics(
        dead=dead,
        activity=activity,
        order=np.lexsort((np.arange(len(dead)), -activity, dead)),
        low=float(low),
        high=float(high),
    )


def first_filters(model: keras.Model) -> np.ndarray | None:
    """Returns the kernels of the first convolution of the image branch.

    Args:
        model: A functional model.

    Returns:
        Kernels, float32, shape (height, width, inputs, filters); None for a model
        without a convolution, such as one of the metadata alone.
    """
    for name, kind in activation_layers(model):
        if kind == "convolution":
            kernel = model.get_layer(name).get_weights()[0]
            return np.asarray(kernel, np.float32)
    return None


def fusion_parts(model: keras.Model) -> dict[str, int]:
    """Says how the fusion vector is divided between the branches.

    Args:
        model: A functional model, as `build_dual_classifier` makes it.

    Returns:
        Name of the input behind each part to the number of its units, in the order
        of the vector; empty where `fusion` does not join several branches.
    """
    layers = {layer.name: layer for layer in model.layers}
    fusion = layers.get("fusion")
    tensors = _tensors(fusion, "input") if fusion is not None else []
    if len(tensors) < 2 or not isinstance(fusion, keras.layers.Concatenate):
        return {}
    return {"+".join(sorted(_sources(tensor))): tensor.shape[-1] for tensor in tensors}


def _select(model: keras.Model, patterns: Sequence[str] | None) -> list[_Stage]:
    everything = _stages(model)
    stages = [stage for stage in everything if stage.kind != OTHER]
    if patterns is None:
        return _thin(stages)
    chosen: set[str] = set()
    for pattern in patterns:
        chosen |= _match(pattern, [stage.name for stage in stages]) or _match(
            pattern, [stage.name for stage in everything]
        )
        if not _match(pattern, chosen):
            raise _unmatched(pattern, stages)
    return [stage for stage in everything if stage.name in chosen]


def _thin(stages: list[_Stage]) -> list[_Stage]:
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


def _side(stage: _Stage) -> int:
    """The height of a stage's maps; 0 of a vector."""
    shape = stage.tensor.shape
    return shape[1] if len(shape) == 4 else 0


def _match(pattern: str, names: Sequence[str] | set[str]) -> set[str]:
    return {name for name in names if fnmatch.fnmatchcase(name, pattern)}


def _unmatched(pattern: str, stages: Sequence[_Stage]) -> ConfigError:
    names = [stage.name for stage in stages]
    near = difflib.get_close_matches(pattern, names, n=3)
    hint = f"Near it: {', '.join(near)}. " if near else ""
    return ConfigError(
        "layers: each must name a layer of the model, or be a pattern such as "
        f"'image_conv_*'. Received: {pattern!r}. {hint}"
        f"Choose from: {', '.join(names)}."
    )


def _stages(model: keras.Model) -> list[_Stage]:
    """Returns every layer once, image branch, metadata branch, then the rest."""
    consumers: dict[int, list[keras.layers.Layer]] = {}
    for layer in model.layers:
        for tensor in _tensors(layer, "input"):
            consumers.setdefault(id(tensor), []).append(layer)
    stages = [
        _stage(layer, consumers)
        for layer in model.layers
        if not isinstance(layer, keras.layers.InputLayer)
        and len(_tensors(layer, "output")) == 1
    ]
    return sorted(stages, key=lambda stage: stage.branch)


def _stage(
    layer: keras.layers.Layer, consumers: Mapping[int, list[keras.layers.Layer]]
) -> _Stage:
    tensor = _tensors(layer, "output")[0]
    sources = _sources(tensor)
    branch = 2 if len(sources) > 1 else int(sources == {"metadata"})
    kind = _kind(layer)
    if kind == "dense" and branch == 1:
        kind = "metadata dense"
    if kind in MAPS:
        tensor = _activated(layer, consumers)
    return _Stage(layer.name, kind, tensor, branch)


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
    repeated = len({id(one) for one in _tensors(layer, "input")}) == 1
    return OTHER if kind == "concatenation" and repeated else kind  # gray, three times


def _activated(
    layer: keras.layers.Layer, consumers: Mapping[int, list[keras.layers.Layer]]
) -> Any:
    """Follows a layer through its normalisation to its activation, if it has them."""
    tensor = _tensors(layer, "output")[0]
    while len(following := consumers.get(id(tensor), [])) == 1:
        if not isinstance(following[0], NORMALISATIONS + ACTIVATIONS):
            break
        tensor = _tensors(following[0], "output")[0]
        if isinstance(following[0], ACTIVATIONS):
            break
    return tensor


def _sources(tensor: Any) -> set[str]:
    return {source.name for source in keras.utils.get_source_inputs(tensor)}


def _tensors(layer: keras.layers.Layer, side: str) -> list[Any]:
    """Returns the symbolic inputs or outputs of a layer that is used once."""
    try:
        return keras.tree.flatten(getattr(layer, side))
    except (AttributeError, ValueError):  # used several times, or not in this graph
        return []


def _inputs(model: keras.Model) -> dict[str, Any]:
    return {tensor.name: tensor for tensor in model.inputs}


def _checked(name: str, tensor: Any, values: np.ndarray | None) -> np.ndarray:
    error = ImageError if name == "image" else RecordError
    shape = ", ".join("any" if side is None else str(side) for side in tensor.shape[1:])
    received = "none" if values is None else f"shape={values.shape}"
    if (
        values is None
        or values.ndim != len(tensor.shape)
        or any(
            side not in {None, got}
            for side, got in zip(tensor.shape[1:], values.shape[1:], strict=True)
        )
    ):
        raise error(
            f"{name}: shape must be (batch, {shape}). Received: {received}. "
            "Make it as the model's training did."
        )
    if not np.isfinite(values).all():
        raise error(
            f"{name}: every value must be finite. Received: a NaN or an infinity. "
            "Encode missing values with the run's MetadataEncoder."
        )
    return values
