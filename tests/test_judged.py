"""A model is not scored on those it was fitted on, unless somebody says so."""

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dualnet.cli import main
from dualnet.config_layers import read_config
from dualnet.data.phantom import make_phantom
from dualnet.errors import RecordError, RunError
from dualnet.evaluation.text.caution import caution
from dualnet.files import sha256
from dualnet.findings import Vocabulary
from dualnet.jobs.evaluate import evaluate_run
from dualnet.jobs.finished import read_run
from dualnet.jobs.train import train_run
from dualnet.runs import RunFolder

TABLE = "Data_Entry_2017_v2020.csv"


@pytest.fixture(scope="module")
def run(small_phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = tmp_path_factory.mktemp("run")
    options = [
        f"data.path={small_phantom}",
        f"data.cache={folder / 'cache'}",
        "data.image_size=32",
        "data.workers=1",
        "split.rare_findings=train",
        "model.modality=metadata",
        "training.epochs=1",
        "training.tensorboard=false",
        "evaluation.resamples=20",
    ]
    return train_run(read_config(preset="xnet", overrides=options), folder / "run")


@pytest.fixture
def copied(run: RunFolder, tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(run.path, tmp_path / "copied")))


@pytest.fixture
def strangers(tmp_path: Path) -> Path:
    """Twelve radiographs of six patients whose numbers no run has met."""
    folder = tmp_path / "strangers"
    make_phantom(folder, num_images=12, num_patients=6, seed=9, size=64, workers=1)
    renumber(folder)
    return folder


def renumber(folder: Path) -> None:
    """Gives the patients of a phantom numbers from 90,000,001."""
    table = pd.read_csv(folder / TABLE, dtype="str", keep_default_na=False)
    table["Patient ID"] = [str(90_000_000 + int(n)) for n in table["Patient ID"]]
    for name in table["Image Index"]:
        (folder / "images" / name).rename(folder / "images" / f"9{name[1:]}")
    table["Image Index"] = ["9" + name[1:] for name in table["Image Index"]]
    table.to_csv(folder / TABLE, index=False)


def part_of(run: RunFolder, part: str) -> pd.DataFrame:
    split = run.read_split()
    return split[split["part"] == part]


def refusal(run: RunFolder, *words: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error, when nothing was written into the run."""
    before = sorted(run.path.rglob("*"))
    assert main(["evaluate", str(run.path), *words]) == 2
    assert sorted(run.path.rglob("*")) == before
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_the_training_part_is_refused(
    copied: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = part_of(copied, "train")
    patients = rows["patient_id"].nunique()
    assert refusal(copied, "--part", "train", capsys=capsys) == (
        "--part train: no patient may be one that the run was trained on. "
        f"Received: {len(rows)} of {len(rows)} radiographs, of {patients} patients, "
        f"the first is {rows['image_id'].iloc[0]}. Judge --part test, or score them "
        "all the same with --training-patients score."
    )


def test_the_training_part_is_scored_and_named_when_asked_for(
    copied: RunFolder, tmp_path: Path
) -> None:
    num_rows = len(part_of(copied, "train"))
    result = evaluate_run(
        copied.path, part="train", training_patients="score", out=tmp_path / "out"
    )
    expected = (
        f"Scores of training patients: {num_rows} of {num_rows} radiographs are of "
        "patients whom the model was trained on. They do not tell how it does on others."
    )
    assert " ".join(result.evaluation.text().split("\n\n")[0].split()) == expected
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert list(metrics)[:2] == ["$schema", "caution"]
    assert metrics["caution"] == expected


def test_the_test_part_needs_no_caution(copied: RunFolder, tmp_path: Path) -> None:
    result = evaluate_run(copied.path, out=tmp_path / "out")
    assert result.evaluation.metrics["caution"] is None
    assert result.evaluation.text().startswith("Scores on the phantom")


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (["test", "external"], None),
        ([], None),
        (
            ["val", "val", "external"],
            "Scores of validation patients: 2 of 3 radiographs are of patients who "
            "chose the epoch that was kept. They flatter the model.",
        ),
        (
            ["train", "val", "external"],
            "Scores of training patients: 1 of 3 radiographs are of patients whom the "
            "model was trained on, 1 of patients who chose its epoch. They do not tell "
            "how it does on others.",
        ),
    ],
)
def test_caution_counts_by_hand(parts: list[str], expected: str | None) -> None:
    assert caution(parts) == expected


def test_another_folder_with_training_patients_is_refused(
    copied: RunFolder, small_phantom: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    split = copied.read_split()
    fitted = split[split["part"] != "test"]
    first = fitted["image_id"].iloc[0]
    line = refusal(copied, "--data", str(small_phantom), capsys=capsys)
    assert line == (
        f"{small_phantom}: no patient may be of the run's train or val part. "
        f"Received: {len(fitted)} of 90 radiographs, of "
        f"{fitted['patient_id'].nunique()} patients, the first is {first}. Judge the "
        "others with --training-patients leave-out, or score them all the same with "
        "--training-patients score."
    )


def test_training_patients_are_left_out_and_counted(
    copied: RunFolder,
    small_phantom: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="dualnet")
    test = part_of(copied, "test")
    result = evaluate_run(
        copied.path,
        data=small_phantom,
        cache=tmp_path / "cache",
        training_patients="leave-out",
    )
    assert set(result.evaluation.predictions["image_id"]) == set(test["image_id"])
    assert result.evaluation.metrics["caution"] is None
    assert f"left out {90 - len(test)} of 90 radiographs, of " in caplog.text
    assert result.folder == copied.evaluation / "small"


def test_training_patients_of_another_folder_are_scored_and_counted(
    copied: RunFolder, small_phantom: Path, tmp_path: Path
) -> None:
    result = evaluate_run(
        copied.path,
        data=small_phantom,
        cache=tmp_path / "cache",
        training_patients="score",
    )
    sizes = copied.read_split()["part"].value_counts()
    said = result.evaluation.metrics["caution"]
    assert said.startswith(
        f"Scores of training patients: {sizes['train']} of 90 radiographs"
    )
    assert f", {sizes['val']} of patients who chose its epoch." in said
    assert result.evaluation.metrics["part"] == "external+train+val"


def test_a_folder_of_training_patients_alone_leaves_nothing_to_judge(
    copied: RunFolder, small_phantom: Path, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(small_phantom, tmp_path / "data"))
    table = pd.read_csv(data / TABLE, dtype="str", keep_default_na=False)
    train = table["Image Index"].isin(part_of(copied, "train")["image_id"])
    table[train].to_csv(data / TABLE, index=False)
    with pytest.raises(RecordError, match=r"Leave --data out to judge the run's own"):
        evaluate_run(copied.path, data=data)
    with pytest.raises(
        RecordError, match=r"must be left to judge\. .* all left out\. Name another"
    ):
        evaluate_run(copied.path, data=data, training_patients="leave-out")


def test_strangers_are_judged(
    copied: RunFolder, strangers: Path, tmp_path: Path
) -> None:
    result = evaluate_run(copied.path, data=strangers, cache=tmp_path / "cache")
    assert len(result.evaluation.predictions) == 12
    assert result.evaluation.metrics["part"] == "external"
    assert result.folder == copied.evaluation / "strangers"


@pytest.fixture
def disguised(run: RunFolder, small_phantom: Path, strangers: Path) -> Path:
    """Two of the strangers' pictures are those of training patients, renamed."""
    names = sorted(file.name for file in (strangers / "images").iterdir())
    for name, image_id in zip(
        names[:2], part_of(run, "train")["image_id"], strict=False
    ):
        shutil.copy(small_phantom / "images" / image_id, strangers / "images" / name)
    return strangers


def test_a_training_picture_under_another_name_is_refused(
    copied: RunFolder, disguised: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    words = ["--data", str(disguised), "--cache", str(tmp_path / "cache")]
    line = refusal(copied, *words, capsys=capsys)
    assert line.startswith(
        f"{disguised}: no picture may be one of the run's train or val part under "
        "another name. Received: 2 of 12 radiographs, of "
    )
    assert "the first is 90000001_000.png. Judge the others with" in line


def test_a_training_picture_under_another_name_is_left_out(
    copied: RunFolder, disguised: Path, tmp_path: Path
) -> None:
    result = evaluate_run(
        copied.path,
        data=disguised,
        cache=tmp_path / "cache",
        training_patients="leave-out",
    )
    assert len(result.evaluation.predictions) == 10


def test_pictures_that_cannot_be_compared_are_said(
    copied: RunFolder,
    disguised: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="dualnet")
    config = copied.path / "config.yaml"
    moved = config.read_text().replace(str(copied.read_config().data.cache), "/gone")
    config.write_text(moved)
    evaluate_run(copied.path, data=disguised, cache=tmp_path / "cache")
    assert "pictures not compared with those of training: /gone: must be" in caplog.text


def test_other_findings_are_refused(
    copied: RunFolder, strangers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Vocabulary(
        name="other", findings=("Cough",), negative="No Finding", source="test"
    )
    monkeypatch.setattr("dualnet.data.readers.nih.NIH", other)
    table = pd.read_csv(strangers / TABLE, dtype="str", keep_default_na=False)
    table.assign(**{"Finding Labels": "Cough"}).to_csv(strangers / TABLE, index=False)
    with pytest.raises(
        RecordError, match=r"with the nih classes.*Received: other classes"
    ):
        evaluate_run(copied.path, data=strangers)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--training-patients", "yes"],
            "--training-patients: must be one of refuse, leave-out, score. "
            "Received: 'yes'. Leave it out to refuse them.",
        ),
        (
            ["--part", "tests"],
            "--part: must be one of train, val, test. Received: 'tests'. "
            "Name a part of the run's split.",
        ),
        (
            ["--part", "val", "--data", "elsewhere"],
            "--part: must be left out where --data names another dataset. "
            "Received: 'val'. That dataset is judged whole.",
        ),
    ],
)
def test_words_that_do_not_go_together_are_named(
    words: list[str],
    message: str,
    copied: RunFolder,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert refusal(copied, *words, capsys=capsys) == message


def edit_split(run: RunFolder, change: Callable[[pd.DataFrame], None]) -> None:
    split = run.read_split()
    change(split)
    split.to_csv(run.split, index=False)


def cross_one(split: pd.DataFrame) -> None:
    """Moves one radiograph of the first patient with several into another part."""
    several = split["patient_id"].duplicated(keep=False).idxmax()
    part = split.loc[several, "part"]
    split.loc[several, "part"] = "test" if part == "train" else "train"


def test_a_patient_who_was_moved_across_is_refused(
    copied: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    edit_split(copied, cross_one)
    split = copied.read_split()
    first = split.loc[split["patient_id"].duplicated(keep=False), "image_id"].iloc[0]
    assert refusal(copied, capsys=capsys) == (
        f"{copied.split}: no patient may be in two parts. Received: 1 shared patient, "
        f"the first radiograph is {first}. Restore the file that training wrote, or "
        "train the run again."
    )


def test_a_forged_certificate_does_not_hide_a_shared_patient(
    copied: RunFolder,
) -> None:
    edit_split(copied, cross_one)
    forged = {**copied.read_certificate(), "split_sha256": sha256(copied.split)}
    (copied.path / "split.json").write_text(json.dumps(forged))
    with pytest.raises(RunError, match=r"no patient may be in two parts.*1 shared"):
        read_run(copied.path)


def test_a_whole_patient_who_was_moved_is_refused(
    copied: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    def move(split: pd.DataFrame) -> None:
        patient = split.loc[(split["part"] == "train").idxmax(), "patient_id"]
        split.loc[split["patient_id"] == patient, "part"] = "test"

    edit_split(copied, move)
    assert refusal(copied, capsys=capsys) == (
        f"{copied.split}: must be the split that split.json certifies. Received: "
        "another SHA-256, so a row was changed after training. Restore the file that "
        "training wrote, or train the run again."
    )


@pytest.mark.parametrize("vocabulary", [{"name": "nih"}, [], "nih"])
def test_a_certificate_without_a_vocabulary_is_refused(
    copied: RunFolder, vocabulary: object
) -> None:
    values = {**copied.read_certificate(), "vocabulary": vocabulary}
    (copied.path / "split.json").write_text(json.dumps(values))
    with pytest.raises(RunError, match=r"split\.json: must name the run's vocabulary"):
        read_run(copied.path)


def test_records_of_other_patients_are_refused(copied: RunFolder) -> None:
    records = copied.read_records()
    records.loc[0, "patient_id"] = "77"
    first = records["image_id"].iloc[0]
    copied.write_records(records)
    with pytest.raises(
        RunError,
        match=rf"records\.csv: .*other ones of 1 radiograph, the first is .*{first}",
    ):
        evaluate_run(copied.path)


def test_a_run_reads_its_parts(run: RunFolder) -> None:
    finished = read_run(run.path)
    split = run.read_split()
    np.testing.assert_array_equal(finished.records["part"], split["part"])
    assert set(finished.fitted["part"]) == {"train", "val"}


@pytest.mark.real_data
def test_the_large_pictures_of_training_patients_are_counted(
    real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [
        f"data.path={real_data / 'nih'}",
        f"data.cache={tmp_path / 'cache'}",
        "data.image_size=32",
        "split.rare_findings=train",
        "model.modality=metadata",
        "training.epochs=1",
        "training.tensorboard=false",
    ]
    run = train_run(read_config(preset="xnet", overrides=options), tmp_path / "run")
    data = tmp_path / "nih-1024"
    data.mkdir()
    (data / TABLE).symlink_to(real_data / "nih" / TABLE)
    (data / "images").symlink_to(real_data / "nih-1024" / "images")
    names = sorted(file.name for file in (data / "images").iterdir())
    fitted = run.read_split().query("part != 'test'")
    met = set(fitted["image_id"].str[:8])  # NIH's names begin with the patient
    shared = [name for name in names if name[:8] in met]
    assert 0 < len(shared) < len(names) == 80
    line = refusal(run, "--data", str(data), capsys=capsys)
    assert (
        f"Received: {len(shared)} of 80 radiographs, of "
        f"{len({name[:8] for name in shared})} patients, the first is {shared[0]}. "
    ) in line
