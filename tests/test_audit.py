"""The audit finds which half of a made-up model knows something."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from truth_cases import TINY

from dualnet.data.metadata import MetadataEncoder
from dualnet.evaluation.auditing.audit import (
    NUM_AVERAGED,
    audit_modalities,
    average_out,
    draw_references,
    find_donors,
    hide_fields,
    list_patterns,
)
from dualnet.evaluation.intervals.bootstrap import resample_patients
from dualnet.evaluation.scores.truth import make_truth

NUM_ROWS = 200
FIELDS = ("age", "view")


def records(seed: int = 0) -> pd.DataFrame:
    """Edema on AP, Mass in half of the old; two radiographs a patient."""
    random = np.random.default_rng(seed)
    view = random.choice(["PA", "AP"], NUM_ROWS)
    age = random.choice([30.0, 70.0], NUM_ROWS)
    findings = [
        ("Edema",) if one == "AP" and random.random() < 0.7 else ("No Finding",)
        for one in view
    ]
    findings[::7] = [("Mass",)] * len(findings[::7])
    numbers = range(NUM_ROWS)
    return pd.DataFrame(
        {
            "image_id": [f"{number}.png" for number in numbers],
            "patient_id": [f"p{number // 2}" for number in numbers],
            "part": "test",
            "age_years": age,
            "view_position": view,
            "findings": findings,
        }
    )


def audit(table: pd.DataFrame, image: np.ndarray, record_weight: float) -> Any:
    """Audits a model whose logits are those of its picture plus those of its view."""
    encoder = MetadataEncoder(FIELDS).fit(table)
    column = encoder.feature_names.index("view_AP")

    def predict(metadata: np.ndarray, whose: np.ndarray) -> np.ndarray:
        logits = image[whose].copy()
        logits[:, 0] += record_weight * metadata[:, column]
        return softmax(logits, axis=1)

    truth = make_truth(table, TINY)
    return audit_modalities(
        table,
        truth,
        encoder=encoder,
        predict=predict,
        draws=resample_patients(truth.patient_ids, num_resamples=200, seed=0),
        references=draw_references(truth.patient_ids, seed=0),
        taught_missing={"age": 0, "view": 3},
    )


def test_a_record_that_tells_is_said_to_add() -> None:
    noise = np.random.default_rng(1).normal(size=(NUM_ROWS, 3))
    found = audit(records(), noise, 3.0)
    adds = found["adds"]["record"]
    assert adds["findings"]["Edema"]["low"] > 0.1
    assert adds["macro_auroc"]["low"] > 0
    assert found["adds"]["picture"]["macro_auroc"]["high"] < 0.1
    alone = found["image_only"]["averaged"]["findings"]["Edema"]["auroc"]
    assert alone == pytest.approx(0.5, abs=0.12)
    assert found["metadata_only"]["averaged"]["findings"]["Edema"]["auroc"] > 0.75
    assert found["taught_missing"] == {"age": 0, "view": 3}


def test_a_record_that_is_not_read_adds_nothing() -> None:
    noise = np.random.default_rng(1).normal(size=(NUM_ROWS, 3))
    found = audit(records(), noise, 0.0)
    for how in ("missing", "permuted", "averaged"):
        difference = found["image_only"][how]["fused_minus"]["macro_auroc"]
        assert difference["difference"] == pytest.approx(0, abs=1e-12), how
    assert found["metadata_only"]["averaged"]["macro"]["auroc"] == 0.5  # all the same


def test_the_gain_is_the_difference_of_the_views_that_are_shown() -> None:
    found = audit(records(), np.random.default_rng(1).normal(size=(NUM_ROWS, 3)), 2.0)
    for half, view in (("record", "image_only"), ("picture", "metadata_only")):
        whole = found["fused"]["macro"]["auroc"]
        alone = found[view]["averaged"]["macro"]["auroc"]
        gain = found["adds"][half]["macro_auroc"]
        assert gain["difference"] == pytest.approx(whole - alone)
        assert gain["low"] < gain["difference"] < gain["high"]


def test_every_pattern_of_missing_fields_is_scored() -> None:
    found = audit(records(), np.random.default_rng(1).normal(size=(NUM_ROWS, 3)), 2.0)
    patterns = {tuple(one["missing"]): one for one in found["patterns"]}
    assert list(patterns) == [(), ("age",), ("view",), ("age", "view")]
    areas = {fields: one["macro"]["auroc"] for fields, one in patterns.items()}
    assert areas[()] == areas[("age",)] == found["fused"]["macro"]["auroc"]
    assert areas[("view",)] == areas[("age", "view")] < areas[()]
    assert patterns[("age", "view")] == {
        "missing": ["age", "view"],
        **found["image_only"]["missing"],
    }


def test_four_fields_have_sixteen_patterns() -> None:
    patterns = list_patterns(("age", "follow_up", "view", "sex"))
    assert len(set(patterns)) == 16
    assert (patterns[0], patterns[-1]) == ((), ("age", "follow_up", "view", "sex"))


def test_hidden_fields_are_missing_and_the_others_stay() -> None:
    table = records()
    table["follow_up"] = pd.array([*range(NUM_ROWS)], dtype="Int64")
    hidden = hide_fields(table, ("age", "follow_up", "view"))
    columns = ["age_years", "follow_up", "view_position"]
    assert hidden[columns].isna().to_numpy().all()
    assert table[columns].notna().to_numpy().all()
    assert hidden["image_id"].equals(table["image_id"])
    pd.testing.assert_frame_equal(hide_fields(table, ()), table)


def test_averaging_gives_back_the_picture_half_of_a_sum() -> None:
    random = np.random.default_rng(0)
    image, record = random.normal(size=(2, 40, 3))
    references = np.arange(5)
    found = average_out(
        lambda rows, one: softmax(image[rows] + record[one], axis=1), references, 40
    )
    # log softmax(a + b_k) = a + b_k - a number of the row, which summing to 1 takes off
    expected = softmax(image + record[references].mean(axis=0), axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_rows_are_averaged_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    image, record = np.random.default_rng(0).normal(size=(2, 40, 3))
    asked = []

    def ask(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
        asked.append(len(rows))
        return softmax(image[rows] + record[others], axis=1)

    whole = average_out(ask, np.arange(2), 40)
    monkeypatch.setattr("dualnet.evaluation.auditing.audit.ROWS_AT_A_TIME", 16)
    assert (average_out(ask, np.arange(2), 40) == whole).all()
    assert asked == [40, 40, 16, 16, 16, 16, 8, 8]


def test_donors_are_other_patients_and_each_is_taken_once() -> None:
    patients = np.repeat(
        [f"p{number}" for number in range(9)], [1, 2, 9, 1, 5, 3, 4, 1, 1]
    )
    donors = find_donors(patients, seed=0)
    assert donors is not None
    assert sorted(donors) == list(range(27))
    assert (patients[donors] != patients).all()
    assert (find_donors(patients, seed=0) == donors).all()
    assert (find_donors(patients, seed=1) != donors).any()


def test_there_is_no_donor_for_more_than_half_of_the_rows() -> None:
    assert find_donors(np.array(["a", "a", "b"]), seed=0) is None
    assert find_donors(np.array(["a"]), seed=0) is None
    donors = find_donors(np.array(["a", "a", "b", "b"]), seed=0)
    assert donors is not None
    assert set(donors[:2]) == {2, 3}


def test_references_are_of_as_many_patients() -> None:
    patients = np.repeat([f"p{number}" for number in range(50)], 3)
    found = draw_references(patients, seed=0)
    assert len(set(patients[found])) == len(found) == NUM_AVERAGED
    assert (draw_references(patients, seed=0) == found).all()
    assert len(draw_references(np.array(["a", "b", "a"]), seed=0)) == 2


def test_a_single_patient_has_scores_but_no_permutation_and_no_interval() -> None:
    table = records().assign(patient_id="p")
    found = audit(table, np.random.default_rng(1).normal(size=(NUM_ROWS, 3)), 2.0)
    assert found["image_only"]["permuted"] is None
    assert found["metadata_only"]["permuted"] is None
    assert found["num_averaged"] == 1
    assert found["adds"]["record"]["macro_auroc"]["low"] is None
    assert found["fused"]["macro"]["auroc"] > 0.5
