"""What a run folder says of a small training."""

import numpy as np
import pandas as pd
from truth_cases import TINY

from dualnet.config import parse_config
from dualnet.plots.training.facts import TrainingFacts


def make_facts(
    num_epochs: int = 4, *, state: str = "finished", **changes
) -> TrainingFacts:
    """Six epochs at most; the third of those made is the best, Mass is undefined."""
    epochs = np.arange(1, num_epochs + 1)
    scores = np.array([0.5, 0.625, 0.75, 0.7, 0.6, 0.55])[:num_epochs]
    count = {"count": 3, "share": 0.3}
    part = {"radiographs": 10, "patients": 8, "findings": {"Edema": count}}
    spent = {"seconds": 5.0, "processor_seconds": 9.0}
    done = state == "finished"
    values = {
        "name": "one",
        "state": state,
        "written": "2026-01-02 03:04 UTC",
        "config": parse_config(
            {
                "training": {"epochs": 6, "patience": 1},
                "data": {"path": "/a/secret/nih"},
            },
            where="test",
        ),
        "certificate": {
            "parts": {"train": part, "val": part, "test": part},
            "counts": {"read": 31, "set_aside": 1},
            "shared_patients": 0,
            "label_rule_dropped": [
                {"finding": "Mass", "present": 8, "kept": 6, "dropped": 2},
                {"finding": "Edema", "present": 9, "kept": 9, "dropped": 0},
            ],
        },
        "vocabulary": TINY,
        "dataset": {"name": "nih", "phantom": False},
        "environment": {
            "backend": "tensorflow",
            "device": {"kind": "cpu", "name": "a processor"},
            "versions": {"keras": "3"},
            "precision": {"chosen": "float32", "why": "as configured"},
            "cost": {"peak_memory_mib": 1234.4, "memory_of": "device"} if done else {},
            "spent": {"preparing": spent, "fitting": spent} if done else {},
        },
        "history": pd.DataFrame(
            {
                "epoch": epochs,
                "loss": 2.0 / epochs,
                "val_loss": 2.5 / epochs,
                "val_macro_auroc": scores,
                "learning_rate": 1e-3 / epochs,
                "seconds": 2.0,
                "images_per_second": 80.0,
            }
        ),
        "areas": pd.DataFrame(
            {"epoch": epochs, "Edema": scores[::-1], "Mass": np.nan, "No Finding": 0.5}
        ),
    }
    return TrainingFacts(**(values | changes))
