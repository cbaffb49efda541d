"""What a run is fitted on, as digests by name: a checkpoint of others is refused."""

import hashlib
import json

import numpy as np

from dualnet.config import Config
from dualnet.jobs.training_data import TrainingData

FREE = frozenset(  # these may change while a run goes on: no bit depends on them
    {
        "training.checkpoint_minutes",
        "training.keep_checkpoints",
        "training.profile",
        "training.tensorboard",
    }
)


def compute_digests(config: Config, data: TrainingData) -> dict[str, str]:
    """Computes the digests of a configuration and of the data that it names.

    Args:
        config: The whole configuration; of it, what the data do not tell.
        data: What the model is fitted on.

    Returns:
        SHA-256 in hexadecimal, by name.
    """
    table, split = data.table, data.split
    positions = data.cache.rows(table["image_id"])
    findings = table["findings"].map("|".join)
    classes = data.targets.class_names
    return {
        "configuration": _digest(_deciding(config)),
        "split": _digest(split[["image_id", "patient_id", "part"]].to_csv(index=False)),
        "findings": _digest("\n".join(findings)),
        "targets": _digest("|".join(classes), data.targets.matrix),
        "records": _digest(data.encoder.transform(table)),
        "pictures": data.cache.digest(positions),
    }


def _deciding(config: Config) -> str:
    """Returns what decides the bits of a run beside its data, as canonical JSON."""
    values = config.model_dump(mode="json", include={"seed", "model", "training"})
    for key in FREE:
        stage, name = key.split(".")
        values[stage].pop(name)
    return json.dumps(values, sort_keys=True)


def _digest(*parts: str | np.ndarray) -> str:
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            digest.update(part.encode())
        else:
            digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()
