"""`dualnet explore` from end to end: on a phantom, on class folders, on a bare table."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from class_folder_cases import write_pictures
from explore_cases import LETTERS, five_rows, make_records
from PIL import Image

from dualnet.cli import main
from dualnet.config_layers import read_config
from dualnet.errors import ConfigError
from dualnet.explore.exploration import Exploration, Parts, explore_table
from dualnet.explore.stand_out import find_remarks, percent
from dualnet.explore.summary import plain, summarize
from dualnet.jobs.explore import Explored, choose_samples, explore_data, find_parts
from dualnet.jobs.sources import read_source

TRAINING_SPLIT = "Split by patient, as training would"
FIGURES = {
    "findings",
    "cooccurrence",
    "conditional",
    "age",
    "shares",
    "contrasts",
    "patients",
    "shift_1",
    "shortcuts",
    "gray_by_class",
    "files_by_class",
    "samples",
}


def explore(data: Path, folder: Path, *overrides: str) -> Explored:
    config = read_config(
        overrides=[
            f"data.path={data}",
            f"data.cache={folder / 'cache'}",
            "data.image_size=64",
            "data.workers=1",
            *overrides,
        ]
    )
    return explore_data(config, folder / "out")


def read_numbers(folder: Path) -> dict:
    return json.loads((folder / "out" / "explore.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def explored(
    small_phantom: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Explored]:
    folder = tmp_path_factory.mktemp("explored")
    return folder, explore(small_phantom, folder)


def test_everything_is_written(explored: tuple[Path, Explored]) -> None:
    folder, found = explored
    out = folder / "out"
    assert found.report == out / "report.html"
    assert {path.name for path in out.iterdir()} == {
        "report.html",
        "explore.json",
        "duplicates.csv",
        "figures",
    }
    assert {path.stem for path in (out / "figures").iterdir()} >= FIGURES


def test_the_page_refers_to_nothing_outside(explored: tuple[Path, Explored]) -> None:
    page = explored[1].report.read_text("utf-8")
    assert "://" not in page
    assert "<script" not in page
    assert "default-src 'none'" in page
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(sources) > 20
    assert all(source.startswith(("data:", "#")) for source in sources)
    targets = {source[1:] for source in sources if source.startswith("#")}
    assert targets <= set(re.findall(r'id="([^"]*)"', page))
    assert "Not a medical device" in page
    assert len(page) < 2_000_000


def test_every_figure_has_a_caption_and_a_name(
    explored: tuple[Path, Explored],
) -> None:
    page = explored[1].report.read_text("utf-8")
    drawn = re.findall(r'<figure class="drawn">(.*?)</figure>', page, flags=re.DOTALL)
    assert len(drawn) >= 11
    for figure in drawn:
        alt = re.search(r'alt="([^"]+)"', figure)
        caption = re.search(r"</strong>([^<]+)</figcaption>", figure)
        assert alt is not None
        assert caption is not None
        assert len(caption[1].split()) > 12
        assert re.search(r"\d", caption[1])
        assert "nan" not in caption[1].lower().split()


def test_numbers_agree_with_the_table(
    explored: tuple[Path, Explored], small_phantom: Path
) -> None:
    numbers = read_numbers(explored[0])
    table = pd.read_csv(small_phantom / "Data_Entry_2017_v2020.csv", dtype="str")
    labels = table["Finding Labels"].str.split("|")
    assert numbers["counts"]["radiographs"] == len(table) == 90
    assert numbers["counts"]["patients"] == table["Patient ID"].nunique() == 30
    assert numbers["counts"]["label_strings"] == table["Finding Labels"].nunique()
    counts = labels.explode().value_counts()
    for row in numbers["findings"]:
        assert row["radiographs"] == counts.get(row["finding"], 0)
    assert numbers["pictures"]["measured"] == 90
    assert numbers["known"]["age_years"] == table["Patient Age"].notna().sum()


def test_the_same_dataset_gives_the_same_numbers(
    explored: tuple[Path, Explored], small_phantom: Path
) -> None:
    folder = explored[0]
    first = (folder / "out" / "explore.json").read_bytes()
    (folder / "out" / "figures" / "left_over.png").touch()
    explore(small_phantom, folder)
    assert (folder / "out" / "explore.json").read_bytes() == first
    assert not (folder / "out" / "figures" / "left_over.png").exists()


def test_rows_without_pictures_are_counted_and_compared(
    small_phantom: Path, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(small_phantom, tmp_path / "data"))
    pictures = sorted((data / "images").iterdir())
    for picture in pictures[40:]:
        picture.unlink()
    found = explore(data, tmp_path)
    texts = [remark.text for remark in found.remarks]
    assert any("50 of 90 rows have no picture on disk" in text for text in texts)
    names = [shift["name"] for shift in read_numbers(tmp_path)["shift"]]
    assert "Rows by picture" in names


def test_a_table_without_any_picture_is_explored(
    small_phantom: Path, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(small_phantom, tmp_path / "data"))
    shutil.rmtree(data / "images")
    found = explore(data, tmp_path)
    assert found.exploration.pictures is None
    numbers = read_numbers(tmp_path)
    assert numbers["pictures"] is None
    assert numbers["counts"]["with_picture"] == 0
    assert not (tmp_path / "out" / "duplicates.csv").exists()
    assert "No row has its picture on disk" in found.report.read_text("utf-8")


def test_official_lists_are_compared(small_phantom: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(small_phantom, tmp_path / "data"))
    names = sorted(path.name for path in (data / "images").iterdir())
    (data / "train_val_list.txt").write_text("\n".join(names[:60]))
    (data / "test_list.txt").write_text("\n".join(names[60:]))
    config = read_config(overrides=[f"data.path={data}"])
    parts = find_parts(read_source(config), config)
    assert [one.name for one in parts] == ["Official lists", TRAINING_SPLIT]
    assert (parts[0].first, parts[0].second) == ("train_val", "test")
    assert [int(mask.sum()) for mask in parts[0].masks] == [60, 30]


@pytest.fixture
def kermany(tmp_path: Path) -> Path:
    """Six children, one of them in train and val, one picture twice."""
    root = tmp_path / "data"
    names = [
        "train/NORMAL/IM-0001-0001.jpeg",
        "train/NORMAL/IM-0002-0001.jpeg",
        "train/PNEUMONIA/person3_virus_1.jpeg",
        "train/PNEUMONIA/person4_bacteria_1.jpeg",
        "val/NORMAL/IM-0005-0001.jpeg",
        "val/PNEUMONIA/person3_virus_2.jpeg",
        "val/PNEUMONIA/person6_virus_3.jpeg",
    ]
    write_pictures(root, names)
    for name in (names[3], names[6]):
        pixels = np.random.default_rng(0).integers(0, 256, (32, 32)).astype(np.uint8)
        Image.fromarray(pixels).save(root / name)
    return root


def test_class_folders_tell_who_recurs(kermany: Path, tmp_path: Path) -> None:
    found = explore(kermany, tmp_path, "data.image_size=32")
    numbers = read_numbers(tmp_path)
    assert numbers["counts"]["patients_in_several_folders"] == 1
    rows = {row["folder"]: row for row in numbers["own_folders"]}
    assert rows["train"]["shared_pictures"] == rows["val"]["shared_pictures"] == 1
    assert rows["val"]["shared_share"] == pytest.approx(1 / 3, abs=1e-6)
    texts = " ".join(remark.text for remark in found.remarks)
    assert "Of 6 patients, 1 lies in more than one of the set's own folders" in texts
    assert numbers["record_by_class"][0]["age_mean"] is None
    assert "no age, sex, view or follow-up" in found.report.read_text("utf-8")
    pairs = pd.read_csv(tmp_path / "out" / "duplicates.csv")
    assert pairs["kind"].tolist() == ["exact"]
    assert pairs["same_patient"].tolist() == [False]
    assert pairs["same_folder"].tolist() == [False]


def test_the_command_says_what_stands_out(
    small_phantom: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["explore", "--data", str(small_phantom), "--out", str(tmp_path / "out")]
    words += ["--cache", str(tmp_path / "cache"), "--set", "data.image_size=64"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "- A split by picture (20 % for testing)" in said
    assert f"report: {tmp_path / 'out' / 'report.html'}" in said


def test_a_file_in_the_place_of_the_folder_is_refused(
    small_phantom: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(
        ConfigError, match=r"must be a folder to write\. Received: a file"
    ):
        explore(small_phantom, tmp_path)
    assert not (tmp_path / "cache").exists()


def make_exploration(*parts: Parts) -> Exploration:
    facts = explore_table(
        make_records(five_rows()), parts, test_share=0.2, seed=0, num_resamples=20
    )
    return Exploration(name="letters", vocabulary=LETTERS, table=facts, pictures=None)


def test_facts_of_a_table_are_plain_values() -> None:
    first = np.array([True, True, True, False, False])
    parts = Parts(name="halves", first="one", second="two", masks=(first, ~first))
    exploration = make_exploration(parts)
    summary = summarize(exploration, find_remarks(exploration))
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert summary["counts"]["radiographs"] == 5
    assert summary["counts"]["without_picture"] == 5
    assert summary["cooccurrence"]["radiographs"][0] == [2, 1, 0]
    assert summary["shift"][0]["radiographs"] == [3, 2]
    # patient p has three of five: alone in a test of one with probability 0
    assert summary["split_by_picture"]["expected"] == 0.6
    sections = {remark["section"] for remark in summary["stands_out"]}
    assert {"patients", "findings"} <= sections


def test_plain_values() -> None:
    table = pd.DataFrame({"a": pd.array([1, None], dtype="Int64"), "b": [0.5, np.inf]})
    assert plain(table) == [{"a": 1, "b": 0.5}, {"a": None, "b": None}]
    assert plain((np.float64(1 / 3), "x", None)) == [0.333333, "x", None]


def test_words_for_numbers() -> None:
    assert percent(0) == "0 %"
    assert percent(1) == "100 %"
    assert percent(0.12345, 1) == "12.3 %"


def test_samples_are_of_different_patients() -> None:
    table = five_rows()
    present = np.array([True, True, True, True, False])
    for seed in range(5):
        rows = choose_samples(table, present, number=3, seed=seed)
        assert len(rows) == 2
        assert present[rows].all()
        assert table["patient_id"].iloc[rows].nunique() == 2
    assert len(choose_samples(table, present, number=1, seed=0)) == 1


@pytest.mark.real_data
def test_nih_in_full(real_data: Path, tmp_path: Path) -> None:
    explore(real_data / "nih", tmp_path)
    numbers = read_numbers(tmp_path)
    counts = numbers["counts"]
    assert (counts["radiographs"], counts["patients"]) == (112_120, 30_805)
    assert (counts["label_strings"], counts["with_picture"]) == (836, 1_883)
    assert numbers["split_by_picture"]["expected"] == pytest.approx(0.827, abs=5e-4)
    findings = {row["finding"]: row for row in numbers["findings"]}
    assert findings["Pneumonia"]["radiographs"] == 1_431
    assert findings["Pneumonia"]["first_kept"] == 325
    view = {row["finding"]: row for row in numbers["prevalence_contrasts"]["view"]}
    assert view["Consolidation"]["ratio"] == pytest.approx(3.1, abs=0.05)
    assert (tmp_path / "out" / "report.html").stat().st_size < 5_000_000


@pytest.mark.real_data
def test_kermany_in_full(real_data: Path, tmp_path: Path) -> None:
    explore(real_data / "chest_xray", tmp_path)
    numbers = read_numbers(tmp_path)
    assert numbers["counts"]["patients_in_several_folders"] == 481
    assert [row["pictures"] for row in numbers["own_folders"]] == [4_099, 878]
    findings = {row["finding"]: row["radiographs"] for row in numbers["findings"]}
    assert findings == {"Normal": 1_108 + 237, "Pneumonia": 2_991 + 641}
