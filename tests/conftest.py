"""What all tests share: no network, determinism, a small phantom, the real data."""

import os
import socket
from pathlib import Path

import matplotlib as mpl
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
mpl.use("Agg")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def refuse(self: socket.socket, address: object) -> None:
        if not (isinstance(address, tuple) and address[0] == "127.0.0.1"):
            raise AssertionError(f"a test may not use the network: {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def drawn() -> None:
    """Asked for by tests that want figures, reports and pages of trainings."""


@pytest.fixture(autouse=True)
def _undrawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluations without figures and reports, which cost more than all the rest.

    Trainings without pages too, but for those of fixtures of a module.
    """
    if {"drawn", "real_data"} & set(request.fixturenames):
        return
    room = "dualnet.jobs.evaluation_folder"
    monkeypatch.setattr(f"{room}.plot_evaluation", lambda *_: {})
    monkeypatch.setattr(f"{room}.draw_charts", lambda *_: [])
    monkeypatch.setattr(f"{room}.write_report", lambda *_, **__: None)
    page = "dualnet.jobs.training_page.write_training_page"
    monkeypatch.setattr(page, lambda *_, **__: None)
    compare = "dualnet.jobs.compare"
    monkeypatch.setattr(f"{compare}.plot_comparison", lambda *_: {})
    monkeypatch.setattr(f"{compare}.write_comparison_report", lambda *_, **__: None)


@pytest.fixture
def few_trees(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Baselines of two trees, but for real data: a test takes half the time."""
    if "real_data" in request.fixturenames:
        return
    from dualnet.evaluation.scores import baselines

    trees = baselines._trees
    monkeypatch.setattr(
        baselines, "_trees", lambda seed: trees(seed).set_params(max_iter=2)
    )


@pytest.fixture(scope="session")
def small_phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset folder in NIH's format: 90 radiographs of 30 patients, 64 pixels."""
    from dualnet.data.phantom import make_phantom

    folder = tmp_path_factory.mktemp("phantom") / "small"
    make_phantom(folder, num_images=90, num_patients=30, seed=0, size=64, workers=1)
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real radiographs; skips the test where there is none."""
    folder = os.environ.get("DUALNET_REAL_DATA")
    if not folder:
        pytest.skip("DUALNET_REAL_DATA names no folder of real radiographs")
    return Path(folder)
