"""Temperature scaling and what is kept of it."""

import json

import numpy as np
import pytest
from scipy.special import expit, softmax
from truth_cases import TINY, make_table

from dualnet.evaluation.intervals.bootstrap import resample_patients
from dualnet.evaluation.probabilities.calibration import (
    COLDEST,
    SIGMOID,
    Calibration,
    fit_calibration,
)
from dualnet.evaluation.probabilities.calibration_error import (
    row_calibration,
    score_calibration,
)
from dualnet.evaluation.probabilities.thresholds import RULES, YOUDEN
from dualnet.evaluation.scores.metrics import row_log_loss, score_first_label
from dualnet.evaluation.scores.truth import Truth, make_truth


def draw_truth(logits: np.ndarray, seed: int = 0) -> Truth:
    """Labels drawn from the softmax of some logits: it is calibrated."""
    generator = np.random.default_rng(seed)
    chances = softmax(logits, axis=1)
    chosen = [generator.choice(3, p=row) for row in chances]
    return make_truth(make_table(*[(TINY.class_names[one],) for one in chosen]), TINY)


@pytest.fixture(scope="module")
def logits() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(4000, 3)) * 1.5


@pytest.fixture(scope="module")
def truth(logits: np.ndarray) -> Truth:
    return draw_truth(logits)


@pytest.fixture(scope="module")
def fitted(truth: Truth, logits: np.ndarray) -> Calibration:
    return fit_calibration(truth, softmax(2 * logits, axis=1), model_digest="ab")


def test_the_temperature_that_was_put_in_is_found(fitted: Calibration) -> None:
    assert fitted.temperatures.shape == (1,)
    assert fitted.temperatures[0] == pytest.approx(2, abs=0.1)


def test_no_other_temperature_has_a_lower_log_loss(
    fitted: Calibration, truth: Truth, logits: np.ndarray
) -> None:
    def loss(temperature: float) -> float:
        return row_log_loss(truth, softmax(2 * logits / temperature, axis=1)).mean()

    best = float(fitted.temperatures[0])
    losses = [loss(best * factor) for factor in (0.9, 0.99, 1.01, 1.1)]
    assert loss(best) < min(losses)
    applied = row_log_loss(truth, fitted.apply(softmax(2 * logits, axis=1))).mean()
    assert applied == pytest.approx(loss(best), abs=1e-12)


def test_rows_still_sum_to_1_and_keep_their_answer(
    fitted: Calibration, logits: np.ndarray
) -> None:
    before = softmax(2 * logits, axis=1)
    after = fitted.apply(before)
    np.testing.assert_allclose(after.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_array_equal(after.argmax(axis=1), before.argmax(axis=1))


def test_certain_answers_stay_finite(fitted: Calibration) -> None:
    after = fitted.apply(np.eye(3, dtype=np.float32))
    assert np.isfinite(after).all()
    np.testing.assert_allclose(after.diagonal(), 1, atol=1e-9)


def test_few_patients_leave_the_temperature_at_1() -> None:
    table = make_table(*[("Edema",), ("Mass",)] * 4)  # four patients
    probabilities = softmax(np.random.default_rng(0).normal(size=(8, 3)), axis=1)
    found = fit_calibration(make_truth(table, TINY), probabilities, model_digest="")
    assert found.temperatures.tolist() == [1]
    assert np.isnan(found.thresholds(YOUDEN)).all()
    np.testing.assert_array_equal(found.apply(probabilities), probabilities)


def test_a_perfect_validation_part_ends_at_the_coldest() -> None:
    table = make_table(*[("Edema",), ("Mass",), ("No Finding",)] * 10)
    sure = softmax(np.tile(np.eye(3), (10, 1)), axis=1)
    found = fit_calibration(make_truth(table, TINY), sure, model_digest="")
    assert found.temperatures[0] == pytest.approx(COLDEST, rel=0.01)


def test_sigmoids_get_a_temperature_each() -> None:
    generator = np.random.default_rng(3)
    wanted = np.array([1.0, 3.0, 0.5])
    logits = generator.normal(size=(6000, 3)) * 2
    labels = generator.random((6000, 3)) < expit(logits)
    labels[:, 2] |= ~labels.any(axis=1)  # a row has some label
    names = np.array(TINY.class_names)
    table = make_table(*[tuple(names[row]) for row in labels])
    found = fit_calibration(
        make_truth(table, TINY),
        expit(logits * wanted),
        model_digest="",
        activation=SIGMOID,
    )
    assert found.temperatures[:2] == pytest.approx(wanted[:2], rel=0.1)
    rows = np.abs(logits[:, 1]) < 4  # float32 tells no more of surer ones
    after = found.apply(expit(logits * wanted))[rows, 1]
    expected = expit(logits[rows, 1] * 3 / found.temperatures[1])
    np.testing.assert_allclose(after, expected, atol=1e-7)
    # a class that nobody has is left as it is
    nobody = make_truth(make_table(*[("Edema",), ("No Finding",)] * 20), TINY)
    one = fit_calibration(
        nobody, expit(logits[:40]), model_digest="", activation=SIGMOID
    )
    assert one.temperatures[TINY.class_names.index("Mass")] == 1


def test_a_calibration_is_read_back_as_it_was(fitted: Calibration) -> None:
    values = json.loads(json.dumps(fitted.as_dict(), allow_nan=False))
    again = Calibration.from_dict(values)
    assert again.as_dict() == fitted.as_dict()
    assert values["model_sha256"] == "ab"
    assert values["counts"]["Edema"]["n_positive"] > 1000
    for rule in RULES:
        np.testing.assert_array_equal(again.thresholds(rule), fitted.thresholds(rule))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", 2),
        ("activation", "relu"),
        ("temperatures", [1.0, 2.0]),
        ("temperatures", [0.0]),
    ],
)
def test_what_was_changed_is_refused(
    fitted: Calibration, key: str, value: object
) -> None:
    with pytest.raises(ValueError, match="not the format, activation or temperatures"):
        Calibration.from_dict({**fitted.as_dict(), key: value})


def test_the_calibration_error_is_that_of_the_report(
    truth: Truth, logits: np.ndarray
) -> None:
    probabilities = softmax(2 * logits, axis=1)
    rows = row_calibration(truth, probabilities)
    expected = score_first_label(truth, probabilities)["expected_calibration_error"]
    found = np.abs(rows.sum(axis=0)).sum() / truth.num_images
    assert found == pytest.approx(expected, abs=1e-12)


def test_before_and_after_are_scored_on_the_same_draws(
    fitted: Calibration, logits: np.ndarray
) -> None:
    judged = draw_truth(logits, seed=9)
    probabilities = softmax(2 * logits, axis=1)
    draws = resample_patients(judged.patient_ids, num_resamples=50, seed=0)
    found = score_calibration(judged, probabilities, fitted, draws)
    difference = found["difference"]
    for name in ("log_loss", "expected_calibration_error"):
        change = found["after"][name] - found["before"][name]
        assert difference[name] == pytest.approx(change, abs=1e-15)
        assert difference[f"{name}_interval"]["high"] < 0
    # a paired interval is narrower than either score's own
    width = {
        key: found[key]["log_loss_interval"]["high"]
        - found[key]["log_loss_interval"]["low"]
        for key in found
    }
    assert width["difference"] < width["before"]
