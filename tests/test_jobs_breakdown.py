"""A run's calibration and what its evaluation is broken down by."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
import run_cases

from dualnet.cli import main
from dualnet.data.adjudicated import FILE_NAME
from dualnet.errors import ConfigError, RecordError, RunError, StorageError
from dualnet.evaluation.breakdown import Besides
from dualnet.jobs.breakdown import read_besides
from dualnet.jobs.calibrate import digest_weights, read_calibration
from dualnet.jobs.evaluate import evaluate_run
from dualnet.jobs.finished import read_run
from dualnet.jobs.train import train_run
from dualnet.runs import RunFolder


@pytest.fixture(scope="module")
def run(small_phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = tmp_path_factory.mktemp("breakdown")
    config = run_cases.configure(
        small_phantom,
        folder / "cache",
        "split.rare_findings=train",
        "model.modality=metadata",
    )
    return train_run(config, folder / "run")


def ask(
    run: RunFolder, *, part: str = "test", cache: Path | None = None, **words: Any
) -> Besides:
    """What is known besides of one part of a run."""
    finished = read_run(run.path)
    config, records = finished.config, finished.records
    if cache is not None:
        data = config.data.model_copy(update={"cache": cache})
        config = config.model_copy(update={"data": data})
    table = records[records["part"] == part].reset_index(drop=True)
    return read_besides(finished, table, config, **words)


@pytest.fixture
def copied(run: RunFolder, tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(run.path, tmp_path / "copied")))


def test_training_ends_with_a_calibration(run: RunFolder) -> None:
    values = json.loads(run.calibration.read_text())
    split = run.read_split()
    val = split[split["part"] == "val"]
    assert values["part"] == "val"
    assert values["num_images"] == len(val)
    assert values["num_patients"] == val["patient_id"].nunique()
    assert values["model_sha256"] == digest_weights(run.model)
    assert read_calibration(read_run(run.path)).as_dict() == values


def test_it_is_fitted_again_to_the_same_bytes(copied: RunFolder) -> None:
    before = copied.calibration.read_bytes()
    copied.calibration.unlink()
    ask(copied)
    assert copied.calibration.read_bytes() == before


def test_the_calibration_of_other_weights_is_noticed(
    copied: RunFolder, caplog: pytest.LogCaptureFixture
) -> None:
    values = {**json.loads(copied.calibration.read_text()), "model_sha256": "00"}
    copied.calibration.write_text(json.dumps(values))
    with pytest.raises(RunError, match=r"weights in model\.keras.*SHA-256 of others"):
        read_calibration(read_run(copied.path))
    caplog.set_level(logging.INFO, logger="dualnet")
    ask(copied)
    assert "calibrated anew" in caplog.text
    values = json.loads(copied.calibration.read_text())
    assert values["model_sha256"] == digest_weights(copied.model)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"calibration\.json: must be as training wrote it"),
        ("{}", r"calibration\.json: must be as it was written\. Received: KeyError"),
    ],
)
def test_a_damaged_calibration_is_named(
    copied: RunFolder, text: str, message: str
) -> None:
    copied.calibration.write_text(text)
    with pytest.raises(RunError, match=message):
        read_calibration(read_run(copied.path))


def test_a_missing_calibration_is_named(copied: RunFolder) -> None:
    copied.calibration.unlink()
    with pytest.raises(
        RunError, match=r"no such file\. Fit it again with `dualnet eval"
    ):
        read_calibration(read_run(copied.path))


def test_weights_are_looked_for_in_a_model(tmp_path: Path) -> None:
    file = tmp_path / "model.keras"
    file.write_bytes(b"no archive")
    with pytest.raises(RunError, match=r"must be a Keras model\. Received: BadZipFile"):
        digest_weights(file)


def test_the_part_it_was_fitted_on_is_not_scored_with_it(copied: RunFolder) -> None:
    copied.calibration.unlink()
    found = ask(copied, part="val")
    assert found.calibration is None
    assert found.uncalibrated == (
        "the val part, which is judged, is what a calibration is fitted on"
    )
    assert not copied.calibration.exists()


def test_pictures_that_are_gone_leave_it_uncalibrated(
    copied: RunFolder, tmp_path: Path
) -> None:
    copied.calibration.unlink()
    records = copied.read_records()
    copied.write_records(records.assign(path=records["path"] + ".gone"))
    found = ask(copied, cache=tmp_path / "cache")
    assert found.calibration is None
    assert "the pictures of the val part cannot be used" in found.uncalibrated


def test_a_run_that_cannot_be_written_is_calibrated_all_the_same(
    copied: RunFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(path: Path, values: object) -> None:
        raise StorageError(f"{path}: must be writable. Received: {type(values)}.")

    copied.calibration.unlink()
    monkeypatch.setattr("dualnet.jobs.calibrate.write_json", refuse)
    caplog.set_level(logging.INFO, logger="dualnet")
    assert ask(copied).calibration is not None
    assert "calibration not kept" in caplog.text


def test_an_evaluation_has_joined_columns_and_radiologists_labels(
    run: RunFolder, tmp_path: Path, drawn: None, caplog: pytest.LogCaptureFixture
) -> None:
    test = run.read_split().query("part == 'test'")["image_id"].tolist()
    sites = tmp_path / "sites.csv"
    rows = [f"{name},{'ab'[place % 2]}" for place, name in enumerate(test[2:])]
    sites.write_text("\n".join(["image_id,site", *rows, "other.png,a"]) + "\n")
    answers = tmp_path / FILE_NAME
    header = "Image Index,Pneumothorax,Airspace opacity,Nodule or mass"
    rows = [f"{n},NO,{('NO', 'YES')[p % 2]},NO" for p, n in enumerate(test)]
    answers.write_text("\n".join([header, *rows]) + "\n")
    caplog.set_level(logging.INFO, logger="dualnet")
    out = tmp_path / "out"
    evaluate_run(run.path, joins=[f"{sites}:site"], adjudicated=answers, out=out)
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["subgroups"]["joined"] == [
        {
            "file": "sites.csv",
            "columns": ["site"],
            "left_out": [],
            "num_matched": len(test) - 2,
            "num_without_row": 2,
            "num_rows_unused": 1,
        }
    ]
    assert f"{len(test) - 2} radiographs matched, 2 without a row" in caplog.text
    site = metrics["subgroups"]["groupings"][-1]
    assert (site["name"], site["num_unknown"]) == ("site", 2)
    assert metrics["calibration"]["fitted_on"]["part"] == "val"
    assert list(metrics["labels"]["parts"]) == ["train", "test"]
    adjudicated = metrics["labels"]["adjudicated"]
    assert adjudicated["num_images"] == len(test)
    opacity = adjudicated["findings"]["Airspace opacity"]["adjudicated"]
    assert opacity["n_positive"] == len(test) // 2
    assert (out / "figures" / "subgroups.png").is_file()


def test_columns_of_one_name_in_two_tables_are_told_apart(
    run: RunFolder, tmp_path: Path
) -> None:
    first = run.read_records()["image_id"].iloc[0]
    for name in ("one", "two"):
        (tmp_path / f"{name}.csv").write_text(f"image_id,site\n{first},{name}\n")
    tables = [(tmp_path / f"{name}.csv", ()) for name in ("one", "two")]
    assert list(ask(run, tables=tables).columns) == ["one site", "two site"]


def test_radiologists_are_asked_only_where_their_table_lies(
    run: RunFolder, tmp_path: Path
) -> None:
    assert ask(run).adjudicated is None
    with pytest.raises(RecordError, match=r"no\.csv: must be readable"):
        ask(run, adjudicated=tmp_path / "no.csv")


def test_a_table_that_is_not_there_is_named_first(run: RunFolder) -> None:
    with pytest.raises(ConfigError, match=r"--join: must name a CSV file.*no such"):
        evaluate_run(run.path, joins=["nowhere.csv:site"])


def test_a_radiograph_twice_is_exit_2_and_writes_nothing(
    run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "twice.csv"
    file.write_text("image_id,site\n1.png,a\n1.png,b\n")
    out = tmp_path / "out"
    words = ["evaluate", str(run.path), "--join", str(file), "--out", str(out)]
    assert main(words) == 2
    assert "twice.csv line 3: a radiograph must stand once" in capsys.readouterr().err
    assert not out.exists()
