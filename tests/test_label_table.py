"""`labels.csv` beside DICOM files: by any name, in any vocabulary, bad rows by line."""

import logging
from pathlib import Path

import pytest
from dicom_cases import write_labels, write_tree

from dualnet.data.readers import read_records
from dualnet.data.readers.dicom import read_dicom
from dualnet.errors import RecordError
from dualnet.findings import NIH


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("image_id", ("1.4", "1.1", "1.2", "1.3")),
        ("SOPInstanceUID", ("1.4", "1.1", "1.2", "1.3")),
        ("path", ("P2.dcm", "P1/late/IM1", "P1\\late\\IM2", "P1/early/IM1")),
        ("image_id", ("P2", "P1/late/IM1", "IM2", "1.3")),
    ],
)
def test_labels(tmp_path: Path, header: str, names: tuple[str, ...]) -> None:
    write_tree(tmp_path)
    labels = ("Effusion|Mass", "No Finding", "Edema", "No Finding")
    write_labels(tmp_path, header, dict(zip(names, labels, strict=True)))
    records = read_records(tmp_path)
    found = records.table.set_index("image_id")["findings"]
    assert found["1.4"] == ("Effusion", "Mass")
    assert found["1.2"] == ("Edema",)
    assert records.vocabulary == NIH
    assert list(records.digests) == ["labels.csv"]
    records.check_labelled()


def test_a_name_that_two_files_share_names_neither(tmp_path: Path) -> None:
    write_tree(tmp_path)
    write_labels(tmp_path, "image_id", {"IM1": "Mass", "IM2": "Edema"})
    records = read_dicom(tmp_path)
    assert records.table["image_id"].tolist() == ["1.2"]
    assert len(records.rejects) == 3


def test_labels_of_their_own_make_a_vocabulary(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    write_tree(tmp_path)
    labels = {"1.1": "Rib_Fracture", "1.2": "Normal", "1.3": "Rib_Fracture|Device"}
    write_labels(tmp_path, "image_id", {**labels, "8.8": "Normal"})
    records = read_dicom(tmp_path)
    assert records.vocabulary.class_names == ("Device", "Normal", "Rib_Fracture")
    assert records.vocabulary.negative == "Normal"
    assert "4 rows, 1 of them name no radiograph here" in caplog.text
    assert "Device 1, Normal 2, Rib_Fracture 2" in caplog.text
    # what has no row is not trained on, and that is said
    assert records.rejects["image_id"].tolist() == ["P2.dcm"]
    assert records.rejects["reason"][0] == (
        "must have findings in labels.csv. Received: no row."
    )


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("1.1,Mass\n1.1,Edema\n", "line 3: must name each picture once.*line 2 too"),
        ("1.1,Mass\n1.2,\n", "line 3: must name .* Received: no findings"),
        ("1.1,Mass|No Finding\n", "line 2: .*'No Finding' alone"),
        ("7.7,Mass\n", "must name at least one .* 1 rows that name none of 4"),
        ("1.1\n", "line 2: must have 2 fields"),
    ],
)
def test_bad_labels(tmp_path: Path, rows: str, reason: str) -> None:
    write_tree(tmp_path)
    extra = "" if rows == "7.7,Mass\n" else "1.3,No Finding\n"
    (tmp_path / "labels.csv").write_text("image_id,findings\n" + rows + extra)
    with pytest.raises(RecordError, match=reason):
        read_dicom(tmp_path)
    if extra:
        records = read_dicom(tmp_path, on_bad_row="set_aside")
        assert records.rejects["line"].notna().sum() == 1
        assert "1.3" in records.table["image_id"].tolist()


def test_labels_without_a_name_column(tmp_path: Path) -> None:
    write_tree(tmp_path)
    (tmp_path / "labels.csv").write_text("file,findings\n1.1,Mass\n")
    with pytest.raises(RecordError, match=r"labels.csv line 1: .* column `image_id`"):
        read_dicom(tmp_path)


def test_the_label_table_is_no_picture(tmp_path: Path) -> None:
    write_tree(tmp_path)
    write_labels(tmp_path, "image_id", {"1.1": "Mass"})
    assert "labels.csv" not in read_dicom(tmp_path).rejects["image_id"].tolist()
