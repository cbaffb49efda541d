"""Counterfactuals: who is asked, what is changed, how far that moves a class."""

import numpy as np
import pandas as pd
import pytest
from explore_cases import make_rows
from scipy.special import softmax

from dualnet.data.metadata import MetadataEncoder
from dualnet.evaluation.auditing.counterfactuals import (
    ask_counterfactuals,
    list_counterfactuals,
)

FIELDS = ("age", "follow_up", "view", "sex")
NAMES = ("A", "N")


@pytest.fixture
def table() -> pd.DataFrame:
    return make_rows(
        ("p", "A", 10, "F", "PA", 0),
        ("q", "N", 50, "M", "AP", 3),
        ("r", "A", 70, None, "LATERAL", None),
        ("s", "N", None, "F", None, 1),
    )


def test_only_rows_that_know_a_field_are_asked(table: pd.DataFrame) -> None:
    found = {
        name: (changed.tolist(), other)
        for name, changed, other in list_counterfactuals(table, FIELDS)
    }
    asked = {
        name: np.flatnonzero(changed).tolist() for name, (changed, _) in found.items()
    }
    assert asked == {
        "age_plus_20": [0, 1],  # 70 is the oldest
        "age_minus_20": [1, 2],  # nobody is younger than 0
        "first_visit": [1, 3],  # the others were not there before
        "view_pa_to_ap": [0],
        "view_ap_to_pa": [1],
        "sex_m_to_f": [1],
        "sex_f_to_m": [0, 3],
    }
    assert found["age_plus_20"][1]["age_years"].tolist()[:3] == [30, 70, 70]
    assert found["first_visit"][1]["follow_up"].tolist() == [0, 0, pd.NA, 0]
    assert found["view_pa_to_ap"][1]["view_position"].tolist()[:3] == [
        "AP",
        "AP",
        "LATERAL",
    ]
    assert found["sex_f_to_m"][1]["sex"].tolist() == ["M", "M", table["sex"][2], "M"]
    assert table["age_years"].tolist()[:2] == [10, 50]  # as it was


def test_only_the_fields_of_the_model_are_changed(table: pd.DataFrame) -> None:
    names = [name for name, _, _ in list_counterfactuals(table, ("view",))]
    assert names == ["view_pa_to_ap", "view_ap_to_pa"]


def test_the_change_is_that_of_the_logit(table: pd.DataFrame) -> None:
    encoder = MetadataEncoder(("view",)).fit(table)
    column = encoder.feature_names.index("view_AP")

    def predict(metadata: np.ndarray, whose: np.ndarray) -> np.ndarray:
        assert whose.tolist() == [0, 1, 2, 3]
        logits = np.zeros((4, 2))
        logits[:, 0] = 2 * metadata[:, column] - 1  # AP: +1, else -1
        return softmax(logits, axis=1)

    found, cases = ask_counterfactuals(
        table, class_names=NAMES, negative="N", encoder=encoder, predict=predict
    )
    assert list(found) == ["view_pa_to_ap", "view_ap_to_pa"]
    one = found["view_pa_to_ap"]
    assert (one["num_images"], one["answers_changed"]) == (1, 1.0)
    # of two classes, the logit of A is its logit less that of N
    assert one["classes"]["A"]["logit"]["mean"] == pytest.approx(2)
    assert one["classes"]["N"]["logit"]["quantiles"]["0.5"] == pytest.approx(-2)
    step = 1 / (1 + np.exp(-1)) - 1 / (1 + np.exp(1))
    assert one["classes"]["A"]["probability"]["mean"] == pytest.approx(step)
    assert one["largest"][0]["image_id"] == "0.png"
    assert found["view_ap_to_pa"]["classes"]["A"]["logit"]["mean"] == pytest.approx(-2)
    assert cases["image_id"].tolist() == ["0.png", "1.png"]
    assert cases["answer_before"].tolist() == ["N", "A"]
    assert cases["answer_after"].tolist() == ["A", "N"]


def test_where_nobody_can_be_asked_that_is_said(table: pd.DataFrame) -> None:
    table = table.assign(sex=pd.array([None] * 4, dtype="str"))
    encoder = MetadataEncoder(("sex",)).fit(table)
    found, cases = ask_counterfactuals(
        table,
        class_names=NAMES,
        negative="N",
        encoder=encoder,
        predict=lambda metadata, _: np.full((len(metadata), 2), 0.5),
    )
    assert found == {"sex_m_to_f": {"num_images": 0}, "sex_f_to_m": {"num_images": 0}}
    assert cases.empty
