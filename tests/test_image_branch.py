"""The image branches: their stages, their names, the pictures that they take."""

import keras
import pytest

from dualnet.models.dual import MIN_IMAGE_SIZE
from dualnet.models.image_branch import (
    IMAGE_BRANCHES,
    apply_residual_branch,
    apply_xnet_branch,
)


def build_branch(name: str, *, size: int = 64) -> keras.Model:
    image = keras.Input((size, size, 1), name="image")
    return keras.Model(image, IMAGE_BRANCHES[name](image, dropout=0.3, seed=0))


def convolutions(model: keras.Model) -> list[keras.layers.Layer]:
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    return [layer for layer in layers if layer.name.startswith("image_conv")]


def test_xnet_filters_grow_and_kernels_shrink():
    layers = convolutions(build_branch("xnet"))
    filters = [layer.filters for layer in layers]
    kernels = [layer.kernel_size[0] for layer in layers]
    assert len(layers) >= 4
    assert filters == sorted(filters)
    assert kernels == sorted(kernels, reverse=True)
    assert filters[0] < filters[-1]
    assert kernels[0] > kernels[-1]


def test_xnet_has_the_stages_that_the_projects_describe():
    model = build_branch("xnet")
    kinds = {type(layer).__name__ for layer in model.layers}
    assert {"Conv2D", "MaxPooling2D", "Dropout", "Flatten", "Dense"} <= kinds
    assert model.get_layer("image_pool").output.shape[1:3] == (1, 1)
    whole = build_branch("xnet", size=256)
    assert whole.get_layer("image_pool").output.shape[1:3] == (4, 4)
    assert all(layer.activation.__name__ == "relu" for layer in convolutions(model))


def test_residual_normalises_each_block_once_and_pools_globally():
    model = build_branch("residual")
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds.count("Add") == 5
    assert kinds.count("BatchNormalization") == 5 + 1  # and the last convolution
    assert model.output.shape[-1] == 256
    assert isinstance(
        model.get_layer("image_pool"), keras.layers.GlobalAveragePooling2D
    )


def test_residual_convolutions_are_numbered_without_a_gap():
    names = [layer.name for layer in convolutions(build_branch("residual"))]
    assert sorted(names, key=lambda name: int(name.split("_")[-1])) == [
        f"image_conv_{number}" for number in range(1, len(names) + 1)
    ]


@pytest.mark.parametrize("apply", [apply_xnet_branch, apply_residual_branch])
def test_branch_takes_the_smallest_picture_allowed(apply):
    image = keras.Input((MIN_IMAGE_SIZE, MIN_IMAGE_SIZE, 1))
    assert len(apply(image, dropout=0.0, seed=0).shape) == 2


@pytest.mark.parametrize("apply", [apply_xnet_branch, apply_residual_branch])
def test_branch_takes_a_picture_of_an_odd_side(apply):
    image = keras.Input((75, 75, 1))
    assert len(apply(image, dropout=0.0, seed=0).shape) == 2
