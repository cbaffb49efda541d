"""Whole runs by the label rules `member` and `multi_hot`, on a small phantom."""

import json
import logging
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import run_cases
from scipy.special import expit

from dualnet.config import Config
from dualnet.config_layers import read_config
from dualnet.data.readers import read_records
from dualnet.errors import ConfigError, RecordError
from dualnet.findings import NIH
from dualnet.jobs.compare import compare_runs
from dualnet.jobs.evaluate import evaluate_run
from dualnet.jobs.explore import explore_data
from dualnet.jobs.finished import read_run
from dualnet.jobs.judge import judge_predictions
from dualnet.jobs.sources import read_source
from dualnet.jobs.train import train_run
from dualnet.jobs.visualize import make_page
from dualnet.runs import RunFolder

FINDING = "Effusion"


def configure(data: Path, cache: Path, *overrides: str) -> Config:
    return run_cases.configure(
        data, cache, "split.rare_findings=train", "training.batch_size=16", *overrides
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("label-rules")


@pytest.fixture(scope="module")
def apart(small_phantom: Path, folder: Path) -> RunFolder:
    config = configure(
        small_phantom,
        folder / "cache",
        "training.label_rule=multi_hot",
        "training.imbalance=class_weights",
    )
    return train_run(config, folder / "apart")


@pytest.fixture(scope="module")
def member(small_phantom: Path, folder: Path) -> RunFolder:
    config = configure(
        small_phantom,
        folder / "member-cache",
        "training.label_rule=member",
        f"data.finding={FINDING}",
        "model.modality=metadata",
    )
    return train_run(config, folder / "member")


def read_json(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text("utf-8"))


def test_a_model_of_sigmoids_is_judged_finding_by_finding(
    apart: RunFolder, folder: Path, few_trees: None
) -> None:
    model: Any = keras.saving.load_model(apart.model)
    assert model.get_layer("probabilities").activation.__name__ == "sigmoid"
    assert model.output_shape == (None, 14)
    written = evaluate_run(apart.path, audit=True)
    metrics = read_json(written.folder / "metrics.json")
    assert metrics["model"]["first_label"]["accuracy"] is None
    why = metrics["model"]["first_label"]["undefined_because"]
    assert why.startswith("the model gives one probability a finding")
    said = metrics["model"]["findings"]
    assert said[NIH.negative]["auroc"] is None
    scored = [name for name in NIH.findings if said[name]["auroc"] is not None]
    assert metrics["model"]["macro"]["num_defined"] == len(scored) > 2
    predictions = pd.read_csv(written.folder / "predictions.csv")
    assert NIH.negative not in predictions
    assert set(NIH.findings) < set(predictions)
    calibration = read_json(apart.calibration)
    assert calibration["activation"] == "sigmoid"
    assert len(calibration["temperatures"]) == 15
    assert metrics["calibration"]["activation"] == "sigmoid"
    assert set(metrics["operating_points"]) >= {"youden", "sensitivity_90"}


def test_an_audit_of_sigmoids_asks_each_finding(apart: RunFolder) -> None:
    audit = read_json(apart.evaluation / "audit.json")
    whole = audit["modalities"]["fused"]["macro"]["auroc"]
    metrics = read_json(apart.evaluation / "metrics.json")
    assert whole == pytest.approx(metrics["model"]["macro"]["auroc"], abs=1e-6)
    assert audit["probes"]["model"]["macro"]["auroc"] is not None
    changes = audit["counterfactuals"]["view_pa_to_ap"]
    assert set(changes["classes"]) == set(NIH.findings)
    cases = pd.read_csv(apart.evaluation / "counterfactuals.csv")
    assert set(cases["finding"]) <= set(NIH.findings)
    assert cases[["before", "after"]].notna().all(axis=None)


def test_sigmoids_are_seen_and_carded(apart: RunFolder) -> None:
    run = read_run(apart.path)
    row = {str(key): value for key, value in run.records.iloc[0].items()}
    page = make_page(run, row, ["logits"])
    assert tuple(page.class_names) == NIH.findings
    assert page.probabilities == pytest.approx(expit(page.activations["logits"]))
    assert page.activation == "sigmoid"
    card = apart.model_card.read_text("utf-8")
    assert "`multi_hot`: each finding apart from the others" in card


def test_two_classes_are_taken_by_membership(
    member: RunFolder, small_phantom: Path, few_trees: None
) -> None:
    whole = read_records(small_phantom).table
    has = whole["findings"].map(lambda names: FINDING in names)
    well = whole["findings"].map(lambda names: names == (NIH.negative,))
    assert (has & (whole["findings"].map(len) > 1)).any()  # not the first label alone
    run = read_run(member.path)
    assert run.vocabulary.class_names == (FINDING, NIH.negative)
    expected = {**dict.fromkeys(whole["image_id"][has], (FINDING,))}
    expected |= dict.fromkeys(whole["image_id"][well], (NIH.negative,))
    found = dict(zip(run.records["image_id"], run.records["findings"], strict=True))
    assert found == expected
    certificate = run.certificate
    assert certificate["counts"]["of_neither_class"] == int((~has & ~well).sum())
    assert certificate["counts"]["read"] == len(whole)
    assert certificate["split"]["finding"] == FINDING
    metrics = evaluate_run(member.path).evaluation.metrics
    assert metrics["class_names"] == [FINDING, NIH.negative]
    assert metrics["model"]["first_label"]["accuracy"] is not None
    assert FINDING in member.model_card.read_text("utf-8")


def test_another_dataset_is_chosen_by_the_same_membership(
    member: RunFolder, small_phantom: Path, tmp_path: Path, few_trees: None
) -> None:
    written = evaluate_run(
        member.path,
        data=small_phantom,
        cache=tmp_path / "cache",
        out=tmp_path / "other",
        training_patients="leave-out",
    )
    assert written.evaluation.metrics["class_names"] == [FINDING, NIH.negative]
    run = read_run(member.path)
    test = run.records[run.records["part"] == "test"]
    predicted = pd.read_csv(tmp_path / "other" / "predictions.csv")
    assert set(predicted["image_id"]) == set(test["image_id"])


def test_predictions_of_two_classes_are_judged_again(
    member: RunFolder, small_phantom: Path, tmp_path: Path, few_trees: None
) -> None:
    evaluated = evaluate_run(member.path, out=tmp_path / "own")
    judged = judge_predictions(
        tmp_path / "own" / "predictions.csv", small_phantom, tmp_path / "judged"
    )
    areas = [
        one.evaluation.metrics["model"]["findings"][FINDING]["auroc"]
        for one in (evaluated, judged)
    ]
    assert areas[0] == pytest.approx(areas[1])


@pytest.mark.slow  # most of it is what any dataset is explored for
def test_two_classes_are_explored(
    small_phantom: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = configure(small_phantom, tmp_path / "cache", f"data.finding={FINDING}")
    with caplog.at_level(logging.INFO):
        explored = explore_data(config, tmp_path / "explored")
    assert list(explored.exploration.vocabulary.class_names) == [FINDING, NIH.negative]
    assert f"left out: neither {FINDING} nor {NIH.negative}" in caplog.text


def test_sigmoids_are_judged_and_compared_as_anybodys_are(
    apart: RunFolder, small_phantom: Path, tmp_path: Path, few_trees: None
) -> None:
    judged = judge_predictions(
        apart.evaluation / "predictions.csv", small_phantom, tmp_path / "judged"
    )
    found = compare_runs([apart.path, judged.folder], out=tmp_path / "compared")
    assert found.comparison.metrics["class_names"] == list(NIH.findings)
    rows = found.comparison.table()
    assert len(set(rows.loc[rows["finding"] == FINDING, "auroc"])) == 1


def test_a_class_that_nobody_has_is_refused(small_phantom: Path) -> None:
    config = read_config(overrides=[f"data.path={small_phantom}", "data.finding=Flu"])
    with pytest.raises(ConfigError, match=r"data.finding: must be one of .*'Flu'"):
        read_source(config)
    nobody = read_config(
        overrides=[
            f"data.path={small_phantom}",
            f"data.finding={FINDING}",
            "data.classes=cause",
        ]
    )
    with pytest.raises(RecordError, match=r"data.classes=cause. Received: nih classes"):
        read_source(nobody)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["training.label_rule=member"], "label_rule member needs data.finding"),
        (["data.against=Mass"], "data.against needs data.finding"),
        (
            ["data.finding=Mass", "data.exclude_findings=[Edema]"],
            "exclude_findings must be empty",
        ),
        (
            ["training.label_rule=multi_hot", "training.loss=logit_adjusted"],
            "must not be logit_adjusted with label_rule multi_hot",
        ),
    ],
)
def test_keys_that_do_not_go_together_are_refused(
    overrides: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        read_config(overrides=overrides)


def test_balanced_sampling_draws_rows_without_any_finding(
    small_phantom: Path, folder: Path
) -> None:
    from dualnet.jobs.training_data import make_batches, read_training_data

    config = configure(
        small_phantom,
        folder / "cache",
        "training.label_rule=multi_hot",
        "training.imbalance=balanced_sampling",
    )
    batches = make_batches(config, read_training_data(config), "train")
    drawn = batches.targets[batches.order]
    assert 0 < (drawn.sum(axis=1) == 0).mean() < 0.5
    assert np.allclose(batches.class_shares.shape, (14,))
