"""What picture, record and leakage are worth on the phantom, over several seeds.

    python benchmarks/phantom_seeds.py --seeds 5 --out runs/seeds

For every seed: a phantom of its own and a patient-disjoint split; `residual` on `soft`
labels. The fused model stands beside the picture alone and the baseline on the record
alone. Leakage is asked of the picture alone, not moved, so that the model may learn
pictures by heart, as X-Net did: the leaking split trains on as many radiographs, but every
second visit of each test patient is among them; both models are scored on the other visits
of those patients, so the difference is paired.

Scores are macro AUROC of the 14 findings against the full label sets; intervals resample
patients within each seed and average over the seeds. These are scores on the phantom:
they prove the machinery, not a reading of radiographs.
"""

import argparse
import dataclasses
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from dualnet.config import Config
from dualnet.config_layers import read_config
from dualnet.evaluation.intervals.bootstrap import (
    mean_defined,
    percentile_interval,
    resample_auroc,
    resample_patients,
)
from dualnet.evaluation.scores.baselines import METADATA_ONLY
from dualnet.evaluation.text.verdict import format_interval
from dualnet.findings import NIH
from dualnet.jobs.evaluate import judge, predict_rows
from dualnet.jobs.finished import read_run
from dualnet.jobs.train import fit_run
from dualnet.jobs.training_data import TrainingData, read_training_data
from dualnet.runs import RunFolder
from dualnet.scores import auroc_per_class
from dualnet.wording import format_number

RESAMPLES = 1000
# nearly half for testing: the differences are small, and rare findings have few patients
PARTS = ("split.train=0.4", "split.val=0.15", "split.test=0.45")
FINDINGS = [name != NIH.negative for name in NIH.class_names]
ARMS = {
    "fused": (),
    "image": ("model.modality=image",),
    "disjoint": ("model.modality=image", "training.augmentation.shift=0"),
    "leaking": ("model.modality=image", "training.augmentation.shift=0"),
}
COMPARISONS = (  # the arms, and whether only the rows whose patients leak count
    ("fused", "image", False),
    ("fused", "metadata", False),
    ("leaking", "disjoint", True),
)


def main() -> None:
    """Runs the benchmark and prints its table."""
    options = parse_options()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    rows = []
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        kept = options.out / f"seed-{seed}.npz"
        if not kept.exists():
            with tempfile.TemporaryDirectory() as folder:
                save(kept, measure_seed(seed, options, Path(folder)))
        rows.append(load(kept))
    report(rows, options)


def parse_options() -> argparse.Namespace:
    """Reads the options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=4800)
    parser.add_argument("--patients", type=int, default=1400)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="each seed's predictions; a seed that lies there is not run again",
    )
    return parser.parse_args()


@dataclasses.dataclass(frozen=True)
class Measured:
    """One seed: labels, patients, and each arm's probabilities, all row by row."""

    labels: np.ndarray
    patient_ids: np.ndarray
    arms: dict[str, np.ndarray]
    scored: np.ndarray  # rows that the two splits are compared on

    def macro_auroc(self, arm: str) -> float:
        """Mean AUROC of the findings on the whole test part."""
        scores = auroc_per_class(self.labels, self.arms[arm])
        return float(np.nanmean(scores[FINDINGS]))


def measure_seed(seed: int, options: argparse.Namespace, folder: Path) -> Measured:
    """Draws a phantom, trains every arm and predicts the test part."""
    arms: dict[str, np.ndarray] = {}
    data = read_training_data(configure(seed, options, ARMS["fused"]))
    lent = lent_rows(data, seed)
    test = data.table.iloc[data.rows("test")].reset_index(drop=True)
    for arm, overrides in ARMS.items():
        config = configure(seed, options, overrides)
        arm_data = read_training_data(config)
        if arm == "leaking":
            leaking = leak(arm_data, lent, seed)
            arm_data = dataclasses.replace(arm_data, split=leaking)
        train(config, arm_data, folder / arm)
        # `read_run` refuses a split that leaks: all but the weights is the disjoint run's
        run = read_run(folder / ("disjoint" if arm == "leaking" else arm))
        run = dataclasses.replace(run, folder=RunFolder(folder / arm))
        arms[arm] = predict_rows(run, test, arm_data.cache)
    judged = judge(read_run(folder / "fused"), test, arms["fused"])
    return Measured(
        labels=judged.truth.labels,
        patient_ids=judged.truth.patient_ids,
        arms={**arms, "metadata": judged.baselines[METADATA_ONLY].scores},
        scored=leaking_rows(data, lent),
    )


def configure(
    seed: int, options: argparse.Namespace, overrides: tuple[str, ...]
) -> Config:
    """One seed decides the phantom, the split and the weights."""
    return read_config(
        preset="xnet",
        overrides=[
            "model.image_branch=residual",
            f"seed={seed}",
            f"phantom.seed={seed}",
            f"phantom.images={options.images}",
            f"phantom.patients={options.patients}",
            *PARTS,
            f"training.epochs={options.epochs}",
            "training.label_rule=soft",
            "training.tensorboard=false",
            *overrides,
        ],
    )


def lent_rows(data: TrainingData, seed: int) -> np.ndarray:
    """Every second visit of each test patient, the visits in a random order.

    These rows go to the leaking training part; their patients' other visits are scored.
    """
    rows = data.rows("test")
    rows = np.random.default_rng(seed).permutation(rows)
    patients = data.table["patient_id"].iloc[rows]
    visit = patients.groupby(patients.to_numpy()).cumcount().to_numpy()
    return np.sort(rows[visit % 2 == 1])


def leaking_rows(data: TrainingData, lent: np.ndarray) -> np.ndarray:
    """Which test rows are not lent but are of a patient who lends another visit."""
    rows = data.rows("test")
    patients = data.table["patient_id"].to_numpy()
    return ~np.isin(rows, lent) & np.isin(patients[rows], patients[lent])


def leak(data: TrainingData, lent: np.ndarray, seed: int) -> pd.DataFrame:
    """A split that trains on the lent rows in place of as many training rows."""
    split = data.split.copy()
    given_up = np.random.default_rng(seed).choice(
        data.rows("train"), size=len(lent), replace=False
    )
    parts = split["part"].to_numpy(dtype=object).copy()
    parts[given_up], parts[lent] = "test", "train"
    return split.assign(part=parts)


def train(config: Config, data: TrainingData, folder: Path) -> None:
    """Trains one arm into a run folder."""
    keras.utils.clear_session(free_memory=True)
    fit_run(config, RunFolder(folder), data)


def mean_difference(
    rows: list[Measured], arm: str, other: str, *, shared_only: bool
) -> dict[str, float]:
    """Mean over the seeds of one arm's macro AUROC less another's, with interval.

    Args:
        rows: The seeds.
        arm: The arm that is asked about.
        other: The arm it is compared with.
        shared_only: Whether to score only the rows whose patients leak.

    Returns:
        `difference`, and the ends `low` and `high` of its 95 % interval.
    """
    points, samples = [], []
    for seed, one in enumerate(rows):
        kept = one.scored if shared_only else np.ones(len(one.labels), dtype=bool)
        labels = one.labels[kept][:, FINDINGS]
        resamples = resample_patients(
            one.patient_ids[kept], num_resamples=RESAMPLES, seed=seed
        )
        scores, drawn = [], []
        for name in (arm, other):
            probabilities = one.arms[name][kept][:, FINDINGS]
            scores.append(np.nanmean(auroc_per_class(labels, probabilities)))
            drawn.append(resample_auroc(resamples, labels, probabilities))
        points.append(scores[0] - scores[1])
        samples.append(mean_defined(drawn[0]) - mean_defined(drawn[1]))
    interval = percentile_interval(np.mean(samples, axis=0))
    return {
        "difference": float(np.mean(points)),
        "low": interval.low,
        "high": interval.high,
    }


def report(rows: list[Measured], options: argparse.Namespace) -> None:
    """Prints the means over the seeds, and the paired differences."""
    print(
        f"\nphantom, {len(rows)} seeds of {options.images:,} radiographs of "
        f"{options.patients:,} patients, {options.epochs} epochs; {os.cpu_count()} cores, back end {keras.backend.backend()}"
    )
    for arm in rows[0].arms:
        values = [one.macro_auroc(arm) for one in rows]
        each = " ".join(format_number(value) for value in values)
        print(f"{arm:>10}  mean {format_number(np.mean(values))}   by seed {each}")
    for arm, other, shared_only in COMPARISONS:
        found = mean_difference(rows, arm, other, shared_only=shared_only)
        print(
            f"{arm} less {other}: {format_number(found['difference'], sign=True)} "
            f"{format_interval(found, sign=True)}"
            + (" on the rows whose patients leak" if shared_only else "")
        )


def save(path: Path, measured: Measured) -> None:
    """Keeps one seed's labels, patients and probabilities."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {
        "labels": measured.labels,
        "patient_ids": measured.patient_ids,
        "scored": measured.scored,
    }
    arrays |= {f"arm_{arm}": values for arm, values in measured.arms.items()}
    np.savez_compressed(path, **arrays)


def load(path: Path) -> Measured:
    """Reads what `save` kept."""
    with np.load(path) as kept:
        arms = {
            name.removeprefix("arm_"): kept[name]
            for name in kept.files
            if name.startswith("arm_")
        }
        return Measured(
            labels=kept["labels"],
            patient_ids=kept["patient_ids"],
            arms=arms,
            scored=kept["scored"],
        )


if __name__ == "__main__":
    main()
