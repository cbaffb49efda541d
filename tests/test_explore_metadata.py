"""Age, sex, view and follow-up by class, counted by hand."""

import math

import numpy as np
import pytest
from explore_cases import LETTERS, five_rows, make_rows

from dualnet.data.labels import full_labels
from dualnet.evaluation.intervals.bootstrap import resample_patients
from dualnet.explore.metadata import (
    ALL,
    compare_prevalence,
    contrast_masks,
    count_known,
    count_per_patient,
    describe_by_class,
)


def test_known_values_are_counted() -> None:
    assert count_known(five_rows()) == {
        "age_years": 4,
        "sex": 4,
        "view_position": 4,
        "follow_up": 4,
    }


def test_each_class_is_described_by_what_is_known_of_it() -> None:
    rows = describe_by_class(five_rows(), LETTERS).set_index("finding")
    assert rows.index.tolist() == [ALL, "A", "B", "N"]
    assert rows["radiographs"].tolist() == [5, 2, 2, 2]
    assert rows.loc[ALL, "age_mean"] == 45.75
    assert rows.loc["A", "age_mean"] == 40.5
    assert rows.loc["A", "age_sd"] == pytest.approx(math.sqrt(0.5))
    assert rows.loc["A", ["age_low", "age_median", "age_high"]].tolist() == [
        40.25,
        40.5,
        40.75,
    ]
    assert rows.loc[ALL, "female_share"] == 0.75
    assert rows.loc[ALL, "ap_share"] == 0.5
    assert rows.loc["B", "ap_share"] == 0.5
    assert rows.loc[ALL, "first_visit_share"] == 0.5
    assert rows.loc["B", "follow_up_median"] == 1.5
    assert rows.loc[ALL, "pictures_per_patient"] == pytest.approx(5 / 3)
    assert rows.loc["N", "pictures_per_patient"] == 1
    assert math.isnan(rows.loc["N", "age_sd"])  # one known age


def test_nothing_known_is_nothing_said() -> None:
    rows = describe_by_class(five_rows().iloc[[4]], LETTERS)
    told = rows.drop(columns=["finding", "radiographs", "pictures_per_patient"])
    assert told.isna().all().all()
    assert contrast_masks(five_rows().iloc[[4]]) == {}


def test_groups_leave_out_the_unknown() -> None:
    masks = contrast_masks(five_rows())
    assert masks["view"][0].tolist() == [True, True, False, False, False]
    assert masks["view"][1].tolist() == [False, False, True, True, False]
    assert masks["visit"][0].tolist() == [False, True, True, False, False]
    assert masks["sex"][0].tolist() == [False, False, False, True, False]


def test_prevalence_is_compared() -> None:
    table = five_rows()
    labels = full_labels(table["findings"], LETTERS)
    resamples = resample_patients(table["patient_id"], num_resamples=20, seed=0)
    masks = contrast_masks(table)["view"]
    rows = compare_prevalence(labels, masks, LETTERS.class_names, resamples)
    rows = rows.set_index("finding")
    assert rows["first"].to_dict() == {"A": 1, "B": 0.5, "N": 0}
    assert rows["second"].to_dict() == {"A": 0, "B": 0.5, "N": 0.5}
    assert rows.loc["B", "ratio"] == 1
    assert rows.loc["N", "ratio"] == 0
    assert math.isnan(rows.loc["A", "ratio"])  # never in the second group


def test_a_ratio_that_every_patient_shares_has_no_width() -> None:
    rows = [
        (f"p{n}", labels, 50, "F", view, 0)
        for n in range(6)
        for labels, view in (("A", "AP"), ("A", "AP"), ("A", "PA"), ("N", "PA"))
    ]
    table = make_rows(*rows)
    resamples = resample_patients(table["patient_id"], num_resamples=40, seed=0)
    found = compare_prevalence(
        full_labels(table["findings"], LETTERS),
        contrast_masks(table)["view"],
        LETTERS.class_names,
        resamples,
    )
    assert found[["ratio", "low", "high"]].to_numpy()[0] == pytest.approx([2, 2, 2])


def test_an_interval_holds_whole_patients() -> None:
    """One patient with many radiographs: the interval is as wide as the few patients."""
    rows = [("p0", "A", 50, "F", "AP", 0)] * 40
    rows += [(f"q{n}", "N", 50, "F", "AP", 0) for n in range(5)]
    rows += [(f"q{n}", "A" if n else "N", 50, "F", "PA", 0) for n in range(5)]
    table = make_rows(*rows)
    found = compare_prevalence(
        full_labels(table["findings"], LETTERS),
        contrast_masks(table)["view"],
        LETTERS.class_names,
        resample_patients(table["patient_id"], num_resamples=200, seed=0),
    ).iloc[0]
    assert found["ratio"] == pytest.approx((40 / 45) / 0.8)
    assert found["low"] == 0  # draws without p0 have no A among AP


def test_patients_are_counted_by_their_radiographs() -> None:
    counts = count_per_patient(five_rows()).set_index("pictures")
    assert counts["patients"].to_dict() == {
        "1": 2,
        "2": 0,
        "3-5": 1,
        "6-10": 0,
        "11-20": 0,
        "21-50": 0,
        "51+": 0,
    }
    assert counts.loc["3-5", "radiographs"] == 3
    assert counts.loc["1", "patient_share"] == pytest.approx(2 / 3)
    assert counts.loc["3-5", "radiograph_share"] == 0.6
    assert np.isclose(counts["radiograph_share"].sum(), 1)
