import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn_metrics
from truth_cases import EDEMA, MASS, NONE, TINY, make_table

from dualnet.errors import RecordError
from dualnet.evaluation.scores.metrics import (
    LOG_LOSS_CLIP,
    average_precision,
    confusion_matrix,
    mean_over_findings,
    reliability_bins,
    roc_points,
    row_log_loss,
    score_findings,
    score_first_label,
)
from dualnet.evaluation.scores.truth import (
    Truth,
    check_probabilities,
    check_truth,
    make_truth,
)
from dualnet.findings import NIH
from dualnet.scores import auroc, macro_auroc


@pytest.fixture
def truth() -> Truth:
    """Edema, Edema and Mass, Mass, none: one row a combination."""
    findings = (("Edema",), ("Edema", "Mass"), ("Mass",), ("No Finding",))
    return make_truth(make_table(*findings), TINY)


@pytest.fixture
def probabilities() -> np.ndarray:
    return np.array(
        [
            [0.6, 0.2, 0.2],
            [0.3, 0.5, 0.2],
            [0.1, 0.8, 0.1],
            [0.3, 0.3, 0.4],
        ]
    )


def random_truth(seed: int, num_rows: int = 200) -> tuple[Truth, np.ndarray]:
    """Labels and tied probabilities of 15 classes, two decimals a value."""
    generator = np.random.default_rng(seed)
    labels = generator.random((num_rows, 15)) < 0.2
    labels[np.arange(num_rows), generator.integers(15, size=num_rows)] = True
    names = np.array(NIH.class_names)
    table = make_table(*(tuple(names[row]) for row in labels))
    raw = generator.integers(1, 8, size=(num_rows, 15)).astype(float)
    return make_truth(table, NIH), raw / raw.sum(axis=1, keepdims=True)


def test_truth_keeps_full_labels_and_the_first(truth: Truth) -> None:
    assert truth.class_names == ("Edema", "Mass", "No Finding")
    assert truth.labels.tolist() == [
        [True, False, False],
        [True, True, False],
        [False, True, False],
        [False, False, True],
    ]
    assert truth.first.tolist() == [EDEMA, EDEMA, MASS, NONE]
    assert (truth.num_images, truth.num_patients, truth.part) == (4, 2, "test")


def test_findings_are_scored_against_the_full_label_set(
    truth: Truth, probabilities: np.ndarray
) -> None:
    scores = score_findings(truth, probabilities)
    # Edema: positives .6 and .3, negatives .1 and .3: pairs 1, 1, 1, 1/2
    assert scores["Edema"] == {
        "n_positive": 2,
        "n_negative": 2,
        "auroc": 3.5 / 4,
        # .6 is right; then .3, .3: two of three right; recall 1/2 each
        "average_precision": 1 / 2 * 1 + 1 / 2 * 2 / 3,
    }
    assert scores["Mass"]["auroc"] == 1.0
    assert scores["No Finding"]["auroc"] == 1.0


def test_mean_leaves_no_finding_out(truth: Truth, probabilities: np.ndarray) -> None:
    macro = mean_over_findings(score_findings(truth, probabilities), truth)
    assert macro["auroc"] == (0.875 + 1.0) / 2
    assert (macro["num_defined"], macro["undefined"]) == (2, [])


def test_absent_finding_is_undefined_and_left_out_of_the_mean() -> None:
    truth = make_truth(make_table(("Edema",), ("No Finding",)), TINY)
    probabilities = np.array([[0.5, 0.2, 0.3], [0.6, 0.2, 0.2]])
    scores = score_findings(truth, probabilities)
    assert math.isnan(scores["Mass"]["auroc"])
    assert math.isnan(scores["Mass"]["average_precision"])
    macro = mean_over_findings(scores, truth)
    assert (macro["auroc"], macro["num_defined"]) == (0.0, 1)
    assert macro["undefined"] == ["Mass"]


def test_rows_of_one_finding_have_no_auroc_and_no_mean() -> None:
    truth = make_truth(make_table(*[("Mass",)] * 5), TINY)
    probabilities = np.tile([0.2, 0.5, 0.3], (5, 1))
    scores = score_findings(truth, probabilities)
    assert math.isnan(scores["Mass"]["auroc"])
    assert scores["Mass"]["average_precision"] == 1.0
    macro = mean_over_findings(scores, truth)
    assert math.isnan(macro["auroc"])
    assert macro["num_defined"] == 0
    assert score_first_label(truth, probabilities)["balanced_accuracy"] == 1.0


def test_average_precision_of_a_constant_score_is_the_prevalence() -> None:
    present = np.array([True, False, False, False])
    assert average_precision(present, np.full(4, 0.3)) == 0.25


def test_roc_goes_through_every_distinct_score() -> None:
    present = np.array([True, False, True, False])
    false_rate, true_rate = roc_points(present, np.array([0.9, 0.5, 0.5, 0.1]))
    assert false_rate.tolist() == [0, 0, 0.5, 1]
    assert true_rate.tolist() == [0, 0.5, 1, 1]


def test_roc_is_thinned_to_its_limit_and_keeps_its_ends() -> None:
    generator = np.random.default_rng(0)
    present, scores = generator.random(5000) < 0.1, generator.random(5000)
    false_rate, true_rate = roc_points(present, scores, max_points=50)
    assert false_rate.size == true_rate.size == 50
    assert (false_rate[0], true_rate[0]) == (0, 0)
    assert (false_rate[-1], true_rate[-1]) == (1, 1)
    area = np.trapezoid(true_rate, false_rate)
    assert area == pytest.approx(auroc(present, scores), abs=0.01)


def test_first_label_scores_are_those_of_the_hand(
    truth: Truth, probabilities: np.ndarray
) -> None:
    scores = score_first_label(truth, probabilities)
    # answers: Edema, Mass, Mass, No Finding; right: 1, 0, 1, 1
    assert scores["confusion_matrix"] == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert scores["accuracy"] == 0.75
    assert scores["balanced_accuracy"] == pytest.approx((0.5 + 1 + 1) / 3, abs=1e-15)
    expected = -(math.log(0.6) + math.log(0.3) + math.log(0.8) + math.log(0.4)) / 4
    assert scores["log_loss"] == pytest.approx(expected, abs=1e-15)
    squares = (0.16 + 0.04 + 0.04) + (0.49 + 0.25 + 0.04)
    squares += (0.01 + 0.04 + 0.01) + (0.09 + 0.09 + 0.36)
    assert scores["brier"] == pytest.approx(squares / 4, abs=1e-15)
    # each row is alone in its bin: gaps .4, .5, .2, .6
    gap = (0.4 + 0.5 + 0.2 + 0.6) / 4
    assert scores["expected_calibration_error"] == pytest.approx(gap, abs=1e-15)


def test_balanced_accuracy_leaves_absent_classes_out() -> None:
    truth = make_truth(make_table(("Edema",), ("Edema",), ("Mass",)), TINY)
    answers = np.eye(3)[[EDEMA, MASS, MASS]]
    assert score_first_label(truth, answers)["balanced_accuracy"] == 0.75


def test_log_loss_of_a_certain_error_is_clipped() -> None:
    truth = make_truth(make_table(("Mass",)), TINY)
    loss = row_log_loss(truth, np.array([[1.0, 0.0, 0.0]], dtype=np.float32))
    assert loss.tolist() == [-math.log(LOG_LOSS_CLIP)]


def test_tied_answer_is_the_first_class() -> None:
    truth = make_truth(make_table(("Mass",)), TINY)
    confusion = confusion_matrix(truth, np.full((1, 3), 1 / 3))
    assert confusion[MASS].tolist() == [1, 0, 0]


def test_reliability_bins_hold_every_row_once() -> None:
    truth = make_truth(make_table(("Edema",), ("Mass",), ("Edema",), ("Edema",)), TINY)
    probabilities = np.array(
        [
            [0.5, 0.3, 0.2],  # on an edge: the bin below takes it
            [0.45, 0.3, 0.25],
            [1.0, 0.0, 0.0],
            [1.0 + 1e-7, 0.0, 0.0],
        ]
    )
    bins = reliability_bins(truth, probabilities)
    assert [one["count"] for one in bins] == [0, 0, 0, 0, 2, 0, 0, 0, 0, 2]
    assert bins[4]["confidence"] == pytest.approx(0.475, abs=1e-15)
    assert bins[4]["accuracy"] == 0.5
    assert bins[0]["confidence"] is None


@pytest.mark.parametrize("seed", range(5))
def test_scores_agree_with_scikit_learn(seed: int) -> None:
    truth, probabilities = random_truth(seed)
    scores = score_findings(truth, probabilities)
    for column, name in enumerate(truth.class_names):
        present, score = truth.labels[:, column], probabilities[:, column]
        expected = sklearn_metrics.roc_auc_score(present, score)
        assert abs(scores[name]["auroc"] - expected) < 1e-12
        expected = sklearn_metrics.average_precision_score(present, score)
        assert abs(scores[name]["average_precision"] - expected) < 1e-12
    first = score_first_label(truth, probabilities)
    answers, classes = probabilities.argmax(axis=1), np.arange(15)
    log_loss = sklearn_metrics.log_loss(truth.first, probabilities, labels=classes)
    balanced = sklearn_metrics.recall_score(
        truth.first, answers, labels=np.unique(truth.first), average="macro"
    )
    confusion = sklearn_metrics.confusion_matrix(truth.first, answers, labels=classes)
    brier = ((np.eye(15)[truth.first] - probabilities) ** 2).sum(axis=1).mean()
    assert abs(first["log_loss"] - log_loss) < 1e-12
    assert abs(first["balanced_accuracy"] - balanced) < 1e-12
    assert abs(first["brier"] - brier) < 1e-12
    assert first["confusion_matrix"] == confusion.tolist()


def test_mean_is_the_macro_auroc_of_training() -> None:
    truth, probabilities = random_truth(9)
    macro = mean_over_findings(score_findings(truth, probabilities), truth)
    findings = np.isin(truth.class_names, truth.vocabulary.findings)
    expected = macro_auroc(truth.labels, probabilities, scored=findings)
    assert macro["auroc"] == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(
    ("row", "column", "value", "message"),
    [
        (1, MASS, np.nan, r"^1\.png: model: .* finite\. Received: Mass=nan \(1 of 4"),
        (2, EDEMA, np.inf, r"^2\.png: model: .* finite\. Received: Edema=inf"),
        (3, EDEMA, -0.25, r"^3\.png: model: .* negative\. Received: -0\.25 \(1 of 4"),
        (0, EDEMA, 0.7, r"^0\.png: model: .* sum to 1\. Received: 1\.1 \(1 of 4"),
    ],
)
def test_probabilities_that_are_none_are_refused_by_image(
    truth: Truth,
    probabilities: np.ndarray,
    row: int,
    column: int,
    value: float,
    message: str,
) -> None:
    probabilities[row, column] = value
    with pytest.raises(RecordError, match=message):
        check_probabilities(probabilities, truth, name="model")


def test_float32_softmax_is_accepted(truth: Truth, probabilities: np.ndarray) -> None:
    check_probabilities(probabilities.astype(np.float32), truth, name="model")


def test_probabilities_of_other_rows_are_refused(truth: Truth) -> None:
    message = r"^model: .* shape \(4, 3\)\. Received: shape=\(3, 3\)"
    with pytest.raises(RecordError, match=message):
        check_probabilities(np.eye(3), truth, name="model")


def test_empty_part_is_refused() -> None:
    empty = make_table(("Mass",)).iloc[:0]
    with pytest.raises(RecordError, match=r"at least one radiograph\. Received: 0"):
        make_truth(empty, TINY)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first": np.array([EDEMA, NONE])}, r"^1\.png: the first label"),
        ({"first": np.array([EDEMA])}, r"^first: .*\(2,\)\. Received: shape=\(1,\)"),
        ({"patient_ids": np.array(["a"])}, r"^patient_ids: .*Received: shape=\(1,\)"),
        ({"labels": np.ones((2, 2), bool)}, r"^labels: .*Received: shape=\(2, 2\)"),
    ],
)
def test_truth_that_does_not_fit_is_refused(
    change: dict[str, np.ndarray], message: str
) -> None:
    values = {
        "image_ids": np.array(["0.png", "1.png"]),
        "patient_ids": np.array(["a", "b"]),
        "labels": np.array([[True, False, False], [False, True, False]]),
        "first": np.array([EDEMA, MASS]),
    }
    with pytest.raises(RecordError, match=message):
        check_truth(Truth(**{**values, **change}, vocabulary=TINY, part="test"))


@pytest.mark.real_data
def test_published_predictions_score_what_their_authors_published(
    real_data: Path,
) -> None:
    predictions = pd.read_csv(real_data / "predictions/reproduce-chexnet_preds.csv")
    published = pd.read_csv(real_data / "predictions/reproduce-chexnet_aucs.csv")
    table = pd.read_csv(real_data / "nih/Data_Entry_2017_v2020.csv")
    table = table.set_index("Image Index").loc[predictions["Image Index"]].reset_index()
    truth = make_truth(
        pd.DataFrame(
            {
                "image_id": table["Image Index"],
                "patient_id": table["Patient ID"],
                "findings": [
                    tuple(names.split("|")) for names in table["Finding Labels"]
                ],
            }
        ),
        NIH,
    )
    columns = {name: predictions[f"prob_{name}"] for name in NIH.findings}
    none = 1 - predictions.filter(like="prob_").max(axis=1)
    scores = np.stack([columns.get(name, none) for name in NIH.class_names], axis=1)
    found = score_findings(truth, scores)
    for name, area in published.itertuples(index=False):
        assert abs(found[name]["auroc"] - area) < 1e-6, name
