"""A tree of DICOM files: found, read, prepared, trained on; nothing of a name kept."""

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dicom_cases import RAMP8, write_dicom, write_labels, write_tree
from PIL import Image
from run_cases import configure

from dualnet.cli import main
from dualnet.data import dicom_file
from dualnet.data.cache import open_cache
from dualnet.data.images import read_image
from dualnet.data.readers import read_records
from dualnet.data.readers.dicom import find_dicom, read_dicom
from dualnet.data.readers.label_table import UNLABELLED
from dualnet.errors import ConfigError, RecordError
from dualnet.jobs.prepare import prepare_data
from dualnet.jobs.train import train_run

# --- the tree


def test_read_dicom(tmp_path: Path) -> None:
    write_tree(tmp_path)
    records = read_dicom(tmp_path)
    table = records.table.set_index("image_id")
    assert table.index.tolist() == ["1.4", "1.3", "1.1", "1.2"]
    assert table["path"]["1.3"] == str(tmp_path / "P1/early/IM1")
    assert table["patient_id"].tolist() == ["P2", "P1", "P1", "P1"]
    assert table["follow_up"].tolist() == [pd.NA, 0, 1, 1]
    assert table["age_years"].round().tolist()[1:3] == [70, 71]
    assert table["view_position"]["1.1"] == "AP"
    assert table["sex"].isna().tolist() == [True, False, False, False]
    assert table["findings"].tolist() == [(), (), (), ()]
    assert records.vocabulary == UNLABELLED
    assert records.details["study_instance_uid"].tolist() == [
        "1.2",
        "9.1",
        "9.2",
        "9.2",
    ]
    assert records.counts["read"] == 4
    assert records.notes["without_view"] == 3
    assert records.notes["without_study_date"] == 1


def test_what_is_set_aside_is_named_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    write_tree(tmp_path)
    for number in (1, 2):
        write_dicom(
            tmp_path / f"ct{number}.dcm",
            RAMP8,
            Modality="CT",
            SOPInstanceUID=f"2.{number}",
        )
    write_dicom(tmp_path / "copy.dcm", RAMP8, SOPInstanceUID="1.4", PatientID="P2")
    (tmp_path / "notes.txt").write_text("not DICOM")
    (tmp_path / "noise.dcm").write_bytes(b"x" * 500)
    (tmp_path / "noise").write_bytes(b"x" * 500)
    records = read_dicom(tmp_path)
    rejects = records.rejects.set_index("image_id")["reason"]
    assert rejects.index.tolist() == ["ct1.dcm", "ct2.dcm", "noise.dcm", "copy.dcm"]
    assert rejects["ct1.dcm"].endswith("Received: modality CT.")
    assert rejects["noise.dcm"].startswith("must begin as DICOM files do")
    assert records.counts["set_aside"] == 4
    assert len(records.table) == 4
    assert "no DICOM: 2 files" in caplog.text
    assert "2 must be a projection radiograph" in caplog.text
    assert "1 a copy of another" in caplog.text


def test_without_patient_id_each_study_is_a_patient(tmp_path: Path) -> None:
    for number, study in enumerate(("7.1", "7.1", "7.2")):
        write_dicom(
            tmp_path / f"{number}.dcm",
            RAMP8,
            SOPInstanceUID=f"1.{number}",
            StudyInstanceUID=study,
            PatientID="",
        )
    records = read_dicom(tmp_path)
    assert records.table["patient_id"].tolist() == ["7.1", "7.1", "7.2"]
    assert records.notes["without_patient"] == 3


def test_an_impossible_age_is_an_error_or_set_aside(tmp_path: Path) -> None:
    write_tree(tmp_path)
    write_dicom(tmp_path / "old.dcm", RAMP8, SOPInstanceUID="1.9", PatientAge="412Y")
    with pytest.raises(RecordError, match=r"old.dcm: `age` must .* age='412Y'"):
        read_dicom(tmp_path)
    records = read_dicom(tmp_path, on_bad_row="set_aside")
    assert len(records.table) == 4
    assert records.rejects["image_id"].tolist() == ["old.dcm"]


def test_a_tree_without_a_radiograph(tmp_path: Path) -> None:
    write_dicom(tmp_path / "a.dcm", RAMP8, Modality="MR")
    with pytest.raises(RecordError, match=r"at least one radiograph. .* modality MR"):
        read_dicom(tmp_path)
    (tmp_path / "a.dcm").unlink()
    with pytest.raises(
        RecordError, match=r"at least one radiograph. .* no DICOM files"
    ):
        read_dicom(tmp_path)


# --- found


@pytest.mark.parametrize("name", ["a.dcm", "A.DICOM", "IM00001", "1.2.840.1", "x/y/z"])
def test_a_tree_is_found(tmp_path: Path, name: str) -> None:
    write_dicom(tmp_path / name, RAMP8)
    assert find_dicom(tmp_path) == tmp_path / name
    assert len(read_records(tmp_path).table) == 1
    assert len(read_records(tmp_path, format="dicom").table) == 1


def test_other_files_are_no_dicom(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"DICM")
    (tmp_path / "a.png").write_bytes(bytes(128) + b"DICM")
    (tmp_path / ".hidden.dcm").write_bytes(b"")
    assert find_dicom(tmp_path) is None
    with pytest.raises(RecordError, match=r"dicom: files .dcm or .dicom"):
        read_records(tmp_path)


def test_without_pydicom_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(tmp_path)
    monkeypatch.setattr(dicom_file.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(
        ConfigError, match=r'pydicom must be there .*"dualnet\[dicom\]"'
    ):
        read_records(tmp_path)


def test_pydicom_is_loaded_only_for_dicom() -> None:
    code = (
        "import sys, dualnet, dualnet.data.readers, dualnet.data.images, dualnet.cli; "
        "sys.exit('pydicom' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- the whole way


@pytest.fixture(scope="module")
def phantom_tree(small_phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The phantom's radiographs as DICOM files, with their table's labels."""
    root = tmp_path_factory.mktemp("dicom") / "tree"
    table = read_records(small_phantom).table
    labels = {}
    for number, row in enumerate(table.itertuples()):
        with Image.open(str(row.path)) as picture:
            pixels = np.asarray(picture)
        name = f"1.2.{number}"
        write_dicom(
            root / str(row.patient_id) / f"IM{number}",
            pixels,
            SOPInstanceUID=name,
            PatientID=str(row.patient_id),
            PatientBirthDate="19471123",
            PatientAge=f"{int(float(str(row.age_years))):03}Y",
            ViewPosition=row.view_position,
            StudyDate=f"20{int(str(row.follow_up)) + 1:02}0101",
        )
        labels[name] = "|".join(row.findings)
    write_labels(root, "image_id", labels)
    return root


def test_prepare_gives_the_pictures_that_the_pngs_give(
    small_phantom: Path, phantom_tree: Path, tmp_path: Path
) -> None:
    caches = [
        prepare_data(configure(folder, tmp_path / str(number)))
        for number, folder in enumerate((small_phantom, phantom_tree))
    ]
    pngs = read_records(small_phantom).table["image_id"]
    names = [f"1.2.{number}" for number in range(len(pngs))]
    expected = caches[0].read(caches[0].rows(pngs)).astype(int)
    found = caches[1].read(caches[1].rows(names)).astype(int)
    assert np.abs(found - expected).max() <= 1


def test_train_learns_from_labels_and_keeps_no_name(
    phantom_tree: Path, tmp_path: Path
) -> None:
    config = configure(phantom_tree, tmp_path / "cache", "split.rare_findings=train")
    run = train_run(config, tmp_path / "run")
    assert len(run.read_records()) == 90
    for file in (tmp_path / "run").rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert b"SECRET" not in content
            assert b"19471123" not in content


def test_an_unlabelled_tree_is_prepared_but_not_trained_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree, cache = tmp_path / "tree", tmp_path / "cache"
    write_tree(tree)
    write_dicom(
        tree / "bad.dcm",
        RAMP8,
        SOPInstanceUID="1.5",
        PatientID="P5",
        PixelData=b"\0" * 9,
    )
    where = ["--data", str(tree), "--format", "dicom"]
    assert main(["prepare", *where, "--cache", str(cache), "--image-size", "32"]) == 0
    opened = open_cache(cache)
    assert sorted(opened.image_ids.tolist()) == ["1.1", "1.2", "1.3", "1.4"]
    assert opened.rejects["image_id"].tolist() == ["1.5"]
    assert "bad.dcm: must be decodable DICOM" in opened.rejects["reason"][0]
    capsys.readouterr()
    out = str(tmp_path / "out")
    two = ["--finding", "Mass", "--against", "No Finding"]
    for words in (["train", "--run", out], ["explore", "--out", out]):
        assert main([*words, *where]) == 2
        said = capsys.readouterr().err.strip().splitlines()[-1]
        assert said.startswith(f"{tree}: must have findings for this. Received: 5 ")
        assert "labels.csv" in said
    assert main(["export-folders", out, *two, *where]) == 2
    assert "must have findings for this" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_log_lines_say_nothing_of_a_patient(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    values = {"PatientID": "MRN4711", "PatientBirthDate": "18000101"}
    write_dicom(tmp_path / "a.dcm", RAMP8, StudyDate="20200101", **values)
    write_dicom(tmp_path / "b.dcm", RAMP8, SOPInstanceUID="1.9", **values)
    records = read_dicom(tmp_path, on_bad_row="set_aside")
    assert "from birth to study must be 0 to 120" in records.rejects["reason"][0]
    told = caplog.text + records.rejects.to_string()
    for secret in ("SECRET", "JANE", "MRN4711", "18000101", "1800"):
        assert secret not in told


@pytest.mark.real_data
def test_real_radiographs_as_dicom_give_the_same_pictures(
    real_data: Path, tmp_path: Path
) -> None:
    pictures = sorted((real_data / "nih-1024").rglob("*.png"))[:12]
    assert len(pictures) == 12
    for path in pictures:
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("L"))
        turned = {"PhotometricInterpretation": "MONOCHROME1"}
        for stored, values in ((pixels, {}), (255 - pixels, turned)):
            file = write_dicom(tmp_path / "a.dcm", stored, **values)
            found = read_image(file).astype(int)
            assert np.abs(found - read_image(path)).max() <= 1
