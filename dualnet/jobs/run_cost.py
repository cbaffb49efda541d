"""What a run's model costs: its size, and how fast it trained and predicted."""

from typing import Any

import numpy as np
import pandas as pd

from dualnet.errors import ConfigError
from dualnet.jobs.finished import FinishedRun
from dualnet.models.weight_files import count_parameters

MEGABYTE = 1e6


def read_cost(run: FinishedRun) -> dict[str, Any]:
    """Reads what a run's model costs; nothing is computed anew.

    Speeds are medians over the epochs but the first, in which steps are compiled: of
    training, and of predicting the val part at each epoch's end, both with reading the
    pictures, on the device that trained. Of a model fitted in halves they are the image
    half's.

    Args:
        run: A finished run.

    Returns:
        Plain values, None where the run does not tell: `parameters` and `megabytes` of
        `model.keras`, `trained_per_second` and `predicted_per_second` in pictures,
        and `device`.
    """
    device = run.folder.read_environment().get("device")
    sizes = run.records["part"].value_counts()
    trained, predicted = _read_speeds(run, int(sizes["train"]), int(sizes["val"]))
    return {
        "parameters": _count_parameters(run),
        "megabytes": run.folder.model.stat().st_size / MEGABYTE,
        "trained_per_second": trained,
        "predicted_per_second": predicted,
        "device": device.get("name") if isinstance(device, dict) else None,
    }


def _read_speeds(
    run: FinishedRun, num_train: int, num_val: int
) -> tuple[float | None, float | None]:
    """Returns pictures a second, training and predicting."""
    try:
        history = pd.read_csv(run.folder.history)
        speeds = history["images_per_second"].to_numpy(dtype=np.float64)
        seconds = history["seconds"].to_numpy(dtype=np.float64)
    except (OSError, ValueError, KeyError):
        return None, None
    later = slice(1 if len(speeds) > 1 else 0, None)
    speeds, seconds = speeds[later], seconds[later]
    predicting = seconds - num_train / speeds  # what an epoch takes besides its steps
    return _median(speeds), _median(num_val / np.maximum(predicting, 1e-9))


def _median(values: np.ndarray) -> float | None:
    value = float(np.median(values)) if values.size else float("nan")
    return value if np.isfinite(value) else None


def _count_parameters(run: FinishedRun) -> int | None:
    try:
        return count_parameters(run.folder.model)
    except ConfigError:
        return None
