import json
from pathlib import Path

import keras
import numpy as np
import pytest

from dualnet.errors import ConfigError
from dualnet.findings import NIH
from dualnet.models.dual import build_dual_classifier

NUM_FEATURES = 6
BRANCHES = ["xnet", "residual"]
MODALITIES = ["fused", "image", "metadata"]


def build(**settings) -> keras.Model:
    return build_dual_classifier(
        **{
            "image_size": 32,
            "num_features": NUM_FEATURES,
            "class_names": NIH.class_names,
            "seed": 0,
            **settings,
        }
    )


def make_inputs(model: keras.Model, *, num_rows: int = 4) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    size = 32
    inputs = {
        "image": rng.integers(0, 256, (num_rows, size, size, 1)).astype("float32"),
        "metadata": rng.normal(size=(num_rows, NUM_FEATURES)).astype("float32"),
    }
    return {tensor.name: inputs[tensor.name] for tensor in model.inputs}


def predict(model: keras.Model) -> np.ndarray:
    return np.asarray(model.predict_on_batch(make_inputs(model)))


@pytest.mark.parametrize("image_branch", BRANCHES)
def test_fused_model_has_the_inputs_and_layers_a_person_asks_for(image_branch: str):
    model = build(image_branch=image_branch)
    assert model.name == "dual_classifier"
    shapes = {tensor.name: tensor.shape for tensor in model.inputs}
    assert shapes == {"image": (None, 32, 32, 1), "metadata": (None, NUM_FEATURES)}
    for name in (
        "image_conv_1",
        "image_pool_1",
        "image_pool",
        "metadata_dense_1",
        "metadata_dense_2",
        "fusion",
        "logits",
        "probabilities",
    ):
        assert model.get_layer(name) is not None
    assert len(model.get_layer("image_pool").input.shape) == 4
    assert model.output_shape == (None, 15)


@pytest.mark.parametrize("modality", MODALITIES)
def test_graph_is_flat_and_of_standard_layers(modality: str):
    model = build(modality=modality, image_branch="residual")
    config = json.loads(model.to_json())["config"]
    assert {layer["module"] for layer in config["layers"]} == {"keras.layers"}
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    assert not any(isinstance(layer, keras.layers.Lambda) for layer in model.layers)


@pytest.mark.parametrize(
    ("modality", "inputs", "absent"),
    [
        ("image", ["image"], "metadata_dense_1"),
        ("metadata", ["metadata"], "image_pool"),
    ],
)
def test_ablation_lacks_the_other_input(modality: str, inputs: list[str], absent: str):
    model = build(modality=modality)
    assert [tensor.name for tensor in model.inputs] == inputs
    names = {layer.name for layer in model.layers}
    assert absent not in names
    assert {"logits", "probabilities"} <= names
    assert "fusion" not in names


@pytest.mark.parametrize("modality", MODALITIES)
@pytest.mark.parametrize("image_branch", BRANCHES)
def test_probabilities_sum_to_one(image_branch: str, modality: str):
    probabilities = predict(build(image_branch=image_branch, modality=modality))
    assert probabilities.shape == (4, 15)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert (probabilities > 0).all()


@pytest.mark.parametrize("image_branch", BRANCHES)
def test_saved_model_predicts_the_same_bits(image_branch: str, tmp_path: Path):
    model = build(image_branch=image_branch)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    assert np.abs(predict(model) - predict(again)).max() == 0


@pytest.mark.parametrize("image_branch", BRANCHES)
def test_outputs_are_float32_under_mixed_precision(image_branch: str):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build(image_branch=image_branch)
    finally:
        keras.config.set_dtype_policy(before)
    assert model.get_layer("image_conv_1").compute_dtype == "bfloat16"
    assert model.get_layer("image_rescaling").compute_dtype == "float32"
    assert model.get_layer("logits").compute_dtype == "float32"
    assert predict(model).dtype == np.float32


def test_seed_alone_decides_the_first_weights():
    first = build(seed=3).get_weights()
    keras.utils.set_random_seed(99)
    for one, two in zip(first, build(seed=3).get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    other = build(seed=4).get_weights()
    assert np.abs(first[0] - other[0]).max() > 0


def test_ablation_begins_with_the_weights_of_the_fused_model():
    fused, image = build(), build(modality="image")
    for name in ("image_conv_1", "image_conv_4"):
        np.testing.assert_array_equal(
            fused.get_layer(name).get_weights()[0],
            image.get_layer(name).get_weights()[0],
        )


@pytest.mark.parametrize("image_branch", BRANCHES)
def test_tiny_model_overfits_eight_images(image_branch: str):
    model = build(image_branch=image_branch, modality="image", dropout=0.0)
    x = make_inputs(model, num_rows=8)
    y = np.eye(15, dtype="float32")[np.arange(8)]
    model.compile(keras.optimizers.Adam(3e-3), "categorical_crossentropy")
    # 40 steps: after 20 the moving averages of the normalisation still hold .9**20, a
    # tenth, of their first values
    model.fit(x, y, batch_size=8, epochs=40, verbose=0)
    assert (model.predict_on_batch(x).argmax(axis=1) == np.arange(8)).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"modality": "sound"}, "fused, image, metadata. Received: modality='sound'"),
        (
            {"image_branch": "vgg"},
            "Near it: vgg19, vgg16. Received: image_branch='vgg'",
        ),
        ({"image_size": 31}, "at least 32 pixels. Received: image_size=31"),
        ({"dropout": 1.0}, r"in \[0, 1\). Received: dropout=1.0"),
        ({"num_features": 0}, "at least 1 .* Received: num_features=0"),
        ({"metadata_units": ()}, r"Received: metadata_units=\(\)"),
        ({"metadata_units": (8, 0)}, r"Received: metadata_units=\(8, 0\)"),
        ({"class_names": ("Mass", "Mass")}, "Received: 2 names, 1 different"),
        ({"class_names": ("Mass",)}, "Received: 1 name, 1 different"),
    ],
)
def test_setting_that_is_not_allowed_is_named_with_its_value(settings, message: str):
    with pytest.raises(ConfigError, match=message):
        build(**settings)
