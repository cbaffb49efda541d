"""Thumbnails and hidden pictures: by hand, pixel for pixel."""

import numpy as np

from dualnet.data.hidden import HiddenPictures, all_but_centre, only_border
from dualnet.data.thumbnails import border_mask, shrink


class Stack:
    """Pictures in memory, read as a cache is."""

    def __init__(self, pictures: np.ndarray) -> None:
        self.pictures = pictures

    def read(self, positions: np.ndarray) -> np.ndarray:
        return self.pictures[positions]


def test_a_thumbnail_has_the_means_of_its_squares() -> None:
    picture = np.repeat(np.repeat(np.arange(16).reshape(4, 4), 8, 0), 8, 1)
    small = shrink(picture[np.newaxis].astype(np.uint8), 4)
    assert small.dtype == np.uint8
    np.testing.assert_array_equal(small[0], np.arange(16).reshape(4, 4))
    checks = np.indices((32, 32)).sum(axis=0) % 2 * 200
    assert (shrink(checks[np.newaxis].astype(np.uint8)) == 100).all()


def test_no_picture_has_no_thumbnail() -> None:
    assert shrink(np.empty((0, 32, 32), np.uint8)).shape == (0, 16, 16)


def test_a_border_is_as_wide_as_it_is_said_to_be() -> None:
    mask = border_mask(4, 1)
    assert mask.sum() == 12
    assert not mask[1:3, 1:3].any()


def test_the_border_is_one_sixteenth_and_the_centre_a_quarter() -> None:
    assert only_border(256).sum() == 256**2 - 224**2
    assert (~all_but_centre(256)).sum() == 128**2
    assert only_border(32).sum() == 32**2 - 28**2


def test_what_is_hidden_has_the_mean_gray_of_what_is_seen() -> None:
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (3, 8, 8, 1)).astype(np.uint8)
    visible = border_mask(8, 2)
    seen = HiddenPictures(Stack(pictures), visible).read(np.array([2, 0]))
    np.testing.assert_array_equal(seen[:, visible], pictures[[2, 0]][:, visible])
    for one, whole in zip(seen, pictures[[2, 0]], strict=True):
        assert set(one[~visible].ravel()) == {np.uint8(np.rint(whole[visible].mean()))}


def test_what_is_hidden_does_not_tell_how_bright_it_was() -> None:
    dark = np.full((1, 8, 8, 1), 100, np.uint8)
    bright = dark.copy()
    bright[:, 2:6, 2:6] = 250
    visible = border_mask(8, 2)
    read = [
        HiddenPictures(Stack(one), visible).read(np.array([0]))
        for one in (dark, bright)
    ]
    np.testing.assert_array_equal(*read)
