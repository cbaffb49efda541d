"""What a model says where the record is missing, by fusion and by modality dropout.

    python benchmarks/missing_metadata.py --out runs/missing

Every arm is fitted on the same phantom, whose records are whole, and asked its test part
three ways: with the record, without each field, without the whole record. Beside the
macro AUROC of the 14 findings stand the expected calibration error and the log-loss of
the first label, both at the run's own temperature; differences to the same arm without
dropout resample patients. Scores on the phantom prove the machinery, nothing else.
"""

import argparse
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dualnet.config_layers import read_config
from dualnet.data.cache import open_cache
from dualnet.evaluation.auditing.audit import hide_fields
from dualnet.evaluation.intervals.bootstrap import (
    mean_defined,
    percentile_interval,
    resample_auroc,
    resample_patients,
)
from dualnet.evaluation.probabilities.calibration_error import score_calibration
from dualnet.evaluation.scores.truth import Truth, make_truth
from dualnet.jobs.calibrate import read_calibration
from dualnet.jobs.evaluate import predict_rows
from dualnet.jobs.finished import FinishedRun, read_run
from dualnet.jobs.train import train_run
from dualnet.scores import auroc_per_class
from dualnet.wording import format_number

FIELDS = ("age", "follow_up", "view")
PATTERNS = {"record": (), **{f"no {one}": (one,) for one in FIELDS}, "none": FIELDS}
ARMS = {
    "halves": ("training.halves_first=true",),
    "concat": ("training.halves_first=false",),
    "film": ("training.halves_first=false", "model.fusion=film"),
}
RESAMPLES = 1000


def main() -> None:
    """Fits every arm, asks it each way and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/missing"))
    parser.add_argument("--images", type=int, default=2400)
    parser.add_argument("--patients", type=int, default=700)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    found = {}
    for arm in ARMS:
        for share in (0.0, options.dropout):
            found[f"{arm}, dropout {share:g}"] = ask(fit(arm, share, options))
    show(found)
    kept = {
        arm: {way: values["scores"] for way, values in ways.items()}
        for arm, ways in found.items()
    }
    (options.out / "missing.json").write_text(json.dumps(kept, indent=2))


def fit(arm: str, share: float, options: argparse.Namespace) -> FinishedRun:
    """Fits one arm, unless its run is there already."""
    path = options.out / f"{arm}-{share:g}"
    if not (path / "calibration.json").is_file():
        config = read_config(
            preset="xnet",
            overrides=[
                "model.image_branch=residual",
                f"seed={options.seed}",
                f"phantom.images={options.images}",
                f"phantom.patients={options.patients}",
                f"phantom.seed={options.seed}",
                f"data.image_size={options.size}",
                "split.train=0.5",
                "split.val=0.15",
                "split.test=0.35",
                "training.label_rule=soft",
                "training.tensorboard=false",
                f"training.epochs={options.epochs}",
                f"training.metadata_dropout={share}",
                *ARMS[arm],
            ],
        )
        train_run(config, path, overwrite=path.exists())
    return read_run(path)


def ask(run: FinishedRun) -> dict[str, dict[str, Any]]:
    """Asks a run its test part each way."""
    table = run.records[run.records["part"] == "test"].reset_index(drop=True)
    cache = open_cache(run.config.data.cache or Path())
    truth = make_truth(table, run.vocabulary)
    return {
        way: score(truth, predict_rows(run, hide_fields(table, hidden), cache), run)
        for way, hidden in PATTERNS.items()
    }


def score(truth: Truth, probabilities: np.ndarray, run: FinishedRun) -> dict[str, Any]:
    """Scores one way of asking: plain numbers, and the resamples of the AUROC."""
    draws = resample_patients(truth.patient_ids, num_resamples=RESAMPLES, seed=0)
    findings = truth.is_finding
    labels, scores = truth.labels[:, findings], probabilities[:, findings]
    drawn = mean_defined(resample_auroc(draws, labels, scores))
    calibrated = score_calibration(truth, probabilities, read_calibration(run), draws)
    return {
        "drawn": drawn,
        "scores": {
            "macro_auroc": float(np.nanmean(auroc_per_class(labels, scores))),
            "calibration_error": calibrated["after"]["expected_calibration_error"],
            "log_loss": calibrated["after"]["log_loss"],
        },
    }


def show(found: dict[str, dict[str, dict[str, Any]]]) -> None:
    """Prints a row an arm and way, with the difference that dropout makes."""
    rows = []
    for arm, ways in found.items():
        before = found[f"{arm.split(',')[0]}, dropout 0"]
        for way, values in ways.items():
            less = percentile_interval(values["drawn"] - before[way]["drawn"])
            scores = {
                name: format_number(one) for name, one in values["scores"].items()
            }
            change = f"[{format_number(less.low)}, {format_number(less.high)}]"
            rows.append({"arm": arm, "asked with": way, **scores, "change": change})
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
