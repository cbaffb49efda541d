"""Models that give one score a finding, not one answer a radiograph."""

import json

import numpy as np
import pytest
from evaluate_cases import evaluate_tiny
from truth_cases import EDEMA, MASS, NONE, TINY, make_table

from dualnet.errors import RecordError
from dualnet.evaluation.evaluate import Evaluation
from dualnet.evaluation.scores.baselines import predict_shares
from dualnet.evaluation.scores.prediction import (
    Prediction,
    check_prediction,
    concatenate,
)
from dualnet.evaluation.scores.truth import make_truth
from dualnet.files import write_json
from dualnet.plots.evaluation import plot_evaluation

FINDINGS = [("Edema",), ("Edema", "Mass"), ("Mass",), ("No Finding",)] * 20
WHY = "the model gives no probability of No Finding"


def sigmoids(scores: np.ndarray, **values: object) -> Prediction:
    """One score a finding: the column of No Finding is NaN."""
    full = np.full((len(scores), 3), np.nan)
    full[:, [EDEMA, MASS]] = scores
    return Prediction(
        None,
        full,
        **{"unscored": ("No Finding",), "why_no_answer": WHY, **values},  # type: ignore[arg-type]
    )


def judge(
    model: Prediction | np.ndarray,
    findings: list[tuple[str, ...]] = FINDINGS,
    *,
    rows_each: int = 2,
) -> Evaluation:
    shares = predict_shares(np.array([0.4, 0.3, 0.3]), np.array([0.5, 0.5, 0.25]), 1)
    baselines = {
        name: Prediction(
            np.tile(one.probabilities, (len(findings), 1)),
            np.tile(one.scores, (len(findings), 1)),
        )
        for name, one in shares.items()
    }
    return evaluate_tiny(findings, model, baselines, rows_each=rows_each, resamples=40)


def skilled(skill: float = 0.3) -> np.ndarray:
    present = [[name in row for name in ("Edema", "Mass")] for row in FINDINGS]
    noise = np.random.default_rng(0).random((len(FINDINGS), 2))
    return noise * (1 - skill) + skill * np.array(present)


@pytest.fixture(scope="module")
def judged() -> Evaluation:
    return judge(sigmoids(skilled()))


def test_findings_are_scored_and_the_first_label_is_not(judged: Evaluation) -> None:
    model = judged.metrics["model"]
    assert model["macro"]["auroc"] > 0.7
    assert model["macro"]["num_defined"] == 2
    first = model["first_label"]
    assert first["accuracy"] is None
    assert first["accuracy_interval"]["low"] is None
    assert (first["confusion_matrix"], first["reliability"]) == ([], [])
    assert first["undefined_because"] == WHY
    assert judged.metrics["differences"]["majority"]["first_label"]["accuracy"] == {
        "difference": None,
        "low": None,
        "high": None,
        "undefined_resamples": 40,
    }


def test_negative_class_without_a_score_is_not_available(judged: Evaluation) -> None:
    scores = judged.metrics["model"]["findings"]["No Finding"]
    assert (scores["n_positive"], scores["auroc"], scores["brier"]) == (20, None, None)
    assert judged.table()[-1][:4] == ["No Finding", "20", "n/a (n=20)", "n/a"]


def test_verdict_compares_and_says_why_no_first_label(judged: Evaluation) -> None:
    lines = judged.verdict.splitlines()
    assert lines[0] == "By macro AUROC the model beats class prior and majority."
    assert lines[-1] == f"By first label nothing is scored: {WHY}."


def test_table_has_no_rows_by_first_label(judged: Evaluation) -> None:
    text = judged.text()
    assert "Balanced accuracy" not in text
    assert "Mean over findings, at" in text
    assert max(map(len, text.splitlines())) <= 100


def test_predictions_have_no_column_of_what_was_not_said(judged: Evaluation) -> None:
    columns = list(judged.predictions.columns)
    assert columns == ["image_id", "patient_id", "part", "findings", "Edema", "Mass"]


def test_metrics_are_json(judged: Evaluation, tmp_path) -> None:
    write_json(tmp_path / "metrics.json", judged.metrics)
    assert json.loads((tmp_path / "metrics.json").read_text()) == judged.metrics


def test_figures_are_those_that_can_be_drawn(judged: Evaluation) -> None:
    assert set(plot_evaluation(judged)) == {"roc", "reliability", "comparison"}
    ranked = judge(sigmoids(skilled() * 8 - 4, are_probabilities=False))
    assert set(plot_evaluation(ranked)) == {"roc", "comparison"}


def test_scores_that_are_no_probabilities_are_ranked_only() -> None:
    model = sigmoids(skilled() * 8 - 4, are_probabilities=False)
    found = judge(model).metrics
    expected = judge(sigmoids(skilled())).metrics["model"]["findings"]["Mass"]["auroc"]
    scores = found["model"]["findings"]["Mass"]
    assert scores["auroc"] == expected
    assert "brier" not in scores
    assert list(found["operating_points"]) == ["prevalence_matched"]
    assert found["verdict"]["always_says"] is None
    assert found["verdict"]["always_says_share"] is None


def test_finding_without_a_score_is_in_no_mean_of_anyone() -> None:
    full = np.full((len(FINDINGS), 3), np.nan)
    full[:, EDEMA] = skilled()[:, 0]
    found = judge(
        Prediction(None, full, unscored=("Mass", "No Finding"), why_no_answer="test")
    ).metrics
    for block in (found["model"], found["baselines"]["class_prior"]):
        assert block["macro"]["num_defined"] == 1
        assert block["macro"]["undefined"] == ["Mass"]
        assert block["macro"]["auroc"] == block["findings"]["Edema"]["auroc"]
    assert "over 1 of 2 findings (undefined: Mass)" in found["verdict"]["lines"][1]


@pytest.mark.parametrize("level", [0.0, 1e-7, 0.01, 0.3])
def test_constant_sigmoids_are_called_always_no_finding(level: float) -> None:
    found = judge(sigmoids(np.full((80, 2), level)))
    assert found.verdict.splitlines()[:2] == [
        'This model always says "No Finding": no finding reaches 0.5 on 80 of 80 '
        "radiographs.",
        "It says the same of every radiograph, whatever is in it.",
    ]
    assert found.metrics["verdict"]["always_says"] == "No Finding"


def test_tiny_sigmoids_that_differ_do_not_ignore_their_input() -> None:
    found = judge(sigmoids(skilled() * 1e-6))
    assert found.metrics["verdict"]["always_says"] == "No Finding"
    assert not found.metrics["verdict"]["ignores_its_input"]
    assert found.metrics["model"]["macro"]["auroc"] > 0.7


def test_sigmoids_that_call_one_finding_everywhere_are_called_that() -> None:
    found = judge(sigmoids(np.tile([0.9, 0.6], (80, 1)) + skilled() * 0.01))
    assert found.verdict.splitlines()[0] == (
        'This model always says "Edema": it is the likeliest finding, and reaches 0.5, '
        "on 80 of 80 radiographs."
    )


def test_constant_logits_say_the_same_of_every_radiograph() -> None:
    found = judge(sigmoids(np.full((80, 2), -7.0), are_probabilities=False))
    assert found.verdict.splitlines()[0].startswith("It says the same")


def test_softmax_always_no_finding_is_called_that() -> None:
    always = np.tile([0.1, 0.1, 0.8], (80, 1))
    found = judge(always)
    assert found.verdict.startswith('This model always says "No Finding"')


def test_findings_of_one_kind_crash_nothing() -> None:
    findings = [("Mass",)] * 80
    found = judge(sigmoids(skilled()), findings)
    assert found.metrics["model"]["macro"]["auroc"] is None
    assert found.table()[2][2] == "n/a (n=80)"
    assert len(plot_evaluation(found)) == 3


def test_fifteen_thousand_rows_of_one_finding_are_not_available() -> None:
    findings = [("Mass",)] * 15_000
    generator = np.random.default_rng(0)
    found = judge(sigmoids(generator.random((15_000, 2))), findings)
    assert found.table()[2][:3] == ["Mass", "15,000", "n/a (n=15,000)"]
    assert "cannot be compared with class prior" in found.verdict


def test_single_patient_has_scores_and_no_intervals() -> None:
    found = judge(sigmoids(skilled()), rows_each=80).metrics
    assert found["num_patients"] == 1
    assert found["model"]["macro"]["auroc"] > 0.7
    assert found["model"]["macro"]["auroc_interval"]["low"] is None
    point = found["operating_points"]["0.5"]["findings"]["Mass"]
    assert point["sensitivity"] is not None
    assert point["sensitivity_interval"]["low"] is None
    assert found["model"]["macro"]["brier_interval"]["low"] is None


def test_thresholds_that_are_given_are_the_operating_points() -> None:
    found = evaluate_tiny(
        FINDINGS,
        sigmoids(skilled()),
        thresholds={"youden": np.array([0.4, 0.6, np.nan])},
    ).metrics["operating_points"]
    assert list(found) == ["youden"]
    assert found["youden"]["findings"]["Mass"]["threshold"] == 0.6
    assert found["youden"]["findings"]["No Finding"]["threshold"] is None


def test_weighted_mean_counts_a_finding_as_often_as_it_occurs() -> None:
    findings = [("Edema",)] * 30 + [("Mass",)] * 10 + [("No Finding",)] * 40
    scores = np.random.default_rng(0).random((80, 2))
    found = judge(sigmoids(scores), findings, rows_each=1).metrics["model"]
    areas = [found["findings"][name]["auroc"] for name in ("Edema", "Mass")]
    expected = (30 * areas[0] + 10 * areas[1]) / 40
    macro = found["macro"]
    assert macro["weighted_auroc"] == pytest.approx(expected, abs=1e-15)
    interval = macro["weighted_auroc_interval"]
    assert interval["low"] < expected < interval["high"]


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (MASS, np.nan, r"^1\.png: model: .* finite\. Received: Mass=nan \(1 of 80"),
        (MASS, 1.5, r"^1\.png: model: .* \[0, 1\]\. Received: Mass=1\.5 \(1 of 80"),
        (EDEMA, -0.5, r"^1\.png: model: .* \[0, 1\]\. Received: Edema=-0\.5"),
    ],
)
def test_scores_that_are_none_are_refused_by_image(
    column: int, value: float, message: str
) -> None:
    scores = skilled()
    scores[1, column] = value
    with pytest.raises(RecordError, match=message):
        judge(sigmoids(scores))


def test_scores_of_other_rows_and_no_scores_are_refused() -> None:
    truth = make_truth(make_table(("Mass",), ("Edema",)), TINY)
    message = r"^model: scores must have shape \(2, 3\)\. Received: shape=\(3, 3\)"
    with pytest.raises(RecordError, match=message):
        check_prediction(Prediction(None, np.eye(3)), truth, name="model")
    with pytest.raises(RecordError, match=r"Received: neither"):
        check_prediction(Prediction(None), truth, name="model")


def test_column_said_to_be_absent_may_hold_anything_else_not() -> None:
    truth = make_truth(make_table(("Mass",)), TINY, unscored=("No Finding",))
    scores = np.array([[0.1, 0.2, np.nan]])
    check_prediction(
        Prediction(None, scores, unscored=("No Finding",)), truth, name="a"
    )
    with pytest.raises(RecordError, match=r"^0\.png: a: .* No Finding=nan"):
        check_prediction(Prediction(None, scores), truth, name="a")
    assert truth.is_finding.tolist() == [True, True, False]
    assert TINY.class_names[NONE] == "No Finding"


def test_blocks_are_joined_in_their_order() -> None:
    whole = Prediction(
        np.array([[0.2, 0.8], [0.6, 0.4], [0.5, 0.5]]), are_probabilities=False
    )
    joined = concatenate([whole.take(np.array([0, 1])), whole.take(np.array([2]))])
    assert joined.probabilities is not None
    assert joined.probabilities.tolist() == [[0.2, 0.8], [0.6, 0.4], [0.5, 0.5]]
    assert joined.finding_scores is None
    assert not joined.are_probabilities
