"""Label rules and what is done about rare findings, by cross-validation.

    python benchmarks/label_rules.py --data NIH_FOLDER --out runs/label-rules
    python benchmarks/label_rules.py --data NIH_FOLDER --out runs/label-rules-256 \
        --image-size 256 --epochs 30 --arms soft multi_hot "multi_hot focal"
    python benchmarks/label_rules.py --out runs/label-rules-phantom     the phantom

The patients are dealt to five folds. Each fold is judged by models fitted on the other
four, of which a fifth chooses the epoch; all arms have the same folds, model, recipe and
epochs. An arm is a label rule and, after it, words for the loss and the imbalance. Scores
are macro AUROC of the findings against the full label sets, the mean over the folds, and
the same of the five rarest findings; intervals of differences are paired, and resample
patients within each fold.

`member` answers one question alone, `--finding` against No Finding: it is compared with the
other rules on the rows of these two classes, by that finding's AUROC.

What was fitted lies in `--out` and is not fitted again: stop and start it as you like.
"""

import argparse
import dataclasses
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from dualnet.config import Config
from dualnet.config_layers import read_config
from dualnet.data.labels import full_labels
from dualnet.data.metadata import MetadataEncoder
from dualnet.data.patients import deal_folds
from dualnet.evaluation.intervals.bootstrap import (
    mean_defined,
    percentile_interval,
    resample_auroc,
    resample_patients,
)
from dualnet.evaluation.text.verdict import format_interval
from dualnet.findings import Vocabulary
from dualnet.jobs.finished import read_run
from dualnet.jobs.predicting import predict_rows
from dualnet.jobs.train import fit_run
from dualnet.jobs.training_data import TrainingData, read_training_data
from dualnet.runs import RunFolder
from dualnet.scores import auroc_per_class
from dualnet.wording import format_number

RESAMPLES = 1000
RAREST = 5
RULES = ("first", "member", "soft", "multi_hot")
WORDS = {
    "class_weights": "training.imbalance=class_weights",
    "balanced_sampling": "training.imbalance=balanced_sampling",
    "focal": "training.loss=focal",
    "logit_adjusted": "training.loss=logit_adjusted",
}
ARMS = (
    "soft",
    "first",
    "multi_hot",
    "soft class_weights",
    "soft balanced_sampling",
    "soft focal",
    "soft logit_adjusted",
    "multi_hot class_weights",
    "multi_hot balanced_sampling",
    "multi_hot focal",
    "member",
)


def main() -> None:
    """Runs the benchmark and prints its tables."""
    options = parse_options()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    whole = read_training_data(configure("soft", options))
    folds = deal_folds(whole.table, seed=options.seed)[: options.folds]
    for arm in options.arms:
        for number, fold in enumerate(folds):
            kept = keep_name(options, arm, number)
            if not kept.exists():
                table = predict_fold(arm, whole.table, fold, options)
                kept.parent.mkdir(parents=True, exist_ok=True)
                table.to_csv(kept, index=False)
            print(f"{arm}, fold {number + 1} of {len(folds)}: {kept}", flush=True)
    report(whole, folds, options)


def parse_options() -> argparse.Namespace:
    """Reads the options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="NIH's folder; none: the phantom")
    parser.add_argument("--cache", type=Path, help="none: as the configuration has it")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=5, help="of five, how many")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--image-branch", default="residual")
    parser.add_argument("--modality", default="fused")
    parser.add_argument("--finding", default="Pneumothorax")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--arms", nargs="+", default=list(ARMS))
    parser.add_argument("--set", nargs="*", default=[], dest="overrides")
    options = parser.parse_args()
    for arm in options.arms:
        rule, *words = arm.split()
        if rule not in RULES or not set(words) <= set(WORDS):
            parser.error(
                f"--arms: {arm!r} is no rule of {RULES} and words of {set(WORDS)}"
            )
    return options


def configure(arm: str, options: argparse.Namespace) -> Config:
    """One arm: the same model, recipe and epochs, but for the rule and the words."""
    rule, *words = arm.split()
    data = [
        f"data.{name}={value}"
        for name, value in (("path", options.data), ("cache", options.cache))
        if value is not None
    ]
    member = [f"data.finding={options.finding}"] if rule == "member" else []
    return read_config(
        preset="xnet-residual",
        overrides=[
            *data,
            *member,
            f"seed={options.seed}",
            f"data.image_size={options.image_size}",
            f"model.image_branch={options.image_branch}",
            f"model.modality={options.modality}",
            "split.rare_findings=train",
            f"training.epochs={options.epochs}",
            f"training.patience={options.epochs}",
            "training.tensorboard=false",
            f"training.label_rule={rule}",
            *(WORDS[word] for word in words),
            *options.overrides,
        ],
    )


def keep_name(options: argparse.Namespace, arm: str, fold: int) -> Path:
    """Where one arm's predictions of a fold are kept."""
    return options.out / f"{arm.replace(' ', '-')}-{fold}.csv"


def predict_fold(
    arm: str, whole: pd.DataFrame, fold: np.ndarray, options: argparse.Namespace
) -> pd.DataFrame:
    """Fits one arm on the other folds and predicts this one."""
    keras.utils.clear_session(free_memory=True)
    config = configure(arm, options)
    data = divide(read_training_data(config), set(whole["image_id"][fold]), config)
    with tempfile.TemporaryDirectory() as folder:
        fit_run(config, RunFolder(Path(folder)), data)
        run = read_run(Path(folder))
        test = data.table.iloc[data.rows("test")].reset_index(drop=True)
        said = predict_rows(run, test, data.cache)
    table = pd.DataFrame(said, columns=list(run.vocabulary.class_names))
    table.insert(0, "image_id", test["image_id"])
    return table


def divide(data: TrainingData, judged: set[str], config: Config) -> TrainingData:
    """Makes a fold the test part; a fifth of the other patients choose the epoch."""
    test = data.table["image_id"].isin(judged).to_numpy()
    rest = data.table[~test].reset_index(drop=True)
    parts = np.full(len(test), "test", dtype=object)
    val = deal_folds(rest, seed=config.seed + 1)[0]
    parts[~test] = np.where(val, "val", "train")
    encoder = MetadataEncoder(config.model.metadata_fields)
    return dataclasses.replace(
        data,
        split=data.split.assign(part=parts),
        encoder=encoder.fit(data.table[parts == "train"]),
    )


@dataclasses.dataclass(frozen=True)
class Fold:
    """What all arms said of one fold's rows, and what is in them."""

    labels: np.ndarray
    patient_ids: np.ndarray
    arms: dict[str, np.ndarray]


def read_fold(
    whole: TrainingData,
    fold: np.ndarray,
    number: int,
    arms: Sequence[str],
    options: argparse.Namespace,
) -> Fold:
    """Reads what was kept of one fold, in the order of the first arm's rows."""
    vocabulary = whole.records.vocabulary
    kept = {
        arm: pd.read_csv(
            keep_name(options, arm, number), dtype={"image_id": str}
        ).set_index("image_id")
        for arm in arms
    }
    table = whole.table[fold].set_index("image_id")
    shared = table.index
    for said in kept.values():
        shared = shared[shared.isin(said.index)]
    rows = table.loc[shared]
    return Fold(
        labels=full_labels(rows["findings"], vocabulary),
        patient_ids=rows["patient_id"].to_numpy(),
        arms={
            arm: said.reindex(index=shared, columns=list(vocabulary.class_names))
            .fillna(0)  # No Finding of sigmoids, which no score here takes
            .to_numpy()
            for arm, said in kept.items()
        },
    )


def score(
    folds: Sequence[Fold], arm: str, columns: np.ndarray, seed: int
) -> tuple[float, np.ndarray]:
    """Returns an arm's mean AUROC over folds and findings, and its resamples."""
    values, drawn = [], []
    for number, fold in enumerate(folds):
        labels, said = fold.labels[:, columns], fold.arms[arm][:, columns]
        draws = resample_patients(
            fold.patient_ids, num_resamples=RESAMPLES, seed=seed + number
        )
        values.append(mean_defined(auroc_per_class(labels, said)[np.newaxis])[0])
        drawn.append(mean_defined(resample_auroc(draws, labels, said)))
    return float(np.mean(values)), np.mean(drawn, axis=0)


def print_table(
    title: str,
    folds: Sequence[Fold],
    arms: Sequence[str],
    columns: np.ndarray,
    seed: int,
) -> None:
    """Prints each arm's score, and its difference to the first."""
    print(f"\n{title}, {sum(len(fold.labels) for fold in folds):,} radiographs")
    first, base = score(folds, arms[0], columns, seed)
    for arm in arms:
        value, drawn = score(folds, arm, columns, seed)
        interval = percentile_interval(drawn).as_dict()
        less = percentile_interval(drawn - base).as_dict()
        print(
            f"  {arm:<28} {format_number(value)} {format_interval(interval)}"
            f"   less {arms[0]}: {format_number(value - first, sign=True)} "
            f"{format_interval(less, sign=True)}"
        )


def report(
    whole: TrainingData, folds: Sequence[np.ndarray], options: argparse.Namespace
) -> None:
    """Prints the tables: of all findings, of the rarest, and of two classes."""
    vocabulary: Vocabulary = whole.records.vocabulary
    names = np.array(vocabulary.class_names)
    findings = names != vocabulary.negative
    counts = full_labels(whole.table["findings"], vocabulary).sum(axis=0)
    order = [column for column in np.argsort(counts) if findings[column]]
    rarest = np.isin(np.arange(len(names)), order[:RAREST])
    every = [arm for arm in options.arms if not arm.startswith("member")]
    if every:
        read = [
            read_fold(whole, fold, number, every, options)
            for number, fold in enumerate(folds)
        ]
        print_table("Macro AUROC", read, every, findings, options.seed)
        rare = ", ".join(
            f"{names[column]} {counts[column]}" for column in order[:RAREST]
        )
        print_table(f"The rarest ({rare})", read, every, rarest, options.seed)
    if len(every) < len(options.arms):
        read = [
            read_fold(whole, fold, number, options.arms, options)
            for number, fold in enumerate(folds)
        ]
        asked = [arm for arm in options.arms if arm.startswith("member")] + every
        title = f"{options.finding} against {vocabulary.negative}"
        print_table(title, read, asked, names == options.finding, options.seed)


if __name__ == "__main__":
    main()
