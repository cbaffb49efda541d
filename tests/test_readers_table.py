"""Tables by a mapping: one of our own, what is refused, what is said."""

import logging
import os
from pathlib import Path

import pytest
from class_folder_cases import touch
from table_cases import (
    CHEXPERT_ROWS,
    PADCHEST_ROWS,
    PLAIN,
    PLAIN_ROWS,
    listed,
    write_chexpert,
    write_lines,
    write_mapping,
    write_padchest,
    write_plain,
)

from dualnet.data.readers import read_records
from dualnet.errors import ConfigError, RecordError
from dualnet.findings import NIH


def test_many_pictures_in_few_folders_are_found_by_listing_them(tmp_path: Path) -> None:
    rows = [f"{n}.png,{n},,,,,normal" for n in range(50)]
    write_plain(tmp_path, *rows, image={"id": "File", "paths": ["x/{id}", "y/{id}"]})
    touch(tmp_path / "y", *(f"{n}.png" for n in range(0, 50, 2)))
    path = read_records(tmp_path).table["path"]
    assert path.notna().tolist() == [n % 2 == 0 for n in range(50)]
    assert path[48] == str(tmp_path / "y" / "48.png")


def test_pictures_may_lie_apart_from_the_table(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    write_plain(data)
    touch(tmp_path / "apart", "a.png", "images/c.png")
    table = read_records(data, pictures=tmp_path / "apart").table
    found = [str(tmp_path / "apart" / name) for name in ("a.png", "images/c.png")]
    assert table["path"].dropna().tolist() == found
    assert read_records(data).table["path"].isna().all()


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
