"""Splits: patients never cross."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from patient_tables import RATIOS, make_many, make_table, split

from dualnet.data.patients import Deal, gather_patients
from dualnet.data.readers import read_official_lists, read_records
from dualnet.data.split import (
    PARTS,
    check_split,
    count_shared_patients,
    sample_patients,
    split_by_ratios,
    split_official,
)
from dualnet.errors import ConfigError, RecordError
from dualnet.findings import NIH


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return make_many(400)


def part_of(split: pd.DataFrame) -> dict[str, str]:
    return dict(zip(split["image_id"], split["part"], strict=True))


def parts_with(table: pd.DataFrame, split: pd.DataFrame, finding: str) -> set[str]:
    has_it = table["findings"].map(lambda names: finding in names).to_numpy()
    return set(split["part"].to_numpy()[has_it])


def test_rarest_finding_is_by_number_of_patients() -> None:
    # Mass stands on more radiographs than Edema, but with fewer patients
    patients = gather_patients(
        make_table(("Mass|Edema",) * 9, ("Edema",), ("Edema", "No Finding"))
    )
    assert patients.findings == ("Mass", "No Finding", "Edema")
    assert patients.counts.tolist() == [1, 1, 3]
    assert patients.sizes.tolist() == [9, 1, 2]
    assert patients.strata.tolist() == [0, 2, 1]


def test_large_patients_are_dealt_first_within_a_stratum() -> None:
    sizes = [1, 5, 1, 20, 2, 6]
    table = make_table(*(("Mass",) * size for size in sizes), ("No Finding",))
    deal = Deal(gather_patients(table), [0.5, 0.5], seed=(0, 0))
    dealt = [[*sizes, 1][patient] for patient in deal.order]
    assert dealt[0] == 1  # No Finding is the rarest here
    assert dealt[1] == 20
    assert set(dealt[2:4]) == {5, 6}  # of about one size: by chance
    assert dealt[4:] == [2, 1, 1]


def test_split_names_each_image_in_the_order_of_the_table(table: pd.DataFrame) -> None:
    parts = split(table)
    assert list(parts.columns) == ["image_id", "patient_id", "part"]
    assert parts["image_id"].tolist() == table["image_id"].tolist()
    assert parts["patient_id"].tolist() == table["patient_id"].tolist()


def test_no_patient_is_in_two_parts(table: pd.DataFrame) -> None:
    parts = split(table)
    assert parts.groupby("patient_id")["part"].nunique().max() == 1
    assert count_shared_patients(parts) == 0


def test_ratios_of_radiographs_are_kept(table: pd.DataFrame) -> None:
    shares = split(table)["part"].value_counts(normalize=True)
    for part, ratio in RATIOS.items():
        assert shares[part] == pytest.approx(ratio, abs=1 / len(table))


def test_findings_are_stratified(table: pd.DataFrame) -> None:
    splits = np.stack([split(table, seed)["part"] for seed in range(10)])
    for finding in ("Edema", "Hernia", "Mass", "No Finding"):
        has_it = table["findings"].map(lambda names, f=finding: f in names).to_numpy()
        shares = [(splits[:, has_it] == part).mean() for part in PARTS]
        assert shares == pytest.approx([0.7, 0.1, 0.2], abs=0.05), finding


def test_every_patient_can_come_into_every_part() -> None:
    # the patient with half of its stratum's radiographs is dealt first, by chance
    table = make_table(("Mass",) * 8, *(("Mass",),) * 40, *(("No Finding",),) * 60)
    found = {part_of(split(table, seed))["0000_000.png"] for seed in range(20)}
    assert {"train", "test"} <= found


def test_same_seed_gives_the_same_split_and_another_another(
    table: pd.DataFrame,
) -> None:
    pd.testing.assert_frame_equal(split(table, 3), split(table, 3))
    assert part_of(split(table, 3)) != part_of(split(table, 4))


def test_order_of_rows_makes_no_difference(table: pd.DataFrame) -> None:
    shuffled = table.sample(frac=1, random_state=1)
    assert part_of(split(shuffled)) == part_of(split(table))
    lists = dict.fromkeys(table["image_id"], "train_val")
    lists.update(dict.fromkeys(table["image_id"][table["patient_id"] > "7"], "test"))
    for function in (
        lambda rows: split_official(rows, lists, val=0.2, seed=0),
        lambda rows: sample_patients(rows, num_images=300, seed=0).assign(part=""),
    ):
        assert part_of(function(shuffled)) == part_of(function(table))


def test_finding_of_three_patients_is_in_each_part() -> None:
    hernia = (("Hernia",), ("Hernia",), ("Hernia|Mass",))
    table = make_table(*hernia, *(("Mass",),) * 20, *(("No Finding",) * 2,) * 200)
    for seed in range(10):
        assert parts_with(table, split(table, seed), "Hernia") == set(PARTS)


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.lists(
            st.lists(
                st.sampled_from(NIH.findings[:6]), min_size=1, max_size=3, unique=True
            ),
            min_size=1,
            max_size=5,
        ),
        min_size=3,
        max_size=25,
    ),
    st.integers(0, 99),
)
def test_any_table_is_split_without_sharing_or_refused(
    labels: list[list[list[str]]], seed: int
) -> None:
    table = make_table(*(tuple("|".join(v) for v in visits) for visits in labels))
    patients = gather_patients(table)
    try:
        parts = split(table, seed)
    except RecordError as error:
        assert patients.counts.min() < 3 or "tie to a part" in str(error)
        return
    assert count_shared_patients(parts) == 0
    for finding in patients.findings:
        assert parts_with(table, parts, finding) == set(PARTS)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(1, 20), min_size=60, max_size=80), st.integers(0, 99))
def test_ratios_are_kept_as_nearly_as_patients_allow(
    sizes: list[int], seed: int
) -> None:
    table = make_table(*(("No Finding",) * size for size in sizes))
    counts = split(table, seed)["part"].value_counts()
    for part, ratio in RATIOS.items():
        assert abs(counts[part] - ratio * len(table)) <= max(sizes)


def test_rare_finding_is_refused_by_name_and_count() -> None:
    table = make_table(("Hernia",), *(("Edema",),) * 2, *(("No Finding",),) * 30)
    with pytest.raises(RecordError, match=r"at least 3 .*Hernia \(1\), Edema \(2\)\. "):
        split(table)
    with pytest.raises(RecordError, match=r"split.rare_findings=train"):
        split(table)


def test_rare_findings_go_to_train_when_asked(caplog: pytest.LogCaptureFixture) -> None:
    table = make_table(
        ("Hernia", "No Finding"), *(("Edema",),) * 2, *(("No Finding",),) * 60
    )
    with caplog.at_level(logging.INFO):
        parts = split(table, rare_findings="train")
    assert parts_with(table, parts, "Hernia") == {"train"}
    assert parts_with(table, parts, "Edema") == {"train"}
    assert parts["part"].value_counts()["test"] == pytest.approx(0.2 * 64, abs=1)
    assert "kept in train: Hernia (1), Edema (2)" in caplog.text


def test_finding_that_rarer_ones_tie_to_a_part_is_refused() -> None:
    # where Mass and Nodule keep both patients of Pneumonia in one part, none can move
    table = make_table(
        ("Mass|Pneumonia",), ("Nodule|Pneumonia",), ("Mass",), ("Nodule",)
    )
    lists = dict.fromkeys(table["image_id"], "train_val") | {"t.png": "test"}
    table = pd.concat([table, table.tail(1).assign(image_id="t.png", patient_id="t")])
    outcomes = {_split_or_say_why(table, lists, seed) for seed in range(30)}
    assert outcomes == {
        "done",
        "split: each finding must be in each part. Received: Pneumonia, whose few "
        "patients rarer findings tie to a part. Try another seed, or set "
        "split.rare_findings=train.",
    }


def _split_or_say_why(table: pd.DataFrame, lists: dict[str, str], seed: int) -> str:
    try:
        split_official(table, lists, val=0.5, seed=seed)
    except RecordError as error:
        return str(error)
    return "done"


def test_unknown_policy_for_rare_findings_is_an_error(table: pd.DataFrame) -> None:
    with pytest.raises(ConfigError, match=r"one of refuse, train. Received: 'drop'"):
        split(table, rare_findings="drop")


@pytest.mark.parametrize(
    "ratios",
    [
        {"train": 0.7, "val": 0.1, "test": 0.1},
        {"train": 0.8, "val": 0.2},
        {"train": 1.2, "val": -0.4, "test": 0.2},
    ],
)
def test_ratios_that_are_none_are_an_error(
    table: pd.DataFrame, ratios: dict[str, float]
) -> None:
    with pytest.raises(
        ConfigError, match=r"must be above 0 and sum to 1. Received: \{"
    ):
        split_by_ratios(table, ratios=ratios, seed=0)


def test_too_few_patients_leave_a_part_empty() -> None:
    table = make_table(("No Finding",) * 3, ("No Finding",))
    with pytest.raises(RecordError, match=r"Received: val with 0 of 4"):
        split(table, rare_findings="train")


def official(table: pd.DataFrame) -> dict[str, str]:
    test = table["patient_id"].astype(int) % 4 == 0
    return dict(
        zip(table["image_id"], np.where(test, "test", "train_val"), strict=True)
    )


def test_official_lists_decide_on_test_and_val_is_drawn(table: pd.DataFrame) -> None:
    lists = official(table)
    parts = split_official(table, lists, val=0.1, seed=0)
    for image, part in part_of(parts).items():
        assert (part == "test") == (lists[image] == "test")
    counts = parts["part"].value_counts()
    num_open = counts["train"] + counts["val"]
    assert counts["val"] == pytest.approx(0.1 * num_open, abs=1)
    assert count_shared_patients(parts) == 0
    another = split_official(table, lists, val=0.1, seed=1)
    assert part_of(parts) != part_of(another)


def test_image_on_no_list_is_named_and_counted(table: pd.DataFrame) -> None:
    lists = official(table)
    first, second = table["image_id"][[5, 9]]
    del lists[first], lists[second]
    with pytest.raises(
        RecordError, match=f"Received: 2 that are not, the first {first}"
    ):
        split_official(table, lists, val=0.1, seed=0)


def test_lists_that_share_a_patient_are_refused(table: pd.DataFrame) -> None:
    lists = official(table)
    visits = table["image_id"][table["patient_id"] == "1"]
    table = pd.concat([table, table[table["image_id"] == visits.iloc[0]]])
    table.iloc[-1, table.columns.get_loc("image_id")] = "again.png"
    with pytest.raises(RecordError, match=r"Received: 1 shared patient\. "):
        split_official(table, {**lists, "again.png": "test"}, val=0.1, seed=0)


def test_lists_with_test_alone_leave_train_empty(table: pd.DataFrame) -> None:
    lists = dict.fromkeys(table["image_id"], "test")
    with pytest.raises(RecordError, match=r"Received: train with 0 of"):
        split_official(table, lists, val=0.1, seed=0)


def make_split(*parts: str, patients: str = "abcdef") -> pd.DataFrame:
    images = [f"{row}.png" for row in range(len(parts))]
    return pd.DataFrame(
        {"image_id": images, "patient_id": list(patients)[: len(parts)], "part": parts}
    )


def test_check_split_lets_a_good_one_pass() -> None:
    check_split(make_split("train", "val", "test", "train"))


@pytest.mark.parametrize(
    ("parts", "patients", "message"),
    [
        (("train", "test", "test"), "abc", "Received: val with 0 of 3"),
        (("train", "val", "test", "valid"), "abcd", "Received: part='valid'"),
        (
            ("train", "val", "test", "val", "test"),
            "abcab",
            "Received: 2 shared patients",
        ),
    ],
)
def test_check_split_refuses(
    parts: tuple[str, ...], patients: str, message: str
) -> None:
    with pytest.raises(RecordError, match=message):
        check_split(make_split(*parts, patients=patients))


@pytest.mark.real_data
def test_real_table_is_split_to_the_row(real_data: Path) -> None:
    table = read_records(real_data / "nih").table
    parts = split(table)
    assert parts["part"].value_counts().to_dict() == {
        "train": 78484,
        "test": 22424,
        "val": 11212,
    }
    for finding in NIH.class_names:
        assert parts_with(table, parts, finding) == set(PARTS)
    sample = sample_patients(table, num_images=15000, seed=0)
    assert len(sample) == 15000


@pytest.mark.real_data
@pytest.mark.parametrize("seed", [0, 1])
def test_real_pictures_are_split_either_way(real_data: Path, seed: int) -> None:
    table = read_records(real_data / "nih").pictured()
    parts = split(table, seed)
    assert count_shared_patients(parts) == 0
    assert parts["part"].value_counts()["train"] == 1318
    lists = read_official_lists(real_data / "nih")
    parts = split_official(table, lists, val=0.1, seed=seed)
    assert parts["part"].value_counts()["test"] == 429
    assert count_shared_patients(parts) == 0
