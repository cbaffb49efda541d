"""Computes the heat maps of a saved model, on the back end that Keras is told to use.

    KERAS_BACKEND=jax python tests/heat_maps_of_a_file.py FOLDER

Reads `model.keras` and `inputs.npz` from the folder and writes `<back end>.npz`. Run by
`test_heat_maps.py`, as a process has one back end.
"""

import sys
from pathlib import Path

import keras
import numpy as np

from dualnet.explain.heat_maps import METHODS, compute_heat_maps


def main() -> None:
    folder = Path(sys.argv[1])
    model = keras.saving.load_model(folder / "model.keras", compile=False)
    with np.load(folder / "inputs.npz") as kept:
        inputs = dict(kept)
    columns = inputs.pop("columns")
    maps = {
        method: compute_heat_maps(model, inputs, columns, method=method).values
        for method in METHODS
    }
    np.savez(folder / f"{keras.backend.backend()}.npz", **maps)


if __name__ == "__main__":
    main()
