"""Several devices give what one gives: two processors that a process takes for its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from test_batches import make, rows_of

from dualnet.config import TrainingConfig
from dualnet.errors import ConfigError
from dualnet.training import devices as devices_module
from dualnet.training.backend import read_peak_memory
from dualnet.training.callbacks import predict_rows
from dualnet.training.devices import choose_devices, measure_cost

TESTS = Path(__file__).parent


def test_one_device_keeps_batch_and_learning_rate():
    training = TrainingConfig(batch_size=32, learning_rate=0.001)
    devices = choose_devices(training)
    assert (devices.count, devices.batch_size, devices.learning_rate) == (1, 32, 0.001)


def test_batch_and_learning_rate_grow_with_the_devices(monkeypatch, caplog):
    monkeypatch.setattr(devices_module, "list_devices", lambda: ("a", "b", "c", "d"))
    training = TrainingConfig(batch_size=32, learning_rate=0.001, devices="all")
    with caplog.at_level("INFO"):
        described = choose_devices(training).describe(num_rows=1001)
    assert described == {"count": 4, "batch_size": 128, "learning_rate": 0.004}
    assert caplog.messages == [
        "each epoch leaves out 1 radiograph, others each time: 4 devices divide the rest",
        "4 devices: batches of 128 (32 each), learning rate 0.004 (4 times 0.001)",
    ]


def test_learning_rates_of_both_phases_are_scaled(monkeypatch):
    monkeypatch.setattr(devices_module, "list_devices", lambda: ("a", "b"))
    training = TrainingConfig(
        devices="all", learning_rate=0.001, frozen_epochs=1, fine_tune_rate=0.0003
    )
    scaled = choose_devices(training).scale(training)
    assert (scaled.learning_rate, scaled.fine_tune_rate) == (0.002, 0.0006)
    plain = TrainingConfig(devices="all")
    assert choose_devices(plain).scale(plain).fine_tune_rate is None


def test_last_batch_is_cut_to_what_devices_can_divide():
    batches = make(seed=0, multiple_of=4)  # 22 rows, batches of 5: 20 are taken
    assert [len(batch[1]) for batch in batches] == [5, 5, 5, 5]
    assert rows_of(batches) == batches.order[:20].tolist()
    assert [len(batch[1]) for batch in make(batch_size=8, multiple_of=4)] == [8, 8, 4]


def test_rows_are_predicted_whatever_the_devices_divide(monkeypatch):
    inputs = keras.Input((1,), name="metadata")
    model = keras.Model({"metadata": inputs}, keras.layers.Rescaling(2.0)(inputs))
    rows = np.arange(5.0, dtype="float32")[:, None]
    for count in (1, 2, 4):
        monkeypatch.setattr(
            "dualnet.training.callbacks.count_replicas", lambda count=count: count
        )
        np.testing.assert_array_equal(
            predict_rows(model, {"metadata": rows}), 2 * rows, strict=True
        )


def test_cost_is_the_median_rate_and_the_memory(caplog):
    history = pd.DataFrame({"images_per_second": [10.0, 40.0, 30.0]})
    with caplog.at_level("INFO"):
        cost = measure_cost(history)
    assert cost["images_per_second"] == 30
    whose, peak = read_peak_memory() or ("", 0)
    assert cost["memory_of"] == whose
    assert 100 < float(cost["peak_memory_mib"] or 0) <= peak / 2**20
    assert caplog.messages[0].startswith("fitted at 30 pictures/s, at most ")


def fit_on_virtual_devices(backend: str, *settings: str) -> list[pd.DataFrame]:
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path]),
    }
    script = TESTS / "virtual_devices.py"
    answer = subprocess.run(
        [sys.executable, str(script), *settings],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    return [pd.DataFrame(one) for one in json.loads(answer.stdout.splitlines()[-1])]


def test_tensorflow_accumulates_on_one_device_only(monkeypatch):
    monkeypatch.setattr(devices_module, "list_devices", lambda: ("a", "b"))
    monkeypatch.setattr(devices_module, "name_backend", lambda: "tensorflow")
    with pytest.raises(ConfigError, match=r"must be 1 .* 2 devices\. Received: 4\."):
        choose_devices(TrainingConfig(devices="all", accumulate=4))
    assert choose_devices(TrainingConfig(accumulate=4)).count == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "settings"),
    [
        ("tensorflow", ()),
        ("tensorflow", ("ema=0.9", "schedule=plateau")),
        ("jax", ()),
        ("jax", ("ema=0.9", "schedule=plateau", "accumulate=2")),
    ],
)
def test_two_devices_learn_what_one_learns(backend: str, settings: tuple[str, ...]):
    if backend == "jax":
        pytest.importorskip("jax")
    one, two = fit_on_virtual_devices(backend, *settings)
    # sums in another order; Adam makes much of it where a gradient is nearly 0
    columns = ["loss", "val_loss", "learning_rate"]
    pd.testing.assert_frame_equal(two[columns], one[columns], rtol=1e-3)
