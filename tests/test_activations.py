"""Activations against values worked out by hand."""

from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest

from dualnet.errors import ConfigError, ImageError, RecordError
from dualnet.explain.activations import (
    activation_layers,
    compute_activations,
    compute_prepared,
    first_filters,
    fusion_parts,
    read_activations,
    split_logits,
)
from dualnet.explain.channels import compute_statistics
from dualnet.explain.stages import find_sources
from dualnet.models.dual import build_dual_classifier

CLASSES = ("Effusion", "Mass", "No Finding")
# gray values; 4 x 4 so that one pooling leaves 2 x 2
PIXELS = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)


def known_model() -> keras.Model:
    """One identity filter and one negated, relu, pooling; two metadata units."""
    image = keras.Input((4, 4, 1), name="image")
    metadata = keras.Input((2,), name="metadata")
    conv = keras.layers.Conv2D(2, 1, activation="relu", name="image_conv_1")
    maps = keras.layers.MaxPooling2D(name="image_pool_1")(conv(image))
    pooled = keras.layers.GlobalAveragePooling2D(name="image_pool")(maps)
    dense = keras.layers.Dense(2, activation="relu", name="metadata_dense_1")
    fused = keras.layers.Concatenate(name="fusion")([pooled, dense(metadata)])
    logits = keras.layers.Dense(3, kernel_initializer="zeros", name="logits")(fused)
    softmax = keras.layers.Activation("softmax", name="probabilities")
    model = keras.Model({"image": image, "metadata": metadata}, softmax(logits))
    conv.set_weights([np.array([[[[1.0, -1.0]]]]), np.zeros(2)])
    dense.set_weights([np.array([[1.0, 0.0], [0.0, -1.0]]), np.array([0.0, 1.0])])
    return model


def block_model() -> keras.Model:
    """A convolution, its normalisation and relu; a residual sum and its relu."""
    image = keras.Input((4, 4, 1), name="image")
    conv = keras.layers.Conv2D(2, 1, use_bias=False, name="image_conv_1")
    norm = keras.layers.BatchNormalization(name="image_norm_1", epsilon=0)
    maps = keras.layers.ReLU(name="image_relu_1")(norm(conv(image)))
    second = keras.layers.Conv2D(2, 1, use_bias=False, name="image_conv_2")
    joined = keras.layers.Add(name="image_add_1")([maps, second(maps)])
    last = keras.layers.Activation("relu", name="image_relu_2")(joined)
    model = keras.Model({"image": image}, last)
    conv.set_weights([np.array([[[[1.0, -1.0]]]])])
    # gamma, beta, mean, variance: 2 x - 10 and 2 x + 10
    norm.set_weights(
        [np.full(2, 2.0), np.array([-10.0, 10.0]), np.zeros(2), np.ones(2)]
    )
    second.set_weights([-2 * np.eye(2).reshape(1, 1, 2, 2)])
    return model


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return known_model()


@pytest.fixture
def inputs() -> dict[str, np.ndarray]:
    return {"image": PIXELS, "metadata": np.array([[3.0, 4.0]], np.float32)}


@cache
def dual(image_branch: str = "xnet", modality: str = "fused") -> keras.Model:
    return build_dual_classifier(
        image_size=32,
        num_features=8,
        class_names=CLASSES,
        modality=modality,
        image_branch=image_branch,
        seed=0,
    )


def dual_inputs() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "image": rng.integers(0, 256, (1, 32, 32, 1)).astype(np.uint8),
        "metadata": rng.normal(size=(1, 8)).astype(np.float32),
    }


def test_activations_are_those_worked_out_by_hand(model, inputs):
    found = compute_activations(model, inputs)
    np.testing.assert_array_equal(found["image_conv_1"][..., 0], PIXELS[..., 0])
    np.testing.assert_array_equal(found["image_conv_1"][..., 1], 0)  # relu(-x)
    np.testing.assert_array_equal(found["image_pool_1"][0, ..., 0], [[5, 7], [13, 15]])
    np.testing.assert_array_equal(found["image_pool"], [[10, 0]])
    np.testing.assert_array_equal(found["metadata_dense_1"], [[3, 0]])  # relu(1 - 4)
    np.testing.assert_array_equal(found["fusion"], [[10, 0, 3, 0]])
    np.testing.assert_allclose(found["probabilities"], [[1 / 3] * 3], rtol=1e-6)
    assert all(values.dtype == np.float32 for values in found.values())


def test_a_stage_is_taken_after_its_normalisation_and_activation():
    model = block_model()
    found = compute_activations(model, {"image": PIXELS})
    first = np.stack([2 * PIXELS[..., 0] - 10, -2 * PIXELS[..., 0] + 10], -1).clip(0)
    np.testing.assert_allclose(found["image_conv_1"], first, atol=1e-5)
    np.testing.assert_allclose(found["image_conv_2"], -2 * first, atol=1e-5)
    np.testing.assert_allclose(found["image_add_1"], 0 * first, atol=1e-5)
    assert activation_layers(model) == [
        ("image_conv_1", "convolution"),
        ("image_conv_2", "convolution"),
        ("image_add_1", "sum"),
    ]
    raw = compute_activations(model, {"image": PIXELS}, ["image_norm_*"])
    assert raw["image_norm_1"].min() == pytest.approx(-20)  # 10 - 2 * 15


def test_a_batch_gives_each_picture_its_own_row(model, inputs):
    pair = {name: np.concatenate([x, 2 * x]) for name, x in inputs.items()}
    found = compute_activations(model, pair)
    np.testing.assert_array_equal(found["image_pool"], [[10, 0], [20, 0]])


@pytest.mark.parametrize("branch", ["xnet", "residual"])
def test_every_stage_comes_in_order_and_is_the_models_own(branch):
    model, inputs = dual(branch), dual_inputs()
    layers = activation_layers(model)
    names = [name for name, _ in layers]
    kinds = [kind for _, kind in layers]
    convolutions = [
        layer.name for layer in model.layers if isinstance(layer, keras.layers.Conv2D)
    ]
    assert [n for n, kind in layers if kind == "convolution"] == convolutions
    assert names[0] == "image_conv_1"
    assert names[-3:] == ["fusion", "logits", "probabilities"]
    assert kinds.count("metadata dense") == 2
    image_pool, first_dense = names.index("image_pool"), names.index("metadata_dense_1")
    assert image_pool < first_dense
    found = compute_activations(model, inputs)
    assert list(found) == names
    expected = keras.ops.convert_to_numpy(model(inputs, training=False))
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-6)
    assert found["probabilities"].sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("branch", ["xnet", "residual"])
def test_a_reloaded_model_gives_the_same_activations(branch, tmp_path: Path):
    model, inputs = dual(branch), dual_inputs()
    model.save(tmp_path / "model.keras")
    loaded: keras.Model = keras.saving.load_model(tmp_path / "model.keras")
    before, after = (
        compute_activations(model, inputs),
        compute_activations(loaded, inputs),
    )
    assert activation_layers(model) == activation_layers(loaded)
    for name, values in before.items():
        np.testing.assert_allclose(after[name], values, atol=1e-6, err_msg=name)


def test_a_model_of_one_input_has_its_half_only():
    image, metadata = dual(modality="image"), dual(modality="metadata")
    image_kinds = {kind for _, kind in activation_layers(image)}
    assert "metadata dense" not in image_kinds
    assert "convolution" in image_kinds
    assert {kind for _, kind in activation_layers(metadata)} <= {
        "metadata dense",
        "fusion",
        "logits",
        "probabilities",
    }
    assert first_filters(metadata) is None
    assert fusion_parts(image) == fusion_parts(metadata) == {}
    # inputs that a model does not have are left aside
    for model in (image, metadata):
        assert "probabilities" in compute_activations(model, dual_inputs())


def test_patterns_choose_stages_in_the_models_order(model):
    assert activation_layers(model, ["logits", "image_pool*"]) == [
        ("image_pool_1", "pooling"),
        ("image_pool", "pooling"),
        ("logits", "logits"),
    ]


def test_a_pattern_without_match_is_refused_by_value(model, inputs):
    with pytest.raises(ConfigError, match=r"'image_conv_9'.*Near it: image_conv_1"):
        compute_activations(model, inputs, ["image_*", "image_conv_9"])
    with pytest.raises(
        ConfigError, match=r"Received: '\?'\. Choose from: image_conv_1"
    ):
        activation_layers(model, ["?"])


def test_inputs_that_do_not_fit_are_refused_by_value(model, inputs):
    small = {**inputs, "image": PIXELS[:, :2]}
    with pytest.raises(ImageError, match=r"\(batch, 4, 4, 1\).*shape=\(1, 2, 4, 1\)"):
        compute_activations(model, small)
    with pytest.raises(RecordError, match=r"metadata: .*Received: none"):
        compute_activations(model, {"image": PIXELS})
    unknown = {**inputs, "metadata": np.array([[np.nan, 0.0]])}
    with pytest.raises(RecordError, match="metadata: every value must be finite"):
        compute_activations(model, unknown)


def test_first_filters_are_the_kernels_of_the_first_convolution(model):
    np.testing.assert_array_equal(first_filters(model), [[[[1, -1]]]])


def test_sources_are_found_where_the_paths_double_with_each_layer():
    image, metadata = (keras.Input((2,), name=name) for name in ("image", "metadata"))
    both = image
    for _ in range(60):  # 2**60 paths, as DenseNet has
        both = keras.layers.Add()([both, keras.layers.ReLU()(both)])
    joined = keras.layers.Concatenate()([both, metadata])
    model = keras.Model([image, metadata], joined)
    sources = find_sources(model)
    assert sources[id(both)] == {"image"}
    assert sources[id(metadata)] == {"metadata"}
    assert sources[id(joined)] == {"image", "metadata"}


def test_fusion_parts_say_which_branch_each_unit_is_from(model):
    assert fusion_parts(model) == {"image": 2, "metadata": 2}
    assert (
        sum(fusion_parts(dual()).values()) == dual().get_layer("fusion").output.shape[1]
    )


def test_batches_that_are_read_in_turn_give_what_one_call_gives():
    model, inputs = dual(), dual_inputs()
    batches = [
        {"image": inputs["image"] // n, **metadata}
        for n in (1, 2)
        for metadata in [{"metadata": inputs["metadata"] * n}]
    ]
    for given, (batch, found) in zip(
        batches, read_activations(model, batches), strict=True
    ):
        assert batch is given
        expected = compute_activations(model, given)
        assert list(found) == list(expected)
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, atol=1e-5, err_msg=name)


def test_the_prepared_picture_is_what_the_first_convolution_reads():
    inputs = dual_inputs()
    gray = inputs["image"].astype(np.float32)
    xnet = compute_prepared(dual(), inputs)
    np.testing.assert_allclose(xnet, gray / 127.5 - 1, atol=1e-6)
    rgb = compute_prepared(dual("cnn3"), inputs)
    np.testing.assert_allclose(rgb, np.repeat(gray / 127.5 - 1, 3, -1), atol=1e-6)
    assert compute_prepared(dual(modality="metadata"), inputs) is None


def test_a_frame_is_no_part_of_the_prepared_picture(model):
    image = keras.Input((4, 4, 1), name="image")
    framed = keras.layers.ZeroPadding2D(2)(keras.layers.Rescaling(2.0)(image))
    conv = keras.layers.Conv2D(1, 3, name="image_conv_1")(framed)
    prepared = compute_prepared(keras.Model({"image": image}, conv), {"image": PIXELS})
    np.testing.assert_array_equal(prepared, 2 * PIXELS)


def test_the_halves_add_up_to_the_logits():
    model, inputs = dual(), dual_inputs()
    found = compute_activations(model, inputs, ["fusion", "logits"])
    shares = split_logits(model, found["fusion"])
    assert list(shares) == ["image", "metadata", "bias"]
    total = sum(shares.values())
    np.testing.assert_allclose(total, found["logits"], atol=1e-5)
    assert not np.allclose(shares["image"], total)
    for modality in ("image", "metadata"):
        assert split_logits(dual(modality=modality), found["fusion"]) == {}


def test_the_share_of_a_half_is_worked_out_by_hand(model):
    kernel = np.arange(12.0).reshape(4, 3)
    fused = known_model()
    fused.get_layer("logits").set_weights([kernel, np.array([1.0, 2.0, 3.0])])
    shares = split_logits(fused, np.array([[10.0, 0.0, 3.0, 0.0]]))
    assert shares["image"].tolist() == [[0, 10, 20]]
    assert shares["metadata"].tolist() == [[18, 21, 24]]
    assert shares["bias"].tolist() == [[1, 2, 3]]


def test_statistics_count_dead_channels_and_put_the_most_active_first():
    maps = np.zeros((2, 2, 5), np.float32)
    maps[..., 1] = [[1, 2], [3, 4]]  # mean 2.5
    maps[..., 2] = -1.0  # never above 0
    maps[..., 3] = 9.0  # the same everywhere
    maps[..., 4] = [[0, 0], [0, 20]]  # mean 5
    statistics = compute_statistics(maps)
    assert statistics.dead.tolist() == [True, False, True, True, False]
    assert (statistics.num_channels, statistics.num_dead) == (5, 3)
    assert statistics.order.tolist() == [4, 1, 3, 2, 0]
    np.testing.assert_allclose(statistics.activity, [0, 2.5, 1, 9, 5])


def test_statistics_scale_by_percentiles_and_leave_outliers_out():
    maps = np.arange(101, dtype=np.float32).reshape(101, 1, 1)
    maps[100] = 1e6
    statistics = compute_statistics(maps)
    assert (statistics.low, statistics.high) == (1, 99)


def test_a_stage_that_is_nearly_all_zero_is_scaled_by_its_whole_range():
    maps = np.zeros((20, 20, 1), np.float32)
    maps[0, 0] = 7
    statistics = compute_statistics(maps)
    assert (statistics.low, statistics.high) == (0, 7)


def test_a_unit_of_a_vector_is_dead_only_if_it_is_not_above_zero():
    assert compute_statistics(np.array([1.0, 0.0, -2.0])).dead.tolist() == [
        False,
        True,
        True,
    ]


def test_statistics_tell_mean_spread_and_share_above_zero():
    maps = np.array([[[1.0, -1.0], [3.0, -1.0]], [[0.0, 2.0], [0.0, 4.0]]])
    statistics = compute_statistics(maps)
    assert statistics.mean.tolist() == [1, 1]
    assert statistics.maximum.tolist() == [3, 4]
    assert statistics.positive.tolist() == [0.5, 0.5]
    np.testing.assert_allclose(statistics.deviation, [np.sqrt(1.5), np.sqrt(4.5)])
