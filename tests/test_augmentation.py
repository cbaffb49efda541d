"""Augmentation: what is drawn, and what becomes of a picture."""

import numpy as np
import pytest

from dualnet.data.augmentation import (
    Augmentation,
    Draws,
    augment_images,
    draw,
    shift_images,
)

SIDE = 5
ALL = Augmentation(
    shift=2, rotation=10, zoom=0.1, contrast=0.2, brightness=0.1, horizontal_flip=True
)


def no_shift(count: int) -> np.ndarray:
    return np.zeros((count, 2), np.int64)


def draws(**changed) -> Draws:
    """Draws of one picture that change nothing but what is named."""
    values = {
        "shift": (0, 0),
        "rotation": 0.0,
        "zoom": 1.0,
        "contrast": 1.0,
        "brightness": 0.0,
        "flip": False,
    }
    return Draws(**{key: np.array([one]) for key, one in {**values, **changed}.items()})


def picture(rows: list[list[int]]) -> np.ndarray:
    return np.array(rows, np.uint8)[np.newaxis, :, :, np.newaxis]


def augment(images: np.ndarray, **changed) -> list:
    return augment_images(images, ALL, draws(**changed))[0, ..., 0].tolist()


COLUMNS = picture([[10, 20, 30, 40, 50]] * SIDE)


def test_shift_images_repeats_the_border():
    images = np.repeat(picture([[1, 2], [3, 4]]), 3, axis=0)
    moved = shift_images(images, np.array([[0, 0], [1, 0], [0, -1]]))
    assert moved.dtype == np.uint8
    assert moved[..., 0].tolist() == [
        [[1, 2], [3, 4]],
        [[1, 2], [1, 2]],  # down by one
        [[2, 2], [4, 4]],  # left by one
    ]


def test_what_draws_nothing_changes_nothing():
    noise = np.random.default_rng(0).integers(0, 256, (1, 9, 9, 1), np.uint8)
    assert augment(noise.copy()) == noise[0, ..., 0].tolist()


def test_a_quarter_turn_is_clockwise():
    image = picture([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    assert augment(image, rotation=90.0) == [[7, 4, 1], [8, 5, 2], [9, 6, 3]]


def test_zoom_is_about_the_centre():
    # twice as large: column x shows 2 + (x - 2) / 2, between two pixels
    assert augment(COLUMNS, zoom=2.0) == [[20, 25, 30, 35, 40]] * SIDE


def test_a_smaller_picture_repeats_its_border():
    # half as large: column x shows 2 + (x - 2) * 2, beyond the border the last
    assert augment(COLUMNS, zoom=0.5) == [[10, 10, 30, 50, 50]] * SIDE


def test_a_turned_picture_is_moved_after_it_is_turned():
    image = picture([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    moved = augment(image, rotation=90.0, shift=(1, 0))  # down by one
    assert moved == [[7, 4, 1], [7, 4, 1], [8, 5, 2]]


def test_flip_mirrors_left_and_right():
    assert augment(COLUMNS.copy(), flip=True) == [[50, 40, 30, 20, 10]] * SIDE


def test_contrast_is_about_the_mean_of_the_picture():
    # mean 30: 30 + 1.5 * (-20, -10, 0, 10, 20)
    assert augment(COLUMNS, contrast=1.5) == [[0, 15, 30, 45, 60]] * SIDE


def test_gray_values_are_clipped_to_0_and_255():
    image = picture([[0, 100, 200, 255]])
    assert augment(image, brightness=60.0) == [[60, 160, 255, 255]]
    assert augment(image, brightness=-120.0) == [[0, 0, 80, 135]]


def test_shifts_alone_move_whole_pixels():
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 1), np.uint8)
    shift = np.random.default_rng(1).integers(-2, 3, (8, 2))
    only_shift = Augmentation(shift=2)
    drawn = draw(only_shift, shift, seed=0, epoch=0)
    moved = augment_images(images.copy(), only_shift, drawn)
    np.testing.assert_array_equal(moved, shift_images(images, shift))


def test_draws_stay_within_their_ends():
    drawn = draw(ALL, no_shift(4000), seed=0, epoch=0)
    # even over the whole reach: the ends come near, the mean is the middle
    for values, low, high in (
        (drawn.rotation, -10, 10),
        (np.log(drawn.zoom), -np.log(1.1), np.log(1.1)),
        (drawn.contrast, 0.8, 1.2),
        (drawn.brightness, -25.5, 25.5),
    ):
        reach = high - low
        assert low <= values.min() < low + 0.01 * reach
        assert high - 0.01 * reach < values.max() <= high
        assert abs(values.mean() - (low + high) / 2) < 0.02 * reach
    assert abs(drawn.flip.mean() - 0.5) < 0.03


def test_draws_are_those_of_seed_and_epoch():
    first, again = (draw(ALL, no_shift(6), seed=3, epoch=1) for _ in range(2))
    np.testing.assert_array_equal(first.rotation, again.rotation)
    for other in (
        draw(ALL, no_shift(6), seed=4, epoch=1),
        draw(ALL, no_shift(6), seed=3, epoch=2),
    ):
        assert not np.isin(other.rotation, first.rotation).any()


def test_one_change_leaves_the_draws_of_the_others():
    rotation = draw(Augmentation(rotation=10), no_shift(6), seed=0, epoch=0)
    everything = draw(ALL, no_shift(6), seed=0, epoch=0)
    np.testing.assert_array_equal(rotation.rotation, everything.rotation)
    assert not rotation.flip.any()
    assert (rotation.zoom == 1).all()


@pytest.mark.parametrize("start", [0, 3])
def test_draws_are_taken_by_their_place_in_the_order(start: int):
    drawn = draw(ALL, no_shift(6), seed=0, epoch=0)
    taken = drawn.take(slice(start, start + 2))
    np.testing.assert_array_equal(taken.zoom, drawn.zoom[start : start + 2])
    assert taken.shift.shape == (2, 2)
