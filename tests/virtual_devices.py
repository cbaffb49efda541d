"""Fits the same model on one of two virtual processors, then on both.

Prints both histories as JSON. Run by `test_devices.py`, as the number of devices is
fixed when a back end starts.
"""

import json
import sys
import tempfile
from pathlib import Path

import keras
import yaml
from test_fit import make_config, make_parts

from dualnet.runs import RunFolder
from dualnet.training.backend import list_devices
from dualnet.training.fit import fit


def main() -> None:
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        two = [tf.config.LogicalDeviceConfiguration() for _ in range(2)]
        processor = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(processor, two)
    assert len(list_devices()) == 2
    settings = dict(setting.split("=") for setting in sys.argv[1:])
    settings = {key: yaml.safe_load(value) for key, value in settings.items()}
    histories = []
    for devices, rate in (("one", 0.02), ("all", 0.01)):  # two take twice the rate
        config = make_config(
            modality="metadata", devices=devices, learning_rate=rate, **settings
        )
        # 47 rows in batches of 16: the last has 15, of which two devices take 14
        parts = make_parts(num_rows=47, modality="metadata")
        parts["train"] = make_parts(num_rows=47, modality="metadata", multiple_of=2)[
            "train"
        ]
        with tempfile.TemporaryDirectory() as folder:
            histories.append(fit(config, RunFolder(Path(folder)), **parts))
    sys.stdout.write(json.dumps([one.to_dict("list") for one in histories]) + "\n")


if __name__ == "__main__":
    main()
