"""The phantom's folder: NIH's format, the same bytes, whole or absent."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dualnet.data.phantom import make_phantom, writer
from dualnet.errors import ConfigError, RecordError, StorageError
from dualnet.files import sha256
from dualnet.findings import NIH

NUM_IMAGES, NUM_PATIENTS = 60, 24


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantom") / "nih"
    make_phantom(
        folder,
        num_images=NUM_IMAGES,
        num_patients=NUM_PATIENTS,
        seed=3,
        size=32,
        workers=2,
    )
    return folder


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rows(path: Path) -> list[list[str]]:
    return [line.split(",") for line in path.read_text().splitlines()[1:]]


def labels(folder: Path) -> dict[str, list[str]]:
    table = rows(folder / "Data_Entry_2017_v2020.csv")
    return {row[0]: row[1].split("|") for row in table}


def test_headers_are_nihs_own(phantom: Path):
    table = (phantom / "Data_Entry_2017_v2020.csv").read_bytes()
    assert table.startswith(
        b"Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,"
        b"Patient Gender,View Position,OriginalImage[Width,Height],"
        b"OriginalImagePixelSpacing[x,y]\n00000001_000.png,"
    )
    boxes = (phantom / "BBox_List_2017.csv").read_bytes()
    assert boxes.startswith(b"Image Index,Finding Label,Bbox [x,y,w,h],,,\n")


def test_rows_are_as_nih_writes_them(phantom: Path):
    table = rows(phantom / "Data_Entry_2017_v2020.csv")
    assert len(table) == NUM_IMAGES
    for image_id, found, follow_up, patient, age, sex, view, *scanner in table:
        assert image_id == f"{int(patient):08d}_{int(follow_up):03d}.png"
        names = found.split("|")
        assert names == sorted(set(names))
        assert set(names) <= set(NIH.class_names)
        assert len(names) == 1 or "No Finding" not in names
        assert 0 <= int(age) <= 95
        assert sex in {"M", "F"}
        assert view in {"PA", "AP"}
        width, height, across, down = scanner
        assert int(width) >= 2000
        assert int(height) >= 2000
        assert 0.1 < float(across) == float(down) < 0.2


def test_pictures_are_8_bit_gray(phantom: Path):
    table = rows(phantom / "Data_Entry_2017_v2020.csv")
    names = {path.name for path in (phantom / "images").iterdir()}
    assert names == {row[0] for row in table}
    with Image.open(phantom / "images" / "00000001_000.png") as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "L", (32, 32))
        assert np.asarray(picture).std() > 30


def test_boxes_lie_in_the_picture_and_belong_to_a_label(phantom: Path):
    found = labels(phantom)
    boxes = rows(phantom / "BBox_List_2017.csv")
    assert len(boxes) > 5
    for image_id, name, x, y, width, height, *rest in boxes:
        assert rest == ["", "", ""]
        assert {"Infiltrate": "Infiltration"}.get(name, name) in found[image_id]
        assert min(float(x), float(y)) >= 0
        assert min(float(width), float(height)) > 0
        assert float(x) + float(width) <= 1024.01
        assert float(y) + float(height) <= 1024.01


def test_truth_has_each_finding_of_each_picture(phantom: Path):
    truth = rows(phantom / "truth.csv")
    drawn = {(row[0], row[1]) for row in truth}
    assert drawn == {
        (image_id, name)
        for image_id, names in labels(phantom).items()
        for name in names
        if name != "No Finding"
    }
    assert all(0 < float(row[2]) <= 1 for row in truth)


def test_lists_hold_every_picture_once_and_share_no_patient(phantom: Path):
    parts = [
        (phantom / name).read_text().split()
        for name in ("train_val_list.txt", "test_list.txt")
    ]
    assert sorted(parts[0] + parts[1]) == sorted(labels(phantom))
    train_val, test = ({name[:8] for name in part} for part in parts)
    assert not train_val & test
    assert len(test) / NUM_PATIENTS == pytest.approx(0.2, abs=0.1)


def test_same_seed_gives_the_same_bytes_with_any_workers(phantom: Path, tmp_path: Path):
    make_phantom(
        tmp_path / "again",
        num_images=NUM_IMAGES,
        num_patients=NUM_PATIENTS,
        seed=3,
        size=32,
        workers=1,
    )
    assert digests(tmp_path / "again") == digests(phantom)


def test_other_seed_gives_other_bytes(phantom: Path, tmp_path: Path):
    make_phantom(tmp_path / "a", num_images=3, num_patients=3, seed=4, size=32)
    first = "images/00000001_000.png"
    assert sha256(tmp_path / "a" / first) != sha256(phantom / first)


def test_first_pictures_do_not_depend_on_the_picture_size_of_the_lists(tmp_path: Path):
    make_phantom(tmp_path / "a", num_images=2, num_patients=2, seed=4, size=32)
    make_phantom(tmp_path / "b", num_images=2, num_patients=2, seed=4, size=48)
    for name in ("Data_Entry_2017_v2020.csv", "test_list.txt", "truth.csv"):
        assert sha256(tmp_path / "a" / name) == sha256(tmp_path / "b" / name)


def test_identical_phantom_is_reused(phantom: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(*arguments: object, **values: object) -> None:
        raise AssertionError("nothing may be drawn")

    monkeypatch.setattr(writer, "draw_visits", fail)
    make_phantom(
        phantom,
        num_images=NUM_IMAGES,
        num_patients=NUM_PATIENTS,
        seed=3,
        size=32,
        workers=1,
    )


def test_empty_folder_is_filled_and_progress_told(tmp_path: Path):
    steps: list[tuple[int, int]] = []
    folder = tmp_path / "phantom"
    folder.mkdir()
    make_phantom(
        folder,
        num_images=4,
        num_patients=2,
        seed=0,
        size=32,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert steps[-1] == (4, 4)
    assert json.loads((folder / "phantom.json").read_text())["num_images"] == 4
    assert list(tmp_path.iterdir()) == [folder]


def test_folder_with_other_files_is_refused_and_kept(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(RecordError, match=r"Received: other files\. Name another"):
        make_phantom(tmp_path, num_images=2, num_patients=2, seed=0, size=32)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_other_phantom_is_refused_by_what_differs(phantom: Path):
    with pytest.raises(RecordError, match=r"a phantom with seed=3 instead of 4\."):
        make_phantom(
            phantom, num_images=NUM_IMAGES, num_patients=NUM_PATIENTS, seed=4, size=32
        )


def test_phantom_with_a_picture_missing_is_refused(tmp_path: Path):
    make_phantom(tmp_path, num_images=2, num_patients=2, seed=0, size=32)
    (tmp_path / "images" / "00000001_000.png").unlink()
    with pytest.raises(RecordError, match=r"must hold 2 pictures\. Received: 1\."):
        make_phantom(tmp_path, num_images=2, num_patients=2, seed=0, size=32)


def test_file_instead_of_a_folder_is_refused(tmp_path: Path):
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(RecordError, match=r"file: must be a folder\. Received: a file"):
        make_phantom(path, num_images=2, num_patients=2, seed=0, size=32)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_images": 5, "num_patients": 9}, r"from 9 to .* Received: num_images=5"),
        ({"num_patients": 0}, r"Received: num_patients=0\."),
        ({"size": 16}, r"`size` must be from 32 to 1,024\. Received: size=16\."),
        ({"size": 2048}, r"Received: size=2048\."),
        ({"seed": -1}, r"Received: seed=-1\."),
        ({"workers": 0}, r"Received: workers=0\."),
    ],
)
def test_numbers_out_of_range_are_refused(
    tmp_path: Path, values: dict[str, int], message: str
):
    wanted = {"num_images": 9, "num_patients": 3, "seed": 0, "size": 32} | values
    with pytest.raises(ConfigError, match=message):
        make_phantom(tmp_path / "a", **wanted)
    assert not (tmp_path / "a").exists()


def test_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(*arguments: object, **values: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "_draw_patient", fail)
    with pytest.raises(StorageError, match="Received: No space left on device"):
        make_phantom(
            tmp_path / "a", num_images=2, num_patients=2, seed=0, size=32, workers=1
        )
    assert list(tmp_path.iterdir()) == []
