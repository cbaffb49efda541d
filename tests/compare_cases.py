"""Finished runs without a model: what `dualnet compare` reads of them."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
from truth_cases import TINY

from dualnet.config_layers import read_config
from dualnet.data.metadata import MetadataEncoder
from dualnet.files import sha256, write_json
from dualnet.findings import Vocabulary
from dualnet.runs import RunFolder, write_table

NUM_PATIENTS = 60  # two radiographs each


def make_records(seed: int = 0) -> pd.DataFrame:
    """Radiographs of 60 patients, labelled with the classes of `TINY`."""
    generator = np.random.default_rng(seed)
    labels = [("Edema",), ("Mass",), ("Edema", "Mass"), ("No Finding",)]
    number = np.arange(2 * NUM_PATIENTS)
    return pd.DataFrame(
        {
            "image_id": [f"{one:03d}.png" for one in number],
            "path": "nowhere.png",
            "patient_id": [f"p{one // 2:02d}" for one in number],
            "age_years": generator.uniform(20, 80, number.size),
            "sex": "F",
            "view_position": "PA",
            "follow_up": pd.array(number % 2, dtype="Int64"),
            "findings": [
                labels[one] for one in generator.integers(4, size=number.size)
            ],
            "source": "nih",
        }
    )


def deal_parts(records: pd.DataFrame, *, first_test: int = 20) -> list[str]:
    """Train and val from the other patients, the test part from patient 20 to 59."""
    patient = np.arange(len(records)) // 2
    dealt = np.where(patient % 5 == 0, "val", "train")
    inside = (patient >= first_test) & (patient < first_test + 40)
    return np.where(inside, "test", dealt).tolist()


def make_run(
    path: Path,
    *,
    skill: float = 1.0,
    parts: list[str] | None = None,
    overrides: tuple[str, ...] = (),
    seed: int = 0,
) -> RunFolder:
    """Writes a finished run, judged on its test part.

    Args:
        path: Its folder.
        skill: How much its scores know of the labels.
        parts: Of each radiograph; none: `deal_parts`.
        overrides: Of its configuration.
        seed: Of its scores.

    Returns:
        The folder.
    """
    records = make_records()
    parts = deal_parts(records) if parts is None else parts
    run = RunFolder(path)
    run.write_config(read_config(overrides=list(overrides)))
    run.write_environment({})
    run.write_records(records)
    split = records[["image_id", "patient_id"]].assign(part=parts)
    write_table(run.split, split)
    certificate = {"split_sha256": sha256(run.split), "vocabulary": asdict(TINY)}
    write_json(path / "split.json", certificate)
    MetadataEncoder().fit(records).save(run.metadata_encoder)
    run.model.write_bytes(b"no model is read")
    judged = records.assign(part=parts)
    judged = judged[judged["part"] == "test"]
    write_judged(run.evaluation, judged, skilled_scores(judged, skill, seed))
    return run


def skilled_scores(
    table: pd.DataFrame, skill: float, seed: int, vocabulary: Vocabulary = TINY
) -> dict[str, np.ndarray]:
    """A column of scores a class that know `skill` of the labels."""
    generator = np.random.default_rng(seed)
    return {
        name: generator.normal(size=len(table))
        + skill * np.array([name in labels for labels in table["findings"]])
        for name in vocabulary.class_names
    }


def write_judged(
    folder: Path, table: pd.DataFrame, scores: Mapping[str, np.ndarray]
) -> None:
    """Writes what an evaluation leaves, as far as a comparison reads it."""
    known = table[["image_id", "patient_id", "part"]].assign(
        findings=table["findings"].map("|".join)
    )
    write_table(folder / "predictions.csv", known.assign(**scores))
    write_json(
        folder / "metrics.json",
        {
            "class_names": list(TINY.class_names),
            "negative": TINY.negative,
            "intervals": {"resamples": 200, "seed": 0},
        },
    )
