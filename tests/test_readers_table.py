"""Tables by a mapping: CheXpert, PadChest, one of our own; errors; the whole way."""

import hashlib
import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from class_folder_cases import touch
from run_cases import configure
from table_cases import (
    CHEXPERT_ROWS,
    PADCHEST_ROWS,
    PLAIN,
    PLAIN_ROWS,
    TRAIN,
    write_chexpert,
    write_lines,
    write_mapping,
    write_padchest,
    write_plain,
)

from dualnet.cli import main
from dualnet.config import read_config
from dualnet.data.phantom import make_phantom
from dualnet.data.readers import read_records
from dualnet.data.records import COLUMNS
from dualnet.errors import ConfigError, RecordError
from dualnet.findings import NIH
from dualnet.jobs.prepare import prepare_data
from dualnet.jobs.sources import read_source, split_patients
from dualnet.jobs.train import train_run


def listed(table: pd.DataFrame, column: str) -> list[object]:
    """A column as plain values; None where it is missing."""
    return [
        None if value is pd.NA or value != value else value for value in table[column]
    ]


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


def test_many_pictures_in_few_folders_are_found_by_listing_them(tmp_path: Path) -> None:
    rows = [f"{n}.png,{n},,,,,normal" for n in range(50)]
    write_plain(tmp_path, *rows, image={"id": "File", "paths": ["x/{id}", "y/{id}"]})
    touch(tmp_path / "y", *(f"{n}.png" for n in range(0, 50, 2)))
    path = read_records(tmp_path).table["path"]
    assert path.notna().tolist() == [n % 2 == 0 for n in range(50)]
    assert path[48] == str(tmp_path / "y" / "48.png")


def test_a_folder_that_cannot_be_listed_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_plain(tmp_path, *(f"{n}.png,{n},,,,,normal" for n in range(50)))

    list_folder = os.listdir

    def refuse(folder: str | Path) -> list[str]:
        if str(folder).startswith(str(tmp_path)):
            raise PermissionError(13, "Permission denied", str(folder))
        return list_folder(folder)

    monkeypatch.setattr("os.listdir", refuse)
    expected = "the folder of pictures must be readable. Received: Permission denied"
    with pytest.raises(RecordError, match=expected):
        read_records(tmp_path)


def test_a_mapping_in_the_folder_decides(tmp_path: Path) -> None:
    write_plain(tmp_path)
    (tmp_path / "a.dcm").write_bytes(b"\0" * 128 + b"DICM")
    (tmp_path / "Data_Entry_2017.csv").touch()
    assert read_records(tmp_path).table["source"].unique().tolist() == ["ours"]
    with pytest.raises(RecordError, match=r"^Data_Entry_2017\.csv"):
        read_records(tmp_path, format="nih")


def test_a_mapping_in_the_folder_makes_it_a_table(tmp_path: Path) -> None:
    mapping = write_plain(tmp_path)
    touch(tmp_path, "a.png", "images/c.png")
    for records in (
        read_records(tmp_path),
        read_records(tmp_path, format="table"),
        read_records(tmp_path, mapping=str(mapping)),
    ):
        table = records.table
        assert listed(table, "age_years") == [41.0, 58.0, None]
        assert listed(table, "sex") == ["M", "F", None]
        assert listed(table, "view_position") == ["PA", "LATERAL", None]
        assert listed(table, "follow_up") == [0, 3, None]
        assert listed(table, "findings") == [
            ("Normal",),
            ("Nodule", "Effusion"),
            ("Effusion",),
        ]
        assert records.vocabulary.name == "ours"
        assert records.vocabulary.class_names == ("Effusion", "Nodule", "Normal")
        assert records.counts["without_picture"] == 1
        assert records.notes == {"rows_in_table": 3}


def test_study_dates_of_one_day_are_one_visit_and_unknown_ones_none(
    tmp_path: Path,
) -> None:
    header = "File,Patient,Age,Sex,View,Visit,Found"
    days = ("2020-02-03", "2020-02-03", "2019-12-31", "", "2021-01-01")
    rows = [f"{n}.png,7,,,,{day},normal" for n, day in enumerate(days)]
    write_lines(tmp_path / "radiographs.csv", header, *rows)
    write_mapping(
        tmp_path,
        study_date={"column": "Visit", "format": "%Y-%m-%d"},
        follow_up={"order_of": "study_date"},
    )
    table = read_records(tmp_path).table
    assert listed(table, "follow_up") == [1, 1, 0, None, 2]


def test_values_are_compared_as_numbers_where_they_are(tmp_path: Path) -> None:
    rows = ("a.png,7,41.0,1.0,pa,2.0,normal", "b.png,8,41,02,pa,2,nodule")
    write_plain(tmp_path, *rows)
    table = read_records(tmp_path).table
    assert listed(table, "sex") == ["M", "F"]
    assert listed(table, "follow_up") == [2, 2]


def test_what_no_column_tells_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = {"normal": "No Finding", "nodule": "Nodule", "effusion": "Effusion"}
    findings = {**PLAIN["finding_list"], "names": names}
    write_plain(tmp_path, vocabulary="nih", finding_list=findings)
    with caplog.at_level(logging.INFO):
        records = read_records(tmp_path)
    assert records.vocabulary == NIH
    assert "nothing tells Atelectasis, Cardiomegaly, Consolidation" in caplog.text
    assert "every radiograph counts as one without" in caplog.text


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("d.png,7,41,1,oblique,0,normal", r"`View` must be a value that the mapping's `view` lists \(pa, lat\). Received: 'oblique'"),
        ("d.png,7,41,3,pa,0,normal", r"`Sex` must be a value that the mapping's `sex` lists \(1, 2\). Received: '3'"),
        ("d.png,7,141,1,pa,0,normal", "`age` must be at most 120 years. Received: age='141'"),
        ("d.png,7,41,1,pa,first,normal", "`follow_up` must be a whole number.*'first'"),
        ("d.png,7,41,1,pa,0,oedema", "`Found` must hold labels that the mapping's `names` lists. Received: 'oedema'"),
        ("d.png,,41,1,pa,0,normal", "`patient_id` must not be empty"),
        (",7,41,1,pa,0,normal", "`image_id` must be the picture's file name or its path below a folder. Received: ''"),
        ("a.png,7,41,1,pa,0,normal", "`image_id` must be unique. Received: 'a.png', which stands on line 2 too"),
        ("d.png,7,41,1,pa,0", "must have 7 fields, as the header has. Received: 6 fields"),
        ('d.png,7,41,1,pa,0,"normal', "must have 7 fields.* Received: a quote left open"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named_or_set_aside(
    tmp_path: Path, row: str, expected: str
) -> None:
    write_plain(tmp_path, *PLAIN_ROWS, row, "e.png,7,41,1,pa,0,normal")
    with pytest.raises(RecordError, match=f"^radiographs.csv line 5: {expected}"):
        read_records(tmp_path)
    records = read_records(tmp_path, on_bad_row="set_aside")
    assert len(records.table) == 4
    assert records.rejects["line"].tolist() == [5]
    assert records.counts["read"] == records.notes["rows_in_table"] == 5


def test_two_quotes_left_open_do_not_swallow_the_rows_between(tmp_path: Path) -> None:
    open_ = ('d.png,7,41,1,"pa,0,normal', 'e.png,7",41,1,pa,0,normal')
    write_plain(tmp_path, open_[0], *PLAIN_ROWS, open_[1])
    records = read_records(tmp_path, on_bad_row="set_aside")
    assert records.rejects["line"].tolist() == [2, 6]
    assert len(records.table) == 3


def test_set_aside_rows_do_not_shift_the_pictures(tmp_path: Path) -> None:
    write_plain(tmp_path, "x.png,7,41,1,oblique,0,normal", *PLAIN_ROWS)
    touch(tmp_path, "a.png", "c.png")
    table = read_records(tmp_path, on_bad_row="set_aside").table
    assert listed(table, "path") == [
        str(tmp_path / "a.png"),
        None,
        str(tmp_path / "c.png"),
    ]


def test_a_finding_of_another_value_is_named(tmp_path: Path) -> None:
    write_chexpert(tmp_path, CHEXPERT_ROWS[0].replace(",1.0,,", ",2.0,,", 1))
    expected = r"train.csv line 2: `No Finding` must be one of '1', '0', '', '-1'. Received: '2.0'"
    with pytest.raises(RecordError, match=expected):
        read_records(tmp_path, mapping="chexpert")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("['normal']", "normal", r"`Labels` must be a list of texts.*Received: 'normal'"),
        ("20140915", "2014-09-15", r"`StudyDate_DICOM` must be a date such as %Y%m%d. Received: '2014-09-15'"),
        ("1930.0", "30", "the year of birth must have four digits"),
        ("1930.0", "2016", "`age`, the study's year less `PatientBirth`, must be from 0 to 120. Received: -2"),
        (",PA,", ",PA ,", None),
    ],
)  # fmt: skip
def test_padchest_cells_are_checked(
    tmp_path: Path, old: str, new: str, expected: str | None
) -> None:
    write_padchest(tmp_path, PADCHEST_ROWS[0].replace(old, new))
    if expected is None:
        assert len(read_records(tmp_path, mapping="padchest").table) == 1
    else:
        with pytest.raises(RecordError, match=f" line 2: {expected}"):
            read_records(tmp_path, mapping="padchest")


def test_an_error_does_not_tell_the_patient(tmp_path: Path) -> None:
    row = CHEXPERT_ROWS[0].replace("patient00001", "MILLER^ANNA")
    write_chexpert(tmp_path, row)
    with pytest.raises(RecordError, match=r"`Path` must hold 'patient") as raised:
        read_records(tmp_path, mapping="chexpert")
    assert "MILLER" not in str(raised.value)


def test_a_missing_column_or_table_is_named(tmp_path: Path) -> None:
    write_plain(tmp_path, age="Alter")
    expected = "radiographs.csv line 1: .*one column `Alter`. Received: 0 of 7 columns"
    with pytest.raises(RecordError, match=expected):
        read_records(tmp_path)
    with pytest.raises(
        RecordError,
        match=r"must hold the table that chexpert.yaml names, train.csv or .*"
        "Received: no such file",
    ):
        read_records(tmp_path, mapping="chexpert")


@pytest.mark.parametrize("mapping", ["chexpert", "padchest"])
def test_a_table_without_a_good_row_is_an_error(tmp_path: Path, mapping: str) -> None:
    write_chexpert(tmp_path, "one,field,too,many" + "," * 16)
    write_padchest(tmp_path, "too,few,fields")
    expected = r"line 2: must have 1[39] fields, as the header has. Received: "
    with pytest.raises(RecordError, match=expected):
        read_records(tmp_path, mapping=mapping)
    with pytest.raises(
        RecordError, match=r"at least one good row. Received: 1 bad row"
    ):
        read_records(tmp_path, mapping=mapping, on_bad_row="set_aside")


def test_nothing_left_is_an_error(tmp_path: Path) -> None:
    write_plain(tmp_path, keep={"View": ["PA"]})
    expected = r"at least one row must be kept. Received: 0 of 3; 3 left out by View"
    with pytest.raises(RecordError, match=expected):
        read_records(tmp_path)
    write_chexpert(tmp_path, CHEXPERT_ROWS[2])
    expected = "Received: 0 of 1; 1 left out by Frontal/Lateral. Correct `keep`"
    with pytest.raises(RecordError, match=expected):
        read_records(tmp_path, mapping="chexpert")


def test_a_mapping_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        RecordError, match=r"must hold dualnet-table.yaml.*chexpert, padchest"
    ):
        read_records(tmp_path, format="table")
    with pytest.raises(
        ConfigError,
        match=r"data.mapping: must be chexpert, padchest or a readable YAML file. "
        "Received: 'chexprt': No such file",
    ):
        read_records(tmp_path, mapping="chexprt")
    with pytest.raises(
        ConfigError, match=r"data.mapping: .*Received: data.format='nih'"
    ):
        read_records(tmp_path, mapping="chexpert", format="nih")


def write_as_table(images: Path, nih: pd.DataFrame, data: Path) -> Path:
    """Writes NIH's radiographs with a table of another form; returns the mapping."""
    shutil.copytree(images, data / "pictures")
    rows = pd.DataFrame(
        {
            "File": nih["image_id"].str.removesuffix(".png"),
            "Patient": "p" + nih["patient_id"],
            "Age": nih["age_years"],
            "Sex": nih["sex"].map({"M": 1, "F": 2}),
            "View": nih["view_position"].str.lower(),
            "Visit": nih["follow_up"],
            "Found": nih["findings"].map(";".join),
        }
    )
    rows.to_csv(data / "radiographs.csv", index=False)
    names = {name: name for name in NIH.class_names}
    return write_mapping(
        data,
        image={"id": "File", "paths": ["pictures/{id}.png"]},
        view={"column": "View", "values": {"pa": "PA", "ap": "AP"}},
        vocabulary="nih",
        finding_list={**PLAIN["finding_list"], "names": names},
    )


def test_from_a_table_to_the_cache(tmp_path: Path, small_phantom: Path) -> None:
    """The phantom's own pictures, told by a table of another form."""
    nih = read_records(small_phantom, format="nih").table
    data = tmp_path / "data"
    write_as_table(small_phantom / "images", nih, data)
    config = read_config(
        overrides=[
            f"data.path={data}",
            f"data.cache={tmp_path / 'cache'}",
            "data.image_size=32",
            "data.workers=1",
            "split.rare_findings=train",
        ]
    )
    records = read_source(config)
    same = ["age_years", "sex", "view_position", "follow_up", "findings"]
    pd.testing.assert_frame_equal(records.table[same], nih[same])
    parts = split_patients(records.pictured(), records, config)
    assert parts.groupby("patient_id")["part"].nunique().max() == 1
    assert set(parts["part"]) == {"train", "val", "test"}
    cache = prepare_data(config)
    assert cache.read(np.arange(90)).shape == (90, 32, 32, 1)


def test_a_run_is_judged_on_a_table_that_the_options_name(
    tmp_path: Path, small_phantom: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["split.rare_findings=train", "model.modality=metadata"]
    config = configure(small_phantom, tmp_path / "cache", *options)
    run = train_run(config, tmp_path / "run")
    other = tmp_path / "other"
    make_phantom(other, num_images=12, num_patients=6, seed=9, size=64, workers=1)
    data = tmp_path / "data"
    nih = read_records(other, format="nih").table
    mapping = write_as_table(other / "images", nih, data)
    mapping = mapping.rename(tmp_path / "mine.yaml")
    words = ["evaluate", str(run.path), "--mapping", str(mapping)]
    assert main([*words, "--data", str(data), "--cache", str(tmp_path / "more")]) == 0
    predictions = pd.read_csv(run.evaluation / "data" / "predictions.csv")
    assert predictions["image_id"].tolist() == [
        name.removesuffix(".png") for name in nih["image_id"]
    ]
    assert main(words) == 2
    assert "--mapping: must be left out where --data" in capsys.readouterr().err
    words = ["evaluate", str(run.path), "--format"]
    assert main([*words, "nih", "--data", str(data)]) == 2
    assert f"{data}: must hold NIH's table" in capsys.readouterr().err
    assert main([*words, "nih"]) == 2
    assert "--format: must be left out where --data" in capsys.readouterr().err


def test_prepare_takes_a_mapping(
    tmp_path: Path, small_phantom: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    nih = read_records(small_phantom, format="nih").table
    mapping = write_as_table(small_phantom / "images", nih, data)
    mapping = mapping.rename(tmp_path / "mine.yaml")
    words = ["prepare", "--data", str(data), "--mapping", str(mapping)]
    words += ["--cache", str(tmp_path / "cache"), "--image-size", "32"]
    assert main([*words, "--workers", "1"]) == 0
    assert "90 pictures, 0 refused" in capsys.readouterr().out
