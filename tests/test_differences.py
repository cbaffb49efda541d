"""Two predictions of the same rows: their difference, its interval, its test."""

import numpy as np
import pytest

from dualnet.evaluation.comparing.differences import (
    JudgedRows,
    bootstrap_p_value,
    describe_scored,
    score,
    subtract,
)
from dualnet.evaluation.intervals.bootstrap import (
    percentile_interval,
    resample_patients,
)
from dualnet.evaluation.intervals.delong import compare_auroc
from dualnet.evaluation.intervals.multiplicity import outcome_after_correction
from dualnet.evaluation.scores.metrics import average_precision
from dualnet.scores import auroc

NAMES = ("Edema", "Mass", "Nodule", "No Finding")


def make_rows(
    num_rows: int = 400, *, resamples: int = 300, seed: int = 0
) -> JudgedRows:
    generator = np.random.default_rng(seed)
    labels = generator.random((num_rows, 4)) < 0.3
    labels[:, 3] = ~labels[:, :3].any(axis=1)
    return JudgedRows(
        labels=labels,
        class_names=NAMES,
        negative="No Finding",
        resamples=resample_patients(
            generator.integers(num_rows // 2, size=num_rows),
            num_resamples=resamples,
            seed=0,
        ),
    )


def skilled(rows: JudgedRows, skill: float, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.normal(size=rows.labels.shape) + skill * rows.labels


def test_scores_are_those_of_the_rows_and_the_mean_leaves_the_negative_out() -> None:
    rows = make_rows()
    scores = skilled(rows, 1.0, 1)
    found = describe_scored(rows, score(rows, scores))
    for column, name in enumerate(NAMES):
        present, one = rows.labels[:, column], scores[:, column]
        entry = found["findings"][name]
        assert entry["n_positive"] == present.sum()
        assert entry["auroc"] == pytest.approx(auroc(present, one), abs=1e-15)
        assert entry["average_precision"] == average_precision(present, one)
    areas = [found["findings"][name]["auroc"] for name in NAMES[:3]]
    assert found["macro"]["auroc"] == pytest.approx(np.mean(areas), abs=1e-15)
    interval = found["macro"]["auroc_interval"]
    assert interval["low"] < found["macro"]["auroc"] < interval["high"]


def test_difference_of_a_finding_is_delongs_with_patients_taken_whole() -> None:
    rows = make_rows()
    one, other = skilled(rows, 1.5, 1), skilled(rows, 0.5, 2)
    found = subtract(rows, score(rows, one), score(rows, other))
    expected = compare_auroc(
        rows.labels[:, 1], other[:, 1], one[:, 1], patients=rows.resamples.codes
    )
    area = found["findings"]["Mass"]["auroc"]
    assert area["difference"] == pytest.approx(expected.difference, abs=1e-12)
    assert area["standard_error"] == expected.standard_error
    assert area["p_value"] == expected.p_value
    # DeLong's interval and the bootstrap's are of the same difference
    reach = 1.96 * expected.standard_error
    assert area["low"] == pytest.approx(expected.difference - reach, abs=0.03)
    assert area["high"] == pytest.approx(expected.difference + reach, abs=0.03)


def test_correction_is_over_the_findings_alone() -> None:
    rows = make_rows()
    found = subtract(
        rows, *(score(rows, skilled(rows, skill, 3)) for skill in (1, 0.9))
    )["findings"]
    p_values = sorted(found[name]["auroc"]["p_value"] for name in NAMES[:3])
    corrected = sorted(found[name]["auroc"]["p_holm"] for name in NAMES[:3])
    assert corrected[0] == pytest.approx(min(1, 3 * p_values[0]))
    assert np.isnan(found["No Finding"]["auroc"]["p_holm"])
    assert "outcome" not in found["No Finding"]


def test_better_and_worse_findings_are_told_apart() -> None:
    rows = make_rows()
    one, other = skilled(rows, 1.0, 1), skilled(rows, 1.0, 2)
    one[:, 0] += 2 * rows.labels[:, 0]
    other[:, 1] += 2 * rows.labels[:, 1]
    found = subtract(rows, score(rows, one), score(rows, other))["findings"]
    assert [found[name]["outcome"] for name in NAMES[:3]] == [
        "beats",
        "is worse than",
        "is not shown to beat",
    ]


def test_difference_of_the_mean_is_paired() -> None:
    rows = make_rows()
    shared = skilled(rows, 1.0, 1)
    one, other = score(rows, shared + 0.1 * skilled(rows, 1, 5)), score(rows, shared)
    area = subtract(rows, one, other)["macro"]["auroc"]
    alone = percentile_interval(one.measures["auroc"].drawn[:, -1])
    # two scores that are nearly the same differ far less than either varies
    assert area["high"] - area["low"] < 0.5 * (alone.high - alone.low)


def test_average_precision_is_drawn_with_the_same_patients() -> None:
    rows = make_rows()
    one = score(rows, skilled(rows, 1.0, 1))
    found = subtract(rows, one, one)
    for entry in (found["macro"], found["findings"]["Edema"]):
        for measure in ("auroc", "average_precision"):
            ends = (entry[measure][key] for key in ("difference", "low", "high"))
            assert tuple(ends) == (0, 0, 0)
    assert found["findings"]["Edema"]["auroc"]["p_value"] == 1
    assert found["macro"]["auroc"]["p_value"] == 1


def test_finding_without_a_positive_is_undefined_and_not_in_the_mean() -> None:
    rows = make_rows()
    rows.labels[:, 1] = False
    one, other = (score(rows, skilled(rows, skill, 1)) for skill in (1.0, 0.0))
    found = subtract(rows, one, other)
    mass = found["findings"]["Mass"]
    assert np.isnan([mass["auroc"][key] for key in ("difference", "p_value")]).all()
    assert mass["auroc"]["low"] is None
    assert np.isnan(mass["average_precision"]["difference"])
    assert mass["outcome"] == "cannot be compared with"
    expected = np.mean(
        [found["findings"][name]["auroc"]["difference"] for name in ("Edema", "Nodule")]
    )
    assert found["macro"]["auroc"]["difference"] == pytest.approx(expected, abs=1e-14)


def test_single_patient_is_compared_without_intervals() -> None:
    rows = JudgedRows(
        labels=np.array([[True], [False], [True]]),
        class_names=("Edema",),
        negative="No Finding",
        resamples=resample_patients(["a"] * 3, num_resamples=50, seed=0),
    )
    one, other = (
        score(rows, np.array(values)[:, None]) for values in ([3.0, 1, 2], [1.0, 2, 3])
    )
    found = subtract(rows, one, other)
    assert found["macro"]["auroc"]["difference"] == 0.5
    assert found["macro"]["auroc"]["low"] is None
    assert np.isnan(found["macro"]["auroc"]["p_value"])
    assert found["findings"]["Edema"]["outcome"] == "cannot be compared with"


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (np.full(99, 0.1), 2 / 100),
        (np.append(np.full(98, -0.1), 0.1), 4 / 100),
        (np.zeros(99), 1.0),
        (np.append(np.full(99, 0.1), np.nan), 2 / 100),
        (np.full(5, np.nan), np.nan),
        (np.array([]), np.nan),
    ],
)
def test_bootstrap_p_value_counts_by_hand(samples: np.ndarray, expected: float) -> None:
    assert bootstrap_p_value(samples) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("low", "high", "p_value", "expected"),
    [
        (0.01, 0.02, 0.01, "beats"),
        (-0.02, -0.01, 0.01, "is worse than"),
        (0.01, 0.02, 0.05, "is not shown to beat"),
        (-0.01, 0.02, 0.01, "is not shown to beat"),
        (None, None, 0.01, "cannot be compared with"),
        (0.01, 0.02, float("nan"), "cannot be compared with"),
    ],
)
def test_outcome_needs_the_interval_and_the_corrected_p_value(
    low: float | None, high: float | None, p_value: float, expected: str
) -> None:
    assert outcome_after_correction({"low": low, "high": high}, p_value) == expected
