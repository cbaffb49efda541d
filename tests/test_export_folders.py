"""One folder a class: the right pictures in it, nobody in two parts, or no folder."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from dicom_cases import write_labels, write_tree

from dualnet.cli import main
from dualnet.config import Config
from dualnet.config_layers import read_config
from dualnet.errors import ConfigError, RecordError, StorageError
from dualnet.jobs.export_folders import ExportedFolders, export_folders

TABLE = "Data_Entry_2017_v2020.csv"
FINDING, AGAINST = "Infiltration", "No Finding"


@pytest.fixture
def data(small_phantom: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_phantom, tmp_path / "data"))


def read_labels(data: Path) -> pd.Series:
    table = pd.read_csv(data / TABLE, dtype="str", keep_default_na=False)
    return table.set_index("Image Index")["Finding Labels"]


def configure(data: Path, seed: int = 0) -> Config:
    return read_config(overrides=[f"data.path={data}", f"seed={seed}"])


def export(data: Path, folder: Path, **options: bool) -> ExportedFolders:
    return export_folders(
        configure(data), folder, finding=FINDING, against=AGAINST, **options
    )


def files_below(folder: Path) -> set[str]:
    return {
        str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()
    }


def test_each_picture_lies_in_the_folder_of_its_class(
    data: Path, tmp_path: Path
) -> None:
    labels = read_labels(data)
    rows = {
        "Infiltration": labels[labels.str.contains("Infiltration")],
        "No_Finding": labels[labels == "No Finding"],
    }
    assert rows["Infiltration"].str.contains("|", regex=False).any()
    exported = export(data, tmp_path / "out")
    expected = {f"{name}/{image}" for name in rows for image in rows[name].index}
    assert files_below(tmp_path / "out") == {*expected, "folders.csv"}
    assert exported.num_neither == 90 - len(expected)
    assert exported.num_without_picture == 0
    table = pd.read_csv(tmp_path / "out" / "folders.csv", keep_default_na=False)
    assert list(table.columns) == ["image_id", "patient_id", "class", "part", "file"]
    assert set(table["file"]) == expected
    assert set(table["class"]) == {FINDING, AGAINST}
    assert set(table["part"]) == {""}


def test_links_survive_a_move_of_the_folders(data: Path, tmp_path: Path) -> None:
    export(data, tmp_path / "out")
    (tmp_path / "elsewhere").mkdir()
    moved = (tmp_path / "out").rename(tmp_path / "elsewhere" / "deep")
    file = next((moved / "No_Finding").iterdir())
    assert file.is_symlink()
    assert file.readlink() == data / "images" / file.name
    assert file.read_bytes() == (data / "images" / file.name).read_bytes()


def test_links_to_a_dataset_that_was_named_relatively_hold(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    export(Path(data.name), Path("out"))
    assert next((tmp_path / "out" / "No_Finding").iterdir()).is_file()


def test_copies_need_the_dataset_no_more(data: Path, tmp_path: Path) -> None:
    export(data, tmp_path / "out", copy=True)
    shutil.rmtree(data)
    file = next((tmp_path / "out" / "No_Finding").iterdir())
    assert not file.is_symlink()
    assert file.read_bytes()[:4] == b"\x89PNG"


def test_no_patient_is_in_two_parts(data: Path, tmp_path: Path) -> None:
    table = export(data, tmp_path / "out", split=True).table
    assert set(table["part"]) == {"train", "val", "test"}
    assert table.groupby("patient_id")["part"].nunique().max() == 1
    assert table.groupby("part")["class"].nunique().min() == 2
    folders = {str(Path(file).parent) for file in table["file"]}
    assert folders == {
        f"{part}/{name}"
        for part in ("train", "val", "test")
        for name in (FINDING, "No_Finding")
    }
    assert files_below(tmp_path / "out") == {*table["file"], "folders.csv"}


def test_the_seed_decides_who_goes_where(data: Path, tmp_path: Path) -> None:
    tables = [
        export_folders(
            configure(data, seed),
            tmp_path / name,
            finding=FINDING,
            against=AGAINST,
            split=True,
        ).table
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    assert tables[0].equals(tables[1])
    assert not tables[0].equals(tables[2])


def test_a_missing_picture_is_counted(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = read_labels(data)
    negatives = labels.index[labels == "No Finding"]
    (data / "images" / negatives[0]).unlink()
    words = ["--data", str(data), "--finding", FINDING, "--against", AGAINST]
    assert main(["export-folders", *words, str(tmp_path / "out")]) == 0
    positive = labels.str.contains(FINDING)
    neither = 90 - positive.sum() - len(negatives)
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"Infiltration: {positive.sum()} pictures of ")
    assert said[1].startswith(f"No_Finding: {len(negatives) - 1} pictures of ")
    assert said[2:] == [
        f"left out: {neither} radiographs with neither label, 1 without a picture",
        "with both labels, so in the folder of the finding: 0",
        f"folders: {tmp_path / 'out'}",
    ]


@pytest.mark.parametrize(
    ("finding", "against", "message"),
    [
        ("Cough", AGAINST, "--finding: must be one of Atelectasis, "),
        (FINDING, FINDING, "--against: must be another class than --finding. "),
    ],
)
def test_bad_names_leave_nothing(
    finding: str,
    against: str,
    message: str,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["--data", str(data), "--finding", finding, "--against", against]
    assert main(["export-folders", *words, str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(message)
    assert list(tmp_path.iterdir()) == [data]


def test_a_folder_in_use_is_kept(data: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("keep me")
    with pytest.raises(
        ConfigError, match=r"out: must be absent or empty\. Received: a folder with"
    ):
        export(data, tmp_path / "out")
    assert files_below(tmp_path / "out") == {"thesis.txt"}
    with pytest.raises(ConfigError, match=r"absent or empty\. Received: a file\."):
        export(data, tmp_path / "out" / "thesis.txt")


def test_an_empty_folder_is_filled(data: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    export(data, tmp_path / "out")
    assert (tmp_path / "out" / "folders.csv").is_file()


def test_a_class_without_a_picture_is_named(data: Path, tmp_path: Path) -> None:
    labels = read_labels(data)
    for image in labels.index[labels == "No Finding"]:
        (data / "images" / image).unlink()
    rows = (labels == "No Finding").sum()
    with pytest.raises(
        RecordError, match=rf"Received: 'No Finding' with {rows} rows, 0 pictures\."
    ):
        export(data, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_copy_that_fails_leaves_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copyfile, done = shutil.copyfile, []

    def fail_at_the_third(source: str, target: Path) -> None:
        done.append(source)
        if len(done) == 3:
            raise OSError(28, "No space left on device", str(target))
        copyfile(source, target)

    monkeypatch.setattr(shutil, "copyfile", fail_at_the_third)
    with pytest.raises(
        StorageError, match=r"out: must be writable.*No space left on device at .*\.png"
    ):
        export(data, tmp_path / "out", copy=True)
    assert list(tmp_path.iterdir()) == [data]


@pytest.mark.real_data
def test_the_real_pictures_are_sorted(real_data: Path, tmp_path: Path) -> None:
    data = real_data / "nih"
    exported = export_folders(
        configure(data), tmp_path / "out", finding="Pneumothorax", against=AGAINST
    )
    labels = read_labels(data)
    here = labels[
        labels.index.isin([file.name for file in (data / "images").iterdir()])
    ]
    positive = here.index[here.str.contains("Pneumothorax")]
    negative = here.index[here.str.fullmatch("No Finding")]
    assert (len(positive), len(negative)) == (201, 683)
    assert files_below(tmp_path / "out") == {
        "folders.csv",
        *(f"Pneumothorax/{image}" for image in positive),
        *(f"No_Finding/{image}" for image in negative),
    }
    assert exported.num_neither == 46_457
    assert exported.num_without_picture == 64_779


def test_dicom_files_are_named_as_such(tmp_path: Path) -> None:
    write_tree(tmp_path / "tree")  # files without a suffix
    names = ("1.1", "1.2", "1.3", "1.4")
    labels = [FINDING, AGAINST] * 2
    said: dict[str, str] = dict(zip(names, labels, strict=True))
    write_labels(tmp_path / "tree", "image_id", said)
    exported = export(tmp_path / "tree", tmp_path / "out")
    assert set(exported.table["image_id"]) <= set(names)
    assert files_below(tmp_path / "out") == {
        "folders.csv",
        *(
            f"{said[name].replace(' ', '_')}/{name}.dcm"
            for name in exported.table["image_id"]
        ),
    }
