"""Scores group by group, and the gaps between them."""

from typing import Any

import numpy as np
import pytest
from truth_cases import EDEMA, MASS, NONE, TINY, make_table

from dualnet.evaluation.groups.gaps import describe_gaps, list_gaps
from dualnet.evaluation.groups.groupings import group_by_columns
from dualnet.evaluation.groups.subgroup_scores import (
    MACRO_AUROC,
    PREDICTED_MINUS_PREVALENCE,
    UNDER_DIAGNOSIS,
    JudgedRows,
)
from dualnet.evaluation.groups.subgroups import score_all, score_subgroups
from dualnet.evaluation.intervals.bootstrap import resample_patients
from dualnet.evaluation.intervals.resampling import keep_draws
from dualnet.evaluation.scores.plain_values import plain_values
from dualnet.evaluation.scores.truth import make_truth
from dualnet.scores import auroc

PATTERN = [("Edema",), ("Mass",), ("No Finding",), ("No Finding",)]


def judge_rows(
    findings: list[tuple[str, ...]], probabilities: np.ndarray, *, rows_each: int = 1
) -> JudgedRows:
    return JudgedRows(
        truth=make_truth(make_table(*findings, rows_each=rows_each), TINY),
        scores=probabilities,
        probabilities=probabilities,
        called_negative=probabilities.argmax(axis=1) == NONE,
    )


def score(judged: JudgedRows, *columns: list[str], seed: int = 0) -> list[Any]:
    names = {f"by{number}": column for number, column in enumerate(columns)}
    draws = resample_patients(judged.truth.patient_ids, num_resamples=200, seed=seed)
    return score_subgroups(judged, group_by_columns(names), draws)


@pytest.fixture(scope="module")
def two_groups() -> tuple[JudgedRows, list[str]]:
    """In group a the model knows everything, in group b nothing."""
    generator = np.random.default_rng(0)
    findings = PATTERN * 40
    right = np.tile(np.eye(3)[[EDEMA, MASS, NONE, NONE]], (40, 1)) * 0.5 + 1 / 6
    noise = generator.dirichlet([1, 1, 4], size=160)
    groups = ["a"] * 80 + ["b"] * 80
    some = np.array(groups)[:, np.newaxis] == "a"
    return judge_rows(findings, np.where(some, right, noise)), groups


def test_scores_of_a_group_are_those_of_its_rows(
    two_groups: tuple[JudgedRows, list[str]],
) -> None:
    judged, groups = two_groups
    (grouping,) = score(judged, groups)
    one, other = grouping["groups"]
    assert (one["group"], one["num_images"], one["num_patients"]) == ("a", 80, 80)
    assert one["num_with_finding"] == 40
    assert one["prevalence"]["value"] == 0.5
    assert one["macro_auroc"]["value"] == 1
    assert one["under_diagnosis"]["value"] == 0
    assert one["findings"]["Edema"]["n_positive"] == 20
    assert one["findings"]["Edema"]["mean_predicted"] == pytest.approx(7 / 24)
    # said with 2/3, and always right
    assert one["expected_calibration_error"]["value"] == pytest.approx(1 / 3)
    rows = slice(80, 160)
    areas = [
        auroc(judged.truth.labels[rows, place], judged.scores[rows, place])
        for place in (EDEMA, MASS)
    ]
    assert other["macro_auroc"]["value"] == pytest.approx(np.mean(areas), abs=1e-15)
    sick = judged.sick[rows]
    predicted = 1 - judged.probabilities[rows, NONE]  # pyright: ignore[reportOptionalSubscript]
    assert other["predicted_minus_prevalence"]["value"] == pytest.approx(
        predicted.mean() - 0.5
    )
    called = judged.called_negative[rows]  # pyright: ignore[reportOptionalSubscript]
    assert other["under_diagnosis"]["value"] == called[sick].mean()


def test_gaps_of_two_groups_mirror_each_other(
    two_groups: tuple[JudgedRows, list[str]],
) -> None:
    judged, groups = two_groups
    one, other = score(judged, groups)[0]["groups"]
    gap, mirrored = one["gaps"][MACRO_AUROC], other["gaps"][MACRO_AUROC]
    expected = one["macro_auroc"]["value"] - other["macro_auroc"]["value"]
    assert gap["difference"] == pytest.approx(expected, abs=1e-15)
    assert mirrored["low"] == pytest.approx(-gap["high"], abs=1e-12)
    assert 0 < gap["low"] < gap["difference"] < gap["high"]


def test_the_rest_of_three_groups_is_the_other_two() -> None:
    generator = np.random.default_rng(4)
    judged = judge_rows(PATTERN * 60, generator.dirichlet([1, 1, 1], size=240))
    groups = [name for name in "abc" for _ in range(80)]
    three = score(judged, groups)[0]["groups"]
    against = ["a" if name == "a" else "rest" for name in groups]
    two = score(judged, against)[0]["groups"]
    assert three[0] == two[0]
    assert len(three) == 3


def test_rows_of_no_known_group_are_in_no_rest(
    two_groups: tuple[JudgedRows, list[str]],
) -> None:
    judged, groups = two_groups
    (grouping,) = score(judged, [*groups[:-20], *[""] * 20])
    assert grouping["num_unknown"] == 20
    assert [one["num_images"] for one in grouping["groups"]] == [80, 60]
    one, other = grouping["groups"]
    difference = one["macro_auroc"]["value"] - other["macro_auroc"]["value"]
    assert one["gaps"][MACRO_AUROC]["difference"] == pytest.approx(difference)


def test_a_group_alone_has_no_gap(two_groups: tuple[JudgedRows, list[str]]) -> None:
    judged, _ = two_groups
    (grouping,) = score(judged, ["a"] * 160)
    assert grouping["groups"][0]["gaps"] is None
    draws = resample_patients(judged.truth.patient_ids, num_resamples=200, seed=0)
    assert score_all(judged, draws) == {**grouping["groups"][0], "group": "all"}


def test_patients_in_both_groups_move_both() -> None:
    """Each patient has the same two radiographs, one a group: the gap is 0 always."""
    generator = np.random.default_rng(5)
    once = generator.dirichlet([1, 1, 1], size=80)
    findings = [one for one in PATTERN * 20 for _ in range(2)]
    judged = judge_rows(findings, np.repeat(once, 2, axis=0), rows_each=2)
    one, _ = score(judged, ["a", "b"] * 80)[0]["groups"]
    for name in (MACRO_AUROC, PREDICTED_MINUS_PREVALENCE, UNDER_DIAGNOSIS):
        gap = one["gaps"][name]
        assert (gap["difference"], gap["low"], gap["high"]) == pytest.approx((0, 0, 0))


def test_a_finding_of_four_patients_is_in_no_mean() -> None:
    findings = [("Mass",)] * 4 + [("Edema",)] * 20 + [("No Finding",)] * 20
    generator = np.random.default_rng(6)
    judged = judge_rows(findings, generator.dirichlet([1, 1, 1], size=44))
    (group,) = score(judged, ["a"] * 44)[0]["groups"]
    assert group["macro_auroc"]["num_findings"] == 1
    assert group["macro_auroc"]["value"] == group["findings"]["Edema"]["auroc"]


def test_what_too_few_patients_say_has_no_interval() -> None:
    """Nobody of 12 missed is no proof that nobody ever is."""
    findings = [("Edema",)] * 12 + [("Edema",), ("No Finding",)] * 30
    sure = np.tile([0.8, 0.1, 0.1], (12, 1))
    rest = np.random.default_rng(7).dirichlet([1, 1, 2], size=60)
    judged = judge_rows(findings, np.concatenate([sure, rest]))
    one, _ = score(judged, ["a"] * 12 + ["b"] * 60)[0]["groups"]
    assert one["under_diagnosis"]["value"] == 0
    assert one["under_diagnosis"]["interval"]["low"] is None
    assert one["gaps"][UNDER_DIAGNOSIS]["low"] is None
    assert one["predicted_minus_prevalence"]["interval"]["low"] is not None
    single = score(judged, ["a"] + ["b"] * 71)[0]["groups"][0]
    assert single["predicted_minus_prevalence"]["interval"]["low"] is None


def test_a_model_without_one_answer_has_aurocs_alone() -> None:
    generator = np.random.default_rng(8)
    scores = generator.random((160, 3))
    scores[:, MASS] = np.nan  # a class that it does not score
    judged = JudgedRows(
        truth=make_truth(make_table(*PATTERN * 40, rows_each=1), TINY),
        scores=scores,
        probabilities=None,
        called_negative=None,
    )
    (grouping,) = plain_values(score(judged, ["a", "b"] * 80))
    one = grouping["groups"][0]
    assert one["prevalence"]["value"] == 0.5
    for name in (
        "under_diagnosis",
        "predicted_minus_prevalence",
        "expected_calibration_error",
    ):
        assert one[name]["value"] is None
    assert one["findings"]["Mass"]["auroc"] is None
    assert one["findings"]["Edema"]["auroc"] is not None


def test_kept_draws_are_the_same_draws(
    two_groups: tuple[JudgedRows, list[str]],
) -> None:
    judged, groups = two_groups
    draws = resample_patients(judged.truth.patient_ids, num_resamples=50, seed=3)
    grouping = group_by_columns({"by": groups})
    once = score_subgroups(judged, grouping, draws)
    assert score_subgroups(judged, grouping, keep_draws(draws)) == once


def test_a_single_patient_has_scores_without_intervals() -> None:
    judged = judge_rows(PATTERN * 2, np.tile([0.2, 0.3, 0.5], (8, 1)), rows_each=8)
    one, _ = score(judged, ["a", "b"] * 4)[0]["groups"]
    assert one["num_patients"] == 1
    assert one["prevalence"] == {
        "value": 0.5,
        "interval": {"low": None, "high": None, "undefined_resamples": 0},
    }
    assert one["findings"]["Edema"]["auroc"] == 0.5


def make_gap(difference: float, low: float, high: float) -> dict[str, Any]:
    return {"difference": difference, "low": low, "high": high}


def make_group(name: str, macro: dict[str, Any]) -> dict[str, Any]:
    value = {"value": 0.5}
    none = {"difference": None, "low": None, "high": None}
    return {
        "group": name,
        "num_images": 1234,
        "num_with_finding": 10,
        MACRO_AUROC: value,
        PREDICTED_MINUS_PREVALENCE: value,
        UNDER_DIAGNOSIS: value,
        "gaps": {
            MACRO_AUROC: macro,
            PREDICTED_MINUS_PREVALENCE: none,
            UNDER_DIAGNOSIS: none,
        },
    }


def test_gaps_are_corrected_for_their_number() -> None:
    groups = [make_group(name, make_gap(0.1, 0.02, 0.18)) for name in "abcde"]
    (gap,) = list_gaps([{"name": "one", "groups": groups[:1]}])
    # 1.95996 * .1 / .08 = 2.44996 standard errors of a normal distribution
    assert gap["p_value"] == pytest.approx(0.014287, abs=1e-6)
    assert gap["p_holm"] == gap["p_value"]
    assert gap["shown"]
    five = list_gaps([{"name": "five", "groups": groups}])
    assert [one["p_holm"] for one in five] == pytest.approx([0.071435] * 5, abs=5e-6)
    assert not any(gap["shown"] for gap in five)
    assert describe_gaps(five, []) == [
        "None of 5 gaps between subgroups is shown after Holm's correction."
    ]


def test_a_clear_gap_leaves_the_next_the_milder_correction() -> None:
    groupings = [
        {"name": name, "groups": [make_group("a", gap)]}
        for name, gap in (
            ("faint", make_gap(-0.1, -0.19, -0.01)),  # 2.17774 errors: p .029426
            ("clear", make_gap(0.2, 0.1, 0.3)),  # 3.91993 errors: p .0000886
        )
    ]
    faint, clear = list_gaps(groupings)
    assert clear["p_holm"] == pytest.approx(2 * 0.0000886, abs=1e-6)
    assert faint["p_holm"] == pytest.approx(0.029426, abs=1e-6)  # twice that, at first
    assert faint["shown"]
    assert clear["shown"]
    lines = describe_gaps([faint, clear], groupings)
    assert lines[1].endswith("+.200 [+.100, +.300] against the rest, p <.001.")
    assert lines[2].endswith("-.100 [-.190, -.010] against the rest, p .029.")


def test_an_interval_across_zero_or_without_width_is_read_as_it_is() -> None:
    values = [(0.1, 0.0, 0.1), (0.1, 0.1, 0.1), (0.0, 0.0, 0.0)]
    found = [
        list_gaps([{"name": "one", "groups": [make_group("a", make_gap(*one))]}])[0]
        for one in values
    ]
    assert [gap["shown"] for gap in found] == [False, True, False]
    assert [gap["p_value"] for gap in found[1:]] == [0, 1]


def test_two_groups_ask_once_and_undefined_gaps_are_not_asked() -> None:
    a = make_group("a", make_gap(0.1, 0.05, 0.15))
    b = make_group("b", make_gap(-0.1, -0.15, -0.05))
    alone = {**make_group("c", make_gap(0, 0, 0)), "gaps": None}
    groupings = [
        {"name": "view", "groups": [a, b]},
        {"name": "site", "groups": [alone]},
    ]
    gaps = list_gaps(groupings)
    assert [(gap["group"], gap["measure"]) for gap in gaps] == [("a", MACRO_AUROC)]
    assert describe_gaps(gaps, groupings) == [
        "1 of 1 gap between subgroups is shown after Holm's correction.",
        "  view a (n=1,234): macro AUROC .500; +.100 [+.050, +.150] against the "
        "rest, p <.001.",
    ]
    assert describe_gaps([], groupings) == []


def test_a_planted_gap_is_shown_and_none_where_there_is_none(
    two_groups: tuple[JudgedRows, list[str]],
) -> None:
    judged, groups = two_groups
    found = plain_values(score(judged, groups, ["x", "y"] * 80))
    shown = {
        (gap["grouping"], gap["measure"]) for gap in list_gaps(found) if gap["shown"]
    }
    assert ("by0", MACRO_AUROC) in shown
    assert not any(name == "by1" for name, _ in shown)
