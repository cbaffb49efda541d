"""DICOM headers: age, sex and view; what is no radiograph; damage."""

import math
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from dicom_cases import RAMP8, encode, make_dataset, write_dicom
from pydicom import uid
from pydicom.dataset import Dataset

from dualnet.data.images import read_image
from dualnet.data.readers.dicom_header import Header, read_header


def write_one(folder: Path, **values: object) -> Header | str | None:
    write_dicom(folder / "a.dcm", RAMP8, **values)
    return read_header(folder, "a.dcm")


def read_one(folder: Path, **values: object) -> Header:
    header = write_one(folder, **values)
    assert isinstance(header, Header)
    return header


# --- the header


@pytest.mark.parametrize(
    ("told", "years"),
    [
        ("058Y", 58),
        ("009M", 0.75),
        ("012W", 12 * 7 / 365.25),
        ("003D", 3 / 365.25),
        ("58", 58),
    ],
)
def test_age_as_told(tmp_path: Path, told: str, years: float) -> None:
    assert read_one(tmp_path, PatientAge=told).age_years == pytest.approx(years)


def test_age_from_birth_to_study(tmp_path: Path) -> None:
    dates = {"PatientBirthDate": "19500301", "StudyDate": "20200301"}
    age = read_one(tmp_path, **dates).age_years
    assert age == pytest.approx(70, abs=0.01)
    assert read_one(tmp_path, **dates, PatientAge="058Y").age_years == 58
    assert read_one(tmp_path, **dates, PatientAge="").age_years == age


def test_age_is_unknown_without_both_dates(tmp_path: Path) -> None:
    for dates in (
        {},
        {"StudyDate": "20200301"},
        {"PatientBirthDate": "19500301"},
        {"PatientBirthDate": "00000000", "StudyDate": "20200301"},
    ):
        assert math.isnan(read_one(tmp_path, **dates).age_years)


@pytest.mark.parametrize(
    ("told", "view"),
    [
        ("PA", "PA"),
        ("ap", "AP"),
        ("LL", "LATERAL"),
        ("LATERAL", "LATERAL"),
        ("LLD", None),  # lying on the side: neither
        ("", None),
        (None, None),
    ],
)
def test_view(tmp_path: Path, told: str | None, view: str | None) -> None:
    assert read_one(tmp_path, ViewPosition=told).view_position == view


def test_view_by_its_code(tmp_path: Path) -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator = "399348003", "SCT"
    assert read_one(tmp_path, ViewCodeSequence=[code]).view_position == "AP"


def test_sex(tmp_path: Path) -> None:
    found = [read_one(tmp_path, PatientSex=told).sex for told in ("M", "f", "O", "")]
    assert found == ["M", "F", None, None]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"Modality": "CT"}, "Received: modality CT."),
        ({"Modality": "SR", "Rows": None}, "Received: modality SR."),
        ({"Modality": None}, "Received: modality not told."),
        ({"Rows": None, "Columns": None}, "Received: no pixel data."),
        ({"NumberOfFrames": 2}, "must be one picture. Received: 2 frames."),
        (
            {"PresentationIntentType": "FOR PROCESSING"},
            "must be FOR PRESENTATION. Received: the detector's own values.",
        ),
        ({"SOPInstanceUID": None}, "must have a SOPInstanceUID. Received: none."),
    ],
)
def test_what_is_no_radiograph(
    tmp_path: Path, values: dict[str, object], reason: str
) -> None:
    found = write_one(tmp_path, **values)
    assert isinstance(found, str)
    assert found.endswith(reason)


def test_a_header_that_is_cut_short(tmp_path: Path) -> None:
    data = encode(make_dataset(RAMP8))
    for length in (132, 150, 200, 400, len(data) - 256 - 60):
        (tmp_path / "a.dcm").write_bytes(data[:length])
        found = read_header(tmp_path, "a.dcm")
        assert isinstance(found, str)
        assert found.startswith("must ")


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe.dcm")
    (tmp_path / "broken.dcm").symlink_to(tmp_path / "nowhere")
    assert read_header(tmp_path, "pipe") is None
    assert str(read_header(tmp_path, "pipe.dcm")).startswith("must begin as DICOM")
    assert read_header(tmp_path, "broken.dcm") == (
        "must be readable. Received: No such file or directory."
    )


def test_the_header_of_a_deflated_file(tmp_path: Path) -> None:
    data = encode(
        make_dataset(RAMP8, PatientAge="058Y"), uid.DeflatedExplicitVRLittleEndian
    )
    (tmp_path / "a.dcm").write_bytes(data)
    header = read_header(tmp_path, "a.dcm")
    assert isinstance(header, Header)
    assert header.age_years == 58
    image = read_image(tmp_path / "a.dcm", image_size=16)
    np.testing.assert_array_equal(image, RAMP8)


@pytest.mark.parametrize("modality", ["SECRET^JANE", "D\x10", "DX\\SECRET", "4711"])
def test_a_modality_that_is_none_is_not_shown(tmp_path: Path, modality: str) -> None:
    data = encode(make_dataset(RAMP8, Modality="M" * len(modality)))
    told = b"M" * len(modality)
    (tmp_path / "a.dcm").write_bytes(data.replace(told, modality.encode()))
    found = read_header(tmp_path, "a.dcm")
    if isinstance(found, Header):
        assert found.modality == "DX"
        return
    assert str(found).endswith("Received: modality of no such form.")


def test_an_age_that_may_be_a_name_is_not_shown(tmp_path: Path) -> None:
    data = encode(make_dataset(RAMP8, PatientAge="070Y"))
    (tmp_path / "a.dcm").write_bytes(
        data.replace(b"AS\4\x00070Y", b"AS\x0c\0SECRET^JANE ")
    )
    header = read_header(tmp_path, "a.dcm")
    assert isinstance(header, Header)
    assert header.problem.endswith("Received: a longer text.")


def test_nothing_is_printed_of_what_is_ill_formed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    data = encode(make_dataset(RAMP8, SpecificCharacterSet="ISO_IR 100"))
    (tmp_path / "a.dcm").write_bytes(data.replace(b"ISO_IR 100", b"SECRETNAME"))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert isinstance(read_header(tmp_path, "a.dcm"), Header)
        read_image(tmp_path / "a.dcm", image_size=16)
    assert [str(warning.message) for warning in warned] == []
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")


def test_a_value_that_is_too_long_is_not_read(tmp_path: Path) -> None:
    write_dicom(tmp_path / "a.dcm", RAMP8, PatientID="1" * 1026)
    assert read_header(tmp_path, "a.dcm") == (
        "must have a readable header. Received: PatientID of 1,026 bytes."
    )


def test_damaged_headers_are_refused_by_name(tmp_path: Path) -> None:
    data = encode(make_dataset(RAMP8, PatientAge="058Y", StudyDate="20200101"))
    random = np.random.default_rng(0)
    for _ in range(150):
        broken = bytearray(data)
        for place in random.integers(132, len(data) - 256, 4):
            broken[place] = random.integers(256)
        (tmp_path / "a.dcm").write_bytes(broken)
        found = read_header(tmp_path, "a.dcm")
        assert isinstance(found, Header) or (found or "").startswith("must ")
