"""Backbones of keras.applications: the same network, flat, seeded, named anew."""

import inspect
import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from dualnet.config_layers import read_config
from dualnet.errors import ConfigError
from dualnet.explain.activations import activation_layers
from dualnet.explain.stages import MANY_STAGES
from dualnet.image_branches import BACKBONES
from dualnet.models.dual import build_dual_classifier
from dualnet.models.transfer import apply_preprocessing, find_backbone

# one of each way that Keras writes a graph; those of minutes are slow
QUICK = ["mobilenet"]
ALL = [
    *QUICK,
    *(
        "vgg16",
        "mobilenetv2",
        "mobilenetv3small",
        "resnet50",
        "resnet50v2",
        "densenet121",
    ),
    *("efficientnetb0", "efficientnetv2b0", "inceptionv3", "xception"),
    *("inceptionresnetv2", "nasnetmobile", "convnexttiny"),
]


def build(name: str, *, size: int = 32, seed: int = 0) -> keras.Model:
    return build_dual_classifier(
        image_size=size,
        num_features=0,
        class_names=("Edema", "Mass", "No Finding"),
        modality="image",
        image_branch=name,
        seed=seed,
    )


def make_images(size: int = 32) -> np.ndarray:
    random = np.random.default_rng(0)
    return random.integers(0, 256, (2, size, size, 1)).astype("float32")


def preprocess(name: str, images: np.ndarray) -> np.ndarray:
    """What Keras' own function makes of the gray, repeated to three channels."""
    module = sys.modules[find_backbone(name).__module__]
    return module.preprocess_input(np.repeat(images, 3, axis=-1))


def weighted(layers: list) -> list:
    flat = [
        inner
        for layer in layers
        for inner in (layer.layers if isinstance(layer, keras.Sequential) else [layer])
    ]
    return [layer for layer in flat if layer.weights]


def shake(layer: keras.layers.Layer) -> list[np.ndarray]:
    """Weights that are unlike the first ones, so that an exchange would be seen."""
    random = np.random.default_rng(0)
    return [
        np.abs(one + random.normal(scale=0.1, size=one.shape)).astype(one.dtype)
        if "norm" in layer.name and one.ndim
        else one
        for one in layer.get_weights()
    ]


def test_every_backbone_of_keras_has_its_name():
    functions = {
        name.lower()
        for name in dir(keras.applications)
        if inspect.isfunction(getattr(keras.applications, name))
    }
    assert set(BACKBONES) == functions


@pytest.mark.parametrize("name", BACKBONES)
def test_preprocessing_inside_is_the_backbones_own(name: str):
    images = make_images(4)
    inside = np.asarray(apply_preprocessing(images, name=name))
    np.testing.assert_allclose(inside, preprocess(name, images), rtol=1e-6, atol=2e-5)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in ALL]
)
def test_graph_is_that_of_keras_flat_and_of_standard_layers(name: str):
    size = 75 if name in {"xception", "inceptionv3", "inceptionresnetv2"} else 32
    ours = build(name, size=size)
    config = json.loads(ours.to_json())["config"]
    assert {layer["module"] for layer in config["layers"]} == {"keras.layers"}
    assert not any(isinstance(layer, keras.Model) for layer in ours.layers)
    branch = ours.layers[1:-2]
    assert all(layer.name.startswith("image_") for layer in branch)
    assert len(ours.get_layer("image_pool").input.shape) == 4

    stock = find_backbone(name)(
        include_top=False, weights=None, input_shape=(size, size, 3)
    )
    pairs = zip(weighted(branch), weighted(stock.layers), strict=True)
    for mine, theirs in pairs:
        weights = shake(mine)
        mine.set_weights(weights)
        theirs.set_weights(weights)
    images = make_images(size)
    pooled = keras.Model(ours.input, ours.get_layer("image_pool").output)
    expected = np.asarray(stock(preprocess(name, images))).mean(axis=(1, 2))
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(
        np.asarray(pooled({"image": images})),
        expected,
        rtol=1e-4,
        atol=1e-5 * np.ptp(expected),
    )


def test_seed_alone_decides_the_first_weights_and_the_names():
    first = build("mobilenet", seed=3)
    keras.utils.set_random_seed(99)
    keras.layers.Conv2D(2, 1)  # moves Keras' running numbers on
    again, other = build("mobilenet", seed=3), build("mobilenet", seed=4)
    assert [layer.name for layer in first.layers] == [
        layer.name for layer in again.layers
    ]
    for one, two in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    name = "image_conv_dw_1"
    kernels = [model.get_layer(name).get_weights()[0] for model in (first, other)]
    assert np.abs(kernels[0] - kernels[1]).max() > 0


def test_saved_backbone_is_reached_by_its_names(tmp_path: Path):
    model = build("mobilenet")
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    images = make_images()
    before, after = (
        np.asarray(one.predict_on_batch({"image": images})) for one in (model, again)
    )
    np.testing.assert_array_equal(before, after)
    maps = keras.Model(again.input, again.get_layer("image_pool").input)
    assert maps({"image": images}).shape == (2, 1, 1, 1024)


def test_gray_stays_exact_under_mixed_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build("mobilenet")
    finally:
        keras.config.set_dtype_policy(before)
    assert model.get_layer("image_conv1").compute_dtype == "bfloat16"
    assert model.get_layer("image_preprocessing").compute_dtype == "float32"
    assert model.output.dtype == "float32"


def test_deep_branch_shows_a_stage_for_each_size_of_its_maps():
    model = build("mobilenet", size=64)
    everything = activation_layers(model, ["image_conv*"])
    shown = [name for name, _ in activation_layers(model)]
    assert len(everything) > MANY_STAGES
    sizes = [model.get_layer(name).output.shape[1] for name in shown[:-3]]
    assert shown[0] == "image_conv1"
    assert shown[-3:] == ["image_pool", "logits", "probabilities"]
    assert sizes == [32, 32, 16, 8, 4, 2]


def test_vgg_shows_all_its_stages():
    model = build("vgg16")
    shown = [name for name, _ in activation_layers(model)]
    assert len([name for name in shown if name.startswith("image_block")]) == 13 + 5


def test_picture_too_small_for_the_backbone_is_refused():
    message = r"at least 71 pixels for xception\. Received: image_size=32"
    with pytest.raises(ConfigError, match=message):
        build("xception", size=32)


@pytest.mark.parametrize(
    ("name", "near"),
    [("densenet112", "densenet121"), ("ResNet-50", "resnet50"), ("vgg", "vgg16")],
)
def test_unknown_name_is_refused_with_near_names(name: str, near: str):
    with pytest.raises(ConfigError, match=rf"Near it: .*{near}.*Received: '{name}'"):
        read_config(overrides=[f"model.image_branch={name}"])
    with pytest.raises(ConfigError, match=f"Received: image_branch='{name}'"):
        build(name)
