"""What a label rule threw away, and the model scored on it."""

import numpy as np
import pytest
from truth_cases import EDEMA, MASS, TINY, make_table

from dualnet.evaluation.groups.label_report import count_dropped, score_label_places
from dualnet.evaluation.intervals.bootstrap import resample_patients
from dualnet.evaluation.scores.truth import make_truth
from dualnet.scores import auroc

BOTH, ALONE, NOBODY = ("Edema", "Mass"), ("Mass",), ("No Finding",)


def test_dropped_labels_are_counted_by_part_and_finding() -> None:
    tables = {"train": make_table(BOTH, BOTH, ALONE), "test": make_table(NOBODY)}
    counted = count_dropped(tables, TINY, "first")
    assert counted["train"] == {
        "num_images": 3,
        "present": 5,
        "kept": 3,
        "dropped": 2,
        "findings": {
            "Edema": {"present": 2, "kept": 2, "dropped": 0},
            "Mass": {"present": 3, "kept": 1, "dropped": 2},
        },
    }
    assert counted["test"]["present"] == 0
    assert count_dropped(tables, TINY, "soft")["train"]["dropped"] == 0


def test_a_finding_is_scored_where_it_is_first_and_where_it_is_not() -> None:
    findings = [BOTH] * 10 + [ALONE] * 10 + [NOBODY] * 20
    truth = make_truth(make_table(*findings, rows_each=1), TINY)
    generator = np.random.default_rng(0)
    scores = generator.random((40, 3))
    scores[:10, MASS] *= 0.5  # known less well where another label stands first
    draws = resample_patients(truth.patient_ids, num_resamples=100, seed=0)
    found = score_label_places(truth, scores, draws)
    negative = scores[20:, MASS]
    present = np.arange(30) < 10
    for key, rows in (("not_first_label", slice(10)), ("first_label", slice(10, 20))):
        expected = auroc(present, np.concatenate([scores[rows, MASS], negative]))
        mass = found[key]["findings"]["Mass"]
        assert mass["auroc"] == pytest.approx(expected, abs=1e-15)
        assert (mass["n_positive"], mass["n_negative"]) == (10, 20)
        # Edema always stands first, so that Mass alone is in both means
        assert found[key]["macro"]["num_findings"] == 1
        assert found[key]["macro"]["auroc"] == mass["auroc"]
    edema = found["not_first_label"]["findings"]["Edema"]
    assert (edema["n_positive"], np.isnan(edema["auroc"])) == (0, True)
    first, other = (found[key]["macro"] for key in ("first_label", "not_first_label"))
    difference = found["difference"]
    assert difference["difference"] == other["auroc"] - first["auroc"]
    assert difference["low"] < difference["difference"] < difference["high"]
    assert truth.class_names[EDEMA] == "Edema"


def test_no_second_labels_leave_it_undefined() -> None:
    truth = make_truth(make_table(*[ALONE, NOBODY] * 10), TINY)
    draws = resample_patients(truth.patient_ids, num_resamples=10, seed=0)
    found = score_label_places(truth, np.ones((20, 3)), draws)
    assert np.isnan(found["not_first_label"]["macro"]["auroc"])
    assert found["difference"]["low"] is None
