"""The fused model starts as the metadata-only one."""

import keras
import numpy as np
import pytest

from dualnet.data.batches import Batches
from dualnet.models.dual import build_dual_classifier
from dualnet.training.metadata_first import fit_metadata_first, start_from_metadata

SIZE, NUM_FEATURES, CLASSES = 32, 2, ("Edema", "Hernia", "No Finding")


class Memory:
    def read(self, positions: np.ndarray) -> np.ndarray:
        return np.zeros((len(positions), SIZE, SIZE, 1), np.uint8)


def build(modality: str) -> keras.Model:
    return build_dual_classifier(
        image_size=SIZE,
        num_features=NUM_FEATURES,
        class_names=CLASSES,
        modality=modality,
        seed=0,
    )


def make_batches(num_rows: int = 60) -> Batches:
    """Rows whose first feature tells Edema from the rest."""
    rows = np.arange(num_rows)
    labels = np.where(rows % 2, 0, 2)
    metadata = np.stack([rows % 2, np.zeros(num_rows)], axis=1) * 2 - 1
    return Batches(
        Memory(), rows, metadata, np.eye(3)[labels], batch_size=20, modality="fused"
    )


def test_the_metadata_branch_learns_and_its_weights_are_the_fused_models() -> None:
    fused, alone = build("fused"), build("metadata")
    fit_metadata_first(fused, alone, make_batches(), make_batches())
    inputs = {"metadata": np.array([[1.0, -1.0], [-1.0, -1.0]], np.float32)}
    probabilities = np.asarray(alone(inputs))
    assert probabilities[0].argmax() == 0
    assert probabilities[1].argmax() == 2
    for name in ("metadata_dense_1", "metadata_dense_2"):
        ours, theirs = (m.get_layer(name).get_weights() for m in (fused, alone))
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_fused_logits_are_the_sum_of_both_halves(seed: int) -> None:
    fused, alone = build("fused"), build("metadata")
    start_from_metadata(fused, alone)
    random = np.random.default_rng(seed)
    metadata = random.normal(size=(4, NUM_FEATURES)).astype("float32")
    image = random.integers(0, 255, (4, SIZE, SIZE, 1)).astype("float32")
    halves = keras.Model(
        fused.inputs,
        [fused.get_layer("fusion").output, fused.get_layer("logits").output],
    )
    fusion, logits = (
        np.asarray(values) for values in halves({"image": image, "metadata": metadata})
    )
    kernel, _ = fused.get_layer("logits").get_weights()
    num_image = fusion.shape[1] - alone.get_layer("logits").get_weights()[0].shape[0]
    from_image = fusion[:, :num_image] @ kernel[:num_image]
    of_metadata = keras.Model(alone.inputs, alone.get_layer("logits").output)
    expected = from_image + np.asarray(of_metadata({"metadata": metadata}))
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)
