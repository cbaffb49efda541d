"""Counts of labels: every expectation was counted by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from explore_cases import LETTERS, five_rows

from dualnet.data.labels import full_labels
from dualnet.explore.labels import (
    condition,
    count_cooccurrence,
    count_label_strings,
    count_labels_per_radiograph,
    rank_pairs,
    tabulate_findings,
)


def test_label_strings_are_counted_as_they_are_written() -> None:
    counts = count_label_strings(five_rows()["findings"])
    assert counts["labels"].tolist() == ["N", "A", "A|B", "B"]
    assert counts["radiographs"].tolist() == [2, 1, 1, 1]
    assert counts["share"].tolist() == [0.4, 0.2, 0.2, 0.2]


def test_order_of_the_labels_makes_another_string() -> None:
    findings = pd.Series([("A", "B"), ("B", "A")])
    assert len(count_label_strings(findings)) == 2


def test_labels_per_radiograph() -> None:
    assert count_labels_per_radiograph(five_rows()["findings"]) == {1: 4, 2: 1}


def test_findings_and_what_the_rules_keep() -> None:
    counts = tabulate_findings(five_rows(), LETTERS).set_index("finding")
    assert counts["radiographs"].to_dict() == {"A": 2, "B": 2, "N": 2}
    assert counts["share"].tolist() == [0.4, 0.4, 0.4]
    assert counts["patients"].to_dict() == {"A": 1, "B": 1, "N": 2}
    assert counts["patient_share"].to_dict() == pytest.approx(
        {"A": 1 / 3, "B": 1 / 3, "N": 2 / 3}
    )
    assert counts["alone"].to_dict() == {"A": 1, "B": 1, "N": 2}
    assert counts["first_kept"].to_dict() == {"A": 2, "B": 1, "N": 2}
    assert counts["first_dropped"].to_dict() == {"A": 0, "B": 1, "N": 0}
    assert counts.loc["B", "first_dropped_share"] == 0.5
    assert counts["soft_kept"].to_dict() == {"A": 2, "B": 2, "N": 2}
    assert counts["soft_weight"].to_dict() == {"A": 0.75, "B": 0.75, "N": 1.0}


def test_a_class_that_never_occurs_has_no_shares() -> None:
    counts = tabulate_findings(five_rows().iloc[[3, 4]], LETTERS).set_index("finding")
    assert counts.loc["A", "radiographs"] == 0
    assert math.isnan(counts.loc["A", "first_dropped_share"])
    assert math.isnan(counts.loc["A", "soft_weight"])


def test_cooccurrence_and_what_it_is_conditioned_on() -> None:
    counts = count_cooccurrence(full_labels(five_rows()["findings"], LETTERS))
    assert counts.tolist() == [[2, 1, 0], [1, 2, 0], [0, 0, 2]]
    assert condition(counts).tolist() == [[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]]


def test_a_class_that_never_occurs_is_no_condition() -> None:
    shares = condition(np.array([[2, 0], [0, 0]]))
    assert shares[0].tolist() == [1, 0]
    assert np.isnan(shares[1]).all()


def test_pairs_are_ranked_with_their_lift() -> None:
    counts = count_cooccurrence(full_labels(five_rows()["findings"], LETTERS))
    pairs = rank_pairs(counts, LETTERS.class_names, 5)
    assert len(pairs) == 1
    assert pairs.iloc[0].to_dict() == {
        "first": "A",
        "second": "B",
        "radiographs": 1,
        "lift": 1.25,  # 1 of 5 where 2/5 of 2/5 of 5 would be .8
    }
