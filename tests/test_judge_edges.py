"""Predictions that leave little to score: one class, ties, one patient."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from judge_cases import (
    assert_follows_the_schema,
    groups_of,
    judge,
    make_masses,
    make_truth,
    say,
)

from dualnet.findings import NIH

pytestmark = pytest.mark.usefixtures("few_trees")


def softmax_of(rows: int, seed: int = 0) -> pd.DataFrame:
    scores = np.random.default_rng(seed).dirichlet(np.ones(15), rows)
    names = [f"{number}.png" for number in range(rows)]
    table = pd.DataFrame(scores, columns=list(NIH.class_names))
    return table.assign(image_id=names)


@pytest.mark.parametrize("finding", ["Effusion", "No Finding"])
def test_rows_of_one_class_have_no_auroc(finding: str, tmp_path: Path) -> None:
    truth = make_truth(tmp_path, [finding] * 40, sex=["F", "M"] * 20)
    judged = judge(softmax_of(40), truth, tmp_path)
    metrics = judged.evaluation.metrics
    areas = {one["auroc"] for one in metrics["model"]["findings"].values()}
    assert areas == {None}
    assert metrics["model"]["macro"]["num_defined"] == 0
    women = groups_of(metrics, "sex")["F"]
    assert women["macro_auroc"]["value"] is None
    assert women["prevalence"]["value"] == (finding != "No Finding")
    assert f"n/a (n={40 if finding == 'Effusion' else 0})" in judged.evaluation.text()
    assert_follows_the_schema(metrics)


def test_one_class_is_drawn_too(tmp_path: Path, drawn: None) -> None:
    truth = make_truth(tmp_path, ["Effusion"] * 20, sex=["F", "M"] * 10)
    folder = judge(softmax_of(20), truth, tmp_path).folder
    assert (folder / "figures" / "subgroups.png").is_file()
    assert (folder / "report.pdf").is_file()


def test_ties_everywhere_are_chance_and_said_to_be(tmp_path: Path) -> None:
    judged = judge(say([0.5] * 12), make_masses(tmp_path), tmp_path)
    metrics = judged.evaluation.metrics
    assert metrics["model"]["findings"]["Mass"]["auroc"] == 0.5
    interval = metrics["model"]["findings"]["Mass"]["auroc_interval"]
    assert (interval["low"], interval["high"]) == (0.5, 0.5)
    women = groups_of(metrics, "sex")["F"]
    assert women["findings"]["Mass"]["auroc"] == 0.5
    assert women["gaps"]["findings"]["Mass"]["difference"] == 0
    assert women["under_diagnosis"]["value"] == 0  # a tie is called whole
    assert "It says the same of every radiograph" in judged.evaluation.verdict


def test_a_single_patient_has_groups_without_intervals(
    tmp_path: Path, drawn: None
) -> None:
    findings = ["Mass", "No Finding"] * 4
    views = ["PA", "AP", "AP", "PA"] * 2
    truth = make_truth(
        tmp_path,
        findings,
        patient_id=["p"] * 8,
        view_position=views,
        follow_up=range(8),
    )
    scores = [0.9, 0.1, 0.6, 0.7, 0.8, 0.3, 0.5, 0.4]
    judged = judge(say(scores), truth, tmp_path)
    metrics = judged.evaluation.metrics
    assert metrics["num_patients"] == 1
    frontal = groups_of(metrics, "view")["PA"]["findings"]["Mass"]
    assert frontal["auroc"] == 1  # .9 and .8 above .7 and .4
    assert frontal["auroc_interval"]["low"] is None
    assert metrics["subgroups"]["gaps"] == []
    assert_follows_the_schema(metrics)


def test_fifteen_thousand_rows_of_one_finding_are_judged(tmp_path: Path) -> None:
    rows = 15_000
    truth = make_truth(tmp_path, ["Effusion"] * rows, sex=["F", "M", "M"] * (rows // 3))
    judged = judge(softmax_of(rows), truth, tmp_path)
    metrics = judged.evaluation.metrics
    assert metrics["model"]["findings"]["Effusion"]["n_positive"] == rows
    assert metrics["model"]["findings"]["Effusion"]["auroc"] is None
    assert groups_of(metrics, "sex")["M"]["num_images"] == 10_000
    assert "cannot be compared with" in judged.evaluation.verdict
