"""Kermany's class folders: patients and causes from names, parts that share patients."""

import logging
from pathlib import Path

import pandas as pd
import pytest
from class_folder_cases import touch, write_pictures
from run_cases import configure

from dualnet.cli import main
from dualnet.data.readers import read_records
from dualnet.data.readers.chest_xray import (
    PictureName,
    find_chest_xray,
    name_causes,
    parse_picture_name,
    read_chest_xray,
)
from dualnet.data.records import COLUMNS
from dualnet.errors import ConfigError, RecordError
from dualnet.findings import CHEST_XRAY, CHEST_XRAY_CAUSES
from dualnet.jobs.evaluate import evaluate_run, read_run
from dualnet.jobs.train import train_run
from dualnet.jobs.visualize import visualize_run

PICTURES = (
    "test/NORMAL/NORMAL2-IM-0115-0001.jpeg",  # study 115, as in train: taken as one
    "test/PNEUMONIA/person1_virus_6.jpeg",  # person 1, as in train: taken as one
    "train/NORMAL/IM-0115-0001.jpeg",
    "train/NORMAL/NORMAL2-IM-0531-0001-0002.jpg",
    "train/PNEUMONIA/person1_bacteria_1.jpeg",
    "train/PNEUMONIA/person1_bacteria_2.jpeg",
    "train/PNEUMONIA/person447_virus_921_1.png",
    "val/NORMAL/IM-0115-0001.jpeg",  # the name of another part's picture
    "val/PNEUMONIA/person2_bacteria_3.JPEG",
)


def test_causes_become_classes_and_who_has_both_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    touch(tmp_path, *PICTURES)
    whole = read_chest_xray(tmp_path)
    with caplog.at_level(logging.INFO):
        records = name_causes(whole)
    assert records.vocabulary == CHEST_XRAY_CAUSES
    bacterial, viral, normal = (
        ("Bacterial_Pneumonia",),
        ("Viral_Pneumonia",),
        ("Normal",),
    )
    assert records.table["findings"].tolist() == [
        normal,
        viral,  # person 1, who has bacterial ones too
        normal,
        normal,
        bacterial,
        bacterial,
        viral,
        normal,
        bacterial,
    ]
    others = whole.table.columns.drop("findings")
    pd.testing.assert_frame_equal(records.table[others], whole.table[others])
    assert records.counts["patients_under_both_causes"] == 1
    assert "1 patient under both causes, kept together in a split" in caplog.text


def test_reads_class_folders(tmp_path: Path) -> None:
    touch(tmp_path, *PICTURES)
    records = read_records(tmp_path)
    table = records.table
    assert tuple(table.columns) == COLUMNS
    assert table["image_id"].tolist() == list(PICTURES)
    assert table["path"].tolist() == [str(tmp_path / name) for name in PICTURES]
    assert table["patient_id"].tolist() == [
        "IM-0115",
        "person1",
        "IM-0115",
        "IM-0531",
        "person1",
        "person1",
        "person447",
        "IM-0115",
        "person2",
    ]
    normal, pneumonia = ("Normal",), ("Pneumonia",)
    assert table["findings"].tolist() == [
        normal,
        pneumonia,
        normal,
        normal,
        pneumonia,
        pneumonia,
        pneumonia,
        normal,
        pneumonia,
    ]
    assert set(table["source"]) == {"chest_xray"}
    unknown = table[["age_years", "sex", "view_position", "follow_up"]]
    assert unknown.isna().to_numpy().all()
    assert table["follow_up"].dtype == "Int64"
    assert records.vocabulary.class_names == ("Normal", "Pneumonia")
    assert records.folder == tmp_path


def test_part_cause_and_series_are_kept(tmp_path: Path) -> None:
    touch(tmp_path, *PICTURES)
    details = read_records(tmp_path).details
    assert details["image_id"].tolist() == list(PICTURES)
    assert details["folder_part"].tolist() == 2 * ["test"] + 5 * ["train"] + 2 * ["val"]
    assert details["cause"].fillna("").tolist() == [
        "",
        "virus",
        "",
        "",
        "bacteria",
        "bacteria",
        "virus",
        "",
        "bacteria",
    ]
    assert details["series"].tolist()[:3] == [
        "NORMAL2-IM-0115",
        "person1_virus",
        "IM-0115",
    ]


def test_patients_that_recur_across_the_folders_are_counted_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    touch(tmp_path, *PICTURES)
    with caplog.at_level(logging.INFO):
        records = read_records(tmp_path)
    # IM-0115 and person1; told apart by prefix and cause only IM-0115 of train and val
    assert records.counts == {
        "read": 9,
        "set_aside": 0,
        "without_picture": 0,
        "patients_in_several_folders": 2,
        "series_in_several_folders": 1,
    }
    assert (
        "9 pictures of 5 patients; 2 of the patients lie in more than one of "
        "train, val, test (1 if causes and prefixes tell patients apart) and are kept "
        "together; no age, sex or view is known"
    ) in caplog.text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("person12_virus_35", ("person12", "person12_virus", "virus")),
        ("person0012_bacteria_3", ("person12", "person0012_bacteria", "bacteria")),
        ("IM-0115-0001", ("IM-0115", "IM-0115", None)),
        ("NORMAL2-IM-0531-0001-0002", ("IM-0531", "NORMAL2-IM-0531", None)),
    ],
)
def test_names_are_parsed(name: str, expected: tuple[str, str, str | None]) -> None:
    patient_id, series, cause = expected
    assert parse_picture_name(name) == PictureName(
        patient_id=patient_id, series=series, cause=cause
    )


@pytest.mark.parametrize(
    "name", ["", "person_virus_1", "person1_fungus_1", "person1_virus", "IM-0115", "x"]
)
def test_other_names_are_not(name: str) -> None:
    assert parse_picture_name(name) is None


@pytest.mark.parametrize("place", [".", "chest_xray", "chest_xray/chest_xray"])
def test_parts_that_are_there_are_found_where_archives_unpack(
    tmp_path: Path, place: str
) -> None:
    touch(
        tmp_path,
        f"{place}/val/NORMAL/IM-0001-0001.jpeg",
        f"{place}/val/NORMAL/._IM-0001-0001.jpeg",
        f"{place}/val/NORMAL/.DS_Store",
        f"{place}/__MACOSX/val/NORMAL/IM-0001-0001.jpeg",
        "__MACOSX/chest_xray/val/NORMAL/IM-0001-0001.jpeg",
    )
    records = read_records(tmp_path)
    assert find_chest_xray(tmp_path) == records.folder == tmp_path / place
    assert records.table["image_id"].tolist() == ["val/NORMAL/IM-0001-0001.jpeg"]


def test_second_copy_in_kaggles_zip_is_left_out_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    touch(
        tmp_path,
        "chest_xray/train/NORMAL/IM-0001-0001.jpeg",
        "chest_xray/chest_xray/train/NORMAL/IM-0001-0001.jpeg",
        "chest_xray/train/NORMAL/notes.txt",
    )
    with caplog.at_level(logging.INFO):
        records = read_records(tmp_path)
    assert len(records.table) == 1
    assert "a second copy of the set, left out" in caplog.text
    assert "1 file left out, no picture" in caplog.text


def test_linked_folders_are_followed(tmp_path: Path) -> None:
    touch(tmp_path / "disk", "IM-0001-0001.jpeg")
    (tmp_path / "set" / "train").mkdir(parents=True)
    (tmp_path / "set" / "train" / "NORMAL").symlink_to(tmp_path / "disk")
    table = read_records(tmp_path / "set").table
    assert table["image_id"].tolist() == ["train/NORMAL/IM-0001-0001.jpeg"]


def test_empty_class_folder_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "train/NORMAL/IM-0001-0001.jpeg", "val/NORMAL/IM-0002-0001.jpeg")
    (tmp_path / "train" / "PNEUMONIA").mkdir()
    expected = (
        r"the class folder train/PNEUMONIA must hold at least one picture "
        r"\(.jpeg, .jpg, .png\). Received: 0. Copy its pictures again"
    )
    with pytest.raises(RecordError, match=expected):
        read_records(tmp_path)


@pytest.mark.parametrize("folder", ["train/OTHER", "validation/NORMAL", "train"])
def test_unknown_class_folder_is_named_and_counted(
    tmp_path: Path, folder: str, caplog: pytest.LogCaptureFixture
) -> None:
    touch(tmp_path, *PICTURES, f"{folder}/IM-1-1.png", f"{folder}/IM-2-1.png")
    expected = (
        rf": {folder}/IM-1-1.png: must lie in a class folder \(train, val or test with "
        rf"NORMAL and PNEUMONIA\). Received: '{folder}', which holds 2 pictures. "
        r"1 more picture is bad. Move it away, or set bad ones aside with "
        r"data.on_bad_row=set_aside"
    )
    with pytest.raises(RecordError, match=expected):
        read_records(tmp_path)
    with caplog.at_level(logging.INFO):
        records = read_records(tmp_path, on_bad_row="set_aside")
    assert records.rejects["image_id"].tolist() == [
        f"{folder}/IM-1-1.png",
        f"{folder}/IM-2-1.png",
    ]
    assert records.rejects["line"].isna().all()
    assert (records.counts["read"], records.counts["set_aside"]) == (11, 2)
    assert f"pictures set aside: 2 of {folder}" in caplog.text


@pytest.mark.parametrize(
    ("picture", "form"),
    [
        ("train/PNEUMONIA/scan7.jpeg", "person1_bacteria_2.jpeg or person1_virus_2"),
        ("train/NORMAL/person1_virus_2.jpeg", "IM-0115-0001.jpeg or NORMAL2-IM-0531"),
        ("train/PNEUMONIA/IM-0115-0001.jpeg", "person1_bacteria_2.jpeg"),
    ],
)
def test_name_that_does_not_parse_is_named(
    tmp_path: Path, picture: str, form: str
) -> None:
    touch(tmp_path, *PICTURES)
    touch(tmp_path / "chosen", "train/NORMAL/IM-0001-0001.jpeg", picture)
    name = Path(picture).name
    expected = rf": {picture}: the name must be as {form}.* Received: '{name}'. Move it"
    with pytest.raises(RecordError, match=expected):
        read_records(tmp_path / "chosen")
    records = read_records(tmp_path / "chosen", on_bad_row="set_aside")
    assert records.table["image_id"].tolist() == ["train/NORMAL/IM-0001-0001.jpeg"]
    assert records.rejects["image_id"].tolist() == [picture]


def test_folder_with_bad_pictures_alone_is_an_error(tmp_path: Path) -> None:
    touch(tmp_path, "train/NORMAL/a.png", "train/NORMAL/b.png")
    with pytest.raises(RecordError, match=r"one good picture. Received: 2 bad ones"):
        read_records(tmp_path, on_bad_row="set_aside")
    with pytest.raises(ConfigError, match=r"on_bad_row: .*Received: 'drop'"):
        read_records(tmp_path, on_bad_row="drop")


def test_folder_of_another_kind_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    with pytest.raises(RecordError, match=r"Kermany's folders, .*Received: none"):
        read_chest_xray(tmp_path)
    with pytest.raises(RecordError, match=r"a known format \(nih: .*; chest_xray: "):
        read_records(tmp_path)


def test_two_formats_that_fit_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "train/NORMAL/IM-0001-0001.jpeg", "Data_Entry_2017.csv")
    expected = r"must hold one dataset. Received: nih and chest_xray. Name one with"
    with pytest.raises(RecordError, match=expected):
        read_records(tmp_path)
    assert len(read_records(tmp_path, format="chest_xray").table) == 1


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kermany") / "chest_xray"
    parts = ("train", "train", "val")
    names = [
        f"{parts[number % 3]}/{name}"
        for number in range(12)
        for name in (
            f"NORMAL/IM-{number:04d}-0001.jpeg",
            f"PNEUMONIA/person{number // 2}_bacteria_{number}.jpeg",
        )
    ]
    write_pictures(folder, names)
    return folder


def test_prepares(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    cache = tmp_path / "cache"
    words = ["prepare", "--data", str(tiny), "--format", "chest_xray"]
    assert main([*words, "--cache", str(cache), "--image-size", "32"]) == 0
    assert "24 pictures, 0 refused" in capsys.readouterr().out


def test_trains_judges_and_draws(tiny: Path, tmp_path: Path) -> None:
    config = configure(tiny, tmp_path / "cache", "model.modality=image")
    run = train_run(config, tmp_path / "run")
    certificate, split = run.read_certificate(), run.read_split()
    assert certificate["shared_patients"] == 0
    assert split.groupby("patient_id")["part"].nunique().max() == 1
    # persons 1, 2, 4 and 5; the others have both of their pictures in train
    assert certificate["counts"]["patients_in_several_folders"] == 4
    assert certificate["vocabulary"]["negative"] == "Normal"
    details = pd.read_csv(run.path / "details.csv")
    assert details["cause"].value_counts().to_dict() == {"bacteria": 12}
    vocabulary = read_run(run.path).vocabulary
    assert vocabulary == CHEST_XRAY
    metrics = evaluate_run(run.path).evaluation.metrics
    assert metrics["class_names"] == ["Normal", "Pneumonia"]
    assert metrics["negative"] == "Normal"
    assert metrics["baselines"]["metadata_only"]["macro"]["auroc"] == 0.5
    image_id = str(split["image_id"][0])
    folder = visualize_run(run.path, image_ids=[image_id])
    assert folder == run.activations / Path(image_id.replace("/", "-")).stem
    assert (folder / "index.html").is_file()
    del certificate["vocabulary"]  # a run of before
    run.write_split(split, certificate)
    assert read_run(run.path).vocabulary == vocabulary


@pytest.mark.parametrize("modality", ["fused", "metadata"])
def test_a_model_of_metadata_is_refused_where_there_is_none(
    tiny: Path, tmp_path: Path, modality: str
) -> None:
    config = configure(tiny, tmp_path / "cache", f"model.modality={modality}")
    expected = (
        r"^model.modality: must be image where no row knows any of age, follow_up, "
        rf"view. Received: {modality}. Say --set model.modality=image.$"
    )
    with pytest.raises(ConfigError, match=expected):
        train_run(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.real_data
def test_real_folders_are_read_whole(real_data: Path) -> None:
    records = read_records(real_data / "chest_xray")
    classes = records.details["image_id"].str.rpartition("/")[0].value_counts()
    assert classes.to_dict() == {
        "train/NORMAL": 1108,
        "train/PNEUMONIA": 2991,
        "val/NORMAL": 237,
        "val/PNEUMONIA": 641,
    }
    assert records.counts == {
        "read": 4977,
        "set_aside": 0,
        "without_picture": 0,
        "patients_in_several_folders": 481,
        "series_in_several_folders": 269,
    }
    assert records.table["patient_id"].nunique() == 2572
    assert records.details["series"].nunique() == 3584
    causes = records.details["cause"].value_counts()
    assert causes.to_dict() == {"bacteria": 2368, "virus": 1264}
    named = name_causes(records)
    assert named.counts["patients_under_both_causes"] == 765
    classes = named.table["findings"].map("".join).value_counts().to_dict()
    assert classes == {
        "Bacterial_Pneumonia": 2368,
        "Normal": 1345,
        "Viral_Pneumonia": 1264,
    }
