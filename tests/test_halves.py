"""Each half is fitted alone; joined, they make the product of what they say."""

import keras
import numpy as np
import pytest

from dualnet.data.batches import Batches
from dualnet.models.dual import build_dual_classifier
from dualnet.training.halves import choose_weight, fit_metadata_half, join_halves

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


def test_the_metadata_half_learns() -> None:
    alone = build("metadata")
    fit_metadata_half(alone, make_batches(), make_batches())
    inputs = {"metadata": np.array([[1.0, -1.0], [-1.0, -1.0]], np.float32)}
    probabilities = np.asarray(alone(inputs))
    assert probabilities[0].argmax() == 0
    assert probabilities[1].argmax() == 2


@pytest.mark.parametrize("seed", [0, 1])
def test_the_joined_model_is_the_product_of_both_halves_over_the_prior(
    seed: int,
) -> None:
    fused, image_only, metadata_only = map(build, ("fused", "image", "metadata"))
    prior = np.array([0.2, 0.1, 0.7])
    join_halves(fused, image_only, metadata_only, prior=prior)
    random = np.random.default_rng(seed)
    metadata = random.normal(size=(4, NUM_FEATURES)).astype("float32")
    image = random.integers(0, 255, (4, SIZE, SIZE, 1)).astype("float32")
    both = np.asarray(fused({"image": image, "metadata": metadata}))
    product = (
        np.asarray(image_only({"image": image}))
        * np.asarray(metadata_only({"metadata": metadata}))
        / prior
    )
    expected = product / product.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(both, expected, rtol=1e-4, atol=1e-6)


def test_a_record_that_says_nothing_changes_nothing() -> None:
    fused, image_only, metadata_only = map(build, ("fused", "image", "metadata"))
    prior = np.array([0.2, 0.1, 0.7])
    kernel, _ = metadata_only.get_layer("logits").get_weights()
    weights = [np.zeros_like(kernel), np.log(prior)]
    metadata_only.get_layer("logits").set_weights(weights)
    join_halves(fused, image_only, metadata_only, prior=prior)
    image = np.full((2, SIZE, SIZE, 1), 99.0, np.float32)
    metadata = np.ones((2, NUM_FEATURES), np.float32)
    np.testing.assert_allclose(
        np.asarray(fused({"image": image, "metadata": metadata})),
        np.asarray(image_only({"image": image})),
        rtol=1e-5,
    )


PRIOR = np.array([0.5, 0.5])
UNSURE = np.tile(PRIOR, (4, 1))
RIGHT = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9]])
TARGETS = np.eye(2)[[0, 0, 1, 1]]


@pytest.mark.parametrize(
    ("record", "weight"),
    [(RIGHT, 1.0), (1 - RIGHT, 0.0), (UNSURE, 0.0)],
)
def test_the_record_counts_as_much_as_validation_bears_out(
    record: np.ndarray, weight: float
) -> None:
    assert choose_weight(UNSURE, record, TARGETS, prior=PRIOR) == weight


def test_a_record_that_is_too_sure_counts_less() -> None:
    # right three times of four: the least loss is at odds of 3, which .99 says .24 of
    record = np.array([[0.99, 0.01], [0.99, 0.01], [0.99, 0.01], [0.99, 0.01]])
    targets = np.eye(2)[[0, 0, 0, 1]]
    assert choose_weight(UNSURE, record, targets, prior=PRIOR) == 0.2


def test_the_weight_is_that_of_the_records_logits() -> None:
    fused, image_only, metadata_only = map(build, ("fused", "image", "metadata"))
    prior = np.array([0.2, 0.1, 0.7])
    join_halves(fused, image_only, metadata_only, prior=prior, weight=0.5)
    image = np.full((1, SIZE, SIZE, 1), 99.0, np.float32)
    metadata = np.ones((1, NUM_FEATURES), np.float32)
    ratio = np.asarray(metadata_only({"metadata": metadata})) / prior
    product = np.asarray(image_only({"image": image})) * ratio**0.5
    np.testing.assert_allclose(
        np.asarray(fused({"image": image, "metadata": metadata})),
        product / product.sum(),
        rtol=1e-4,
    )
