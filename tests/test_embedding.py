"""What layers know: features by hand, maps by seed, probes that find what is there."""

import json
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from run_cases import configure

from dualnet.cli import main
from dualnet.errors import ConfigError
from dualnet.evaluation.intervals.bootstrap import resample_patients
from dualnet.explain.embedding import embed, probe_layers, read_features
from dualnet.explain.embedding_verdict import probes_table, say_probes
from dualnet.jobs.embedding import map_embedding
from dualnet.jobs.train import train_run

ROWS = 120


def known_model() -> keras.Model:
    image = keras.Input((4, 4, 1), name="image")
    conv = keras.layers.Conv2D(2, 1, activation="relu", name="image_conv_1")
    maps = keras.layers.MaxPooling2D(name="image_pool_1")(conv(image))
    pooled = keras.layers.GlobalAveragePooling2D(name="image_pool")(maps)
    logits = keras.layers.Dense(3, name="logits")(pooled)
    softmax = keras.layers.Activation("softmax", name="probabilities")
    model = keras.Model({"image": image}, softmax(logits))
    conv.set_weights([np.array([[[[1.0, -1.0]]]]), np.zeros(2)])
    return model


def test_features_are_means_over_places_of_every_batch() -> None:
    pixels = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    batches = [{"image": pixels}, {"image": np.concatenate([2 * pixels, pixels])}]
    found = read_features(known_model(), batches)
    assert list(found) == ["image_conv_1", "image_pool_1", "image_pool"]
    np.testing.assert_allclose(found["image_conv_1"], [[7.5, 0], [15, 0], [7.5, 0]])
    np.testing.assert_allclose(found["image_pool"], [[10, 0], [20, 0], [10, 0]])


def test_a_pca_keeps_the_direction_of_most_variance() -> None:
    random = np.random.default_rng(0)
    spread = random.normal(size=(60, 1))
    features = np.concatenate(
        [spread, spread, spread, random.normal(size=(60, 1))], axis=1
    )
    found = embed(features, method="pca", seed=0)
    assert found.explained is not None
    assert found.explained[0] == pytest.approx(0.75, abs=0.03)  # three of four alike
    assert found.explained.sum() == pytest.approx(1)
    correlation = np.corrcoef(found.points[:, 0], spread[:, 0])[0, 1]
    assert abs(correlation) > 0.98


def test_tsne_keeps_neighbours_and_the_seed_decides_it() -> None:
    random = np.random.default_rng(0)
    groups = np.repeat([0, 1], 20)
    features = random.normal(size=(40, 5)) + 8 * groups[:, np.newaxis]
    found = embed(features, method="tsne", seed=0)
    assert found.explained is None
    distances = np.linalg.norm(found.points[:, None] - found.points, axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (groups[distances.argmin(axis=1)] == groups).mean() > 0.95
    again = embed(features, method="tsne", seed=0)
    np.testing.assert_array_equal(found.points, again.points)


def test_probes_find_what_a_layer_holds_and_nothing_else() -> None:
    random = np.random.default_rng(0)
    view = np.where(np.arange(ROWS) % 2, "AP", "PA")
    sex = random.choice(["F", "M"], ROWS)
    noise = random.normal(size=(ROWS, 200))  # wider than a probe reads
    told = noise[:, :4] + 2 * (view == "AP")[:, np.newaxis]
    draws = resample_patients(np.arange(ROWS).astype(str), num_resamples=50, seed=0)
    groups = {"view": view, "sex": sex, "source": np.full(ROWS, "nih")}
    found = probe_layers({"noise": noise, "told": told}, groups, draws, seed=0)
    assert list(found) == ["view", "sex"]  # one source cannot be asked for
    assert found["view"]["told"]["auroc_interval"]["low"] > 0.9
    assert found["view"]["noise"]["auroc"] < 0.7
    assert found["sex"]["told"]["auroc_interval"]["low"] < 0.6


@pytest.fixture(scope="module")
def mapped(small_phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("embedding")
    small = ("split.rare_findings=train", "model.modality=metadata")  # few layers
    config = configure(small_phantom, folder / "cache", *small)
    train_run(config, folder / "run")
    records = pd.read_csv(folder / "run" / "records.csv")
    machines = np.where(np.arange(len(records)) % 3 == 0, "old", "new")
    table = pd.DataFrame({"image_id": records["image_id"], "machine": machines})
    table.to_csv(folder / "machines.csv", index=False)
    words = ["--part", "train", "--join", f"{folder / 'machines.csv'}:machine"]
    assert main(["embedding", str(folder / "run"), *words]) == 0
    return folder / "run" / "embedding"


def test_every_radiograph_has_its_place(mapped: Path) -> None:
    points = pd.read_csv(mapped / "embedding.csv")
    values = json.loads((mapped / "probes.json").read_text())
    assert mapped.name == "embedding"
    assert len(points) == values["num_images"] == points["image_id"].nunique()
    assert points[["x", "y"]].notna().all(axis=None)
    assert {"view", "sex", "age", "visit", "source", "machine"} <= set(points)
    assert values["layer"] == "metadata_dense_2"
    assert values["given"] == ["age", "visit", "view"]
    for layers in values["probes"].values():
        names = ["16 x 16 pixels", "metadata_dense_1", "metadata_dense_2"]
        assert list(layers) == names
    assert "machine" in values["probes"]


def test_what_is_known_is_said_first(mapped: Path) -> None:
    values = json.loads((mapped / "probes.json").read_text())
    lines = (mapped / "probes.txt").read_text().splitlines()
    assert lines[: len(values["verdict"])] == values["verdict"]
    assert lines[0].startswith(f"Of {values['num_images']} radiographs of ")
    assert "of a phantom" in lines[0]
    view = next(line for line in lines if " the view, AUROC" in line)
    assert view.endswith("; the record, which the model reads, says so.")
    header, *rows = probes_table(values)
    assert len(header) == 1 + len(values["probes"])
    assert rows[0][0] == "16 x 16 pixels"


def test_figures_are_drawn(mapped: Path) -> None:
    for name in ("embedding", "probes"):
        with Image.open(mapped / "figures" / f"{name}.png") as picture:
            assert picture.width == 1200
            assert np.asarray(picture.convert("L")).std() > 10


def test_knowing_is_said_only_if_the_interval_is_above_chance() -> None:
    def block(area: float, low: float | None, high: float | None) -> dict:
        return {"auroc": area, "auroc_interval": {"low": low, "high": high}}

    values = {
        "num_images": 40,
        "num_patients": 20,
        "phantom": False,
        "given": [],
        "layer": "fusion",
        "probes": {
            "view": {
                "fusion": block(0.8, 0.7, 0.9),
                "16 x 16 pixels": block(0.6, 0, 1),
            },
            "sex": {"fusion": block(0.6, 0.45, 0.7)},
            "age": {"fusion": block(0.9, None, None)},
        },
    }
    view, sex, age, _ = say_probes(values)
    assert "fusion knows the view, AUROC .800 [.700, .900] where" in view
    assert "16 x 16 pixels give .600." in view
    assert sex.startswith("fusion is not shown to know the sex, AUROC .600")
    assert age.startswith("fusion is not shown to know the age")
    assert say_probes({**values, "probes": {}})[0].startswith("Nothing to ask of 40")


def test_words_and_numbers_that_do_not_fit_are_refused(mapped: Path) -> None:
    run = mapped.parent
    with pytest.raises(ConfigError, match=r"--method: .*tsne\. Received: 'umap'"):
        map_embedding(run, method="umap")
    with pytest.raises(ConfigError, match=r"--part: .*Received: 'all'"):
        map_embedding(run, part="all")
    with pytest.raises(ConfigError, match=r"at least 10 radiographs.*Received: \d of"):
        map_embedding(run, sample=6)
