"""Who follows a training: what is shown, what the event files hold, profiles."""

import io
import json
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from fit_cases import CLASSES, make_config, make_parts
from PIL import Image

from dualnet.config import format_config
from dualnet.config_layers import read_config
from dualnet.errors import ConfigError
from dualnet.findings import NIH
from dualnet.runs import RunFolder
from dualnet.training.callbacks import AREA, score_batches
from dualnet.training.events import EventFiles
from dualnet.training.finding_history import FindingHistory
from dualnet.training.fit import fit
from dualnet.training.following import FirstBatch, take_first_batch
from dualnet.training.profiling import Profile, Profiler, make_profile

DEFINED = [name for name in NIH.findings if name != "Hernia"]
on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="needs TensorFlow"
)


class FakeFollower:
    """Notes what it is shown; draws a picture of three by two pixels an epoch."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.batch: FirstBatch | None = None
        self.probabilities: list[np.ndarray] = []

    def begin(self, batch: FirstBatch) -> dict[str, np.ndarray]:
        self.seen.append("begin")
        self.batch = batch
        return {"samples": np.full((4, 5), 7, np.uint8)}

    def end_epoch(
        self, number: int, probabilities: np.ndarray
    ) -> dict[str, np.ndarray]:
        self.seen.append(f"epoch {number}")
        self.probabilities.append(probabilities)
        return {"roc": np.full((2, 3, 3), number, np.uint8)}

    def end(self) -> dict[str, np.ndarray]:
        self.seen.append("end")
        return {"roc": np.full((2, 3, 3), 9, np.uint8)}


@pytest.fixture(scope="module")
def followed(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[RunFolder, FakeFollower, pd.DataFrame]:
    run, follower = RunFolder(tmp_path_factory.mktemp("run")), FakeFollower()
    config = make_config(modality="metadata", epochs=2, tensorboard=True)
    parts = make_parts(modality="metadata")
    parts["val_labels"][:, CLASSES.index("Hernia")] = False  # undefined
    history = fit(config, run, **parts, follower=follower)
    return run, follower, history


def read_events(folder: Path) -> list[tuple[str, int, str, list]]:
    """Returns the tag, step, plugin and values of all that a part's file holds."""
    from tensorflow import make_ndarray
    from tensorflow.compat.v1.train import summary_iterator

    (file,) = folder.iterdir()
    return [
        (
            value.tag,
            event.step,
            value.metadata.plugin_data.plugin_name,
            np.atleast_1d(make_ndarray(value.tensor)).tolist(),
        )
        for event in summary_iterator(str(file))
        for value in event.summary.value
    ]


def read_contents(folder: Path) -> dict[str, bytes]:
    """Returns what each tag's plugin is told besides."""
    from tensorflow.compat.v1.train import summary_iterator

    (file,) = folder.iterdir()
    return {
        value.tag: value.metadata.plugin_data.content
        for event in summary_iterator(str(file))
        for value in event.summary.value
    }


def test_a_follower_is_shown_the_first_batch_each_epoch_and_the_end(followed) -> None:
    run, follower, history = followed
    assert follower.seen == ["begin", "epoch 1", "epoch 2", "end"]
    assert follower.batch is not None
    assert follower.batch.images is None  # the model reads none
    assert [one.shape for one in follower.probabilities] == [(30, len(CLASSES))] * 2
    best = int(history["val_macro_auroc"].idxmax())
    model = keras.saving.load_model(run.model, compile=False)
    kept, _ = score_batches(model, make_parts(modality="metadata")["val"])
    np.testing.assert_allclose(follower.probabilities[best], kept, atol=1e-6)


def test_first_batch_is_what_the_model_is_fed_pixel_for_pixel() -> None:
    train = make_parts()["train"]
    inputs, targets = train[0][:2]
    train.set_epoch(3)
    order = train.order.copy()
    batch = take_first_batch(train)
    np.testing.assert_array_equal(batch.images, inputs["image"])
    np.testing.assert_array_equal(train.targets[batch.rows], targets)
    np.testing.assert_array_equal(train.order, order)  # left as it was
    assert train.epoch == 3


def test_finding_history_holds_each_findings_auroc(followed) -> None:
    run, follower, _ = followed
    table = run.read_finding_history()
    assert list(table.columns) == ["epoch", *CLASSES]
    assert list(table["epoch"]) == [1, 2]
    assert table["Hernia"].isna().all()
    # a fixed labelling: rows 0, 15 of the 30 are the first class
    scores = follower.probabilities[1][:, 0]
    positive = np.arange(30) % 15 == 0
    pairs = scores[positive][:, None] - scores[~positive][None]
    by_hand = (np.sign(pairs, dtype=np.float64) + 1).mean() / 2
    assert table[CLASSES[0]].iloc[1] == pytest.approx(by_hand, abs=1e-12)


def test_finding_history_goes_on_after_a_resume(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    first = FindingHistory(run)
    for epoch in range(3):
        first.on_epoch_end(epoch, {f"{AREA}Edema": 0.1 * epoch, "loss": 1.0})
    again = FindingHistory(run)  # from a checkpoint after the second epoch
    again.on_epoch_end(2, {f"{AREA}Edema": 0.7})
    again.on_epoch_end(3, {f"{AREA}Edema": float("nan")})
    table = run.read_finding_history()
    assert list(table.columns) == ["epoch", "Edema"]
    assert list(table["epoch"]) == [1, 2, 3, 4]
    assert list(table["Edema"][:3]) == [0.0, 0.1, 0.7]
    assert np.isnan(table["Edema"][3])


@on_tensorflow
def test_event_files_hold_each_findings_auroc(followed) -> None:
    run, _, history = followed
    found = {
        (tag, step): values[0]
        for tag, step, plugin, values in read_events(run.tensorboard / "validation")
        if plugin == "scalars"
    }
    table = run.read_finding_history()
    for name in DEFINED:
        for row in range(2):
            assert found[f"auroc/{name}", row] == pytest.approx(table[name][row])
    assert ("auroc/Hernia", 0) not in found  # undefined
    assert found["epoch_macro_auroc", 1] == pytest.approx(history["val_macro_auroc"][1])


@on_tensorflow
def test_event_files_hold_speed_rate_and_memory(followed) -> None:
    run, _, history = followed
    found = {
        (tag, step): values[0]
        for tag, step, plugin, values in read_events(run.tensorboard / "train")
        if plugin == "scalars"
    }
    for tag in ("images_per_second", "epoch_learning_rate"):
        column = history[tag.removeprefix("epoch_")]
        assert [found[tag, 0], found[tag, 1]] == pytest.approx(list(column), rel=1e-6)
    memory = {tag for tag, _ in found if tag.endswith("_memory_mib")}
    assert memory <= {"device_memory_mib", "process_memory_mib"}
    assert all(found[tag, 1] >= found[tag, 0] > 1 for tag in memory)


@on_tensorflow
def test_event_files_hold_the_figures_that_were_drawn(followed) -> None:
    run, _, _ = followed
    images = [
        (tag, step, values)
        for part in ("train", "validation")
        for tag, step, plugin, values in read_events(run.tensorboard / part)
        if plugin == "images"
    ]
    assert [(tag, step) for tag, step, _ in images] == [
        ("samples", 0),
        ("roc", 0),
        ("roc", 1),
        ("roc", 1),  # what the end left
    ]
    for (_, _, (width, height, png)), shape, level in zip(
        images, [(4, 5), (2, 3, 3), (2, 3, 3), (2, 3, 3)], [7, 1, 2, 9], strict=True
    ):
        pixels = np.asarray(Image.open(io.BytesIO(png)))
        assert pixels.shape == shape
        assert (int(height), int(width)) == shape[:2]
        assert (pixels == level).all()


@on_tensorflow
def test_event_files_hold_the_configuration_and_the_model(followed) -> None:
    run, _, _ = followed
    written = {
        tag: (plugin, values[0].decode())
        for tag, _, plugin, values in read_events(run.tensorboard / "train")
        if plugin in {"text", "graph_keras_model"}
    }
    config = make_config(modality="metadata", epochs=2, tensorboard=True)
    plugin, text = written["configuration"]
    assert plugin == "text"
    assert text.replace("\n    ", "\n")[4:] == format_config(config).rstrip()
    assert "metadata_dense_1" in written["model"][1]
    plugin, text = written["keras"]
    assert plugin == "graph_keras_model"
    assert read_contents(run.tensorboard / "train")["keras"] == b"1"  # else not listed
    layers = [layer["config"]["name"] for layer in json.loads(text)["config"]["layers"]]
    assert layers[0] == "metadata"
    assert layers[-1] == "probabilities"


def test_images_are_written_nowhere_without_tensorflow(monkeypatch, tmp_path: Path):
    monkeypatch.setitem(__import__("sys").modules, "tensorflow", None)
    events = EventFiles(tmp_path, configuration="seed: 0")
    events.on_train_begin()
    events.write_images({"roc": np.zeros((2, 3, 3), np.uint8)}, step=0)
    assert not list(tmp_path.iterdir())


def run_batches(profile: Profile, epochs: list[int]) -> None:
    for num_batches in epochs:
        for batch in range(num_batches):
            profile.on_train_batch_begin(batch)
            profile.on_train_batch_end(batch, {"loss": 1.0})
    profile.on_train_end()


@pytest.mark.parametrize(
    ("batches", "calls", "logged"),
    [
        ((2, 3), ["start", "stop"], "profile of batches 2 to 3"),
        ((4, 5), ["start", "stop"], "profile of batches 4 to 5"),  # in the next epoch
        ((5, 9), ["start", "stop"], "profile of batches 5 to 6"),
        ((7, 9), [], "profile: none was taken, training ended after 6 batches"),
    ],
)
def test_profile_is_of_the_batches_that_were_asked_for(
    tmp_path: Path, caplog, batches, calls, logged
) -> None:
    called: list[str] = []
    profiler = Profiler(
        start=lambda _: called.append("start"), stop=lambda: called.append("stop")
    )
    with caplog.at_level("INFO"):
        run_batches(Profile(*batches, tmp_path, profiler=profiler), [3, 3])
    assert called == calls
    assert logged in caplog.text


def test_profile_says_where_it_cannot_be_had(caplog, monkeypatch, tmp_path: Path):
    monkeypatch.setattr("keras.backend.backend", lambda: "torch")
    with caplog.at_level("INFO"):
        assert make_profile((1, 2), tmp_path) is None
    assert caplog.messages == [
        "profile: none, only TensorFlow and JAX take one, not torch"
    ]
    assert make_profile(None, tmp_path) is None


@on_tensorflow
@pytest.mark.slow
def test_profile_is_written_where_tensorboard_looks(tmp_path: Path) -> None:
    config = make_config(
        modality="metadata", epochs=1, tensorboard=False, profile="2,3"
    )
    run = RunFolder(tmp_path)
    fit(config, run, **make_parts(modality="metadata"))
    (file,) = run.tensorboard.glob("plugins/profile/*/*.xplane.pb")
    assert file.stat().st_size > 0


def test_profile_is_configured_by_first_and_last() -> None:
    config = read_config(overrides=["training.profile=10,20"])
    assert config.training.profile == (10, 20)
    assert read_config(overrides=["training.profile=[3, 3]"]).training.profile == (3, 3)
    assert read_config().training.profile is None


@pytest.mark.parametrize("value", ["20,10", "0,3"])
def test_profile_out_of_order_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match=rf"FIRST,LAST.*{value}"):
        read_config(overrides=[f"training.profile={value}"])
