"""Weights from elsewhere: arrays alone are read, and taken where they fit."""

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from dualnet.errors import ConfigError
from dualnet.models.dual import build_dual_classifier
from dualnet.models.transfer import find_backbone
from dualnet.models.weight_files import count_parameters, read_layer_weights
from dualnet.models.weights import _fold_rescaling, fetch_imagenet, take_weights


def build(
    *, num_classes: int = 3, branch: str = "residual", seed: int = 0
) -> keras.Model:
    return build_dual_classifier(
        image_size=32,
        num_features=5,
        class_names=[f"class {number}" for number in range(num_classes)],
        image_branch=branch,
        seed=seed,
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[keras.Model, Path]:
    model, folder = build(seed=1), tmp_path_factory.mktemp("saved")
    model.save(folder / "model.keras")
    model.save_weights(folder / "model.weights.h5")
    return model, folder


@pytest.mark.parametrize("file", ["model.keras", "model.weights.h5"])
def test_arrays_are_read_by_the_name_of_their_layer(saved, file: str):
    model, folder = saved
    found = read_layer_weights(folder / file)
    expected = {
        layer.name: layer.get_weights() for layer in model.layers if layer.weights
    }
    assert set(found) == set(expected)
    for name, arrays in expected.items():
        for one, other in zip(arrays, found[name], strict=True):
            np.testing.assert_array_equal(one, other)
    assert count_parameters(folder / file) == model.count_params()


def test_what_fits_is_taken_and_the_rest_is_counted(saved):
    source = read_layer_weights(saved[1] / "model.keras")
    del source["image_conv_2"]
    source["elsewhere"] = [np.zeros(2, np.float32)]
    model = build(num_classes=4, seed=2)
    before = model.get_layer("image_conv_2").get_weights()[0]
    metadata = model.get_layer("metadata_dense_1").get_weights()[0]
    taken = take_weights(
        model, source, wanted=lambda name: not name.startswith("metadata_")
    )
    assert taken.unlike == ("logits",)
    assert taken.absent == ("image_conv_2",)
    assert taken.unused == ("elsewhere", "metadata_dense_1", "metadata_dense_2")
    asked = len(taken.taken) + 2
    assert taken.describe() == (
        f"{asked - 2} of {asked} layers; of other shapes: logits; not there: "
        "image_conv_2; not used: elsewhere, metadata_dense_1, metadata_dense_2"
    )
    for name in taken.taken:
        for one, other in zip(
            model.get_layer(name).get_weights(), source[name], strict=True
        ):
            np.testing.assert_array_equal(one, other)
    for name, old in (("image_conv_2", before), ("metadata_dense_1", metadata)):
        np.testing.assert_array_equal(model.get_layer(name).get_weights()[0], old)


def test_a_file_of_keras_own_backbone_fits(tmp_path: Path):
    stock = find_backbone("mobilenet")(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    stock.save_weights(tmp_path / "stock.weights.h5")
    model = build(branch="mobilenet")
    source = read_layer_weights(tmp_path / "stock.weights.h5")
    taken = take_weights(model, source, wanted=lambda name: name.startswith("image_"))
    assert (len(taken.taken), taken.unlike, taken.absent) == (54, (), ())
    np.testing.assert_array_equal(
        model.get_layer("image_conv_pw_13").get_weights()[0],
        stock.get_layer("conv_pw_13").get_weights()[0],
    )


def _soft_link(file: Path) -> None:
    with h5py.File(file, "w") as opened:
        opened.create_group("layers/a/vars")["0"] = np.zeros(2)
        opened["layers/b"] = h5py.SoftLink("/layers/a")


def _external_link(file: Path) -> None:
    with h5py.File(file, "w") as opened:
        opened["layers"] = h5py.ExternalLink("/etc/passwd", "/")


def _external_array(file: Path) -> None:
    with h5py.File(file, "w") as opened:
        opened.create_group("layers/a/vars").create_dataset(
            "0", (4,), "u1", external=[("/etc/hostname", 0, 4)]
        )


def _virtual_array(file: Path) -> None:
    layout = h5py.VirtualLayout((2,), "f4")
    layout[:] = h5py.VirtualSource("/etc/hostname", "x", (2,))
    with h5py.File(file, "w") as opened:
        opened.create_group("layers/a/vars").create_virtual_dataset("0", layout)


def _bomb(file: Path) -> None:
    with h5py.File(file, "w") as opened:
        opened.create_group("layers/a/vars").create_dataset(
            "0", (2**31,), "f4", chunks=(1024,), compression="gzip"
        )


def _cycle(file: Path) -> None:
    with h5py.File(file, "w") as opened:
        group = opened.create_group("layers")
        group["again"] = group


def _keras_2(file: Path) -> None:
    with h5py.File(file, "w") as opened:
        opened.attrs["layer_names"] = ["conv1"]


def _not_finite(file: Path) -> None:
    with h5py.File(file, "w") as opened:
        group = opened.create_group("layers/dense/vars")
        group.attrs["name"] = "logits"
        group["0"] = np.array([1.0, np.nan], np.float32)


def _objects(file: Path) -> None:
    with h5py.File(file, "w") as opened:
        opened.create_group("layers/a/vars")["0"] = np.array([b"text"])


def _garbage(file: Path) -> None:
    file.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))


@pytest.mark.parametrize(
    ("write", "received"),
    [
        (_soft_link, "links to elsewhere"),
        (_external_link, "links to elsewhere"),
        (_external_array, "links to elsewhere"),
        (_virtual_array, "links to elsewhere"),
        (_cycle, "links to elsewhere"),
        (_bomb, "arrays of 8,589,934,592 bytes"),
        (_keras_2, "a file of Keras 2"),
        (_not_finite, "a value that is not finite in logits"),
        (_objects, "values that are no float32"),
        (_garbage, "OSError while reading"),
    ],
)
def test_file_that_is_no_plain_weights_is_refused(
    tmp_path: Path, write: Callable[[Path], None], received: str
):
    file = tmp_path / "bad.weights.h5"
    write(file)
    with pytest.raises(ConfigError, match=rf"bad\.weights\.h5: .*Received: {received}"):
        read_layer_weights(file)


@pytest.mark.parametrize("name", ["model.h5", "model.pkl", "model.pt", "model.ckpt"])
def test_file_whose_reader_may_run_code_is_refused(tmp_path: Path, name: str):
    file = tmp_path / name
    file.write_bytes(pickle.dumps({}))
    message = rf"Received: `{file.suffix}`, whose reader may run code in it"
    with pytest.raises(ConfigError, match=message):
        read_layer_weights(file)


def test_archive_without_weights_and_absent_file_are_refused(tmp_path: Path):
    file = tmp_path / "model.keras"
    with pytest.raises(ConfigError, match=r"Received: no such file"):
        read_layer_weights(file)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(ConfigError, match=r"Received: KeyError while reading"):
        read_layer_weights(file)
    file.write_bytes(b"no archive")
    with pytest.raises(ConfigError, match=r"Received: BadZipFile while reading"):
        read_layer_weights(file)


def test_weights_that_cannot_be_fetched_are_one_line(monkeypatch, tmp_path: Path):
    def refuse(*_: object, **__: object) -> None:
        link = "https://storage.googleapis.com/keras-applications/vgg16_notop.h5"
        raise OSError(f"URL fetch failure on {link}: None -- no route to host")

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", refuse)
    with pytest.raises(ConfigError) as raised:
        fetch_imagenet("vgg16")
    said = str(raised.value)
    assert said == (
        "model.weights=imagenet: the weights of vgg16 must come from "
        "https://storage.googleapis.com/keras-applications/vgg16_notop.h5. Received: "
        "None -- no route to host. Put that file at KERAS_HOME/models/vgg16_notop.h5 "
        "(KERAS_HOME is ~/.keras where it is not set), or name a .keras or .weights.h5 "
        "file by model.weights."
    )


def test_fetched_weights_are_taken_by_the_branch(monkeypatch, tmp_path: Path):
    stock = find_backbone("mobilenet")(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    stock.save_weights(tmp_path / "fetched.weights.h5")
    monkeypatch.setattr(
        "keras.src.utils.file_utils.get_file",
        lambda *_, **__: str(tmp_path / "fetched.weights.h5"),
    )
    model = build(branch="mobilenet")
    taken = take_weights(
        model,
        fetch_imagenet("mobilenet"),
        wanted=lambda name: name.startswith("image_"),
    )
    assert (len(taken.taken), taken.absent, taken.unused) == (54, (), ())
    np.testing.assert_array_equal(
        model.get_layer("image_conv1").get_weights()[0],
        stock.get_layer("conv1").get_weights()[0],
    )


def test_what_keras_does_after_efficientnets_normalisation_is_folded_in():
    std = np.array([0.229, 0.224, 0.225], np.float32)
    mean, variance = np.array([0.5, 0.4, 0.3], np.float32), std.copy()
    x = np.random.default_rng(0).random((2, 3, 3, 3)).astype("float32")
    expected = (x - mean) / np.sqrt(variance) / np.sqrt(std)  # Normalization, Rescaling
    folded = _fold_rescaling({"normalization_1": [mean, variance, np.int32(0)]})
    mean, variance, _ = folded["normalization_1"]
    layer = keras.layers.Normalization()
    layer.build((None, 3, 3, 3))
    layer.load_own_variables({"0": mean, "1": variance, "2": np.int32(0)})
    np.testing.assert_allclose(np.asarray(layer(x)), expected, rtol=1e-5)
