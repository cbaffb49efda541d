"""Label rules, and the count of what they drop."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from dualnet.data.labels import (
    full_labels,
    label_matrix,
    make_targets,
    target_activation,
    target_classes,
)
from dualnet.data.readers import read_records
from dualnet.errors import ConfigError, RecordError
from dualnet.findings import NIH

FINDINGS = [("Edema", "Mass"), ("No Finding",), ("Edema",), ("Mass", "Hernia", "Edema")]


def columns(*names: str) -> list[int]:
    return [NIH.class_names.index(name) for name in names]


def make_values(findings: list[tuple[str, ...]], rule: str) -> np.ndarray:
    return make_targets(findings, NIH, rule).matrix


def test_class_names_are_alphabetical_with_the_negative_class_among_them() -> None:
    names = make_targets(FINDINGS, NIH, "first").class_names
    assert len(names) == 15
    assert list(names) == sorted(names)
    assert names.index("No Finding") == 10


def test_full_labels_hold_every_label() -> None:
    labels = full_labels(FINDINGS, NIH)
    assert labels.dtype == bool
    assert labels.shape == (4, 15)
    assert [np.flatnonzero(row).tolist() for row in labels] == [
        columns("Edema", "Mass"),
        columns("No Finding"),
        columns("Edema"),
        columns("Edema", "Hernia", "Mass"),
    ]


def test_first_takes_the_label_that_stands_first() -> None:
    values = make_values(FINDINGS, "first")
    assert values.dtype == np.float32
    assert values.argmax(axis=1).tolist() == columns(
        "Edema", "No Finding", "Edema", "Mass"
    )
    assert np.unique(values).tolist() == [0.0, 1.0]


def test_soft_gives_equal_parts() -> None:
    values = make_values(FINDINGS, "soft")
    assert values[0, columns("Edema", "Mass")].tolist() == [0.5, 0.5]
    assert values[3, columns("Edema", "Hernia", "Mass")] == pytest.approx([1 / 3] * 3)


def test_dropped_counts_what_first_throws_away() -> None:
    dropped = make_targets(FINDINGS, NIH, "first").dropped.set_index("finding")
    assert dropped.loc["Edema"].tolist() == [3, 2, 1, pytest.approx(1 / 3)]
    assert dropped.loc["Mass"].tolist() == [2, 1, 1, 0.5]
    assert dropped.loc["Hernia"].tolist() == [1, 0, 1, 1.0]
    assert dropped.loc["Nodule", ["present", "kept", "dropped"]].tolist() == [0, 0, 0]
    assert np.isnan(dropped.loc["Nodule", "dropped_share"])
    assert "No Finding" not in dropped.index
    assert len(dropped) == 14


def test_soft_drops_nothing() -> None:
    assert make_targets(FINDINGS, NIH, "soft").dropped["dropped"].sum() == 0


def test_targets_of_a_series_go_by_position() -> None:
    series = pd.Series(FINDINGS, index=[7, 3, 3, 0])
    assert (full_labels(series, NIH) == full_labels(FINDINGS, NIH)).all()


def test_targets_of_no_rows_have_their_columns() -> None:
    assert make_values([], "first").shape == (0, 15)


def test_label_matrix_has_the_columns_asked_for() -> None:
    matrix = label_matrix([("b",), ("a", "b")], ["b", "a"])
    assert matrix.tolist() == [[True, False], [True, True]]


@given(
    st.lists(
        st.lists(st.sampled_from(NIH.findings), min_size=1, unique=True).map(tuple),
        min_size=1,
    ),
    st.sampled_from(["first", "soft"]),
)
def test_every_target_sums_to_one_and_holds_only_labels(
    findings: list[tuple[str, ...]], rule: str
) -> None:
    values = make_values(findings, rule)
    assert values.sum(axis=1) == pytest.approx(np.ones(len(findings)))
    assert not values[~full_labels(findings, NIH)].any()


def test_multi_hot_is_each_finding_without_the_negative_class() -> None:
    targets = make_targets(FINDINGS, NIH, "multi_hot")
    assert targets.class_names == NIH.findings
    assert targets.matrix.dtype == np.float32
    assert [
        [name for name, one in zip(NIH.findings, row, strict=True) if one]
        for row in targets.matrix
    ] == [["Edema", "Mass"], [], ["Edema"], ["Edema", "Hernia", "Mass"]]
    assert np.unique(targets.matrix).tolist() == [0.0, 1.0]
    assert targets.dropped["dropped"].sum() == 0
    assert targets.dropped["present"].sum() == 6


@pytest.mark.parametrize(
    ("rule", "activation", "classes"),
    [
        ("first", "softmax", NIH.class_names),
        ("member", "softmax", NIH.class_names),
        ("soft", "softmax", NIH.class_names),
        ("multi_hot", "sigmoid", NIH.findings),
    ],
)
def test_a_rule_decides_what_a_model_ends_in(
    rule: str, activation: str, classes: tuple[str, ...]
) -> None:
    assert target_activation(rule) == activation
    assert target_classes(NIH, rule) == classes


def test_unknown_rule_is_an_error() -> None:
    with pytest.raises(
        ConfigError, match=r"one of first, member, soft, multi_hot. Received: 'last'"
    ):
        make_targets(FINDINGS, NIH, "last")


@pytest.mark.parametrize(("names", "received"), [(("Flu",), "'Flu'"), ((), "''")])
def test_unknown_or_absent_label_is_an_error(
    names: tuple[str, ...], received: str
) -> None:
    with pytest.raises(RecordError, match=f"Received: {received}"):
        full_labels([("Edema",), names], NIH)


@pytest.mark.real_data
def test_first_drops_what_is_known_of_the_real_table(real_data: Path) -> None:
    findings = read_records(real_data / "nih").table["findings"]
    assert findings.nunique() == 836
    targets = make_targets(findings, NIH, "first")
    dropped = targets.dropped.set_index("finding")
    assert dropped.loc["Pneumonia", ["present", "kept"]].tolist() == [1431, 325]
    shares = (100 * dropped["dropped_share"]).round(1)
    assert shares["Pneumonia"] == 77.3
    assert shares["Pleural_Thickening"] == 64.0
    assert shares["Pneumothorax"] == 58.5
    assert shares["Nodule"] == 52.5
    assert shares["Atelectasis"] == 0.1
    several = full_labels(findings, NIH).sum(axis=1) > 1
    assert several.sum() == 20796
