"""Receptive fields against impulses: which pixels change a unit?"""

import keras
import numpy as np
import pytest

from dualnet.explain.activations import compute_activations
from dualnet.explain.receptive_fields import ReceptiveField, compute_receptive_field
from dualnet.models.dual import build_dual_classifier

CLASSES = ("Effusion", "Mass", "No Finding")


def ones_model(side: int, padding: str) -> keras.Model:
    """Convolutions of ones and mean pooling: each pixel that is seen adds."""
    layers = keras.layers
    kernel = {"kernel_initializer": "ones", "use_bias": False}
    image = keras.Input((side, side, 1), name="image")
    framed = layers.ZeroPadding2D(2, name="image_frame")(image)
    first = layers.Conv2D(
        1, 7, strides=2, padding=padding, name="image_conv_1", **kernel
    )(framed)
    pooled = layers.AveragePooling2D(2, padding=padding, name="image_pool_1")(first)
    dilated = layers.Conv2D(
        1, 3, dilation_rate=2, padding="same", name="image_conv_2", **kernel
    )(pooled)
    wide = layers.Conv2D(1, 1, name="image_conv_3", **kernel)(pooled)
    both = layers.Add(name="image_add_1")([dilated, wide])
    return keras.Model({"image": image}, both)


@pytest.mark.parametrize("side", [32, 33])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_a_unit_sees_just_the_pixels_that_change_it(side: int, padding: str) -> None:
    model = ones_model(side, padding)
    impulses = np.zeros((side, side, side, 1), np.float32)
    impulses[np.arange(side), np.arange(side)] = 1  # picture r: its row r is 1
    found = compute_activations(model, {"image": impulses})
    for name in ("image_conv_1", "image_pool_1", "image_conv_2"):
        field = compute_receptive_field(model, name)
        assert field is not None
        for unit in range(found[name].shape[1]):
            first, end = field.span(unit)
            seen = np.flatnonzero(found[name][:, unit, unit].any(axis=-1))
            # dilation leaves gaps, and padding lies outside
            inside = [pixel for pixel in range(first, end) if 0 <= pixel < side]
            assert set(seen.tolist()) <= set(inside)
            if seen.size and name != "image_conv_2":
                assert seen.tolist() == inside
            if first >= 0 and end <= side:
                assert (seen.min(), seen.max()) == (first, end - 1)


def test_several_paths_are_seen_together() -> None:
    model = ones_model(32, "same")
    joined = compute_receptive_field(model, "image_add_1")
    assert joined == compute_receptive_field(model, "image_conv_2")


def dual(branch: str, size: int = 64) -> keras.Model:
    return build_dual_classifier(
        image_size=size, num_features=8, class_names=CLASSES, image_branch=branch
    )


def test_the_fields_of_x_net_are_those_worked_out_by_hand() -> None:
    model = dual("xnet")
    found = {
        name: compute_receptive_field(model, name)
        for name in ("image_conv_1", "image_pool_1", "image_conv_2", "image_conv_4")
    }
    # 7; + 1 * 2; + 4 * 4; then pool + 1 * 4, conv + 2 * 8, pool + 1 * 8, conv + 2 * 16
    assert [(one.step, one.size) for one in found.values() if one] == [
        (2, 7),
        (4, 9),
        (4, 25),
        (16, 85),
    ]
    assert found["image_conv_1"] == ReceptiveField(start=-2, step=2, size=7)


def test_vectors_and_the_record_have_no_field() -> None:
    model = dual("xnet")
    for name in ("image_dense_1", "metadata_dense_1", "fusion", "logits"):
        assert compute_receptive_field(model, name) is None


def test_gates_of_one_value_a_channel_are_left_aside() -> None:
    layers = keras.layers
    image = keras.Input((16, 16, 1), name="image")
    maps = layers.Conv2D(4, 3, padding="same", name="image_conv_1")(image)
    pooled = layers.GlobalAveragePooling2D(keepdims=True, name="image_squeeze")(maps)
    gate = layers.Conv2D(4, 1, name="image_excite")(pooled)
    weighed = layers.Multiply(name="image_weighed")([maps, gate])
    last = layers.Conv2D(4, 3, padding="same", name="image_conv_2")(weighed)
    model = keras.Model({"image": image}, last)
    assert compute_receptive_field(model, "image_conv_2") == ReceptiveField(-2, 1, 5)
    assert compute_receptive_field(model, "image_excite") is None
