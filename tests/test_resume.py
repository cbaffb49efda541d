"""A training that was stopped goes on to the bits of one that never was."""

import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_fit import load, make_config, make_parts

from dualnet.config import Config
from dualnet.data.augmentation import Augmentation
from dualnet.errors import ConfigError, RunError, StorageError
from dualnet.runs import RunFolder
from dualnet.stopping import Stopped, StopRequest
from dualnet.training import checkpoint_keeper, halves
from dualnet.training.checkpoint import list_checkpoints, read_checkpoint
from dualnet.training.fit import fit

ALIKE = ["epoch", "loss", "val_loss", "val_macro_auroc", "learning_rate"]
NUM_ROWS = 44  # 3 batches of 16, the last of 12


class StopAfter(StopRequest):
    """Asks for an end after some batches, as SIGTERM does."""

    def __init__(self, batches: int) -> None:
        super().__init__()
        self._left = batches

    @property
    def asked(self) -> bool:
        self._left -= 1
        if self._left <= 0:
            self._signum = signal.SIGTERM
        return self._left <= 0


def make_parts_of(config: Config) -> dict:
    """Rows that are drawn with replacement, moved where they are pictures."""
    settings = {"num_rows": NUM_ROWS, "modality": config.model.modality}
    weights = np.linspace(1, 2, NUM_ROWS)
    train = make_parts(
        **settings, sampling_weights=weights, augmentation=Augmentation(shift=2)
    )["train"]
    return {**make_parts(**settings), "train": train}


def fit_with_stops(config: Config, run: RunFolder, stops: list[int]) -> pd.DataFrame:
    for batches in stops:
        with pytest.raises(Stopped, match="stopped by SIGTERM"):
            fit(config, run, **make_parts_of(config), stop=StopAfter(batches))
        assert not run.model.exists()
    return fit(config, run, **make_parts_of(config))


def assert_same_bits(
    one: RunFolder, other: RunFolder, histories: list[pd.DataFrame]
) -> None:
    for ours, theirs in zip(
        load(one).get_weights(), load(other).get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    pd.testing.assert_frame_equal(*(history[ALIKE] for history in histories))
    pd.testing.assert_frame_equal(
        *(pd.read_csv(run.history)[ALIKE] for run in (one, other))
    )


@pytest.mark.parametrize(
    ("training", "stops"),
    [
        ({"modality": "metadata", "accumulate": 2}, [3]),
        ({"modality": "metadata", "ema": 0.9, "schedule": "plateau"}, [4]),
        (
            {"modality": "fused"},
            [5, 6, 1],
        ),  # in the metadata half, then in both phases
    ],
)
def test_a_stop_inside_an_epoch_changes_no_bit(
    tmp_path: Path,
    training: dict,
    stops: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(halves, "MAX_EPOCHS", 4)
    config = make_config(epochs=2, **training)
    # two phases; which the configuration allows only with weights to begin with
    frozen = config.training.model_copy(update={"frozen_epochs": 1})
    config = config.model_copy(update={"training": frozen})
    runs = [RunFolder(tmp_path / name) for name in ("never", "stopped")]
    histories = [
        fit_with_stops(config, run, asked)
        for run, asked in zip(runs, ([], stops), strict=True)
    ]
    assert_same_bits(*runs, histories)
    assert not runs[1].checkpoints.exists()


def stop_at(run: RunFolder, batches: int, **training) -> Config:
    config = make_config(modality="metadata", epochs=3, **training)
    parts = make_parts(modality="metadata", num_rows=NUM_ROWS)
    with pytest.raises(Stopped):
        fit(config, run, **parts, stop=StopAfter(batches), digests={"split": "a"})
    return config


def test_a_checkpoint_says_where_training_stands(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    stop_at(run, 3)  # the last batch of an epoch is not asked: 1, 2, then 1 of the next
    paths = list_checkpoints(run.checkpoints)
    assert [path.name for path in paths] == [
        "metadata-epoch-0001-step-000001",
        "metadata-epoch-0001-step-000000",
    ]
    checkpoint = read_checkpoint(paths[0])
    assert not checkpoint.finished
    assert checkpoint.digests == {"split": "a"}
    assert checkpoint.spent["seconds"] > 0
    assert set(checkpoint.variables) == {"model", "optimizer", "metrics"}
    assert [row["epoch"] for row in checkpoint.callbacks["HistoryFile"]["rows"]] == [1]
    assert checkpoint.callbacks["BestModel"]["epoch"] == 1
    assert checkpoint.callbacks["EpochScores"]["seconds"] > 0


def test_checkpoints_come_as_often_as_configured_and_are_kept_on_request(
    tmp_path: Path,
) -> None:
    parts = make_parts(modality="metadata", num_rows=NUM_ROWS)
    config = make_config(
        modality="metadata", epochs=1, checkpoint_minutes=0, keep_checkpoints=True
    )
    fit(config, RunFolder(tmp_path), **parts)
    paths = list_checkpoints(tmp_path / "checkpoints")
    assert [path.name for path in paths] == [
        "metadata-epoch-0001-step-000000",
        "metadata-epoch-0000-step-000002",
        "metadata-epoch-0000-step-000001",
    ]
    assert read_checkpoint(paths[0]).finished


def test_other_data_are_refused_and_nothing_is_touched(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    config = stop_at(run, 3)
    parts = make_parts(modality="metadata", num_rows=NUM_ROWS)
    before = list_checkpoints(run.checkpoints)
    with pytest.raises(RunError, match="must be of the same split"):
        fit(config, run, **parts, digests={"split": "b"})
    assert list_checkpoints(run.checkpoints) == before


def test_another_model_is_refused(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    stop_at(run, 3)
    wider = make_config(modality="metadata", epochs=3)
    wider = wider.model_copy(
        update={"model": wider.model.model_copy(update={"metadata_units": (5,)})}
    )
    parts = make_parts(modality="metadata", num_rows=NUM_ROWS)
    with pytest.raises(RunError, match="must hold the variables of the model's model"):
        fit(wider, run, **parts)


def test_training_goes_on_while_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fill(*_: object, **settings: bool) -> None:
        raise StorageError("checkpoints: Received: No space left on device.")

    monkeypatch.setattr(checkpoint_keeper, "write_checkpoint", fill)
    config = make_config(modality="metadata", epochs=2)
    run = RunFolder(tmp_path)
    fit(config, run, **make_parts(modality="metadata", num_rows=NUM_ROWS))
    assert run.model.is_file()
    assert caplog.text.count("no checkpoint this time, training goes on") == 2


@pytest.mark.parametrize(("row", "minutes"), [(3, 0), (40, 5)])
def test_the_batch_in_which_training_goes_astray_is_named(
    tmp_path: Path, row: int, minutes: float
) -> None:
    names = np.array([f"{number}.png" for number in range(NUM_ROWS)])
    settings = {"modality": "metadata", "num_rows": NUM_ROWS}
    train = make_parts(**settings, image_ids=names)["train"]
    train._metadata[row, 0] = np.nan
    place = int(np.flatnonzero(train.order == row)[0]) // 16
    batch = ", ".join(names[train.order[16 * place : 16 * place + 16]])
    run = RunFolder(tmp_path)
    config = make_config(modality="metadata", checkpoint_minutes=minutes)
    with pytest.raises(ConfigError) as astray:
        fit(config, run, **{**make_parts(**settings), "train": train})
    where = f"at batch {place + 1} of epoch 1, of {batch}. Lower `training"
    assert where in str(astray.value)
    assert not run.model.exists()
