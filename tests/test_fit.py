import json
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from fit_cases import CLASSES, NUM_FEATURES, FakeCache, make_config, make_parts

from dualnet.data.batches import Batches
from dualnet.errors import ConfigError, RecordError
from dualnet.runs import RunFolder
from dualnet.training.callbacks import (
    COLUMNS,
    SCORE,
    BestModel,
    HistoryFile,
    score_batches,
)
from dualnet.training.events import EventFiles
from dualnet.training.fit import fit
from dualnet.training.losses import SigmoidLoss
from dualnet.training.progress import EpochBar, EpochLines, show_epochs
from dualnet.training.stop_at_nan import StopAtNaN


def load(run: RunFolder) -> keras.Model:
    return keras.saving.load_model(run.model, compile=False)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, pd.DataFrame]:
    run = RunFolder(tmp_path_factory.mktemp("run"))
    config = make_config(epochs=3, tensorboard=True, halves_first=False)
    return run, fit(config, run, **make_parts())


def test_fit_leaves_model_history_and_environment(fitted):
    run, history = fitted
    assert tuple(history.columns) == COLUMNS
    assert list(history["epoch"]) == [1, 2, 3]
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    pd.testing.assert_frame_equal(pd.read_csv(run.history), history)
    environment = run.read_environment()
    assert environment["backend"] == keras.backend.backend()
    assert environment["precision"]["chosen"] in ("float32", "mixed_bfloat16")
    assert environment["precision"]["why"]
    assert environment["versions"]["keras"] == keras.__version__
    assert environment["devices"]["count"] == 1
    assert environment["cost"]["images_per_second"] > 0
    assert json.dumps(environment)


def test_model_kept_is_the_best_epoch_of_the_history(fitted):
    run, history = fitted
    best = history.loc[history["val_macro_auroc"].idxmax()]
    _, val_loss = score_batches(load(run), make_parts()["val"])
    assert val_loss == pytest.approx(best["val_loss"], rel=1e-5)


def test_kept_model_needs_no_optimizer(fitted):
    run, _ = fitted
    assert not keras.saving.load_model(run.model).compiled


def test_learning_rate_ends_at_a_hundredth(fitted):
    _, history = fitted
    assert history["learning_rate"].iloc[-1] == pytest.approx(1e-5, rel=1e-3)
    assert history["learning_rate"].max() <= 1e-3


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="needs TensorFlow")
def test_event_files_hold_training_and_validation_curves(fitted):
    from tensorflow.compat.v1.train import summary_iterator

    run, history = fitted
    for part, column in (("train", "loss"), ("validation", "val_loss")):
        (file,) = (run.tensorboard / part).iterdir()
        points = [
            (event.step, float(np.frombuffer(value.tensor.tensor_content, "f4")[0]))
            for event in summary_iterator(str(file))
            for value in event.summary.value
            if value.tag == "epoch_loss" and value.tensor.tensor_content
        ]
        steps = [step for step, _ in points]
        assert steps == [0, 1, 2]
        assert [loss for _, loss in points] == pytest.approx(list(history[column]))


def test_same_seed_gives_the_same_bits(tmp_path: Path):
    weights, histories = [], []
    for name in ("one", "two"):
        run = RunFolder(tmp_path / name)
        histories.append(fit(make_config(), run, **make_parts()))
        weights.append(load(run).get_weights())
        np.random.default_rng().normal(size=3)
    for one, two in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, two)
    columns = ["loss", "val_loss", "val_macro_auroc"]
    pd.testing.assert_frame_equal(histories[0][columns], histories[1][columns])


def test_fit_takes_weighted_metadata_only_batches(tmp_path: Path):
    parts = make_parts(modality="metadata")
    weighted = make_parts(
        modality="metadata", sample_weights=np.linspace(0.5, 1.5, 48)
    )["train"]
    config = make_config(modality="metadata", epochs=1)
    history = fit(config, RunFolder(tmp_path), **{**parts, "train": weighted})
    assert len(history) == 1
    assert [tensor.name for tensor in load(RunFolder(tmp_path)).inputs] == ["metadata"]


def test_class_shares_are_where_the_model_starts(tmp_path: Path):
    parts = make_parts(modality="metadata")
    config = make_config(modality="metadata", epochs=1, learning_rate=1e-9)
    run = RunFolder(tmp_path)
    fit(config, run, **parts)
    bias = load(run).get_layer("logits").get_weights()[1]
    shares = parts["train"].class_shares
    assert shares.sum() == pytest.approx(1)
    np.testing.assert_allclose(bias, np.log(np.maximum(shares, 1e-4)), atol=1e-5)


def test_fused_model_is_the_image_only_run_joined_with_the_record(tmp_path: Path):
    fused, image_only = RunFolder(tmp_path / "fused"), RunFolder(tmp_path / "image")
    histories = [
        fit(make_config(epochs=2), fused, **make_parts()),
        fit(
            make_config(epochs=2, modality="image"),
            image_only,
            **make_parts(modality="image"),
        ),
    ]
    columns = ["loss", "val_loss", "val_macro_auroc"]
    pd.testing.assert_frame_equal(*(history[columns] for history in histories))
    models = load(fused), load(image_only)
    assert [tensor.name for tensor in models[0].inputs] == ["image", "metadata"]
    for layer in models[1].layers:
        if layer.name != "logits":
            ours = models[0].get_layer(layer.name).get_weights()
            for one, other in zip(ours, layer.get_weights(), strict=True):
                np.testing.assert_array_equal(one, other)
    assert not fused.checkpoints.exists()


SIGMOIDS = {"label_rule": "multi_hot", "epochs": 1}


def test_a_fused_model_of_sigmoids_is_joined_and_loads(tmp_path: Path):
    parts = make_parts()
    rows = np.arange(48)
    batches = {
        name: Batches(
            FakeCache(rows % 15),
            chosen,
            np.random.default_rng(1).normal(size=(len(chosen), NUM_FEATURES)),
            np.delete(np.eye(15)[chosen % 15], CLASSES.index("No Finding"), axis=1),
            batch_size=16,
            seed=0 if name == "train" else None,
        )
        for name, chosen in (("train", rows), ("val", rows[:30]))
    }
    run = RunFolder(tmp_path)
    history = fit(make_config(**SIGMOIDS), run, **{**parts, **batches})
    model = load(run)
    assert [tensor.name for tensor in model.inputs] == ["image", "metadata"]
    probabilities, val_loss = score_batches(model, batches["val"], SigmoidLoss())
    assert probabilities.shape == (30, 14)
    assert (abs(probabilities.sum(axis=1) - 1) > 0.01).mean() > 0.8  # no softmax
    expected = np.where(batches["val"].targets == 1, probabilities, 1 - probabilities)
    assert val_loss == pytest.approx(-np.log(expected).mean(), rel=1e-4)
    assert history["val_loss"].iloc[0] < 1


def test_loss_that_is_not_finite_ends_training(tmp_path: Path):
    weights = np.full(48, np.nan)
    parts = make_parts(modality="metadata")
    parts["train"] = make_parts(modality="metadata", sample_weights=weights)["train"]
    run = RunFolder(tmp_path)
    with pytest.raises(
        ConfigError, match="Received: loss=nan at batch 1 of epoch 1, of "
    ):
        fit(make_config(modality="metadata"), run, **parts)
    assert not run.model.exists()


def test_validation_part_without_a_finding_is_refused(tmp_path: Path):
    parts = make_parts()
    labels = np.zeros_like(parts["val_labels"])
    labels[:, CLASSES.index("No Finding")] = True
    with pytest.raises(RecordError, match="Received: 30 radiographs without one"):
        fit(make_config(), RunFolder(tmp_path), **{**parts, "val_labels": labels})
    assert not list(tmp_path.iterdir())


class FakeModel:
    """Runs callbacks through given scores; its weights are the epochs it was fitted."""

    def __init__(self) -> None:
        self.stop_training = False
        self.epochs_run = 0

    def get_weights(self) -> list[np.ndarray]:
        return [np.array(self.epochs_run)]

    def set_weights(self, weights: list[np.ndarray]) -> None:
        (self.epochs_run,) = weights


def run_epochs(callback: keras.callbacks.Callback, scores: list[float]) -> FakeModel:
    model = FakeModel()
    callback.set_model(model)
    for epoch, score in enumerate(scores):
        model.epochs_run = epoch + 1
        callback.on_epoch_end(epoch, {SCORE: score})
        if model.stop_training:
            break
    return model


@pytest.mark.parametrize(
    ("scores", "best", "epochs_run"),
    [
        ([0.6, 0.7, 0.65, 0.69, 0.9], 2, 4),  # patience 2 ends it at 4
        ([0.6, 0.5, 0.7, 0.6, 0.71], 5, 5),
        ([0.5, 0.5, 0.5], 1, 3),  # an equal score is no improvement
    ],
)
def test_best_model_is_kept_and_patience_ends_training(scores, best, epochs_run):
    best_model = BestModel(patience=2)
    model = run_epochs(best_model, scores)
    assert best_model.epoch == best
    assert best_model.score == max(scores[:epochs_run])
    assert model.epochs_run == epochs_run
    best_model.on_train_end()
    assert model.epochs_run == best


def test_last_epoch_is_kept_on_request_however_it_scores():
    last_model = BestModel(patience=1, keep="last")
    model = run_epochs(last_model, [0.7, 0.6, 0.5])
    assert (last_model.epoch, last_model.score) == (3, 0.5)
    last_model.on_train_end()
    assert model.epochs_run == 3


def test_weight_that_is_not_finite_is_named():
    layer = keras.layers.Dense(1, name="logits")
    model = keras.Sequential([keras.Input((2,)), layer])
    layer.set_weights([np.array([[np.inf], [0.0]]), np.zeros(1)])
    callback = StopAtNaN(make_parts()["train"])
    callback.set_model(model)
    with pytest.raises(ConfigError, match=r"weights of .*logits/kernel at epoch 2"):
        callback.on_epoch_end(1, {"loss": 1.0})


def test_history_file_grows_by_a_row_an_epoch(tmp_path: Path):
    history = HistoryFile(tmp_path / "history.csv")
    for epoch in range(2):
        history.on_epoch_end(epoch, dict.fromkeys(COLUMNS, float(epoch)))
        assert len(pd.read_csv(history.path)) == epoch + 1
    assert list(tmp_path.iterdir()) == [history.path]


LOGS = {
    "loss": 1.52,
    "val_loss": 1.61,
    SCORE: 0.713,
    "images_per_second": 81.2,
}
LINE = "epoch 3/8  loss 1.520  val_loss 1.610  val macro AUROC .713  81 pictures/s"


def test_progress_is_a_line_an_epoch_without_a_terminal(caplog, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
    with caplog.at_level("INFO"), show_epochs(8) as callback:
        assert isinstance(callback, EpochLines)
        callback.on_epoch_end(2, LOGS)
    assert caplog.messages == [LINE]


def test_progress_is_a_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with show_epochs(8) as callback:
        assert isinstance(callback, EpochBar)
        callback.set_params({"steps": 2})
        callback.on_epoch_begin(2)
        callback.on_train_batch_end(0, {"loss": 1.5})
        callback.on_epoch_end(2, LOGS)
    shown = capsys.readouterr().err
    assert "epoch 3/8  loss 1.520" in shown
    assert "val macro AUROC .713" in shown


def test_event_files_say_so_where_tensorflow_is_not_installed(
    caplog, monkeypatch, tmp_path: Path
):
    monkeypatch.setitem(__import__("sys").modules, "tensorflow", None)
    with caplog.at_level("INFO"):
        events = EventFiles(tmp_path)
    events.on_epoch_end(0, LOGS)
    events.on_train_end()
    assert caplog.messages == [
        "tensorboard: no event files, TensorFlow is not installed"
    ]
    assert not list(tmp_path.iterdir())


def test_fit_in_mixed_bfloat16_leaves_a_float32_answer(tmp_path: Path):
    run = RunFolder(tmp_path)
    config = make_config(epochs=1, precision="mixed_bfloat16")
    history = fit(config, run, **make_parts(num_rows=32))
    model = load(run)
    assert np.isfinite(history["loss"]).all()
    assert run.read_environment()["precision"]["chosen"] == "mixed_bfloat16"
    assert model.get_layer("image_conv_1").compute_dtype == "bfloat16"
    probabilities, _ = score_batches(model, make_parts()["val"])
    assert probabilities.dtype == np.float32
    assert keras.config.dtype_policy().name == "float32"
