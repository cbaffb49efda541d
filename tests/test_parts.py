"""A fused model cut in two says what it said whole."""

import keras
import numpy as np
import pytest
from keras import layers

from dualnet.errors import RunError
from dualnet.models.dual import build_dual_classifier
from dualnet.models.parts import cut_at_fusion
from dualnet.training.precision import dtype_policy

NUM_ROWS = 6
CLASSES = ("Edema", "Mass", "No Finding")


class OneBatch(keras.utils.PyDataset):
    """All pictures at once."""

    def __init__(self, images: np.ndarray) -> None:
        super().__init__()
        self.images = images

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray]]:
        return ({"image": self.images},)


def inputs(num_features: int = 5) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (NUM_ROWS, 32, 32, 1)).astype(np.uint8)
    return images, random.normal(size=(NUM_ROWS, num_features)).astype(np.float32)


def assert_the_same(model: keras.Model) -> None:
    images, metadata = inputs()
    parts = cut_at_fusion(model)
    features = parts.read_pictures(OneBatch(images))
    whole = model.predict({"image": images, "metadata": metadata}, verbose=0)
    cut = parts.predict(features, metadata, batch_size=4)
    np.testing.assert_allclose(cut, whole, atol=1e-6)
    assert np.ptp(whole, axis=0).max() > 1e-3  # or the same would say nothing
    turned = parts.predict(features, metadata[::-1], batch_size=4)
    whole = model.predict({"image": images, "metadata": metadata[::-1]}, verbose=0)
    np.testing.assert_allclose(turned, whole, atol=1e-6)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("branch", ["xnet", "residual"])
def test_a_cut_model_says_what_it_said_whole(branch: str, policy: str) -> None:
    with dtype_policy(policy):
        model = build_dual_classifier(
            image_size=32, num_features=5, class_names=CLASSES, image_branch=branch
        )
    assert_the_same(model)


def test_a_model_may_meet_the_record_in_two_places() -> None:
    image = keras.Input((32, 32, 1), name="image")
    metadata = keras.Input((5,), name="metadata")
    pooled = layers.GlobalAveragePooling2D()(
        layers.Rescaling(1 / 255)(layers.Conv2D(4, 3)(image))
    )
    gate = layers.Multiply()([pooled, layers.Dense(4)(metadata)])
    logits = layers.Dense(3)(layers.Concatenate()([gate, layers.Dense(2)(pooled)]))
    model = keras.Model([image, metadata], layers.Softmax()(logits))
    assert len(cut_at_fusion(model).picture.outputs) == 2
    assert_the_same(model)


def test_a_model_that_was_cut_is_still_whole() -> None:
    model = build_dual_classifier(image_size=32, num_features=5, class_names=CLASSES)
    before = model.get_config()
    cut_at_fusion(model)
    assert model.get_config() == before  # what saving writes


def test_a_model_without_a_record_is_refused() -> None:
    model = build_dual_classifier(
        image_size=32, num_features=0, class_names=CLASSES, modality="image"
    )
    with pytest.raises(RunError, match=r"Received: image\. Name a run of a fused"):
        cut_at_fusion(model)


def test_a_layer_that_is_used_twice_is_refused() -> None:
    image = keras.Input((32, 32, 1), name="image")
    metadata = keras.Input((5,), name="metadata")
    flat = layers.GlobalAveragePooling2D()(image)
    shared = layers.Dense(3, name="shared")
    once = shared(layers.Dense(5)(flat))
    model = keras.Model([image, metadata], layers.Add()([once, shared(metadata)]))
    with pytest.raises(RunError, match="each layer must be used once to be audited"):
        cut_at_fusion(model)
