"""Fusion by FiLM: it begins as if there were no record, and is cut, saved and shown."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from dualnet.config import parse_config
from dualnet.errors import ConfigError
from dualnet.explain.activations import activation_layers, fusion_parts
from dualnet.models.dual import build_dual_classifier
from dualnet.models.parts import cut_at_fusion
from dualnet.training.fit import fits_halves


def build(modality: str = "fused", fusion: str = "film") -> keras.Model:
    return build_dual_classifier(
        image_size=32,
        num_features=5,
        class_names=("Edema", "Mass", "No Finding"),
        modality=modality,
        image_branch="residual",
        fusion=fusion,
        seed=1,
    )


def make_inputs() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        "image": random.integers(0, 256, (4, 32, 32, 1)).astype("float32"),
        "metadata": random.normal(size=(4, 5)).astype("float32"),
    }


def teach(model: keras.Model) -> None:
    """Gives both modulations weights, as training does."""
    random = np.random.default_rng(1)
    for name in ("film_scale", "film_shift"):
        layer = model.get_layer(name)
        layer.set_weights(
            [random.normal(size=one.shape) for one in layer.get_weights()]
        )


def test_it_begins_as_the_model_of_the_picture_alone():
    inputs = make_inputs()
    fused = np.asarray(build()(inputs))
    alone = np.asarray(build("image")({"image": inputs["image"]}))
    np.testing.assert_array_equal(fused, alone)


def test_features_are_scaled_and_shifted_by_the_record():
    model = build()
    teach(model)
    inputs = make_inputs()
    names = ("image_dropout_1", "film_scale", "film_shift", "fusion")
    shown = keras.Model(model.inputs, [model.get_layer(name).output for name in names])
    pooled, scale, shift, fusion = (np.asarray(one) for one in shown(inputs))
    np.testing.assert_allclose(fusion, scale * pooled + shift, rtol=1e-5, atol=1e-5)
    assert np.ptp(scale, axis=0).max() > 0.1


def test_it_is_cut_where_picture_and_record_meet():
    model = build()
    teach(model)
    inputs = make_inputs()
    parts = cut_at_fusion(model)
    features = parts.read_pictures({"image": inputs["image"]})
    assert [one.shape for one in features] == [(4, 256)]
    cut = parts.predict(features, inputs["metadata"], batch_size=3)
    np.testing.assert_allclose(cut, np.asarray(model(inputs)), atol=1e-5)


def test_it_is_saved_flat_and_shown(tmp_path: Path):
    model = build()
    teach(model)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    inputs = make_inputs()
    np.testing.assert_array_equal(np.asarray(model(inputs)), np.asarray(again(inputs)))
    config = json.loads(again.to_json())["config"]
    assert {layer["module"] for layer in config["layers"]} == {"keras.layers"}
    kinds = dict(activation_layers(again))
    assert kinds["fusion"] == "fusion"
    assert kinds["film_scale"] == "metadata dense"
    assert fusion_parts(again) == {}  # a sum is not divided between the branches


def test_halves_are_not_fitted_alone_where_no_sum_joins_them(caplog):
    config = parse_config({"model": {"fusion": "film"}}, where="test")
    with caplog.at_level("INFO"):
        assert not fits_halves(config)
    assert caplog.messages == [
        "model.fusion=film is fitted as a whole: there is no sum of halves, so "
        "training.halves_first does nothing"
    ]
    assert fits_halves(parse_config({}, where="test"))


def test_unknown_fusion_is_named():
    with pytest.raises(ConfigError, match=r"concat, film\. Received: fusion='sum'"):
        build(fusion="sum")
