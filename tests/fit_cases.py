"""A fit of seconds: pictures in memory, a bright square whose place tells the class."""

import numpy as np

from dualnet.config import Config, parse_config
from dualnet.data.batches import Batches
from dualnet.findings import NIH

SIZE = 32
NUM_FEATURES = 3
CLASSES = NIH.class_names


class FakeCache:
    """Pictures in memory: a bright square whose place tells the class."""

    def __init__(self, classes: np.ndarray) -> None:
        noise = np.random.default_rng(0).integers(0, 60, (len(classes), SIZE, SIZE, 1))
        self.images = noise.astype(np.uint8)
        for image, label in zip(self.images, classes, strict=True):
            row, column = 8 * (label // 4), 8 * (label % 4)
            image[row : row + 8, column : column + 8] += 180

    def read(self, positions: np.ndarray) -> np.ndarray:
        return self.images[positions]


def make_parts(*, num_rows: int = 48, **settings) -> dict:
    labels = np.arange(num_rows) % len(CLASSES)
    cache, targets = FakeCache(labels), np.eye(len(CLASSES), dtype="float32")[labels]
    metadata = np.random.default_rng(1).normal(size=(num_rows, NUM_FEATURES))
    rows = np.arange(num_rows)
    settings = {"batch_size": 16, **settings}
    return {
        "train": Batches(cache, rows, metadata, targets, seed=0, **settings),
        "val": Batches(cache, rows[:30], metadata[:30], targets[:30], **settings),
        "val_labels": targets[:30].astype(bool),
        "val_patients": rows[:30],
        "vocabulary": NIH,
    }


def make_config(*, modality: str = "fused", **training) -> Config:
    return parse_config(
        {
            "seed": 1,
            "data": {"image_size": SIZE},
            "model": {"dropout": 0.1, "modality": modality},
            "training": {"epochs": 2, "batch_size": 16, "tensorboard": False}
            | training,
        },
        where="test",
    )
