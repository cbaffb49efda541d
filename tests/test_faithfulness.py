"""Pixels that go and come, and weights that are shuffled, on models known by hand."""

import keras
import numpy as np
import pytest

from dualnet.evaluation.intervals.bootstrap import resample_patients
from dualnet.explain.faithfulness import (
    NUM_STEPS,
    blur,
    compute_curves,
    describe_curves,
    draw_noise,
    rank_pixels,
)
from dualnet.explain.randomisation import (
    copy_model,
    correlate_maps,
    describe_correlations,
    list_stages,
    shuffle_stages,
)
from dualnet.models.dual import build_dual_classifier

SIZE = 16
DOT = (5, 9)


def dot_model() -> keras.Model:
    """A sigmoid of one pixel: what is elsewhere does not matter."""
    image = keras.Input((SIZE, SIZE, 1), name="image")
    flat = keras.layers.Flatten()(image)
    logits = keras.layers.Dense(2, name="logits")(flat)
    answer = keras.layers.Activation("sigmoid", name="probabilities")(logits)
    model = keras.Model({"image": image}, answer)
    kernel = np.zeros((SIZE * SIZE, 2))
    kernel[DOT[0] * SIZE + DOT[1], 1] = 0.02
    model.get_layer("logits").set_weights([kernel, np.zeros(2)])
    return model


def dots(number: int = 1) -> np.ndarray:
    images = np.zeros((number, SIZE, SIZE, 1), np.float32)
    images[:, *DOT] = 200
    return images


def test_curves_fall_and_rise_where_the_pixel_that_matters_goes_and_comes() -> None:
    heat = np.zeros((1, SIZE, SIZE))
    heat[0, *DOT] = 1
    images = dots()
    curves = compute_curves(dot_model(), {"image": images}, np.array([1]), heat)
    whole, without = (
        1 / (1 + np.exp(-0.02 * one[0, *DOT, 0])) for one in (images, blur(images))
    )
    assert whole == pytest.approx(0.98201379, abs=1e-6)
    assert without < 0.7
    steps = [without] * NUM_STEPS
    np.testing.assert_allclose(curves.deletion, [[whole, *steps]], rtol=1e-5)
    rise = [whole] * NUM_STEPS
    np.testing.assert_allclose(curves.insertion, [[without, *rise]], rtol=1e-5)
    half = (whole - without) / 2 / NUM_STEPS
    np.testing.assert_allclose(
        curves.areas, [[without + half, whole - half]], rtol=1e-5
    )


def test_a_map_that_ranks_the_pixel_last_is_the_other_way_round() -> None:
    heat = np.ones((1, SIZE, SIZE))
    heat[0, *DOT] = 0
    curves = compute_curves(dot_model(), {"image": dots()}, np.array([1]), heat)
    assert np.ptp(curves.deletion[:, :-1]) < 1e-6
    assert np.ptp(curves.insertion[:, :-1]) < 1e-6
    # the other class does not look at the picture
    other = compute_curves(dot_model(), {"image": dots()}, np.array([0]), heat)
    np.testing.assert_allclose(other.areas, 0.5)


def test_curves_are_described_beside_noise() -> None:
    heat = np.zeros((6, SIZE, SIZE))
    heat[:, *DOT] = 1
    model, columns = dot_model(), np.ones(6, int)
    noise = draw_noise(6, SIZE, seed=0)
    curves, others = (
        compute_curves(model, {"image": dots(6)}, columns, one) for one in (heat, noise)
    )
    draws = resample_patients(list("abcdef"), num_resamples=50, seed=0)
    found = describe_curves(curves, others, draws)
    assert (found["n"], found["num_patients"]) == (6, 6)
    assert found["deletion"]["minus_noise"]["high"] < 0
    assert found["insertion"]["minus_noise"]["low"] > 0
    assert found["deletion"]["area"] == pytest.approx(curves.areas[:, 0].mean())
    assert len(found["deletion"]["curve"]) == NUM_STEPS + 1


def test_pixels_that_are_alike_are_ranked_by_chance_and_the_seed() -> None:
    maps = np.zeros((1, 8, 8))
    maps[0, 7, 7] = 1
    ranks = rank_pixels(maps, seed=3)
    assert sorted(ranks.ravel()) == list(range(64))
    assert ranks[0, 7, 7] == 0
    assert (np.diff(ranks[0, :7].ravel()) < 0).any()  # not in reading order
    np.testing.assert_array_equal(ranks, rank_pixels(maps, seed=3))
    assert (ranks != rank_pixels(maps, seed=4)).any()


def test_noise_is_smooth_and_the_same_of_a_seed() -> None:
    noise = draw_noise(2, 64, seed=0)
    assert noise.shape == (2, 64, 64)
    assert np.abs(np.diff(noise, axis=2)).max() < 1 / 8 + 1e-6  # 8 pixels a cell
    np.testing.assert_array_equal(noise, draw_noise(2, 64, seed=0))


def fused() -> keras.Model:
    return build_dual_classifier(
        image_size=32,
        num_features=4,
        class_names=("Effusion", "Mass", "No Finding"),
        image_branch="residual",
        seed=0,
    )


def test_stages_go_from_the_answer_down_past_all_that_sees_the_picture() -> None:
    model = fused()
    stages = list_stages(model)
    names = [name for stage in stages for name in stage]
    assert stages[0] == ["logits"]
    assert 2 < len(stages) <= 6
    assert names[-1] == "image_conv_1" or names[-1].startswith("image_")
    assert len(set(names)) == len(names)
    seen = {layer.name for layer in model.layers if layer.weights}
    assert seen - set(names) == {n for n in seen if n.startswith("metadata_")}


def test_shuffled_weights_are_the_same_values_in_other_places() -> None:
    model = fused()
    before = {layer.name: layer.get_weights() for layer in model.layers}
    copy = copy_model(model)
    done = list(shuffle_stages(copy, seed=0))
    assert done == [stage[-1] for stage in list_stages(model)]
    for layer in model.layers:
        for kept, own in zip(before[layer.name], layer.get_weights(), strict=True):
            np.testing.assert_array_equal(own, kept)  # the model itself stays
    kernel, shuffled = (
        one.get_layer("image_conv_1").get_weights()[0] for one in (model, copy)
    )
    assert (kernel != shuffled).any()
    np.testing.assert_array_equal(np.sort(kernel.ravel()), np.sort(shuffled.ravel()))
    again = copy_model(model)
    list(shuffle_stages(again, seed=0))
    np.testing.assert_array_equal(
        again.get_layer("image_conv_1").get_weights()[0], shuffled
    )


def test_correlations_are_of_ranks_of_what_is_above_zero() -> None:
    maps = np.array([[[1.0, 2.0], [3.0, 4.0]]])
    assert correlate_maps(maps, maps**3) == pytest.approx([1])
    assert correlate_maps(maps, 5 - maps) == pytest.approx([-1])
    assert correlate_maps(maps, np.ones_like(maps)).tolist() == [0]
    # ranks 1 to 4 against 1.5, 1.5, 3, 4: all below 0 are alike
    tied = np.array([[[-7.0, -2.0], [3.0, 4.0]]])
    assert correlate_maps(maps, tied) == pytest.approx([0.9486833])


def test_correlations_are_described_stage_by_stage() -> None:
    draws = resample_patients(list("abcd"), num_resamples=20, seed=0)
    stages = {"logits": np.full(4, 0.5), "image_conv_1": np.zeros(4)}
    found = describe_correlations(stages, draws)
    assert [one["layer"] for one in found["stages"]] == ["logits", "image_conv_1"]
    assert found["stages"][0]["correlation"] == 0.5
    assert found["stages"][0]["interval"]["low"] == 0.5
    assert (found["n"], found["num_patients"]) == (4, 4)
