"""A split model answers as the whole one does."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from dualnet.explain.split_model import ROWS_AT_A_TIME, Cases, split_model
from dualnet.models.dual import build_dual_classifier


def build(modality: str, branch: str = "cnn1", **settings) -> keras.Model:
    return build_dual_classifier(
        image_size=32,
        num_features=4,
        class_names=("Effusion", "Mass", "No Finding"),
        modality=modality,
        image_branch=branch,
        **settings,
    )


def draw(number: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        "image": random.integers(0, 256, (number, 32, 32, 1)).astype("float32"),
        "metadata": random.normal(size=(number, 4)).astype("float32"),
    }


def tell(split, inputs) -> Cases:
    metadata = inputs["metadata"]
    return Cases(
        pictures=split.read_pictures({"image": inputs["image"]}),
        metadata=metadata if split.reads_metadata else metadata[:, :0],
    )


@pytest.mark.parametrize(
    ("modality", "settings"),
    [
        ("fused", {"branch": "residual"}),
        ("fused", {"fusion": "film"}),
        ("fused", {"activation": "sigmoid"}),
        ("image", {}),
        ("metadata", {}),
    ],
)
def test_both_parts_answer_as_the_whole_after_reload(
    modality, settings, tmp_path: Path
) -> None:
    whole = build(modality, **settings)
    whole.save(tmp_path / "model.keras")
    loaded: Any = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    inputs = draw(3)
    given = {tensor.name: inputs[tensor.name] for tensor in whole.inputs}
    logits, features = whole.get_layer("logits").output, whole.get_layer("logits").input
    inner = keras.Model(whole.inputs, [features, logits])
    expected = [
        np.asarray(keras.ops.convert_to_numpy(one))
        for one in inner([given[one.name] for one in whole.inputs], training=False)
    ]
    split = split_model(loaded)
    found = split.answer(tell(split, inputs))
    np.testing.assert_allclose(found.features, expected[0], atol=1e-5)
    np.testing.assert_allclose(found.logits, expected[1], atol=1e-5)
    assert split.activation == settings.get("activation", "softmax")
    assert len(split.read_pictures({"image": inputs["image"]})) == (
        0 if modality == "metadata" else 1
    )


def test_many_rows_are_answered_as_few_are() -> None:
    split = split_model(build("metadata"))
    number = ROWS_AT_A_TIME + 3
    metadata = np.random.default_rng(0).normal(size=(number, 4)).astype("float32")
    every = split.answer(Cases(pictures=[], metadata=metadata))
    last = split.answer(Cases(pictures=[], metadata=metadata[-2:]))
    assert every.logits.shape == (number, 3)
    np.testing.assert_allclose(every.logits[-2:], last.logits, atol=1e-6)
