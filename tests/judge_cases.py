"""Predictions and truth tables to judge, and how tests have them judged."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd

from dualnet.cli import main
from dualnet.evaluation.schema import read_metrics_schema
from dualnet.findings import NIH
from dualnet.jobs.evaluation_folder import WrittenEvaluation
from dualnet.jobs.judge import judge_predictions

# six women, then six men; the first two of each have a mass
SICK = [True, True, False, False, False, False] * 2
SCORES = [0.9, 0.4, 0.5, 0.3, 0.2, 0.1, 0.6, 0.6, 0.6, 0.5, 0.7, 0.1]
AUROC_F = 7 / 8  # .9 is above all four, .4 above three of four
AUROC_M = 5 / 8  # each .6 is above .5 and .1 and ties with .6
AUROC = 25 / 32  # .9 above 8, .4 above 4, each .6 above 6 and one tie


def predict(truth: pd.DataFrame, *, softmax: bool = False) -> pd.DataFrame:
    """Noise that knows a little of the labels, under the columns of others."""
    names = NIH.class_names if softmax else NIH.findings
    present = np.array([[name in row for name in names] for row in truth["findings"]])
    noise = np.random.default_rng(0).random(present.shape)
    scores = noise * 0.7 + 0.3 * present
    if softmax:
        scores /= scores.sum(axis=1, keepdims=True)
    columns = {f"prob_{name}": scores[:, i] for i, name in enumerate(names)}
    return pd.DataFrame({"Image Index": truth["image_id"], **columns})


def write(predictions: pd.DataFrame, folder: Path) -> Path:
    file = folder / "preds.csv"
    predictions.to_csv(file, index=False, na_rep="nan")
    return file


def call(predictions: pd.DataFrame, truth: Path, folder: Path, *words: str) -> int:
    """The command's exit status."""
    file, out = write(predictions, folder), folder / "out"
    return main(["judge", str(file), str(truth), "--out", str(out), *words])


def judge(
    predictions: pd.DataFrame, truth: Path, folder: Path, **options: object
) -> WrittenEvaluation:
    return judge_predictions(
        write(predictions, folder),
        truth,
        folder / "out",
        **{"resamples": 20, **options},
    )


def make_truth(folder: Path, findings: Sequence[str], **columns: Sequence[Any]) -> Path:
    """A table of radiographs, each of a patient of its own."""
    numbers = range(len(findings))
    table = pd.DataFrame(
        {
            "image_id": [f"{number}.png" for number in numbers],
            "patient_id": [f"p{number}" for number in numbers],
            "findings": findings,
            **columns,
        }
    )
    table.to_csv(folder / "truth.csv", index=False)
    return folder / "truth.csv"


def make_masses(folder: Path) -> Path:
    """The toy table, and ten more radiographs that are never judged."""
    findings = ["Mass" if sick else "No Finding" for sick in SICK]
    others = ["Mass"] * 5 + ["No Finding"] * 5
    sexes = ["F"] * 6 + ["M"] * 6 + ["F", "M"] * 5
    return make_truth(folder, [*findings, *others], sex=sexes)


def say(scores: Sequence[float], *, start: int = 0) -> pd.DataFrame:
    names = [f"{start + number}.png" for number in range(len(scores))]
    return pd.DataFrame({"image_id": names, "Mass": scores})


def groups_of(metrics: dict[str, Any], grouping: str) -> dict[str, Any]:
    found = metrics["subgroups"]["groupings"]
    one = next(one for one in found if one["name"] == grouping)
    return {group["group"]: group for group in one["groups"]}


def assert_follows_the_schema(metrics: dict[str, Any]) -> None:
    read = json.loads(json.dumps(metrics, allow_nan=False))
    jsonschema.Draft202012Validator(read_metrics_schema()).validate(read)
