"""`dualnet train --resume`: a run that was stopped, at whatever moment, is finished."""

import logging
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import run_cases
from test_resume import ALIKE, StopAfter

from dualnet.config import Config
from dualnet.config_layers import read_config
from dualnet.errors import ConfigError, RecordError, RunError
from dualnet.files import lock_folder
from dualnet.jobs import train
from dualnet.jobs.resume import resume_run
from dualnet.jobs.train import train_run
from dualnet.resuming import describe_stop, read_resumed
from dualnet.runs import RunFolder
from dualnet.stopping import Stopped, StopRequest, stop_on_signals


@pytest.fixture(scope="module", autouse=True)
def undrawn() -> Iterator[None]:
    """Trainings of this module's fixtures without pages too."""
    with pytest.MonkeyPatch.context() as patched:
        page = "dualnet.jobs.training_page.write_training_page"
        patched.setattr(page, lambda *_, **__: None)
        yield


@pytest.fixture(scope="module")
def config(small_phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Config:
    return run_cases.configure(
        small_phantom,
        tmp_path_factory.mktemp("cache") / "small",
        "split.rare_findings=train",
        "model.modality=metadata",
        "training.epochs=3",
    )


@pytest.fixture(scope="module")
def never_stopped(
    config: Config, tmp_path_factory: pytest.TempPathFactory
) -> RunFolder:
    return train_run(config, tmp_path_factory.mktemp("runs") / "never")


@pytest.fixture(scope="module")
def stopped_once(config: Config, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run that SIGTERM ended in its second epoch."""
    run = RunFolder(tmp_path_factory.mktemp("runs") / "stopped")
    with pytest.raises(Stopped):
        train_run(config, run.path, stop=StopAfter(12))
    return run


@pytest.fixture
def stopped(stopped_once: RunFolder, tmp_path: Path) -> RunFolder:
    """The same, elsewhere."""
    return RunFolder(shutil.copytree(stopped_once.path, tmp_path / "run"))


def resume(run: RunFolder, **options) -> RunFolder:
    return resume_run(read_resumed(run.path, **options), run.path)


def assert_alike(one: RunFolder, other: RunFolder) -> None:
    weights = [keras.saving.load_model(run.model).get_weights() for run in (one, other)]
    for ours, theirs in zip(*weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    histories = [pd.read_csv(run.history)[ALIKE] for run in (one, other)]
    pd.testing.assert_frame_equal(*histories)
    assert one.calibration.read_bytes() == other.calibration.read_bytes()


def test_a_run_that_was_stopped_is_the_one_that_never_was(
    stopped: RunFolder, never_stopped: RunFolder, config: Config
) -> None:
    with pytest.raises(
        RunError, match=r"a run that was stopped.*--resume goes on with"
    ):
        train_run(config, stopped.path)
    resume(stopped)
    assert_alike(stopped, never_stopped)
    names = {entry.name for entry in stopped.path.iterdir()}
    assert names == {entry.name for entry in never_stopped.path.iterdir()}
    assert not stopped.checkpoints.exists()
    spent = stopped.read_environment()["spent"]
    assert list(spent) == ["preparing", "fitting", "calibrating"]


def test_a_finished_run_is_left_as_it_is(
    never_stopped: RunFolder, caplog: pytest.LogCaptureFixture
) -> None:
    before = never_stopped.model.stat().st_mtime_ns
    with caplog.at_level(logging.INFO, logger="dualnet"):
        resume(never_stopped)
    assert "finished already, nothing is left to do" in caplog.text
    assert never_stopped.model.stat().st_mtime_ns == before


def raise_stopped(*_: object, **__: object) -> None:
    raise Stopped(signal.SIGTERM)


def test_a_stop_while_preparing_leaves_what_to_go_on_from(
    config: Config,
    never_stopped: RunFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = RunFolder(tmp_path / "run")
    with monkeypatch.context() as patched:
        patched.setattr(train, "read_training_data", raise_stopped)
        with pytest.raises(Stopped):
            train_run(config, run.path)
    assert describe_stop(run.path).endswith(f"dualnet train --run {run.path} --resume`")
    resume(run)
    assert_alike(run, never_stopped)


def test_a_stop_after_the_fit_does_not_fit_again(
    config: Config,
    never_stopped: RunFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = RunFolder(tmp_path / "run")
    with monkeypatch.context() as patched:
        patched.setattr(train, "calibrate_run", raise_stopped)
        with pytest.raises(Stopped):
            train_run(config, run.path)
    assert not run.is_finished
    monkeypatch.setattr(train, "fit_run", None)
    resume(run)
    assert_alike(run, never_stopped)
    assert run.read_environment()["spent"]["fitting"]["seconds"] > 0


@pytest.mark.parametrize("exists", [True, False])
def test_data_that_cannot_be_used_leave_nothing(
    config: Config, tmp_path: Path, exists: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Config) -> None:
        raise RecordError("table: must be one. Received: none.")

    monkeypatch.setattr(train, "read_training_data", refuse)
    run = tmp_path / "run"
    if exists:
        run.mkdir()
    with pytest.raises(RecordError):
        train_run(config, run)
    assert run.exists() == exists
    assert not exists or not list(run.iterdir())


def test_other_data_are_refused_before_anything_is_written(
    stopped: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = train.read_training_data
    monkeypatch.setattr(
        train,
        "read_training_data",
        lambda config: read(config.model_copy(update={"seed": 5})),
    )
    before = stopped.split.read_bytes()
    with pytest.raises(RunError, match="must be of the same split as"):
        resume(stopped)
    assert stopped.split.read_bytes() == before


def test_another_configuration_is_refused(stopped: RunFolder) -> None:
    text = stopped.config.read_text()
    stopped.config.write_text(text.replace("dropout: 0.3", "dropout: 0.2"))
    with pytest.raises(RunError, match="must be of the same configuration as"):
        resume(stopped)


def test_one_process_at_a_time(stopped: RunFolder, config: Config) -> None:
    with (
        lock_folder(stopped.path, if_taken=pytest.fail),
        pytest.raises(RunError, match="must be trained by one process at a time"),
    ):
        resume(stopped)
    with (
        lock_folder(stopped.path, if_taken=pytest.fail),
        pytest.raises(RunError, match="another one is at work in it"),
    ):
        train_run(config, stopped.path, overwrite=True)


def begin(path: Path, *overrides: str) -> Path:
    path.mkdir()
    RunFolder(path).write_config(read_config(preset="xnet", overrides=overrides))
    return path


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"overrides": ["training.epochs=5"]},
            "training.epochs must be as .* has it, 3",
        ),
        ({"preset": "covid"}, r"data.exclude_findings must be as .*, \[\]"),
        ({"overrides": ["data.path=elsewhere"]}, "data.path must be as .* has it, '/"),
    ],
)
def test_options_that_would_make_another_run_are_refused(
    tmp_path: Path, options: dict, message: str
) -> None:
    run = begin(tmp_path / "run", "training.epochs=3", f"data.path={tmp_path}")
    with pytest.raises(ConfigError, match=f"--resume: {message}"):
        read_resumed(run, **options)


def test_options_that_say_the_same_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = begin(tmp_path / "run", f"data.path={tmp_path / 'data'}")
    same = read_resumed(
        run, preset="xnet", overrides=["data.path=data", "training.epochs=12"]
    )
    assert same == RunFolder(run).read_config()


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no config\.yaml.*without --resume"):
        read_resumed(tmp_path / "absent")


def test_the_first_signal_asks_and_what_is_held_back_comes_at_the_end() -> None:
    before = signal.getsignal(signal.SIGINT)  # ignored where a shell's job began us
    passed = []
    with stop_on_signals() as stop, pytest.raises(Stopped) as stopped:
        with stop.held():
            signal.raise_signal(signal.SIGTERM)
            passed.append(stop.asked)
        passed.append("beyond")
    assert passed == [True]
    assert stopped.value.status == 0
    assert signal.getsignal(signal.SIGINT) is before


def test_a_signal_outside_of_a_fit_ends_at_once() -> None:
    with stop_on_signals(), pytest.raises(Stopped, match="SIGINT") as stopped:
        signal.raise_signal(signal.SIGINT)
    assert stopped.value.status == 130


def test_the_second_signal_is_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    done = []
    monkeypatch.setattr(signal, "signal", lambda *given: done.append(given))
    monkeypatch.setattr(signal, "raise_signal", done.append)
    stop = StopRequest()
    with pytest.raises(Stopped), stop.held():
        stop.receive(signal.SIGTERM)
        stop.receive(signal.SIGTERM)
    assert done == [(signal.SIGTERM, signal.SIG_DFL), signal.SIGTERM]
