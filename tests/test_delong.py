"""DeLong's test against his own data, the definition, and the patient bootstrap."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dualnet.evaluation.intervals.bootstrap import resample_auroc, resample_patients
from dualnet.evaluation.intervals.delong import (
    auroc_variance,
    compare_auroc,
    compare_auroc_per_class,
    structural_components,
)
from dualnet.scores import auroc

# albumin, total protein, K-G score and outcome of 43 of the patients of DeLong et al.
# 1988, as the SAS/STAT User's Guide prints them ("Comparing Receiver Operating
# Characteristic Curves"); low albumin and protein go with outcome 0
OVARIAN = """
3.0 5.8 10 0 3.2 6.3 5 1 3.9 6.8 3 1 2.8 4.8 6 0 3.2 5.8 3 1 0.9 4.0 5 0 2.5 5.7 8 0
1.6 5.6 5 1 3.8 5.7 5 1 3.7 6.7 6 1 3.2 5.4 4 1 3.8 6.6 6 1 4.1 6.6 5 1 3.6 5.7 5 1
4.3 7.0 4 1 3.6 6.7 4 0 2.3 4.4 6 1 4.2 7.6 4 0 4.0 6.6 6 0 3.5 5.8 6 1 3.8 6.8 7 1
3.0 4.7 8 0 4.5 7.4 5 1 3.7 7.4 5 1 3.1 6.6 6 1 4.1 8.2 6 1 4.3 7.0 5 1 4.3 6.5 4 1
3.2 5.1 5 1 2.6 4.7 6 1 3.3 6.8 6 0 1.7 4.0 7 0 3.7 6.1 5 1 3.3 6.3 7 1 4.2 7.7 6 1
3.5 6.2 5 1 2.9 5.7 9 0 2.1 4.8 7 1 2.8 6.2 8 0 4.0 7.0 7 1 3.3 5.7 6 1 3.7 6.9 5 1
3.6 6.6 5 1
"""


def ovarian() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The outcome, then albumin, total protein and K-G score: the higher the worse."""
    values = np.array(OVARIAN.split(), dtype=float).reshape(-1, 4)
    return values[:, 3] == 0, -values[:, 0], -values[:, 1], values[:, 2]


def random_rows(
    seed: int, *, num_rows: int = 90, patients: int = 30
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Labels, two tied and related scores, and the patient of each row."""
    generator = np.random.default_rng(seed)
    patient = generator.integers(patients, size=num_rows)
    y_true = generator.random(num_rows) < 0.4
    of_patient = generator.normal(size=patients)[patient]
    first = (y_true + of_patient + generator.normal(size=num_rows)).round(1)
    second = (first + 0.5 * y_true + generator.normal(size=num_rows)).round(1)
    return y_true, first, second, patient


def components_by_definition(
    y_true: np.ndarray, y_score: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Every positive beside every negative: DeLong et al. 1988, section 2."""
    positives, negatives = y_score[y_true, None], y_score[~y_true]
    wins = (positives > negatives) + 0.5 * (positives == negatives)
    return wins.mean(axis=1), wins.mean(axis=0)


def covariance_by_definition(
    y_true: np.ndarray, scores: list[np.ndarray], patient: np.ndarray
) -> np.ndarray:
    """Obuchowski 1997, one patient after the other, covariances and all."""
    parts = [components_by_definition(y_true, score) for score in scores]
    areas = [of_positives.mean() for of_positives, _ in parts]
    num_positives, num_negatives = y_true.sum(), (~y_true).sum()
    kinds = []
    for number, mask in ((0, y_true), (1, ~y_true)):
        sums = [
            [
                sum(
                    part[number][row] - area
                    for row, one in enumerate(patient[mask])
                    if one == name
                )
                for part, area in zip(parts, areas, strict=True)
            ]
            for name in sorted(set(patient))
        ]
        kinds.append(np.array(sums))
    positive, negative = kinds
    have_positive = len(set(patient[y_true]))
    have_negative = len(set(patient[~y_true]))
    have_any = len(set(patient))
    s10 = have_positive / ((have_positive - 1) * num_positives) * positive.T @ positive
    s01 = have_negative / ((have_negative - 1) * num_negatives) * negative.T @ negative
    s11 = have_any / (have_any - 1) * positive.T @ negative
    mixed = (s11 + s11.T) / (num_positives * num_negatives)
    return s10 / num_positives + s01 / num_negatives + mixed


def test_areas_and_errors_are_the_published_ones() -> None:
    outcome, albumin, protein, score = ovarian()
    for one, area, error in (
        (albumin, 0.7366, 0.0927),
        (protein, 0.6478, 0.1000),
        (score, 0.7258, 0.1028),
    ):
        assert structural_components(outcome, one).auroc == pytest.approx(
            area, abs=5e-5
        )
        assert auroc_variance(outcome, one) ** 0.5 == pytest.approx(error, abs=5e-5)


def test_differences_are_the_published_ones() -> None:
    outcome, albumin, protein, score = ovarian()
    for one, difference, error, p_value in (
        (albumin, 0.0108, 0.0953, 0.9102),
        (protein, -0.0780, 0.1046, 0.4561),
    ):
        found = compare_auroc(outcome, score, one)
        assert found.difference == pytest.approx(difference, abs=5e-5)
        assert found.standard_error == pytest.approx(error, abs=5e-5)
        assert found.p_value == pytest.approx(p_value, abs=5e-5)


@pytest.mark.parametrize("seed", range(4))
def test_components_are_those_of_the_definition(seed: int) -> None:
    y_true, score, _, _ = random_rows(seed)
    found = structural_components(y_true, score)
    positives, negatives = components_by_definition(y_true, score)
    assert found.positives == pytest.approx(positives, abs=1e-14)
    assert found.negatives == pytest.approx(negatives, abs=1e-14)
    assert found.auroc == pytest.approx(auroc(y_true, score), abs=1e-14)


@pytest.mark.parametrize("seed", range(4))
def test_clustered_test_is_that_of_the_definition(seed: int) -> None:
    y_true, first, second, patient = random_rows(seed)
    covariance = covariance_by_definition(y_true, [first, second], patient)
    for score, expected in zip((first, second), np.diag(covariance), strict=True):
        variance = auroc_variance(y_true, score, patients=patient)
        assert variance == pytest.approx(expected, rel=1e-10)
    found = compare_auroc(y_true, first, second, patients=patient)
    expected = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    assert found.standard_error**2 == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("seed", range(4))
def test_plain_test_is_the_clustered_one_of_patients_with_one_row(seed: int) -> None:
    y_true, first, second, _ = random_rows(seed)
    rows = np.random.default_rng(seed).permutation(y_true.size)
    plain = compare_auroc(y_true, first, second)
    clustered = compare_auroc(y_true, first, second, patients=rows)
    assert clustered.difference == plain.difference
    assert clustered.standard_error == pytest.approx(plain.standard_error, rel=1e-12)
    assert clustered.p_value == pytest.approx(plain.p_value, rel=1e-9)


def test_rows_of_one_patient_count_once() -> None:
    y_true, first, second, _ = random_rows(1, num_rows=60)
    copies = [np.repeat(one, 5) for one in (y_true, first, second)]
    patient = np.repeat(np.arange(60), 5)
    once = compare_auroc(y_true, first, second, patients=np.arange(60))
    plain = compare_auroc(*copies)
    clustered = compare_auroc(*copies, patients=patient)
    assert clustered.standard_error == pytest.approx(once.standard_error, rel=1e-12)
    # five copies taken for five rows: an error of about a root of five too small
    assert plain.standard_error < 0.46 * once.standard_error


def test_clustered_error_is_the_patient_bootstraps() -> None:
    y_true, first, second, patient = random_rows(3, num_rows=1500, patients=500)
    resamples = resample_patients(patient, num_resamples=1000, seed=0)
    samples = [
        resample_auroc(resamples, y_true[:, None], score[:, None])[:, 0]
        for score in (first, second)
    ]
    found = compare_auroc(y_true, first, second, patients=resamples.codes)
    # an estimate from 1,000 draws is good to 1 / sqrt(2,000) = 2.2 %
    for error, draws in (
        (auroc_variance(y_true, first, patients=resamples.codes) ** 0.5, samples[0]),
        (found.standard_error, samples[1] - samples[0]),
    ):
        assert error == pytest.approx(draws.std(ddof=1), rel=0.08)


def test_scores_that_rank_alike_do_not_differ() -> None:
    y_true, first, _, patient = random_rows(0)
    for words in ({}, {"patients": patient}):
        found = compare_auroc(y_true, first, np.exp(first), **words)
        assert (found.difference, found.standard_error, found.p_value) == (0, 0, 1)


@pytest.mark.parametrize("positives", [0, 1, 5, 6])
def test_one_row_of_a_kind_gives_no_variance(positives: int) -> None:
    y_true = np.arange(6) < positives
    first, second = np.random.default_rng(0).normal(size=(2, 6))
    for words in ({}, {"patients": np.arange(6)}):
        found = compare_auroc(y_true, first, second, **words)
        assert np.isnan([found.standard_error, found.p_value]).all()
        assert np.isnan(auroc_variance(y_true, first, **words))
        assert np.isnan(found.difference) == (positives in {0, 6})


def test_positives_of_one_patient_give_no_variance() -> None:
    y_true = np.array([True, True, False, False])
    scores = np.array([3.0, 1.0, 2.0, 0.0])
    patients = np.array([0, 0, 1, 2])
    assert auroc_variance(y_true, scores) > 0
    assert np.isnan(auroc_variance(y_true, scores, patients=patients))


def test_difference_without_variance_has_no_p_value() -> None:
    y_true = np.array([True, True, False, False])
    found = compare_auroc(y_true, np.zeros(4), y_true.astype(float))
    assert (found.difference, found.standard_error) == (0.5, 0)
    assert np.isnan(found.p_value)


def test_chance_difference_is_rarely_significant() -> None:
    generator = np.random.default_rng(0)
    p_values = np.array(
        [
            compare_auroc(
                generator.random(120) < 0.5, *generator.normal(size=(2, 120))
            ).p_value
            for _ in range(400)
        ]
    )
    # binomial(400, .05): 20, standard deviation 4.4
    assert 6 <= (p_values < 0.05).sum() <= 34
    assert p_values.mean() == pytest.approx(0.5, abs=0.06)


def test_classes_are_tested_one_by_one() -> None:
    y_true, first, second, patient = random_rows(2)
    labels = np.stack([y_true, np.zeros_like(y_true)], axis=1)
    firsts, seconds = (np.stack([one, one], axis=1) for one in (first, second))
    found = compare_auroc_per_class(labels, firsts, seconds, patients=patient)
    assert found[0] == compare_auroc(y_true, first, second, patients=patient)
    assert np.isnan(found[1].p_value)


@pytest.mark.real_data
def test_published_predictions_err_as_the_patient_bootstrap_says(
    real_data: Path,
) -> None:
    predictions = pd.read_csv(real_data / "predictions" / "reproduce-chexnet_preds.csv")
    table = pd.read_csv(real_data / "nih" / "Data_Entry_2017_v2020.csv")
    rows = predictions.merge(table, on="Image Index", validate="1:1")
    names = [name for name in predictions if name.startswith("prob_")]
    findings = rows["Finding Labels"].str.split("|")
    labels = np.array(
        [[name.removeprefix("prob_") in one for name in names] for one in findings]
    )
    scores = rows[names].to_numpy()
    resamples = resample_patients(rows["Patient ID"], num_resamples=1000, seed=0)
    draws = resample_auroc(resamples, labels, scores).std(axis=0, ddof=1)
    columns = list(zip(labels.T, scores.T, strict=True))
    by_patient, by_row = (
        np.sqrt([auroc_variance(*column, patients=patients) for column in columns])
        for patients in (resamples.codes, None)
    )
    assert np.abs(by_patient / draws - 1).max() < 0.07
    # rows taken for independent: Pneumothorax's error comes out at .55
    assert (by_patient / by_row).max() > 1.8
