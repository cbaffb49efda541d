"""The COVID-19 Radiography Database: classes by folder, no patients, where from."""

import hashlib
import logging
import os
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path

import pandas as pd
import pytest
from class_folder_cases import touch, write_pictures
from run_cases import configure

from dualnet.data.readers import read_records
from dualnet.data.readers.covid_radiography import (
    find_covid_radiography,
    read_covid_radiography,
)
from dualnet.data.records import COLUMNS
from dualnet.errors import ConfigError, RecordError
from dualnet.jobs.evaluate import evaluate_run, read_run
from dualnet.jobs.train import train_run

PICTURES = (
    "COVID/images/COVID-1.png",
    "COVID/images/COVID-2.png",
    "Lung_Opacity/images/Lung_Opacity-1.png",
    "Normal/images/Normal-1.png",
    "Viral Pneumonia/images/Viral Pneumonia-1.png",
)
MASKS = ("COVID/masks/COVID-1.png", "Normal/masks/Normal-1.png")
PROVENANCE = """\
class,file,origin
COVID,COVID-1,006f3a8a.png
Normal,Normal-1,NORMAL2-IM-0530-0001.jpeg
Viral Pneumonia,Viral Pneumonia-1,person41_virus_88.jpeg
"""


def test_reads_class_folders_and_no_masks(tmp_path: Path) -> None:
    touch(tmp_path, *PICTURES, *MASKS)
    records = read_records(tmp_path)
    table = records.table
    assert tuple(table.columns) == COLUMNS
    assert table["image_id"].tolist() == list(PICTURES)
    assert table["patient_id"].tolist() == list(PICTURES)
    assert table["findings"].tolist() == [
        ("COVID",),
        ("COVID",),
        ("Lung_Opacity",),
        ("Normal",),
        ("Viral_Pneumonia",),
    ]
    assert set(table["source"]) == {"covid_radiography"}
    assert table[["age_years", "sex", "view_position"]].isna().to_numpy().all()
    assert records.vocabulary.class_names == (
        "COVID",
        "Lung_Opacity",
        "Normal",
        "Viral_Pneumonia",
    )
    assert list(records.details.columns) == ["image_id"]


def test_that_patients_are_not_known_is_counted_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    touch(tmp_path, *PICTURES)
    with caplog.at_level(logging.INFO):
        records = read_records(tmp_path)
    assert records.counts["pictures_without_patient"] == 5
    assert (
        "5 pictures; the patient of 5 is not known: each counts as a patient of its "
        "own, and one patient's pictures may lie in two parts; no age, sex or view is "
        "known"
    ) in caplog.text


@pytest.mark.parametrize("place", [".", "COVID-19_Radiography_Dataset"])
def test_older_releases_have_the_pictures_in_the_class_folder(
    tmp_path: Path, place: str
) -> None:
    touch(tmp_path / place, "COVID/COVID (1).png", "Normal/Normal (1).png")
    records = read_records(tmp_path)
    assert find_covid_radiography(tmp_path) == records.folder == tmp_path / place
    assert records.table["image_id"].tolist() == [
        "COVID/COVID (1).png",
        "Normal/Normal (1).png",
    ]


def test_provenance_tells_the_patients_it_knows(tmp_path: Path) -> None:
    touch(tmp_path, *PICTURES)
    file = tmp_path / "provenance.csv"
    file.write_text(PROVENANCE)
    records = read_records(tmp_path)
    assert records.table["patient_id"].tolist() == [
        *PICTURES[:3],
        "IM-0530",
        "person41",
    ]
    assert records.counts["pictures_without_patient"] == 3
    assert records.details["origin"].fillna("").tolist() == [
        "006f3a8a.png",
        "",
        "",
        "NORMAL2-IM-0530-0001.jpeg",
        "person41_virus_88.jpeg",
    ]
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert records.digests == {"provenance.csv": digest}


def test_provenance_of_another_form_is_named(tmp_path: Path) -> None:
    touch(tmp_path, *PICTURES)
    (tmp_path / "provenance.csv").write_text("class,file\nCOVID,COVID-1\n")
    expected = r"provenance.csv line 1: .*one column `origin`. Received: 0 of 2"
    with pytest.raises(RecordError, match=expected):
        read_records(tmp_path)


def test_lines_of_provenance_that_are_no_rows_are_named(tmp_path: Path) -> None:
    touch(tmp_path, *PICTURES)
    file = tmp_path / "provenance.csv"
    lines = PROVENANCE.splitlines()
    file.write_text("\n".join([*lines[:2], "Normal,Normal-1", '"', *lines[3:]]))
    expected = (
        r"^provenance.csv line 3: must have 3 fields, as the header has. Received: 2 "
        r"fields. 1 more line is bad. Correct the line, or move the table away.$"
    )
    with pytest.raises(RecordError, match=expected):
        read_records(tmp_path)
    file.write_text(PROVENANCE.replace("Normal,Normal-1,", "Normal , Normal-1, "))
    assert read_records(tmp_path).table["patient_id"].tolist()[3] == "IM-0530"


def pretend_openpyxl(
    monkeypatch: pytest.MonkeyPatch, table: pd.DataFrame | Exception
) -> None:
    """Answers for openpyxl, which is an extra, with a table or an error."""

    def read_excel(file: Path, **options: object) -> pd.DataFrame:
        if isinstance(table, Exception):
            raise table
        return table

    spec = ModuleSpec("openpyxl", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: spec)
    monkeypatch.setattr(pd, "read_excel", read_excel)


def test_web_page_of_a_picture_is_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, *PICTURES, "Normal.metadata.xlsx")
    table = pd.DataFrame(
        {
            "FILE NAME": ["NORMAL-1", "NORMAL-2"],
            "FORMAT": ["PNG", "PNG"],
            "SIZE": ["256*256", "256*256"],
            "URL": ["https://example.org/normal ", "https://example.org/other"],
        }
    )
    pretend_openpyxl(monkeypatch, table)
    records = read_records(tmp_path)
    assert records.table["source"].tolist() == [
        "covid_radiography",
        "covid_radiography",
        "covid_radiography",
        "https://example.org/normal",
        "covid_radiography",
    ]
    assert list(records.digests) == ["Normal.metadata.xlsx"]


def test_excel_table_without_the_column_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, *PICTURES, "COVID.metadata.xlsx")
    pretend_openpyxl(monkeypatch, pd.DataFrame({"FILE NAME": ["COVID-1"]}))
    expected = (
        r"^COVID.metadata.xlsx: the header must name the columns FILE NAME and URL. "
        r"Received: no URL. Use the database's own table.$"
    )
    with pytest.raises(RecordError, match=expected):
        read_records(tmp_path)


def test_excel_table_that_is_damaged_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, *PICTURES, "Viral Pneumonia.metadata.xlsx")
    pretend_openpyxl(monkeypatch, ValueError("no zip"))
    expected = r"^Viral Pneumonia.metadata.xlsx: .*Excel table. Received: ValueError. "
    with pytest.raises(RecordError, match=expected):
        read_records(tmp_path)


def test_excel_table_without_openpyxl_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, *PICTURES, "Lung_Opacity.metadata.xlsx")
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    expected = (
        r"^Lung_Opacity.metadata.xlsx: openpyxl must be there to read it. Received: no "
        r'such package. Install "dualnet\[excel\]", or move the table away.$'
    )
    with pytest.raises(RecordError, match=expected):
        read_records(tmp_path)


@pytest.fixture
def write_excel() -> Callable[[Path, Sequence[tuple[object, ...]]], None]:
    """Writes rows into a true Excel file; skips the test where openpyxl is absent."""
    openpyxl = pytest.importorskip("openpyxl", reason="the extra `excel` is absent")

    def write(file: Path, rows: Sequence[tuple[object, ...]]) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        book.save(file)

    return write


def test_web_pages_are_read_from_a_true_excel_file(
    tmp_path: Path, write_excel: Callable
) -> None:
    names = ("COVID/images/COVID-1.png", "COVID/images/2.png", "COVID/images/nan.png")
    touch(tmp_path, *names, "Normal/images/Normal-1.png")
    write_excel(
        tmp_path / "COVID.metadata.xlsx",
        [
            ("FILE NAME", "FORMAT", "SIZE", "URL"),
            (" COVID-1 ", "PNG", "256*256", "https://example.org/1 "),
            (2, "PNG", "256*256", "https://example.org/2"),  # a number in its cell
            (None, None, None, "https://example.org/nobody"),
            ("nan", "PNG", "256*256", None),
        ],
    )
    write_excel(tmp_path / "Normal.metadata.xlsx", [("File name", "Url")])
    records = read_records(tmp_path)
    assert dict(
        zip(records.table["image_id"], records.table["source"], strict=True)
    ) == {
        "COVID/images/2.png": "https://example.org/2",
        "COVID/images/COVID-1.png": "https://example.org/1",
        "COVID/images/nan.png": "covid_radiography",
        "Normal/images/Normal-1.png": "covid_radiography",
    }
    files = ["COVID.metadata.xlsx", "Normal.metadata.xlsx"]
    assert records.digests == {
        name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        for name in files
    }


def test_true_excel_files_that_cannot_be_used_are_named(
    tmp_path: Path, write_excel: Callable
) -> None:
    touch(tmp_path, *PICTURES)
    file = tmp_path / "COVID.metadata.xlsx"
    write_excel(file, [])
    with pytest.raises(RecordError, match=r"FILE NAME and URL. Received: no FILE NAME"):
        read_records(tmp_path)
    write_excel(file, [("FILE NAME", "URL"), ("COVID-1", "https://example.org/1")])
    whole = file.read_bytes()
    for data in (b"", b"FILE NAME,URL\n", whole[: len(whole) // 2]):
        file.write_bytes(data)
        with pytest.raises(
            RecordError, match=r"^COVID.metadata.xlsx: must be a readable Excel table"
        ):
            read_records(tmp_path)


def test_empty_class_folder_is_named(tmp_path: Path) -> None:
    touch(tmp_path, *PICTURES[:2], "Normal/masks/Normal-1.png")
    expected = r"the class folder Normal must hold at least one picture .*Received: 0."
    with pytest.raises(RecordError, match=expected):
        read_records(tmp_path)


@pytest.mark.parametrize("folder", ["Tuberculosis/images", "COVID/more", "."])
def test_unknown_class_folder_is_named_and_counted(tmp_path: Path, folder: str) -> None:
    touch(tmp_path, *PICTURES, f"{folder}/x1.png", f"{folder}/x2.png")
    expected = (
        r"x1.png: must lie in a class folder \(COVID, Normal, Viral Pneumonia or "
        rf"Lung_Opacity\). Received: '{folder}', which holds 2 pictures. 1 more"
    )
    with pytest.raises(RecordError, match=expected):
        read_records(tmp_path)
    records = read_records(tmp_path, on_bad_row="set_aside")
    assert len(records.table) == 5
    assert records.counts["set_aside"] == 2


def test_folder_that_cannot_be_listed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, *PICTURES, "COVID/images/more/x.png")
    closed, scan = tmp_path / "COVID" / "images" / "more", os.scandir

    def refuse(path: str) -> object:
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    expected = (
        rf"^{closed}: every folder .*readable. Received: Permission denied. Allow"
    )
    with pytest.raises(RecordError, match=expected):
        read_records(tmp_path)


def test_no_picture_at_all_and_another_folder_are_errors(tmp_path: Path) -> None:
    (tmp_path / "COVID" / "images").mkdir(parents=True)
    with pytest.raises(RecordError, match=r"class folder COVID must hold"):
        read_records(tmp_path)
    (tmp_path / "other").mkdir()
    with pytest.raises(RecordError, match=r"database's class folders, COVID, Normal"):
        read_covid_radiography(tmp_path / "other")


def test_excluded_findings_leave_the_rows_and_the_classes(tmp_path: Path) -> None:
    touch(tmp_path, *PICTURES)
    (tmp_path / "provenance.csv").write_text(PROVENANCE)
    records = read_records(tmp_path).without(["Lung_Opacity"])
    assert records.vocabulary.class_names == ("COVID", "Normal", "Viral_Pneumonia")
    assert records.table["image_id"].tolist() == [*PICTURES[:2], *PICTURES[3:]]
    assert records.details["image_id"].tolist() == [*PICTURES[:2], *PICTURES[3:]]
    assert (records.counts["read"], records.counts["excluded"]) == (5, 1)


@pytest.mark.parametrize(
    ("names", "received"),
    [
        (["Lung_opacity"], "Lung_opacity"),
        (["Normal"], "Normal"),
        (
            ["COVID", "Lung_Opacity", "Viral_Pneumonia"],
            "COVID, Lung_Opacity, Viral_Pneumonia",
        ),
    ],
)
def test_findings_that_cannot_be_excluded_are_named(
    tmp_path: Path, names: list[str], received: str
) -> None:
    touch(tmp_path, *PICTURES)
    expected = (
        r"^data.exclude_findings: must be some of COVID, Lung_Opacity, "
        rf"Viral_Pneumonia, not all. Received: {received}. Correct the list.$"
    )
    with pytest.raises(ConfigError, match=expected):
        read_records(tmp_path).without(names)


def test_nothing_left_is_an_error(tmp_path: Path) -> None:
    touch(tmp_path, PICTURES[0], PICTURES[1])
    expected = r"one row must have none of COVID. Received: 0 of 2. Shorten"
    with pytest.raises(RecordError, match=expected):
        read_records(tmp_path).without(["COVID"])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("covid") / "COVID-19_Radiography_Dataset"
    classes = ("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia")
    names = [f"{c}/images/{c}-{number}.png" for c in classes for number in range(8)]
    write_pictures(folder, names)
    return folder


def test_trains_and_judges_by_the_preset(
    tiny: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    faster = "model.image_branch=xnet"
    config = configure(tiny, tmp_path / "cache", faster, preset="covid")
    with caplog.at_level(logging.INFO):
        run = train_run(config, tmp_path / "run")
    assert "8 of 32 rows left out: Lung_Opacity" in caplog.text
    assert "32 rows read, 0 set aside, 0 without a picture, 24 used" in caplog.text
    certificate = run.read_certificate()
    assert certificate["split"]["exclude_findings"] == ["Lung_Opacity"]
    assert certificate["counts"]["excluded"] == 8
    assert certificate["counts"]["pictures_without_patient"] == 32
    assert not (run.path / "details.csv").exists()
    names = ["COVID", "Normal", "Viral_Pneumonia"]
    assert list(read_run(run.path).vocabulary.class_names) == names
    metrics = evaluate_run(run.path).evaluation.metrics
    assert metrics["class_names"] == names
    other = tmp_path / "other"
    touch(other, "train/NORMAL/IM-0001-0001.jpeg")
    expected = r"the covid_radiography classes, .*Received: chest_xray classes"
    with pytest.raises(RecordError, match=expected):
        evaluate_run(run.path, data=other)
    more = tmp_path / "more"
    names = ["COVID/1.png", "Normal/1.png", "Lung_Opacity/1.png"]
    write_pictures(more, names, first=40)  # pictures that the run has not seen
    foreign = evaluate_run(run.path, data=more, cache=tmp_path / "more_cache")
    assert foreign.evaluation.metrics["num_images"] == 2


@pytest.mark.real_data
def test_real_folders_are_read_whole(real_data: Path) -> None:
    records = read_records(real_data / "COVID-19_Radiography_Dataset")
    counts = records.table["findings"].map("|".join).value_counts()
    assert counts.to_dict() == {"Normal": 240, "COVID": 160, "Viral_Pneumonia": 160}
    assert records.counts == {
        "read": 560,
        "set_aside": 0,
        "without_picture": 0,
        "pictures_without_patient": 160,
    }
    assert records.table["patient_id"].nunique() == 538
