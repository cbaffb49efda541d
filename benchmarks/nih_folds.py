"""What label rule, branch, recipe and record are worth on real radiographs: five folds.

    python benchmarks/nih_folds.py --data NIH_FOLDER --out runs/folds
    python benchmarks/nih_folds.py --data NIH_FOLDER --out runs/folds --arms trial-soft-fused

Patients are dealt to five folds, rare findings first. Each fold is judged once, by models
that never saw its patients: the other four give the training part and, of an eighth of
their radiographs, the validation part that the epoch is chosen by. Every radiograph so has
one probability a finding from each arm.

Scores are macro AUROC of the 14 findings against the full label sets, over all radiographs
at once; beside it the mean of the folds' own. A finding that a source or a resample has no
radiograph of is left out of its mean. Intervals resample patients, for differences with
the same draws. Each source of `provenance.csv` is scored alone too, for the sources differ
in what they are labelled with.

A fold of an arm that lies in `--out` is not fitted again.
"""

import argparse
import dataclasses
import logging
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from dualnet.config import Config
from dualnet.config_layers import read_config
from dualnet.data.labels import full_labels
from dualnet.data.metadata import MetadataEncoder
from dualnet.data.patients import Deal, deal_folds, gather_patients
from dualnet.data.split import check_split
from dualnet.evaluation.intervals.bootstrap import (
    mean_defined,
    percentile_interval,
    resample_auroc,
    resample_patients,
)
from dualnet.evaluation.scores.baselines import METADATA_ONLY, fit_baselines
from dualnet.evaluation.text.verdict import format_interval
from dualnet.files import write_json, write_text
from dualnet.findings import NIH
from dualnet.jobs.finished import read_run
from dualnet.jobs.predicting import predict_rows
from dualnet.jobs.train import fit_run
from dualnet.jobs.training_data import TrainingData, read_training_data
from dualnet.runs import RunFolder
from dualnet.scores import auroc_per_class
from dualnet.training.epochs import Fitting
from dualnet.wording import format_number, number_of

logger = logging.getLogger("nih_folds")

RESAMPLES = 2000
VAL = 0.125  # of what is not judged
FINDINGS = [name != NIH.negative for name in NIH.class_names]
TRIAL = (
    "training.epochs=25",
    "training.patience=25",
    "training.augmentation={shift: 0.05, rotation: 10, zoom: 0.1, contrast: 0.2}",
)
FUSED_AT_ONCE = ("model.modality=fused", "training.halves_first=false")
IMAGE = ("model.modality=image",)
METADATA = ("model.modality=metadata",)
TREES = "record-baseline"


@dataclasses.dataclass(frozen=True)
class Arm:
    """One row of the table.

    Args:
        says: What it is, in words.
        preset: Where its configuration starts.
        overrides: What is changed in it.
        image_half: An arm that is its image half: same seed, same bits, not fitted
            twice.
    """

    says: str
    preset: str
    overrides: tuple[str, ...]
    image_half: str | None = None


def trial(branch: str, rule: str, others: tuple[str, ...]) -> tuple[str, ...]:
    """The settings of a row of the first trial."""
    return (
        *TRIAL,
        f"model.image_branch={branch}",
        f"training.label_rule={rule}",
        *others,
    )


ARMS = {
    "trial-first-xnet": Arm(
        "X-Net, `first`, picture", "xnet", trial("xnet", "first", IMAGE)
    ),
    "trial-soft-xnet": Arm(
        "X-Net, `soft`, picture", "xnet", trial("xnet", "soft", IMAGE)
    ),
    "trial-first-image": Arm(
        "`residual`, `first`, picture", "xnet", trial("residual", "first", IMAGE)
    ),
    "trial-first-fused": Arm(
        "`residual`, `first`, fused", "xnet", trial("residual", "first", FUSED_AT_ONCE)
    ),
    "trial-soft-image": Arm(
        "`residual`, `soft`, picture", "xnet", trial("residual", "soft", IMAGE)
    ),
    "trial-soft-fused": Arm(
        "`residual`, `soft`, fused", "xnet", trial("residual", "soft", FUSED_AT_ONCE)
    ),
    "trial-soft-metadata": Arm(
        "record, `soft`", "xnet", trial("residual", "soft", METADATA)
    ),
    "image": Arm("`xnet-residual`, picture", "xnet-residual", IMAGE),
    "metadata": Arm("`xnet-residual`, record", "xnet-residual", METADATA),
    "fused": Arm("`xnet-residual`, fused", "xnet-residual", (), image_half="image"),
}
DIFFERENCES = (
    ("fused", "trial-soft-fused"),
    ("fused", "trial-first-xnet"),
    ("fused", "image"),
    ("fused", "metadata"),
    ("fused", TREES),
    ("image", "trial-soft-image"),
    ("trial-soft-fused", "trial-soft-image"),
    ("trial-soft-image", "trial-first-image"),
)


def main() -> None:
    """Fits what is not there yet, then writes the table."""
    options = parse_options()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    table = read_table(options)
    folds = deal_folds(table, seed=options.seed)
    for number in options.folds:
        for name in options.arms:
            kept = options.out / name / f"fold-{number}.npz"
            if not kept.exists():
                fit_fold(name, number, folds[number], options)
    report(table, folds, options)


def parse_options() -> argparse.Namespace:
    """Reads the options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="NIH's folder")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="folder of caches; none: beside out")
    parser.add_argument("--seed", type=int, default=0, help="of the folds and weights")
    parser.add_argument("--image-size", type=int, default=256)
    parser.add_argument("--arms", nargs="+", default=[*ARMS, TREES])
    parser.add_argument("--folds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument(
        "--set", nargs="*", default=[], help="settings of every arm, for a trial"
    )
    return parser.parse_args()


def configure(arm: Arm, options: argparse.Namespace) -> Config:
    """An arm's configuration."""
    cache = (options.cache or options.out / "cache") / str(options.image_size)
    return read_config(
        preset=arm.preset,
        overrides=[
            f"seed={options.seed}",
            f"data.path={options.data}",
            f"data.cache={cache}",
            f"data.image_size={options.image_size}",
            "training.tensorboard=false",
            *arm.overrides,
            *options.set,
        ],
    )


def read_table(options: argparse.Namespace) -> pd.DataFrame:
    """The records of all radiographs."""
    first = next((ARMS[name] for name in options.arms if name != TREES), ARMS["fused"])
    return read_training_data(configure(first, options)).table


def fit_fold(
    name: str, number: int, judged: np.ndarray, options: argparse.Namespace
) -> None:
    """Fits one arm for one fold and keeps what it says of the fold's radiographs."""
    arm = ARMS["metadata" if name == TREES else name]
    config = configure(arm, options)
    data = split_data(config, judged, seed=options.seed)
    test = data.table.iloc[data.rows("test")].reset_index(drop=True)
    folder = options.out / name
    folder.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    if name == TREES:
        probabilities = predict_baseline(data, test, seed=options.seed)
    else:
        keras.utils.clear_session(free_memory=True)
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            run = RunFolder(Path(temporary))
            with image_half(arm, number, options):
                fit_run(config, run, data)
            probabilities = predict_rows(read_run(run.path), test, data.cache)
            shutil.copy(run.model, folder / f"fold-{number}.keras")
            shutil.copy(run.history, folder / f"fold-{number}.csv")
    seconds = time.perf_counter() - started
    np.savez_compressed(
        folder / f"fold-{number}.npz",
        image_ids=test["image_id"].to_numpy(dtype=str),
        probabilities=probabilities,
        seconds=seconds,
    )
    labels = full_labels(list(test["findings"]), NIH)
    score = format_number(macro(labels, probabilities))
    logger.info("%s, fold %s: macro AUROC %s, %.0f s", name, number, score, seconds)


def split_data(config: Config, judged: np.ndarray, *, seed: int) -> TrainingData:
    """One fold as test part, an eighth of the others' radiographs as validation part."""
    data = read_training_data(config)
    parts = np.full(len(data.table), "test", dtype=object)
    others = gather_patients(data.table.loc[~judged])
    deal = Deal(others, [1 - VAL, VAL], seed=(seed, 3))
    deal.deal(cover=True)
    parts[~judged] = np.array(["train", "val"], dtype=object)[deal.part[others.codes]]
    split = data.split.assign(part=parts)
    check_split(split)
    encoder = MetadataEncoder(config.model.metadata_fields)
    encoder.fit(data.table[parts == "train"])
    return dataclasses.replace(data, split=split, encoder=encoder)


@contextmanager
def image_half(arm: Arm, number: int, options: argparse.Namespace) -> Iterator[None]:
    """Gives a fused arm the image half that another arm has fitted already.

    The library would fit it anew, with the same seed, on the same batches: the same
    bits, twice the hours.
    """
    kept = options.out / (arm.image_half or "") / f"fold-{number}.keras"
    if arm.image_half is None or not kept.exists():
        yield
        return
    fit_epochs = Fitting.fit_epochs

    def read_half(self: Fitting, modality: str) -> tuple[Any, pd.DataFrame]:
        if modality != "image":
            return fit_epochs(self, modality)
        shutil.copy(kept.with_suffix(".csv"), self.run.history)
        model = keras.saving.load_model(kept, compile=False)
        return model, pd.read_csv(self.run.history)

    replaced: Any = Fitting
    replaced.fit_epochs = read_half
    try:
        yield
    finally:
        replaced.fit_epochs = fit_epochs


def predict_baseline(
    data: TrainingData, test: pd.DataFrame, *, seed: int
) -> np.ndarray:
    """What the strongest baseline on the record alone says: trees and regression."""
    rows = data.table.iloc[data.rows("train")]
    names = list(NIH.class_names)
    models = fit_baselines(
        data.encoder.transform(rows),
        first=np.array([names.index(found[0]) for found in rows["findings"]]),
        labels=full_labels(list(rows["findings"]), NIH),
        seed=seed,
    )
    return models.predict(data.encoder.transform(test))[METADATA_ONLY].scores


def macro(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean AUROC of the findings that some of the rows have and others lack."""
    scores = auroc_per_class(labels[:, FINDINGS], probabilities[:, FINDINGS])
    return float(np.nanmean(scores)) if not np.isnan(scores).all() else float("nan")


def judgeable(labels: np.ndarray) -> np.ndarray:
    """Which classes some of the rows have and others lack, bool, shape (classes,)."""
    present = labels.sum(axis=0)
    return (present > 0) & (present < len(labels))


def report(
    table: pd.DataFrame, folds: Sequence[np.ndarray], options: argparse.Namespace
) -> None:
    """Writes `folds.json` and `folds.md`, and prints the latter."""
    arms = {name: pool(name, table, options) for name in [*ARMS, TREES]}
    arms = {name: found for name, found in arms.items() if found is not None}
    judged = np.isin(np.arange(len(table)), np.flatnonzero(np.any(folds, axis=0)))
    judged &= np.isin(fold_numbers(folds), options.folds)
    found = measure(table[judged], {n: a[judged] for n, a in arms.items()}, options)
    for name, probabilities in arms.items():
        scores = [
            macro(full_labels(list(table.loc[folds[n], "findings"]), NIH), p)
            for n in options.folds
            if (p := probabilities[folds[n]]).size
        ]
        found["arms"][name] |= {
            "folds": scores,
            "mean_of_folds": float(np.mean(scores)),
            "seconds": seconds(name, options),
        }
    write_json(options.out / "folds.json", found)
    text = format_table(found)
    write_text(options.out / "folds.md", text)
    print(text)


def fold_numbers(folds: Sequence[np.ndarray]) -> np.ndarray:
    """Each row's fold, int64, shape (rows,)."""
    return np.argmax(np.stack(folds), axis=0)


def pool(
    name: str, table: pd.DataFrame, options: argparse.Namespace
) -> np.ndarray | None:
    """What an arm says of each radiograph that was judged; none if a fold lacks."""
    found = np.full((len(table), len(NIH.class_names)), np.nan)
    position = {image: row for row, image in enumerate(table["image_id"])}
    for number in options.folds:
        kept = options.out / name / f"fold-{number}.npz"
        if not kept.exists():
            return None
        with np.load(kept) as values:
            rows = [position[image] for image in values["image_ids"].tolist()]
            found[rows] = values["probabilities"]
    return found


def seconds(name: str, options: argparse.Namespace) -> float:
    """Mean seconds of fitting and predicting a fold."""
    kept = [options.out / name / f"fold-{number}.npz" for number in options.folds]
    return float(np.mean([np.load(one)["seconds"] for one in kept]))


def measure(
    table: pd.DataFrame, arms: Mapping[str, np.ndarray], options: argparse.Namespace
) -> dict[str, Any]:
    """Scores every arm, whole and by source, and the differences of pairs."""
    sources = pd.read_csv(options.data / "provenance.csv", index_col="image_id")
    source = sources["source"].reindex(table["image_id"]).to_numpy(dtype=object)
    labels = full_labels(list(table["findings"]), NIH)
    groups = {"all": np.ones(len(table), dtype=bool)}
    groups |= {str(name): source == name for name in sorted({*source})}
    groups = {name: rows for name, rows in groups.items() if rows.sum() > 100}
    found: dict[str, Any] = {
        "seed": options.seed,
        "image_size": options.image_size,
        "resamples": RESAMPLES,
        "groups": {},
        "arms": {name: {} for name in arms},
        "differences": {},
    }
    for group, rows in groups.items():
        patients = table.loc[rows, "patient_id"].to_numpy()
        resamples = resample_patients(patients, num_resamples=RESAMPLES, seed=0)
        found["groups"][group] = {
            "radiographs": int(rows.sum()),
            "patients": len({*patients}),
            "findings": int(judgeable(labels[rows])[FINDINGS].sum()),
            "positives": dict(
                zip(NIH.class_names, labels[rows].sum(axis=0).tolist(), strict=True)
            ),
        }
        drawn = {}
        for name, probabilities in arms.items():
            given = probabilities[rows][:, FINDINGS]
            drawn[name] = mean_defined(
                resample_auroc(resamples, labels[rows][:, FINDINGS], given)
            )
            found["arms"][name][group] = {
                "macro_auroc": macro(labels[rows], probabilities[rows]),
                **percentile_interval(drawn[name]).as_dict(),
            }
        for one, other in DIFFERENCES:
            if one in arms and other in arms:
                interval = percentile_interval(drawn[one] - drawn[other])
                scores = [found["arms"][n][group]["macro_auroc"] for n in (one, other)]
                found["differences"].setdefault(f"{one} less {other}", {})[group] = {
                    "difference": scores[0] - scores[1],
                    **interval.as_dict(),
                }
    for name, probabilities in arms.items():
        scores = auroc_per_class(labels[:, FINDINGS], probabilities[:, FINDINGS])
        names = [name for name in NIH.class_names if name != NIH.negative]
        found["arms"][name]["findings"] = dict(zip(names, scores.tolist(), strict=True))
    return found


def format_table(found: Mapping[str, Any]) -> str:
    """The Markdown that `folds.md` holds."""
    groups = found["groups"]
    heads = [
        f"{name} (n={one['radiographs']:,}, {number_of(one['findings'], 'finding')})"
        for name, one in groups.items()
    ]
    lines = [
        f"| arm, {found['image_size']} pixels | " + " | ".join(heads) + " | folds |",
        "|---" * (len(heads) + 2) + "|",
    ]
    for name, arm in found["arms"].items():
        says = ARMS[name].says if name in ARMS else "record, trees and regression"
        cells = [
            f"{format_number(arm[g]['macro_auroc'])} {format_interval(arm[g])}"
            for g in groups
        ]
        folds = f"{format_number(arm['mean_of_folds'])}: " + " ".join(
            format_number(one) for one in arm["folds"]
        )
        lines.append(f"| {says} | " + " | ".join(cells) + f" | {folds} |")
    lines += ["", "| difference | " + " | ".join(heads) + " |"]
    lines.append("|---" * (len(heads) + 1) + "|")
    for name, values in found["differences"].items():
        cells = [
            f"{format_number(values[g]['difference'], sign=True)} "
            f"{format_interval(values[g], sign=True)}"
            for g in groups
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
