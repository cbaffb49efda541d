"""Mean activations of two classes against values worked out by hand."""

import numpy as np
import pytest
from test_activations import PIXELS, known_model

from dualnet.explain.class_means import compute_class_means, compute_effects

MEMBERS = np.array([True, True, False])


def batches(size: int) -> list[dict[str, np.ndarray]]:
    images = np.concatenate([PIXELS, 3 * PIXELS, 10 * PIXELS])
    metadata = np.array([[1.0, 4.0], [3.0, 4.0], [5.0, 0.0]], np.float32)
    return [
        {"image": images[i : i + size], "metadata": metadata[i : i + size]}
        for i in range(0, 3, size)
    ]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_means_are_those_worked_out_by_hand(size: int) -> None:
    found = compute_class_means(known_model(), batches(size), MEMBERS)
    assert found.images is not None
    np.testing.assert_allclose(found.images[0], 2 * PIXELS[0, ..., 0])
    np.testing.assert_allclose(found.images[1], 10 * PIXELS[0, ..., 0])
    np.testing.assert_allclose(found.means["image_pool"], [[20, 0], [100, 0]])
    # relu(first), relu(1 - second): (1, 0), (3, 0) and (5, 1)
    np.testing.assert_allclose(found.means["metadata_dense_1"], [[2, 0], [5, 1]])
    np.testing.assert_allclose(found.levels["image_pool"][:, 0], [10, 30, 100])
    # conv 1 is the picture itself: its mean over 0 to 15 is 7.5
    np.testing.assert_allclose(found.levels["image_conv_1"][:, 0], [7.5, 22.5, 75])
    assert found.dead["image_conv_1"].tolist() == [False, True]
    assert found.means["image_conv_1"].shape == (2, 4, 4, 2)


def test_an_effect_is_the_difference_in_standard_deviations() -> None:
    levels = np.array([[1.0, 5, 0], [3, 5, 0], [5, 5, 1], [9, 5, 0]])
    members = np.array([True, True, False, False])
    found = compute_effects(levels, members, seed=0)
    # means 2 and 7; squares about them 2 and 8, over 4 - 2; then 0 and .5, 0 and .5
    expected = [-5 / np.sqrt(5), 0, -0.5 / np.sqrt(0.25)]
    np.testing.assert_allclose(found.sizes, expected)
    assert found.order.tolist() == [0, 2, 1]


def test_chance_is_the_greatest_of_all_channels() -> None:
    random = np.random.default_rng(0)
    levels = random.normal(size=(60, 40))
    members = np.arange(60) < 30
    found = compute_effects(levels, members, seed=1)
    one = compute_effects(levels[:, :1], members, seed=1)
    # of 40 channels the greatest is about 3 standard errors of 2 / sqrt(60), of one 2
    assert 0.6 < found.chance < 1.1
    assert 0.35 < one.chance < 0.7
    assert np.abs(found.sizes).max() < 1.2 * found.chance
    levels[members, 7] += 2
    again = compute_effects(levels, members, seed=1)
    assert again.order[0] == 7
    assert again.sizes[7] > 1.5 * again.chance


def test_the_same_seed_gives_the_same_chance() -> None:
    levels = np.random.default_rng(3).normal(size=(20, 4))
    members = np.arange(20) % 2 == 0
    one, same, other = (
        compute_effects(levels, members, seed=seed).chance for seed in (1, 1, 2)
    )
    assert one == same != other
