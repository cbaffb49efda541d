"""CheXpert and PadChest, by the mappings that ship with dualnet."""

import hashlib
import logging
from pathlib import Path

import pytest
from class_folder_cases import touch
from table_cases import (
    CHEXPERT_ROWS,
    TRAIN,
    listed,
    write_chexpert,
    write_mapping,
    write_padchest,
)

from dualnet.data.readers import read_records
from dualnet.data.records import COLUMNS
from dualnet.findings import NIH


def test_reads_chexpert_by_the_mapping_of_that_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = write_chexpert(tmp_path)
    touch(tmp_path, "train/patient00002/study2/view1_frontal.jpg")
    with caplog.at_level(logging.INFO):
        records = read_records(tmp_path, mapping="chexpert")
    table = records.table
    assert tuple(table.columns) == COLUMNS
    names = [
        f"train/patient0000{n}/study{s}/view1_frontal.jpg"
        for n, s in ((1, 1), (2, 2), (3, 1))
    ]
    assert listed(table, "image_id") == names
    assert listed(table, "path") == [None, str(tmp_path / names[1]), None]
    assert listed(table, "patient_id") == [
        "patient00001",
        "patient00002",
        "patient00003",
    ]
    assert listed(table, "age_years") == [68.0, 87.0, 0.0]
    assert listed(table, "sex") == ["F", "M", None]
    assert listed(table, "view_position") == ["AP", "PA", None]
    assert listed(table, "follow_up") == [None, None, None]
    # No Finding does not count beside a device; uncertain ones are absent (U-Zeros)
    assert listed(table, "findings") == [
        ("Support Devices",),
        ("Fracture", "Lung Opacity"),
        ("No Finding",),
    ]
    assert set(table["source"]) == {"chexpert"}
    assert len(records.vocabulary.class_names) == 14
    assert records.vocabulary.negative == "No Finding"
    # the lateral one, and the one in which nothing is left but an uncertain finding
    assert records.notes == {
        "rows_in_table": 5,
        "left_out_by_Frontal/Lateral": 1,
        "left_out_without_a_finding": 1,
        "rows_with_uncertain_finding": 2,
        "rows_with_negative_beside_finding": 1,
    }
    assert records.counts["without_picture"] == 2
    assert (
        "train.csv: 5 rows; 1 left out by Frontal/Lateral; 1 left out without a finding"
    ) in caplog.text
    assert records.digests["train.csv"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert set(records.digests) == {"train.csv", "chexpert.yaml"}


@pytest.mark.parametrize("place", [TRAIN, "train"])
def test_nested_pictures_of_chexpert_are_found_from_either_folder(
    tmp_path: Path, place: str
) -> None:
    write_chexpert(tmp_path / place.removesuffix("train"))
    picture = f"{place}/patient00001/study1/view1_frontal.jpg"
    touch(tmp_path, picture)
    table = read_records(tmp_path, mapping="chexpert").table
    assert table["path"][0] == str(tmp_path / picture)
    assert table["image_id"][0] == "train/patient00001/study1/view1_frontal.jpg"


def chexpert_with(**changes: object) -> dict[str, object]:
    """A mapping of three of CheXpert's findings, with another policy."""
    findings = {
        "columns": {
            "No Finding": "Normal",
            "Cardiomegaly": "Cardiomegaly",
            "Pleural Effusion": "Effusion",
            "Lung Opacity": "Opacity",
        },
        "present": [1],
        "absent": [0, ""],
        "uncertain": -1,
        "policy": "U-Zeros",
        "otherwise": "leave_out",
    }
    return {
        "name": "some",
        "table": "train.csv",
        "image": {"id": "Path"},
        "patient": {"column": "Path", "pattern": r"patient(\d+)"},
        "age": None,
        "sex": None,
        "view": None,
        "follow_up": None,
        "vocabulary": {
            "findings": ["Opacity", "Effusion", "Cardiomegaly"],
            "negative": "Normal",
        },
        "finding_columns": {**findings, **changes},
        "finding_list": None,
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"policy": "U-Zeros"}, ("Opacity",)),
        ({"policy": "U-Ones"}, ("Cardiomegaly", "Effusion", "Opacity")),
        ({"policy": "U-Ignore"}, None),
        ({"policy_of": {"Effusion": "U-Ones"}}, ("Effusion", "Opacity")),
        ({"policy": "U-Ones", "policy_of": {"Effusion": "U-Ignore"}}, None),
    ],
)
def test_uncertain_findings_count_as_the_policy_says(
    tmp_path: Path, changes: dict[str, object], expected: tuple[str, ...] | None
) -> None:
    """Of the second row: opacity 1, cardiomegaly and effusion -1."""
    write_chexpert(tmp_path, *CHEXPERT_ROWS[:2])
    write_mapping(tmp_path, **chexpert_with(**changes))
    records = read_records(tmp_path)
    kept = [("00001", ("Normal",)), ("00002", expected)]
    columns = records.table[["patient_id", "findings"]].itertuples(index=False)
    assert [tuple(row) for row in columns] == kept[: 2 if expected else 1]
    assert records.notes == {
        "rows_in_table": 2,
        "rows_with_uncertain_finding": 1,
        **({} if expected else {"left_out_as_uncertain": 1}),
    }


def test_rows_without_a_finding_can_be_negative(tmp_path: Path) -> None:
    write_chexpert(tmp_path)
    write_mapping(tmp_path, **chexpert_with(otherwise="negative"))
    records = read_records(tmp_path)
    assert records.table["findings"].iloc[4] == ("Normal",)
    assert records.notes["rows_taken_as_negative"] == 1


def test_reads_padchest_by_the_mapping_of_that_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_padchest(tmp_path)
    touch(tmp_path, "0/a_00.png", "7/b_01.png", "54/d_03.png")
    with caplog.at_level(logging.INFO):
        records = read_records(tmp_path, mapping="padchest")
    table = records.table
    assert listed(table, "image_id") == ["a_00.png", "b_01.png", "d_03.png", "e_04.png"]
    assert listed(table, "path") == [
        str(tmp_path / "0" / "a_00.png"),
        str(tmp_path / "7" / "b_01.png"),
        str(tmp_path / "54" / "d_03.png"),
        None,
    ]
    assert listed(table, "patient_id") == ["P1", "P1", "P2", "P3"]
    assert listed(table, "age_years") == [84.0, 86.0, None, 27.0]
    assert listed(table, "sex") == ["M", "M", "F", None]
    assert listed(table, "view_position") == ["PA", "AP", "PA", "AP"]
    # the lateral radiograph of 2015 is left out, but P1 had been there
    assert listed(table, "follow_up") == [0, 2, 0, 0]
    assert listed(table, "findings") == [
        ("No Finding",),
        ("Effusion", "Pneumothorax", "Pneumonia"),
        ("No Finding",),
        ("Mass",),
    ]
    assert records.vocabulary == NIH
    assert records.notes == {
        "rows_in_table": 7,
        "left_out_by_Projection": 1,
        "left_out_without_labels": 1,
        "left_out_by_a_label": 1,
        "rows_with_negative_beside_finding": 1,
        "rows_taken_as_negative": 1,
        "rows_with_unlisted_label": 2,
    }
    assert records.counts["read"] == 4
    assert "7 rows; 1 left out by Projection; 1 left out without labels" in caplog.text
    assert "1 row taken as negative" in caplog.text
    assert "2 rows with unlisted label" in caplog.text


@pytest.mark.parametrize("place", ["images/7", "images", "images-224", "."])
def test_copies_of_padchest_are_found_in_one_folder_too(
    tmp_path: Path, place: str
) -> None:
    write_padchest(tmp_path)
    touch(tmp_path / place, "b_01.png")
    table = read_records(tmp_path, mapping="padchest").table
    assert table["path"][1] == str(tmp_path / place / "b_01.png")
    assert table["path"].notna().sum() == 1
