"""The metadata encoder: values, flags, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from dualnet.data.metadata import MetadataEncoder
from dualnet.errors import ConfigError, RecordError, RunError

ALL = ("age", "follow_up", "view", "sex")


def make_table(**columns: list) -> pd.DataFrame:
    """Records with the columns given; ages 40 and 60 otherwise."""
    size = len(next(iter(columns.values()))) if columns else 2
    table = pd.DataFrame(
        {
            "image_id": [f"{row}.png" for row in range(size)],
            "age_years": columns.get("age_years", [40.0, 60.0] * (size // 2)),
            "follow_up": columns.get("follow_up", [0] * size),
            "view_position": columns.get("view_position", ["PA"] * size),
            "sex": columns.get("sex", ["F"] * size),
        }
    )
    return table.astype({"follow_up": "Int64", "age_years": "float64"})


def test_features_are_named_in_the_order_of_the_fields() -> None:
    encoder = MetadataEncoder(ALL)
    assert encoder.feature_names == (
        "age",
        "age_missing",
        "follow_up",
        "follow_up_missing",
        "view_PA",
        "view_AP",
        "view_LATERAL",
        "view_missing",
        "sex_M",
        "sex_F",
        "sex_missing",
    )
    assert encoder.num_features == 11
    assert encoder.missing_indices == {"age": 1, "follow_up": 3, "view": 7, "sex": 10}
    assert MetadataEncoder(("view", "age")).feature_names[:2] == ("view_PA", "view_AP")
    assert MetadataEncoder().fields == ("age", "follow_up", "view")


def test_ages_are_standardised_by_the_training_part() -> None:
    encoder = MetadataEncoder(("age",)).fit(make_table())  # mean 50, deviation 10
    features = encoder.transform(make_table(age_years=[50.0, 65.0, np.nan, 0.0]))
    assert features.dtype == np.float32
    assert features.tolist() == [[0, 0], [1.5, 0], [0, 1], [-5, 0]]


def test_follow_up_is_standardised_as_a_logarithm() -> None:
    train = make_table(follow_up=[0, 3])  # log 1 and log 4: mean and deviation log 2
    encoder = MetadataEncoder(("follow_up",)).fit(train)
    features = encoder.transform(make_table(follow_up=[1, 7, None, 0]))
    expected = np.array([[0, 0], [2, 0], [0, 1], [-1, 0]], dtype="float32")
    assert features == pytest.approx(expected, abs=1e-6)


def test_categories_are_one_hot_with_a_missing_flag() -> None:
    table = make_table(
        view_position=["PA", "AP", "LATERAL", None], sex=["M", "F", None, "F"]
    )
    features = MetadataEncoder(("view", "sex")).fit(table).transform(table)
    assert features.tolist() == [
        [1, 0, 0, 0, 1, 0, 0],
        [0, 1, 0, 0, 0, 1, 0],
        [0, 0, 1, 0, 0, 0, 1],
        [0, 0, 0, 1, 0, 1, 0],
    ]


def test_view_that_training_never_saw_is_still_one_hot() -> None:
    encoder = MetadataEncoder(("view",)).fit(make_table())
    assert encoder.transform(make_table(view_position=["LATERAL"] * 2)).tolist() == [
        [0, 0, 1, 0],
        [0, 0, 1, 0],
    ]


def test_values_far_outside_training_are_limited() -> None:
    encoder = MetadataEncoder(("age",)).fit(make_table())
    assert encoder.transform(make_table(age_years=[120.0, 0.0]))[:, 0].tolist() == [
        5,
        -5,
    ]


def test_field_missing_from_all_of_training_speaks_by_its_flag_alone() -> None:
    table = make_table(age_years=[np.nan, np.nan])
    encoder = MetadataEncoder(("age",)).fit(table)
    assert encoder.transform(table).tolist() == [[0, 1], [0, 1]]
    assert np.isfinite(encoder.transform(make_table())).all()


def test_field_that_never_varies_is_finite() -> None:
    table = make_table(age_years=[30.0, 30.0])
    assert (
        MetadataEncoder(("age",)).fit(table).transform(table).tolist() == [[0, 0]] * 2
    )


def test_field_whose_one_value_cannot_be_summed_exactly_says_nothing() -> None:
    # the mean of ten log(1 + 2) is one rounding away from it, their deviation 2e-16
    encoder = MetadataEncoder(("follow_up",)).fit(make_table(follow_up=[2] * 10))
    assert encoder.statistics["follow_up"] == (np.log1p(2), 1.0)
    assert encoder.transform(make_table(follow_up=[2, 2])).tolist() == [[0, 0], [0, 0]]


def test_only_the_training_part_is_fitted() -> None:
    encoder = MetadataEncoder(("age",)).fit(make_table())
    before = encoder.transform(make_table())
    encoder.transform(make_table(age_years=[1.0, 2.0]))
    assert (encoder.transform(make_table()) == before).all()


def test_fitting_ignores_what_is_missing() -> None:
    with_gap = make_table(age_years=[40.0, np.nan, 60.0, np.nan])
    encoder = MetadataEncoder(("age",)).fit(with_gap)
    assert encoder.statistics == {"age": (50.0, 10.0)}


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.none() | st.floats(0, 120),
            st.none() | st.integers(0, 9999),
            st.sampled_from(["PA", "AP", "LATERAL", None]),
            st.sampled_from(["M", "F", None]),
        ),
        min_size=2,
        max_size=20,
    )
)
def test_features_are_finite_and_flags_say_what_is_missing(rows: list[tuple]) -> None:
    names = ("age_years", "follow_up", "view_position", "sex")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    table = make_table(**columns)
    encoder = MetadataEncoder(ALL).fit(table.head(len(table) // 2))
    features = encoder.transform(table)
    assert features.shape == (len(rows), 11)
    assert np.isfinite(features).all()
    assert np.abs(features).max() <= 5
    for field, name in zip(ALL, names, strict=True):
        flags = features[:, encoder.missing_indices[field]]
        assert (flags == table[name].isna()).all()


def test_saved_encoder_is_loaded_the_same(tmp_path: Path) -> None:
    train = make_table(age_years=[1 / 3, 77.7], follow_up=[1, 7])
    encoder = MetadataEncoder(ALL).fit(train)
    encoder.save(tmp_path / "encoder.json")
    loaded = MetadataEncoder.load(tmp_path / "encoder.json")
    assert loaded.fields == encoder.fields
    assert loaded.statistics == encoder.statistics
    table = make_table(age_years=[12.5, np.nan], follow_up=[None, 3])
    assert (loaded.transform(table) == encoder.transform(table)).all()


@pytest.mark.parametrize(
    ("fields", "received"),
    [(("age", "weight"), "'weight'"), (("age", "age"), "'age', 'age'"), ((), r"\(\)")],
)
def test_wrong_fields_are_an_error(fields: tuple[str, ...], received: str) -> None:
    with pytest.raises(ConfigError, match=f"some of age, .*Received: .*{received}"):
        MetadataEncoder(fields)


def test_transform_before_fit_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"must be fitted first"):
        MetadataEncoder().transform(make_table())


def test_fit_on_nothing_is_an_error() -> None:
    with pytest.raises(RecordError, match=r"at least one record. Received: 0"):
        MetadataEncoder().fit(make_table().head(0))


@pytest.mark.parametrize("age", [np.inf, -np.inf, -3.0])
def test_number_that_is_none_is_named_by_image(age: float) -> None:
    encoder = MetadataEncoder(("age",)).fit(make_table())
    table = make_table(age_years=[50.0, age])
    with pytest.raises(
        RecordError, match=rf"image 1.png: `age_years` .*age_years={age}\."
    ):
        encoder.transform(table)
    with pytest.raises(RecordError, match=r"image 1.png"):
        encoder.fit(table)


def test_unknown_category_is_named_by_image() -> None:
    encoder = MetadataEncoder(("view",)).fit(make_table())
    table = make_table(view_position=["PA", "OBLIQUE"])
    with pytest.raises(RecordError, match=r"image 1.png: `view_pos.*=OBLIQUE"):
        encoder.transform(table)


def test_absent_column_is_an_error() -> None:
    encoder = MetadataEncoder(("sex",)).fit(make_table())
    with pytest.raises(RecordError, match=r"must have a column `sex`"):
        encoder.transform(make_table().drop(columns="sex"))


def make_file(tmp_path: Path, **changes: object) -> Path:
    file = tmp_path / "encoder.json"
    MetadataEncoder(("age",)).fit(make_table()).save(file)
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    return file


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metadata_encoder": 7}, "`metadata_encoder` must be 1. Received: 7"),
        ({"fields": ["weight"]}, "Received: unusable `fields` or `stat"),
        ({"statistics": {}}, "Received: unusable `fields` or `stat"),
        (
            {"statistics": {"age": {"mean": 1.0, "std": 0.0}}},
            "Received: unusable `fields` or `stat",
        ),
        (
            {"statistics": {"age": {"mean": "a", "std": 1.0}}},
            "Received: unusable `fields` or `stat",
        ),
        ({"statistics": {"age": 3}}, "Received: unusable `fields` or `stat"),
        ({"feature_names": ["age"]}, "Received: other feature names"),
    ],
)
def test_damaged_file_is_an_error(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(RunError, match=f"encoder.json: .*{message}"):
        MetadataEncoder.load(make_file(tmp_path, **changes))


@pytest.mark.parametrize(
    ("text", "message"), [("{", "text that is no JSON"), ("[]", "no mapping")]
)
def test_file_that_is_no_encoder_is_an_error(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "encoder.json").write_text(text)
    with pytest.raises(RunError, match=f"Received: {message}"):
        MetadataEncoder.load(tmp_path / "encoder.json")


def test_absent_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"Received: No such file"):
        MetadataEncoder.load(tmp_path / "absent.json")
