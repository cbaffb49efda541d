"""The strongest patches against pictures whose bright pixel is known."""

import keras
import numpy as np
import pytest

from dualnet.explain.patches import crop_patch, find_patches
from dualnet.explain.receptive_fields import ReceptiveField

SIDE = 6


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """Channels: the picture, its negative after relu, and twice the picture."""
    image = keras.Input((SIDE, SIDE, 1), name="image")
    conv = keras.layers.Conv2D(3, 1, activation="relu", name="image_conv_1")
    model = keras.Model({"image": image}, conv(image))
    conv.set_weights([np.array([[[[1.0, -1.0, 2.0]]]]), np.zeros(3)])
    return model


def make_pictures() -> np.ndarray:
    """Picture n has one bright pixel, at row n and column n + 1, 10 * n gray."""
    pictures = np.zeros((5, SIDE, SIDE, 1), np.float32)
    for number, picture in enumerate(pictures):
        picture[number, number + 1] = 10 * number
    return pictures


def batches(size: int) -> list[dict[str, np.ndarray]]:
    pictures = make_pictures()
    return [{"image": pictures[start : start + size]} for start in range(0, 5, size)]


def test_the_brightest_pictures_come_first_with_their_places(model) -> None:
    found = find_patches(model, batches(2), num_patches=3)["image_conv_1"]
    assert found.answers[0].tolist() == [40, 30, 20]
    assert found.rows[0].tolist() == [4, 3, 2]
    assert found.places[0].tolist() == [[4, 5], [3, 4], [2, 3]]
    assert found.answers[2].tolist() == [80, 60, 40]
    assert found.dead.tolist() == [False, True, False]
    assert found.num_pictures == 5


@pytest.mark.parametrize("size", [1, 3, 5])
def test_it_does_not_matter_how_pictures_are_batched(model, size: int) -> None:
    whole = find_patches(model, batches(5), num_patches=4)["image_conv_1"]
    parted = find_patches(model, batches(size), num_patches=4)["image_conv_1"]
    for name in ("answers", "rows", "places"):
        np.testing.assert_array_equal(getattr(parted, name), getattr(whole, name))


def test_of_equal_answers_the_first_picture_counts(model) -> None:
    same = [{"image": np.ones((2, SIDE, SIDE, 1), np.float32)} for _ in range(2)]
    found = find_patches(model, same, num_patches=3)["image_conv_1"]
    assert found.rows[0].tolist() == [0, 1, 2]
    assert found.places[0].tolist() == [[0, 0]] * 3


def test_a_patch_is_what_the_unit_sees_and_masked_outside() -> None:
    picture = np.arange(16, dtype=np.uint8).reshape(4, 4)
    field = ReceptiveField(start=-1, step=2, size=3)
    patch = crop_patch(picture, field, (0, 1))
    # rows -1, 0, 1; columns 1, 2, 3
    assert patch.mask.tolist() == [[True] * 3, [False] * 3, [False] * 3]
    assert patch[1:].tolist() == [[1, 2, 3], [5, 6, 7]]
    inside = crop_patch(picture, field, (1, 1))
    assert not np.ma.getmaskarray(inside).any()
    assert inside.tolist() == [[5, 6, 7], [9, 10, 11], [13, 14, 15]]


def test_a_field_wider_than_the_picture_is_cut_to_its_width() -> None:
    picture = np.arange(16, dtype=np.uint8).reshape(4, 4)
    patch = crop_patch(picture, ReceptiveField(start=-4, step=4, size=11), (0, 0))
    # 11 pixels about the centre, pixel 1: the middle four are -1 to 2
    assert patch.shape == (4, 4)
    assert patch[1, 1:].tolist() == [0, 1, 2]
    assert crop_patch(picture, None, ()).tolist() == picture.tolist()
