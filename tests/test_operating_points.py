import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics
from truth_cases import NONE, TINY, make_table

from dualnet.errors import RecordError
from dualnet.evaluation.intervals.bootstrap import resample_patients
from dualnet.evaluation.probabilities.operating_points import (
    AT_HALF,
    MEASURES,
    PREVALENCE_MATCHED,
    choose_thresholds,
    match_prevalence,
    score_operating_points,
)
from dualnet.evaluation.scores.truth import Truth, make_truth
from dualnet.findings import NIH


@pytest.fixture
def truth() -> Truth:
    """Edema, Edema and Mass, Mass, none, none; two rows a patient."""
    return make_truth(
        make_table(
            ("Edema",), ("Edema", "Mass"), ("Mass",), ("No Finding",), ("No Finding",)
        ),
        TINY,
    )


SCORES = np.array(
    [[0.9, 0.2, 0.1], [0.4, 0.1, 0.1], [0.7, 0.1, 0.1], [0.3, 0.1, 0.9], [0.2, 0, 0.4]]
)


def test_measures_are_those_counted_by_hand(truth: Truth) -> None:
    found = score_operating_points(truth, SCORES, {"0.5": np.full(3, 0.5)})["0.5"]
    edema = found["findings"]["Edema"]  # called: rows 0 (right) and 2 (wrong)
    assert edema == {
        "threshold": 0.5,
        "true_positives": 1,
        "false_positives": 1,
        "false_negatives": 1,
        "true_negatives": 2,
        "n_positive": 2,
        "n_negative": 3,
        "n_called": 2,
        "n_not_called": 3,
        "sensitivity": 0.5,
        "specificity": 2 / 3,
        "ppv": 0.5,
        "npv": 2 / 3,
        "f1": 0.5,
        "accuracy": 0.6,
        "balanced_accuracy": (0.5 + 2 / 3) / 2,
    }
    assert found["chosen"] == "probability of at least 0.5"


def test_nothing_called_has_no_ppv_and_a_mean_of_the_others(truth: Truth) -> None:
    found = score_operating_points(truth, SCORES, {"0.5": np.full(3, 0.5)})["0.5"]
    mass = found["findings"]["Mass"]
    assert (mass["n_called"], mass["sensitivity"], mass["f1"]) == (0, 0.0, 0.0)
    assert np.isnan(mass["ppv"])
    assert found["macro"]["ppv"] == 0.5  # of Edema alone: No Finding stays apart
    assert found["macro"]["num_defined"]["ppv"] == 1
    assert found["macro"]["sensitivity"] == 0.25


def test_score_at_the_threshold_is_called(truth: Truth) -> None:
    found = score_operating_points(truth, SCORES, {"own": np.array([0.4, 0.2, 0.9])})
    called = {name: one["n_called"] for name, one in found["own"]["findings"].items()}
    assert called == {"Edema": 3, "Mass": 1, "No Finding": 1}
    assert found["own"]["chosen"] == "given"


def test_class_without_a_positive_is_undefined_where_it_must_be() -> None:
    truth = make_truth(make_table(("Edema",), ("No Finding",)), TINY)
    points = score_operating_points(
        truth, np.full((2, 3), 0.7), {"0.5": np.full(3, 0.5)}
    )
    mass = points["0.5"]["findings"]["Mass"]
    assert np.isnan([mass["sensitivity"], mass["npv"], mass["balanced_accuracy"]]).all()
    assert (mass["specificity"], mass["ppv"], mass["f1"]) == (0, 0, 0)


def test_missing_threshold_and_missing_scores_are_undefined(truth: Truth) -> None:
    scores = SCORES.copy()
    scores[:, NONE] = np.nan
    found = score_operating_points(truth, scores, {"own": np.array([0.5, np.nan, 0.5])})
    for name in ("Mass", "No Finding"):
        one = found["own"]["findings"][name]
        assert one["n_called"] is None
        assert np.isnan([one[measure] for measure in MEASURES]).all()
    assert found["own"]["macro"]["sensitivity"] == 0.5


def test_thresholds_of_other_classes_are_refused(truth: Truth) -> None:
    message = r"^operating point 'youden': .* shape \(3,\)\. Received: shape=\(14,\)"
    with pytest.raises(RecordError, match=message):
        score_operating_points(truth, SCORES, {"youden": np.zeros(14)})


def test_points_stated_are_half_and_prevalence(truth: Truth) -> None:
    points = choose_thresholds(truth, SCORES, are_probabilities=True)
    assert list(points) == [AT_HALF, PREVALENCE_MATCHED]
    assert points[AT_HALF].tolist() == [0.5] * 3
    only = choose_thresholds(truth, SCORES, are_probabilities=False)
    assert list(only) == [PREVALENCE_MATCHED]


def test_matched_point_calls_as_many_as_there_are(truth: Truth) -> None:
    thresholds = match_prevalence(truth.labels, SCORES)
    assert thresholds.tolist() == [0.7, 0.1, 0.4]
    found = score_operating_points(truth, SCORES, {"matched": thresholds})["matched"]
    called = {name: one["n_called"] for name, one in found["findings"].items()}
    # four rows of Mass are tied at the threshold or above it
    assert called == {"Edema": 2, "Mass": 4, "No Finding": 2}


def test_matched_point_is_the_break_even_point() -> None:
    generator = np.random.default_rng(3)
    labels = generator.random((500, 1)) < 0.2
    scores = generator.random((500, 1)) + 0.3 * labels
    threshold = match_prevalence(labels, scores)
    called = scores >= threshold
    assert called.sum() == labels.sum()
    sensitivity = sklearn_metrics.recall_score(labels[:, 0], called[:, 0])
    assert sensitivity == sklearn_metrics.precision_score(labels[:, 0], called[:, 0])


def test_matched_point_of_no_positive_or_no_score_is_none() -> None:
    labels = np.array([[False, True], [False, False]])
    assert np.isnan(
        match_prevalence(labels, np.array([[0.1, np.nan], [0.2, np.nan]]))
    ).all()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("decimals", [1, 9])  # one decimal: many ties
def test_measures_agree_with_scikit_learn(seed: int, decimals: int) -> None:
    truth, scores = random_case(seed, decimals)
    thresholds = np.round(np.random.default_rng(seed).uniform(0.2, 0.8, 15), decimals)
    found = score_operating_points(truth, scores, {"own": thresholds})["own"]
    for column, name in enumerate(truth.class_names):
        present, called = (
            truth.labels[:, column],
            scores[:, column] >= thresholds[column],
        )
        expected = {
            "sensitivity": sklearn_metrics.recall_score(present, called),
            "specificity": sklearn_metrics.recall_score(~present, ~called),
            "ppv": sklearn_metrics.precision_score(present, called),
            "npv": sklearn_metrics.precision_score(~present, ~called),
            "f1": sklearn_metrics.f1_score(present, called),
            "accuracy": sklearn_metrics.accuracy_score(present, called),
            "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(
                present, called
            ),
        }
        for measure, value in expected.items():
            assert abs(found["findings"][name][measure] - value) < 1e-12, measure


def random_case(seed: int, decimals: int) -> tuple[Truth, np.ndarray]:
    generator = np.random.default_rng(seed)
    names = list(NIH.findings)
    rows = [
        tuple(
            sorted(
                generator.choice(names, size=generator.integers(1, 4), replace=False)
            )
        )
        if generator.random() < 0.7
        else ("No Finding",)
        for _ in range(400)
    ]
    truth = make_truth(make_table(*rows), NIH)
    scores = np.round(generator.random((400, 15)) * 0.7 + 0.3 * truth.labels, decimals)
    return truth, scores


def test_intervals_hold_the_score_and_are_those_of_drawn_patients() -> None:
    truth, scores = random_case(0, 9)
    draws = resample_patients(truth.patient_ids, num_resamples=50, seed=0)
    thresholds = {"0.5": np.full(15, 0.5)}
    found = score_operating_points(truth, scores, thresholds, draws=draws)["0.5"]
    column = truth.class_names.index("Mass")
    called = scores[:, column] >= 0.5
    present = truth.labels[:, column]
    weights = np.concatenate(list(draws.draw()))[:, draws.codes]
    drawn = (weights * (called & present)).sum(axis=1) / (weights * present).sum(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    interval = found["findings"]["Mass"]["sensitivity_interval"]
    assert interval["low"] == pytest.approx(low, abs=1e-12)
    assert interval["high"] == pytest.approx(high, abs=1e-12)
    macro = found["macro"]
    assert macro["f1_interval"]["low"] < macro["f1"] < macro["f1_interval"]["high"]
