"""Heat maps against values worked out by hand, on whatever back end runs."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest

from dualnet.errors import ConfigError, ImageError, RecordError, RunError
from dualnet.explain import cut_model
from dualnet.explain.heat_maps import (
    METHODS,
    HeatMapper,
    compute_heat_maps,
    enlarge_maps,
)
from dualnet.models.dual import build_dual_classifier
from dualnet.training.precision import dtype_policy

TESTS = Path(__file__).parent
CLASSES = ("Effusion", "Mass", "No Finding")
PIXELS = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
RECORD = np.array([[3.0]], np.float32)


def known_model() -> keras.Model:
    """x and relu(8 - x) as maps, 2x2 maxima, a weight for each; the record is added."""
    image = keras.Input((4, 4, 1), name="image")
    metadata = keras.Input((1,), name="metadata")
    conv = keras.layers.Conv2D(2, 1, activation="relu", name="image_conv_1")
    pool = keras.layers.MaxPooling2D(2, name="image_pool")
    flat = keras.layers.Flatten(name="image_flatten")(pool(conv(image)))
    fused = keras.layers.Concatenate(name="fusion")([flat, metadata])
    head = keras.layers.Dense(2, name="logits")
    softmax = keras.layers.Activation("softmax", name="probabilities")
    model = keras.Model(
        {"image": image, "metadata": metadata}, softmax(head(fused)), name="known"
    )
    conv.set_weights([np.array([[[[1.0, -1.0]]]]), np.array([0.0, 8.0])])
    # by place (row by row) and channel, then the record
    kernel = np.zeros((9, 2))
    kernel[:8, 1] = [1, 0, 2, 0, -1, 1, 4, 2]
    kernel[8, 1] = 100
    head.set_weights([kernel, np.array([7.0, 5.0])])
    return model


def linear_model() -> keras.Model:
    """Its logit is 2 times the pixel at row 1 and column 2, and the record."""
    image = keras.Input((4, 4, 1), name="image")
    metadata = keras.Input((1,), name="metadata")
    flat = keras.layers.Flatten(name="image_flatten")(image)
    fused = keras.layers.Concatenate(name="fusion")([flat, metadata])
    head = keras.layers.Dense(1, name="logits")
    model = keras.Model({"image": image, "metadata": metadata}, head(fused))
    kernel = np.zeros((17, 1))
    kernel[[6, 16]] = [[2], [100]]
    head.set_weights([kernel, np.zeros(1)])
    return model


def build(**settings: str) -> keras.Model:
    return build_dual_classifier(
        image_size=64,
        num_features=3,
        class_names=CLASSES,
        metadata_units=(4,),
        seed=0,
        **settings,
    )


@cache
def dual(image_branch: str = "residual", **settings: str) -> keras.Model:
    """A model of which normalisations have statistics as if they had seen pictures."""
    model = build(image_branch=image_branch, **settings)
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([x + rng.uniform(0, 0.1) for x in layer.get_weights()])
    return model


def make_inputs(num_rows: int = 3, size: int = 64) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "image": rng.integers(0, 256, (num_rows, size, size, 1)).astype("uint8"),
        "metadata": rng.normal(size=(num_rows, 3)).astype("float32"),
    }


def read_logits(model: keras.Model, inputs: dict[str, np.ndarray]) -> np.ndarray:
    inner = keras.Model(model.inputs, model.get_layer("logits").output)
    return inner.predict_on_batch(
        [np.asarray(inputs[one.name], "float32") for one in model.inputs]
    )


def test_a_class_activation_map_is_the_one_worked_out_by_hand():
    # the maxima of x in 2x2 are 5 7 13 15; of relu(8 - x) 8 6 0 0
    inputs = {"image": PIXELS, "metadata": RECORD}
    shares = np.array([[5 * 1 + 8 * 0, 7 * 2 + 6 * 0], [13 * -1 + 0, 15 * 4 + 0]])
    found = compute_heat_maps(known_model(), inputs, [1], layer="image_pool")
    np.testing.assert_allclose(found.values, [shares], atol=1e-5)
    assert (found.method, found.layer) == ("hires_cam", "image_pool")
    assert found.values.dtype == np.float32
    # what the places, the record and the bias add is the logit
    logit = read_logits(known_model(), inputs)[0, 1]
    assert logit == pytest.approx(found.values.sum() + 100 * 3 + 5, rel=1e-6)
    # mean gradients: (1 + 2 - 1 + 4) / 4 of x, (0 + 0 + 1 + 2) / 4 of relu(8 - x)
    found = compute_heat_maps(
        known_model(), inputs, [1], method="grad_cam", layer="image_pool"
    )
    expected = 1.5 * np.array([[5, 7], [13, 15]]) + 0.75 * np.array([[8, 6], [0, 0]])
    np.testing.assert_allclose(found.values, [expected], atol=1e-5)


def test_below_a_pooling_only_the_maxima_have_a_share():
    inputs = {"image": PIXELS, "metadata": RECORD}
    found = compute_heat_maps(known_model(), inputs, [1])
    assert found.layer == "image_conv_1"  # the last one with maps, before the pooling
    expected = np.zeros((4, 4))
    expected[[1, 1, 3, 3], [1, 3, 1, 3]] = [5, 14, -13, 60]
    np.testing.assert_allclose(found.values, [expected], atol=1e-5)


def test_grad_cam_is_never_below_zero_and_another_class_has_another_map():
    model = known_model()
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([-kernel, bias])
    inputs = {"image": np.repeat(PIXELS, 2, 0), "metadata": np.repeat(RECORD, 2, 0)}
    found = compute_heat_maps(model, inputs, [1, 0], method="grad_cam")
    np.testing.assert_array_equal(found.values, 0)
    found = compute_heat_maps(model, inputs, [1, 0])
    assert found.values[0].sum() == pytest.approx(-66)
    np.testing.assert_array_equal(found.values[1], 0)  # class 0 looks at nothing


def test_integrated_gradients_of_a_linear_model_are_exact():
    found = compute_heat_maps(
        linear_model(),
        {"image": PIXELS, "metadata": RECORD},
        [0],
        method="integrated_gradients",
    )
    expected = np.zeros((1, 4, 4))
    expected[0, 1, 2] = 2 * (6 - 7.5)  # from the mean gray, 7.5, to 6
    np.testing.assert_allclose(found.values, expected, atol=1e-4)
    assert found.layer == "image"


@pytest.mark.parametrize("layer", [None, "image_add_5"])
def test_integrated_gradients_add_up_to_the_difference_of_the_logits(layer):
    model, inputs = dual(), make_inputs()
    columns = np.array([0, 1, 2])
    found = compute_heat_maps(
        model, inputs, columns, method="integrated_gradients", layer=layer
    )
    means = inputs["image"].mean(axis=(1, 2, 3), keepdims=True)
    flat = {**inputs, "image": np.broadcast_to(means, inputs["image"].shape)}
    own, other = (read_logits(model, one)[range(3), columns] for one in (inputs, flat))
    far = np.abs(own - other).max()
    sums = found.values.sum(axis=(1, 2))
    np.testing.assert_allclose(sums, own - other, atol=0.02 * far)


def test_occlusion_is_the_mean_fall_over_the_windows_that_hide_a_cell():
    found = compute_heat_maps(
        linear_model(),
        {"image": PIXELS, "metadata": RECORD},
        [0],
        method="occlusion",
    )
    # windows of 2x2 pixels; those with the pixel at row 1 and column 2 take 2 (6 - 7.5)
    fall = -3.0
    # of the 1, 2, 2, 1 windows along the rows that hide a cell, those that hide row 1
    rows = np.array([1 / 1, 2 / 2, 1 / 2, 0])
    columns = np.array([0, 1 / 2, 2 / 2, 1 / 1])
    np.testing.assert_allclose(
        found.values[0], fall * np.outer(rows, columns), atol=1e-4
    )


def test_occlusion_finds_the_only_place_that_matters():
    image = keras.Input((64, 64, 1), name="image")
    pooled = keras.layers.AveragePooling2D(32, name="image_pool_1")(image)
    flat = keras.layers.Flatten(name="image_flatten")(pooled)
    head = keras.layers.Dense(2, name="logits")
    model = keras.Model({"image": image}, head(flat))
    kernel = np.zeros((4, 2))
    kernel[3, 1] = 1  # the lower right quarter
    head.set_weights([kernel, np.zeros(2)])
    picture = np.zeros((1, 64, 64, 1), np.float32)
    picture[0, 40:48, 48:56] = 255
    found = compute_heat_maps(model, {"image": picture}, [1], method="occlusion")
    assert found.values.shape == (1, 16, 16)  # cells of 4 pixels
    rows, columns = np.nonzero(found.values[0] == found.values.max())
    assert set(rows) <= {10, 11}
    assert set(columns) <= {12, 13}


@pytest.mark.parametrize("method", METHODS)
def test_maps_do_not_depend_on_the_batch(method):
    occlusion = method == "occlusion"  # of 64 pixels it takes seconds
    model = linear_model() if occlusion else dual("xnet")
    inputs = make_inputs(5)
    if occlusion:
        inputs = {"image": inputs["image"][:, :4, :4], "metadata": np.ones((5, 1))}
    columns = [0] * 5 if occlusion else [0, 1, 2, 0, 1]
    together = compute_heat_maps(model, inputs, columns, method=method)
    apart = compute_heat_maps(model, inputs, columns, method=method, batch_size=2)
    np.testing.assert_allclose(apart.values, together.values, rtol=1e-4, atol=1e-5)
    assert np.ptp(together.values) > 0


@pytest.mark.parametrize(
    ("branch", "methods"),
    [("residual", METHODS[1:3]), ("mobilenet", METHODS[:1])],
)
def test_a_reloaded_model_has_the_same_maps(branch, methods, tmp_path: Path):
    model, inputs = dual(branch), make_inputs()
    before = [compute_heat_maps(model, inputs, [0, 1, 2], method=m) for m in methods]
    model.save(tmp_path / "model.keras")  # after it was looked into, too
    loaded: keras.Model = keras.saving.load_model(tmp_path / "model.keras")
    for own in before:
        after = compute_heat_maps(loaded, inputs, [0, 1, 2], method=own.method)
        assert after.layer == own.layer
        np.testing.assert_allclose(after.values, own.values, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "backend",
    [
        pytest.param(
            name,
            marks=pytest.mark.skipif(
                importlib.util.find_spec(name) is None, reason=f"{name} is absent"
            ),
        )
        for name in ("tensorflow", "jax", "torch")
    ],
)
def test_maps_are_the_same_on_another_back_end(backend, tmp_path: Path):
    model, inputs = dual(), make_inputs()
    model.save(tmp_path / "model.keras")
    np.savez(tmp_path / "inputs.npz", columns=[0, 1, 2], **inputs)
    answer = subprocess.run(
        [sys.executable, str(TESTS / "heat_maps_of_a_file.py"), str(tmp_path)],
        env={
            **os.environ,
            "KERAS_BACKEND": backend,
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    with np.load(tmp_path / f"{backend}.npz") as found:
        for method in METHODS:
            own = compute_heat_maps(model, inputs, [0, 1, 2], method=method).values
            np.testing.assert_allclose(found[method], own, atol=1e-4, err_msg=method)


def test_the_gradient_is_that_of_small_steps():
    model, inputs = dual("xnet", modality="image"), make_inputs(1)
    cut = cut_model.cut_at_layer(model, "image_pool_3")
    batch = {"image": inputs["image"].astype("float32")}
    maps = cut.read_maps(batch)
    gradient = cut.differentiate(maps, batch, np.array([2]))
    rng = np.random.default_rng(0)
    for place in rng.choice(np.argwhere(np.abs(gradient[0]) > 1e-3), 3):
        step = np.zeros_like(maps)
        step[(0, *place)] = 0.002  # short of the kinks of relu
        rise = cut.read_logits(maps + step, batch) - cut.read_logits(maps - step, batch)
        assert gradient[(0, *place)] == pytest.approx(
            rise[0, 2] / 0.004, rel=0.05, abs=5e-4
        )


def test_weights_that_are_set_later_are_used():
    model = known_model()
    inputs = {"image": PIXELS, "metadata": RECORD}
    mapper = HeatMapper(model, layer="image_pool")
    before = mapper.compute(inputs, [1]).values
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([2 * kernel, bias])
    np.testing.assert_allclose(mapper.compute(inputs, [1]).values, 2 * before)


def test_a_model_of_mixed_precision_is_explained_in_float32():
    model = dual()
    with dtype_policy("mixed_bfloat16"):
        mixed = build(image_branch="residual")
    mixed.set_weights(model.get_weights())
    inputs = make_inputs()
    mapper = HeatMapper(mixed)
    np.testing.assert_array_equal(
        mapper.compute(inputs, [0, 1, 2]).values,
        compute_heat_maps(model, inputs, [0, 1, 2]).values,
    )
    kernel, bias = mixed.get_layer("logits").get_weights()
    mixed.get_layer("logits").set_weights([0 * kernel, bias])
    np.testing.assert_array_equal(mapper.compute(inputs, [0, 1, 2]).values, 0)


def test_every_layer_with_maps_can_be_looked_at():
    model, inputs = dual(), make_inputs(1)
    for name in ("image_conv_1", "image_pool_1", "image_relu_3", "image_shortcut_5"):
        found = compute_heat_maps(model, inputs, [0], layer=name)
        assert found.layer == name
        assert found.values.shape[1:] == model.get_layer(name).output.shape[1:3]


def test_without_a_layer_the_deepest_one_is_taken_that_is_fine_enough():
    inputs = make_inputs(1)
    # residual has maps of 16x16, 8x8, 4x4 and 2x2 of pictures of 64 pixels
    assert compute_heat_maps(dual(), inputs, [0]).layer == "image_add_3"
    assert compute_heat_maps(dual("xnet"), inputs, [0]).layer == "image_conv_3"


def test_a_model_whose_maps_are_single_values_is_refused():
    image = keras.Input((1, 1, 1), name="image")
    maps = keras.layers.Conv2D(2, 1, name="image_conv_1")(image)
    flat = keras.layers.Flatten(name="image_flatten")(maps)
    model = keras.Model({"image": image}, keras.layers.Dense(2, name="logits")(flat))
    with pytest.raises(ConfigError, match=r"at least 2x2 .*Use larger pictures"):
        HeatMapper(model)


def test_no_rows_give_no_maps():
    inputs = {name: values[:0] for name, values in make_inputs().items()}
    assert compute_heat_maps(dual(), inputs, []).values.shape == (0, 8, 8)


REFUSED: dict[str, tuple[Callable[[], object], type[ValueError], str]] = {
    "a layer that is not there": (
        lambda: HeatMapper(dual("xnet"), layer="image_conv_9"),
        ConfigError,
        r"Received: 'image_conv_9'\. Near it: image_conv_.* Choose from: image_conv_1",
    ),
    "a layer without maps": (
        lambda: HeatMapper(dual("xnet"), layer="metadata_dense_1"),
        ConfigError,
        r"has maps\. Received: 'metadata_dense_1', which has none\.",
    ),
    "a layer for occlusion": (
        lambda: HeatMapper(dual("xnet"), method="occlusion", layer="image_conv_1"),
        ConfigError,
        r"looks at no layer\. Received: 'image_conv_1'",
    ),
    "another method": (
        lambda: HeatMapper(dual("xnet"), method="lime"),
        ConfigError,
        r"one of grad_cam, .*Received: 'lime'",
    ),
    "no picture": (
        lambda: HeatMapper(dual(modality="metadata")),
        RunError,
        r"must read a picture .*Received: the input metadata alone",
    ),
    "a class that is not there": (
        lambda: compute_heat_maps(dual("xnet"), make_inputs(2), [0, 3]),
        RecordError,
        r"0 to 2\. Received: 3\.",
    ),
    "too few classes": (
        lambda: compute_heat_maps(dual("xnet"), make_inputs(2), [0]),
        RecordError,
        r"Received: 1 columns, 2 of image, 2 of metadata",
    ),
    "a picture of another size": (
        lambda: compute_heat_maps(dual("xnet"), make_inputs(1, size=32), [0]),
        ImageError,
        r"\(batch, 64, 64, 1\).*shape=\(1, 32, 32, 1\)",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_by_value(case):
    call, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        call()


def test_a_model_without_logits_is_refused():
    image = keras.Input((4, 4, 1), name="image")
    foreign = keras.Model(image, keras.layers.Flatten(name="flat")(image))
    with pytest.raises(RunError, match=r"the layer logits .*Received: image, flat as"):
        HeatMapper(foreign)


def test_maps_are_enlarged_about_the_centres_of_their_cells():
    found = enlarge_maps(np.array([[[0.0, 8.0], [16.0, 24.0]]]), 4)
    along = np.array([0, 0.25, 0.75, 1])  # centres at 1 and 3, pixels at .5, 1.5 ...
    np.testing.assert_allclose(found, [16 * along[:, None] + 8 * along])
    assert found.dtype == np.float32
    # three cells to six pixels: cell 1 has its centre between pixels 2 and 3
    found = enlarge_maps(np.array([[[0.0, 4.0, 0.0]]]), 6)
    np.testing.assert_allclose(found[0, 0], [0, 1, 3, 3, 1, 0])


@pytest.mark.parametrize(("cells", "size"), [(1, 5), (4, 4), (3, 32), (7, 64)])
def test_enlarging_neither_moves_nor_scales(cells, size):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2, cells, cells)).astype("float32")
    found = enlarge_maps(values, size)
    assert found.shape == (2, size, size)
    assert found.min() >= values.min() - 1e-6
    assert found.max() <= values.max() + 1e-6
    upside_down = enlarge_maps(values[:, ::-1], size)
    np.testing.assert_allclose(upside_down, found[:, ::-1], atol=1e-6)
    turned = enlarge_maps(values.transpose(0, 2, 1), size)
    np.testing.assert_allclose(turned, found.transpose(0, 2, 1), atol=1e-6)
    if cells == size:
        np.testing.assert_array_equal(found, values)


def test_maps_are_not_made_smaller():
    with pytest.raises(ConfigError, match=r"at least the maps' own, 8x6\. Received: 7"):
        enlarge_maps(np.zeros((1, 8, 6)), 7)
