"""On phantoms the audit finds the truth that was put in. Minutes, so run nightly."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dualnet.config_layers import read_config
from dualnet.data.labels import full_labels
from dualnet.findings import NIH
from dualnet.jobs.evaluate import evaluate_run
from dualnet.jobs.train import train_run
from dualnet.scores import macro_auroc

pytestmark = pytest.mark.slow

SETTINGS = (
    "data.image_size=64",
    "model.image_branch=residual",
    "training.epochs=8",
    "training.tensorboard=false",
    "training.label_rule=soft",
    "evaluation.resamples=300",
)


@pytest.fixture(autouse=True)
def _in_the_folder(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.getbasetemp() / "audited-phantoms"
    folder.mkdir(exist_ok=True)
    monkeypatch.chdir(folder)  # where the phantoms and caches are kept


def audit(name: str, *overrides: str) -> tuple[Path, dict[str, Any]]:
    config = read_config(preset="xnet", overrides=[*SETTINGS, *overrides])
    run = Path("runs") / name
    if not run.exists():
        train_run(config, run)
    folder = evaluate_run(run, audit=True).folder
    return folder, json.loads((folder / "audit.json").read_text())


def score(folder: Path) -> float:
    predictions = pd.read_csv(folder / "predictions.csv", keep_default_na=False)
    labels = full_labels([tuple(t.split("|")) for t in predictions["findings"]], NIH)
    findings = np.array([name != NIH.negative for name in NIH.class_names])
    probabilities = predictions[list(NIH.class_names)].to_numpy("float64")
    return macro_auroc(labels, probabilities, scored=findings)


def test_what_the_record_adds_is_what_a_model_without_it_lacks() -> None:
    fused, found = audit("fused")
    alone, _ = audit("image", "model.modality=image")
    adds = found["modalities"]["adds"]["record"]["macro_auroc"]
    truth = score(fused) - score(alone)
    assert 0 < adds["low"] < truth < adds["high"]
    averaged = found["modalities"]["image_only"]["averaged"]["macro"]["auroc"]
    assert averaged == pytest.approx(score(alone), abs=0.02)
    assert found["probes"]["shortcuts"] == []


def test_a_record_that_tells_nothing_adds_nothing() -> None:
    _, found = audit("untold", "phantom.record_tells=false")
    adds = found["modalities"]["adds"]["record"]["macro_auroc"]
    assert adds["low"] <= 0
    assert adds["high"] < 0.01
    only = found["modalities"]["metadata_only"]["averaged"]["macro"]["auroc_interval"]
    assert only["low"] < 0.5 < only["high"] + 0.02


def test_a_planted_border_is_caught() -> None:
    _, found = audit("border", "phantom.shortcut=border")
    assert {one["finding"] for one in found["probes"]["shortcuts"]} == {"Effusion"}
    by_probe = {one["probe"]: one["auroc"] for one in found["probes"]["shortcuts"]}
    assert by_probe["border_thumbnail"] > 0.9  # .95 is what the square tells
    assert any("sees only the border" in line for line in found["warnings"])
