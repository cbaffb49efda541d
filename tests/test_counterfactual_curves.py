"""Counterfactual curves of a model whose answer is known by hand."""

import keras
import numpy as np
import pandas as pd
import pytest

from dualnet.data.metadata import MetadataEncoder
from dualnet.data.records import TEXT
from dualnet.explain.counterfactual_curves import compute_curves, list_values
from dualnet.explain.split_model import split_model

FIELDS = ("age", "follow_up", "view", "sex")


def table(**columns) -> pd.DataFrame:
    number = len(next(iter(columns.values())))
    known = {
        "image_id": [str(one) for one in range(number)],
        "age_years": [40.0] * number,
        "follow_up": [0] * number,
        "view_position": ["PA"] * number,
        "sex": ["M"] * number,
    }
    return pd.DataFrame(known | columns).astype(
        {
            "age_years": "float64",
            "follow_up": "Int64",
            "view_position": TEXT,
            "sex": TEXT,
        }
    )


@pytest.fixture
def train() -> pd.DataFrame:
    return table(
        age_years=[30.0, 50.0, None],
        follow_up=[0, 3, 1],
        view_position=["PA", "AP", "AP"],
    )


def linear_model(num_features: int, weights: dict[int, float]) -> keras.Model:
    """Sigmoid of a weighted sum of the encoded record."""
    metadata = keras.Input((num_features,), name="metadata")
    dense = keras.layers.Dense(1, name="logits")
    logits = dense(metadata)
    outputs = keras.layers.Activation("sigmoid", name="probabilities")(logits)
    kernel = np.zeros((num_features, 1))
    for column, weight in weights.items():
        kernel[column] = weight
    dense.set_weights([kernel, np.zeros(1)])
    return keras.Model({"metadata": metadata}, outputs)


def test_values_are_those_of_the_training_part(train) -> None:
    own = table(age_years=[33.5])
    ages = list_values(train, own, "age", unknown=True)
    assert ages[:5] == (30.0, 31.0, 32.0, 33.0, 33.5)
    assert ages[-2:] == (50.0, None)
    assert list_values(train, own, "follow_up", unknown=False) == (0, 1, 2, 3)
    assert list_values(train, own, "view", unknown=False) == ("PA", "AP")
    assert list_values(train, table(sex=["F"]), "sex", unknown=False) == ("M", "F")
    unknown = table(view_position=[None])
    assert list_values(train, unknown, "view", unknown=False) == ("PA", "AP", None)


def test_many_values_are_tried_in_steps_to_the_last(train) -> None:
    many = table(follow_up=[0, 183])
    values = list_values(many, table(follow_up=[7]), "follow_up", unknown=False)
    assert values[:3] == (0, 2, 4)
    assert {7, 183} <= set(values)
    assert len(values) <= 95


def test_curves_are_those_worked_out_by_hand(train) -> None:
    encoder = MetadataEncoder(FIELDS).fit(train)
    names = encoder.feature_names
    # log-odds: the age in standard deviations of 10 years, 2 more for AP
    weights = {names.index("age"): 1.0, names.index("view_AP"): 2.0}
    split = split_model(linear_model(len(names), weights))
    age, view = compute_curves(
        split,
        [],
        table(age_years=[40.0]),
        encoder=encoder,
        values={"age": (30.0, 40.0, 50.0, None), "view": ("PA", "AP")},
        train=train,
    )
    sigmoid = 1 / (1 + np.exp(-np.array([-1.0, 0.0, 1.0, 0.0])))
    np.testing.assert_allclose(age.probabilities[:, 0], sigmoid, atol=1e-6)
    np.testing.assert_allclose(
        view.probabilities[:, 0], [0.5, 1 / (1 + np.exp(-2))], atol=1e-6
    )
    assert (age.own, view.own) == (1, 0)
    assert age.typical == pytest.approx((31, 49))  # 5th and 95th of 30 and 50
    assert view.typical is None


def test_a_field_that_nobody_knows_has_its_own_value_alone() -> None:
    train = table(age_years=[None, None])
    assert list_values(train, table(age_years=[None]), "age", unknown=True) == (None,)
    assert list_values(train, table(age_years=[9.0]), "age", unknown=False) == (9.0,)
