"""NIH's tables, pictures and lists, and finding the reader."""

import hashlib
import logging
import os
from pathlib import Path

import pytest

from dualnet.data.readers import read_official_lists, read_records
from dualnet.data.readers.nih import find_nih_table, find_pictures, read_nih
from dualnet.data.records import COLUMNS
from dualnet.errors import ConfigError, RecordError

HEADER_2020 = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,"
    "View Position,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
ROWS_2020 = (
    "00000001_001.png,Cardiomegaly|Emphysema,1,1,58,M,PA,2894,2729,0.143,0.143",
    "00000001_000.png,Cardiomegaly,0,1,57,M,PA,2682,2749,0.143,0.143",
    "00000002_000.png,No Finding,0,2,80,F,AP,2500,2048,0.171,0.171",
)
TABLE_2017 = """\
Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View \
Position,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],
00000001_000.png,Cardiomegaly,0,1,058Y,M,PA,2682,2749,0.143,0.143,
00000002_000.png,No Finding,0,2,009M,F,AP,2500,2048,0.171,0.171,
00000003_000.png,Hernia,0,3,012D,F,PA,2500,2048,0.171,0.171,
"""
TABLE_KAGGLE = """\
Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View \
Position,OriginalImageWidth,OriginalImageHeight,OriginalImagePixelSpacing_x,\
OriginalImagePixelSpacing_y
00000013_005.png,Emphysema|Infiltration,5,13,060Y,M,AP,3056,2544,0.139,0.139
"""
TABLE_UNDERSCORES = """\
Image_Index,Finding_Labels,Follow_Up_#,Patient_ID,Patient_Age,Patient_Gender,View_Position
00009232_004.png,Cardiomegaly,4,9232,040Y,F,PA
"""


def write_2020(folder: Path, *rows: str, newline: str = "\n") -> Path:
    lines = (HEADER_2020, *(rows or ROWS_2020))
    file = folder / "Data_Entry_2017_v2020.csv"
    file.write_bytes("".join(line + newline for line in lines).encode())
    return file


def touch(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def test_reads_the_release_of_2020(tmp_path: Path) -> None:
    file = write_2020(tmp_path)
    touch(tmp_path / "images" / "00000002_000.png")
    records = read_records(tmp_path)
    assert tuple(records.table.columns) == COLUMNS
    assert records.table.drop(columns="path").values.tolist() == [
        [
            "00000001_001.png",
            "1",
            58.0,
            "M",
            "PA",
            1,
            ("Cardiomegaly", "Emphysema"),
            "nih",
        ],
        ["00000001_000.png", "1", 57.0, "M", "PA", 0, ("Cardiomegaly",), "nih"],
        ["00000002_000.png", "2", 80.0, "F", "AP", 0, ("No Finding",), "nih"],
    ]
    assert records.table["path"].isna().tolist() == [True, True, False]
    assert records.table["path"][2] == str(tmp_path / "images" / "00000002_000.png")
    assert records.counts == {"read": 3, "set_aside": 0, "without_picture": 2}
    assert records.folder == tmp_path
    assert records.vocabulary.name == "nih"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert records.digests == {"Data_Entry_2017_v2020.csv": digest}


def test_the_table_on_nihs_own_page_says_patient_sex(tmp_path: Path) -> None:
    file = write_2020(tmp_path)
    gender = read_records(tmp_path).table
    file.write_text(file.read_text().replace("Patient Gender", "Patient Sex"))
    assert read_records(tmp_path).table["sex"].tolist() == ["M", "M", "F"]
    assert read_records(tmp_path).table.equals(gender)


def test_a_table_of_both_patient_sex_and_patient_gender_is_refused(
    tmp_path: Path,
) -> None:
    file = write_2020(tmp_path)
    file.write_text(file.read_text().replace("View Position", "Patient Sex", 1))
    with pytest.raises(RecordError, match="Received: 2 of 11 columns"):
        read_records(tmp_path)


def test_reads_the_release_of_2017_with_its_ages_and_empty_column(
    tmp_path: Path,
) -> None:
    (tmp_path / "Data_Entry_2017.csv").write_text(TABLE_2017)
    ages = read_records(tmp_path).table["age_years"]
    assert ages.tolist() == pytest.approx([58.0, 0.75, 12 / 365.25])


@pytest.mark.parametrize("text", [TABLE_KAGGLE, TABLE_UNDERSCORES])
def test_reads_the_sample_tables(tmp_path: Path, text: str) -> None:
    (tmp_path / "sample_labels.csv").write_text(text)
    table = read_records(tmp_path, format="nih").table
    assert len(table) == 1
    assert table["age_years"][0] in (40.0, 60.0)
    assert table["follow_up"][0] in (4, 5)
    assert table["patient_id"][0] in ("13", "9232")


def test_newest_release_is_read_where_there_are_several(tmp_path: Path) -> None:
    (tmp_path / "Data_Entry_2017.csv").write_text(TABLE_2017)
    file = write_2020(tmp_path)
    assert find_nih_table(tmp_path) == file


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_ends_byte_order_mark_quotes_and_blank_lines_do_no_harm(
    tmp_path: Path, newline: str
) -> None:
    quoted = '"00000003_000.png","Mass","0","3","40","F","AP","1","1","1","1"'
    file = write_2020(tmp_path, ROWS_2020[0], "", quoted, "  ", newline=newline)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    table = read_records(tmp_path).table
    assert table["image_id"].tolist() == ["00000001_001.png", "00000003_000.png"]
    assert table["findings"][1] == ("Mass",)


def test_pictures_are_found_where_the_archives_unpack(tmp_path: Path) -> None:
    write_2020(tmp_path)
    touch(
        tmp_path / "images_001" / "images" / "00000001_000.png",
        tmp_path / "images_012" / "images" / "00000001_001.PNG",
        tmp_path / "00000002_000.png",
        tmp_path / "images_012" / "images" / "._00000001_000.png",
        tmp_path / "images_012" / "images" / "notes.txt",
        tmp_path / "images_01.tar.gz",
    )
    records = read_records(tmp_path)
    assert records.num_without_picture == 0
    assert records.table["path"].map(lambda path: Path(path).name).tolist() == [
        "00000001_001.PNG",
        "00000001_000.png",
        "00000002_000.png",
    ]


def test_pictures_that_lie_twice_are_said_and_the_first_counts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    touch(tmp_path / "a.png", tmp_path / "images" / "a.png")
    with caplog.at_level(logging.INFO):
        pictures = find_pictures(tmp_path)
    assert pictures == {"a.png": str(tmp_path / "images" / "a.png")}
    assert "1 picture found twice; the first counts" in caplog.text


def test_pictures_that_no_row_names_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_2020(tmp_path)
    touch(*(tmp_path / "images" / f"{name}.png" for name in ("00000002_000", "x", "y")))
    with caplog.at_level(logging.INFO):
        read_records(tmp_path)
    assert "3 rows, 0 set aside; 2 pictures that no row names" in caplog.text


def test_folder_of_pictures_that_cannot_be_listed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_2020(tmp_path)
    touch(tmp_path / "images" / "00000001_000.png")

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    expected = r"images: the folder of pictures must be readable. Received: Permission"
    with pytest.raises(RecordError, match=expected):
        find_pictures(tmp_path)


def test_age_of_412_years_is_named_by_file_and_line(tmp_path: Path) -> None:
    lines = TABLE_2017.replace("009M", "412Y").splitlines()
    text = "\n".join((lines[0], "", *lines[1:]))  # the blank line is line 2
    (tmp_path / "Data_Entry_2017.csv").write_text(text)
    expected = (
        r"^Data_Entry_2017.csv line 4: `age` must be at most 120 years. "
        r"Received: age='412Y'. Correct the row, or set bad rows aside"
    )
    with pytest.raises(RecordError, match=expected):
        read_records(tmp_path)
    records = read_records(tmp_path, on_bad_row="set_aside")
    assert records.table["image_id"].tolist() == [
        "00000001_000.png",
        "00000003_000.png",
    ]
    assert records.rejects["line"].tolist() == [4]
    assert records.counts["set_aside"] == 1
    assert records.counts["read"] == 3


def test_row_with_too_few_or_too_many_fields_is_named(tmp_path: Path) -> None:
    write_2020(tmp_path, ROWS_2020[0], "00000001_000.png,Mass,0", ROWS_2020[2] + ",,")
    expected = "line 3: must have 11 fields, .*Received: 3 fields. 1 more row is bad"
    with pytest.raises(RecordError, match=expected):
        read_records(tmp_path)
    records = read_records(tmp_path, on_bad_row="set_aside")
    assert records.rejects["line"].tolist() == [3, 4]
    assert records.table["image_id"].tolist() == ["00000001_001.png"]


def test_quote_left_open_is_named(tmp_path: Path) -> None:
    write_2020(tmp_path, ROWS_2020[0], ROWS_2020[1].replace("Card", '"Card'))
    with pytest.raises(RecordError, match=r"line 3: .*Received: a quote left open"):
        read_records(tmp_path)


def test_field_without_end_is_named(tmp_path: Path) -> None:
    endless = '"' + 200_000 * "x" + '"'
    write_2020(tmp_path, ROWS_2020[0], ROWS_2020[1].replace("Cardiomegaly", endless))
    with pytest.raises(RecordError, match=r"line 3: must have 11 fields"):
        read_records(tmp_path)


def test_rows_that_are_all_ragged_leave_nothing(tmp_path: Path) -> None:
    write_2020(tmp_path, "a.png,Mass", "b.png,Mass")
    with pytest.raises(
        RecordError, match=r"at least one good row. Received: 2 bad rows"
    ):
        read_records(tmp_path, on_bad_row="set_aside")


def test_missing_column_is_named_and_the_header_not_echoed(tmp_path: Path) -> None:
    file = tmp_path / "Data_Entry_2017_v2020.csv"
    file.write_text("\n".join(ROWS_2020))
    with pytest.raises(RecordError, match=r"line 1: .*`Image Index`") as caught:
        read_records(tmp_path)
    assert "0 of 11 columns" in str(caught.value)
    assert "Cardiomegaly" not in str(caught.value)
    header = HEADER_2020.replace("Patient Age,", "")
    file.write_text(f"{header}\n00000001_000.png,Mass,0,1,M,PA,1,1,1,1\n")
    with pytest.raises(RecordError, match=r"column `Patient Age`. Received: 0 of 10"):
        read_records(tmp_path)


def test_column_that_stands_twice_is_named(tmp_path: Path) -> None:
    header = HEADER_2020.replace("Patient Age", "Patient ID")
    file = tmp_path / "Data_Entry_2017_v2020.csv"
    file.write_text(f"{header}\n{ROWS_2020[0]}\n")
    with pytest.raises(
        RecordError, match=r"one column `Patient ID`. Received: 2 of 11"
    ):
        read_records(tmp_path)


@pytest.mark.parametrize("text", [HEADER_2020, f"{HEADER_2020}\n\n  \n"])
def test_table_without_rows_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "Data_Entry_2017.csv").write_text(text)
    with pytest.raises(RecordError, match=r"Data_Entry_2017.csv: .*only a header"):
        read_records(tmp_path)


def test_empty_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "Data_Entry_2017.csv").touch()
    with pytest.raises(RecordError, match=r"`Image Index`. Received: 0 of 0 columns"):
        read_records(tmp_path)


def test_bytes_that_are_no_text_are_named_by_line(tmp_path: Path) -> None:
    file = write_2020(tmp_path)
    file.write_bytes(file.read_bytes().replace(b"No Finding", b"No\xff Finding"))
    with pytest.raises(RecordError, match=r"line 4: must be UTF-8.*byte 0xff"):
        read_records(tmp_path)


def test_table_that_cannot_be_opened_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_2020(tmp_path)

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(RecordError, match=r"Received: Permission denied"):
        read_records(tmp_path)


def test_file_instead_of_a_folder_is_an_error(tmp_path: Path) -> None:
    file = write_2020(tmp_path)
    with pytest.raises(RecordError, match=f"^{file}: .*folder. Received: a file"):
        read_records(file)


def test_no_such_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"absent: .*Received: no such folder"):
        read_records(tmp_path / "absent")


def test_folder_without_a_table_is_an_error(tmp_path: Path) -> None:
    touch(tmp_path / "images" / "a.png")
    with pytest.raises(RecordError, match=r"known format \(nih: Data_Entry_2017_v2020"):
        read_records(tmp_path)
    with pytest.raises(RecordError, match=r"must hold NIH's table"):
        read_nih(tmp_path)
    way_out = r"pictures' table with --data, and this one with --pictures\.$"
    with pytest.raises(RecordError, match=way_out):
        read_records(tmp_path)
    (tmp_path / "images" / "a.png").unlink()
    with pytest.raises(
        RecordError, match=r"Received: none\. Name the folder that they"
    ):
        read_records(tmp_path)


def test_pictures_may_lie_apart_from_the_table(tmp_path: Path) -> None:
    data, pictures = tmp_path / "data", tmp_path / "pictures"
    touch(
        data / "images" / "00000001_001.png", pictures / "images" / "00000002_000.png"
    )
    write_2020(data)
    records = read_records(data, pictures=pictures)
    assert records.pictured()["path"].tolist() == [
        str(pictures / "images" / "00000002_000.png")
    ]
    assert records.folder == data
    assert records.counts["without_picture"] == 2
    # the folder that holds the files themselves may be named too
    inner = read_records(data, pictures=pictures / "images")
    assert inner.table["path"].equals(records.table["path"])


@pytest.mark.parametrize(
    ("pictures", "received"), [("absent", "no such folder"), ("a.png", "a file")]
)
def test_pictures_that_are_no_folder_are_named(
    tmp_path: Path, pictures: str, received: str
) -> None:
    write_2020(tmp_path)
    touch(tmp_path / "a.png")
    expected = rf"{pictures}: must be the pictures' folder\. Received: {received}\."
    with pytest.raises(RecordError, match=expected):
        read_records(tmp_path, pictures=tmp_path / pictures)


def test_class_folders_have_no_pictures_apart(tmp_path: Path) -> None:
    touch(tmp_path / "train" / "NORMAL" / "IM-0001-0001.jpeg")
    touch(tmp_path / "train" / "PNEUMONIA" / "person1_virus_6.jpeg")
    expected = r"data\.pictures: must be left out, .* Received: a chest_xray dataset\."
    with pytest.raises(ConfigError, match=expected):
        read_records(tmp_path, pictures=tmp_path)


def test_unknown_format_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError,
        match=r"format: .*one of nih, chest_xray, covid_radiography, dicom, table. "
        "Received: 'mimic'",
    ):
        read_records(tmp_path, format="mimic")


def write_lists(folder: Path, train_val: str, test: str) -> None:
    (folder / "train_val_list.txt").write_text(train_val)
    (folder / "test_list.txt").write_text(test)


def test_official_lists_are_read(tmp_path: Path) -> None:
    write_lists(tmp_path, "a.png\r\nb.png\r\n\r\n", "c.png")
    assert read_official_lists(tmp_path) == {
        "a.png": "train_val",
        "b.png": "train_val",
        "c.png": "test",
    }


@pytest.mark.parametrize(
    ("train_val", "test", "message"),
    [
        ("a.png\nb.png\na.png", "c.png", "train_val_list.txt: .*Received: a.png twice"),
        ("a.png\nb.png", "b.png", "test_list.txt: .*Received: b.png twice"),
        ("a.png\nb.png,1", "c.png", "train_val_list.txt line 2: .*'b.png,1'"),
        ("a.png", "", "test_list.txt: must name at least one image"),
    ],
)
def test_ill_formed_list_is_an_error(
    tmp_path: Path, train_val: str, test: str, message: str
) -> None:
    write_lists(tmp_path, train_val, test)
    with pytest.raises(RecordError, match=message):
        read_official_lists(tmp_path)


def test_absent_list_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        RecordError, match=r"train_val_list.txt: .*No such file or directory"
    ):
        read_official_lists(tmp_path)


def test_phantom_is_read_as_nih_with_all_its_pictures(small_phantom: Path) -> None:
    records = read_records(small_phantom)
    assert records.counts == {"read": 90, "set_aside": 0, "without_picture": 0}
    assert records.table["patient_id"].nunique() == 30
    assert set(read_official_lists(small_phantom)) == set(records.table["image_id"])


@pytest.mark.real_data
def test_real_table_is_read_whole(real_data: Path) -> None:
    records = read_records(real_data / "nih")
    table = records.table
    assert len(table) == 112120
    assert table["patient_id"].nunique() == 30805
    assert records.num_without_picture == 110237
    assert len(records.pictured()) == 1883
    assert table.drop(columns="path").notna().to_numpy().all()
    assert (table["view_position"] == "PA").sum() == 67310
    assert table["age_years"].max() == 95
    assert table["follow_up"].max() == 183


@pytest.mark.real_data
def test_real_lists_cover_the_table(real_data: Path) -> None:
    lists = read_official_lists(real_data / "nih")
    assert sum(part == "train_val" for part in lists.values()) == 86524
    assert sum(part == "test" for part in lists.values()) == 25596
    assert set(lists) == set(read_records(real_data / "nih").table["image_id"])
