"""The dual classifier: image branch and metadata branch, joined by fusion."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
from keras import layers

from dualnet.errors import ConfigError
from dualnet.image_branches import expected_branch
from dualnet.models.fusion import FUSIONS, apply_fusion
from dualnet.models.image_branch import IMAGE_BRANCHES
from dualnet.models.metadata_branch import apply_metadata_branch
from dualnet.models.seeds import glorot_uniform
from dualnet.models.transfer import apply_backbone
from dualnet.wording import number_of

MODALITIES = ("fused", "image", "metadata")
ACTIVATIONS = ("softmax", "sigmoid")
MIN_IMAGE_SIZE = 32  # five halvings leave one pixel


def build_dual_classifier(  # noqa: PLR0913 (a model's settings, all named)
    *,
    image_size: int = 256,
    num_features: int,
    class_names: Sequence[str],
    modality: str = "fused",
    image_branch: str = "xnet",
    metadata_units: Sequence[int] = (32, 16),
    dropout: float = 0.3,
    fusion: str = "concat",
    seed: int = 0,
    activation: str = "softmax",
) -> keras.Model:
    """Builds the classifier, or one of its ablations, as a flat functional model.

    Inputs, by name and only those of the modality: `image`, gray values 0-255, shape
    (batch, image_size, image_size, 1); `metadata`, encoded and never NaN, shape
    (batch, num_features). Layers that a person may ask for: `image_conv_1` …,
    `image_pool_1` …, `image_pool` (the last pooling stage), `metadata_dense_1` …,
    `fusion`, `logits`, `probabilities`. Where `fusion` is a concatenation, the logits
    are a sum of what the picture and what the metadata say. Standard layers only: a saved model loads without dualnet.

    Args:
        image_size: Side of the picture in pixels, at least 32.
        num_features: Features of the metadata; not used by `modality="image"`.
        class_names: The classes, in the order of the outputs.
        modality: `"fused"`, or the ablations `"image"` and `"metadata"`.
        image_branch: `"xnet"`, `"residual"`, `"cnn1"`, `"cnn3"`, or the name in lower
            case of a backbone of `keras.applications`, such as `"densenet121"`.
        metadata_units: Widths of the metadata branch's layers.
        dropout: Share of image features dropped while training, in `[0, 1)`.
        fusion: `"concat"`, or `"film"`: the record scales and shifts the features of
            the picture, see `dualnet.models.fusion`.
        seed: Decides the first weights and dropout; no global state does.
        activation: What makes probabilities of the logits: `"softmax"`, one answer, or
            `"sigmoid"`, each class apart from the others.

    Returns:
        Model `dual_classifier`; its output `probabilities` is float32, shape
        (batch, num_classes), whatever the precision policy.

    Raises:
        ConfigError: If a setting is not allowed.
    """
    _check_choice("modality", modality, MODALITIES)
    _check_choice("fusion", fusion, tuple(FUSIONS))
    _check_choice("activation", activation, ACTIVATIONS)
    _check_classes(class_names, at_least=2 if activation == "softmax" else 1)
    inputs: dict[str, Any] = {}
    features = []
    if modality != "metadata":
        _check_image(image_size, image_branch, dropout)
        shape = (image_size, image_size, 1)
        inputs["image"] = keras.Input(shape, dtype="float32", name="image")
        apply_image_branch = find_image_branch(image_branch)
        features += [apply_image_branch(inputs["image"], dropout=dropout, seed=seed)]
    if modality != "image":
        _check_metadata(num_features, metadata_units)
        inputs["metadata"] = keras.Input(
            (num_features,), dtype="float32", name="metadata"
        )
        features += [
            apply_metadata_branch(inputs["metadata"], units=metadata_units, seed=seed)
        ]
    joined = apply_fusion(features, fusion) if features[1:] else features[0]
    outputs = _apply_head(
        joined, num_classes=len(class_names), seed=seed, activation=activation
    )
    return keras.Model(inputs, outputs, name="dual_classifier")


def find_image_branch(name: str) -> Callable[..., Any]:
    """Returns the function that applies an image branch.

    Args:
        name: One of our own, or a backbone of `keras.applications`.

    Returns:
        Called with the picture's tensor, `dropout` and `seed`, it returns features.
    """
    own = IMAGE_BRANCHES.get(name)
    return own or partial(apply_backbone, name=name)


def output_activation(model: keras.Model) -> str:
    """Returns what makes a model's probabilities: `softmax` or `sigmoid`.

    Args:
        model: A dual classifier, built or loaded.
    """
    return model.get_layer("probabilities").activation.__name__


def _apply_head(features: Any, *, num_classes: int, seed: int, activation: str) -> Any:
    logits = layers.Dense(
        num_classes,
        dtype="float32",  # bfloat16 has three digits: too few for a log-loss
        kernel_initializer=glorot_uniform(seed, "logits"),
        name="logits",
    )(features)
    return layers.Activation(activation, dtype="float32", name="probabilities")(logits)


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ConfigError(
            f"model: `{name}` must be one of {', '.join(choices)}. "
            f"Received: {name}={value!r}. Name one of them."
        )


def _check_image(image_size: int, image_branch: str, dropout: float) -> None:
    expected = expected_branch(image_branch)
    if expected is not None:
        raise ConfigError(
            f"model: `image_branch` {expected}. "
            f"Received: image_branch={image_branch!r}. Name one of them."
        )
    if image_size < MIN_IMAGE_SIZE:
        raise ConfigError(
            f"model: `image_size` must be at least {MIN_IMAGE_SIZE} pixels. "
            f"Received: image_size={image_size}. Use larger pictures."
        )
    if not 0 <= dropout < 1:
        raise ConfigError(
            f"model: `dropout` must be in [0, 1). Received: dropout={dropout}. "
            "0 switches it off."
        )


def _check_metadata(num_features: int, metadata_units: Sequence[int]) -> None:
    if num_features < 1:
        raise ConfigError(
            "model: `num_features` must be at least 1 where metadata is read. "
            f"Received: num_features={num_features}. "
            'Encode a field, or use modality="image".'
        )
    if not metadata_units or min(metadata_units) < 1:
        raise ConfigError(
            "model: `metadata_units` must be one or more widths of at least 1. "
            f"Received: metadata_units={tuple(metadata_units)}. "
            'Name widths, or use modality="image".'
        )


def _check_classes(class_names: Sequence[str], *, at_least: int) -> None:
    if len(set(class_names)) < max(at_least, len(class_names)):
        number = "two" if at_least == 2 else "one"
        raise ConfigError(
            f"model: `class_names` must be {number} or more, each once. "
            f"Received: {number_of(len(class_names), 'name')}, "
            f"{len(set(class_names))} different. "
            "Take a vocabulary's class_names."
        )
