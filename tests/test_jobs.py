"""The whole way, on a small phantom: prepare, train, evaluate, visualize."""

import json
import logging
import shutil
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import run_cases
from page_cases import Page

from dualnet.config import Config
from dualnet.config_layers import read_config
from dualnet.errors import ConfigError, RecordError, RunError
from dualnet.files import sha256
from dualnet.jobs.evaluate import evaluate_run
from dualnet.jobs.finished import read_run
from dualnet.jobs.model_card import write_model_card
from dualnet.jobs.prepare import prepare_data
from dualnet.jobs.train import train_run
from dualnet.jobs.training_data import make_batches, read_training_data
from dualnet.jobs.training_page import link_reports
from dualnet.jobs.visualize import visualize_run
from dualnet.runs import RunFolder


def configure(data: Path, cache: Path, *overrides: str) -> Config:
    return run_cases.configure(
        data,
        cache,
        "split.rare_findings=train",
        "training.epochs=2",
        "training.batch_size=16",
        *overrides,
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache") / "small"


@pytest.fixture(scope="module")
def run(
    small_phantom: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> RunFolder:
    path = tmp_path_factory.mktemp("runs") / "one"
    return train_run(configure(small_phantom, cache), path)


def weights(run: RunFolder) -> list[np.ndarray]:
    return keras.saving.load_model(run.model).get_weights()


def test_a_run_holds_what_everything_downstream_needs(run: RunFolder) -> None:
    certificate = run.read_certificate()
    assert certificate["shared_patients"] == 0
    assert certificate["split"]["vocabulary"] == "nih"
    assert certificate["counts"]["read"] == 90
    assert sum(part["radiographs"] for part in certificate["parts"].values()) == 90
    split, records = run.read_split(), run.read_records()
    assert list(split.columns) == ["image_id", "patient_id", "part"]
    assert list(split["image_id"]) == list(records["image_id"])
    assert split.groupby("patient_id")["part"].nunique().max() == 1
    history = pd.read_csv(run.history)
    assert len(history) == 2
    assert {"loss", "val_loss", "val_macro_auroc"} <= set(history.columns)
    environment = run.read_environment()
    assert environment["precision"]["chosen"] in {"float32", "mixed_bfloat16"}
    assert list(environment["spent"]) == ["preparing", "fitting", "calibrating"]
    for times in environment["spent"].values():
        assert times["seconds"] > 0 < times["processor_seconds"]


def test_only_training_batches_are_changed_and_smoothed(
    small_phantom: Path, cache: Path, run: RunFolder
) -> None:
    config = configure(
        small_phantom,
        cache,
        "training.label_smoothing=0.15",
        "training.augmentation.shift=0",
        "training.augmentation.contrast=0.5",
    )
    data = read_training_data(config)
    train, val = (make_batches(config, data, part) for part in ("train", "val"))
    # a share of .15 among 15 classes: .01 each, and .85 besides to the first label
    np.testing.assert_allclose(np.unique(train.targets), [0.01, 0.86], rtol=1e-5)
    assert np.unique(val.targets).tolist() == [0, 1]
    for batches, changed in ((train, True), (val, False)):
        rows = batches.positions[batches.order[:8]]
        pictures = batches[0][0]["image"][:8]
        assert (pictures != data.cache.read(rows)).any(axis=(1, 2, 3)).all() == changed


def test_a_run_has_a_page_that_shows_how_it_was_trained(run: RunFolder) -> None:
    words = Page(run.training_page.read_text("utf-8")).words
    assert "Finished after 2 of 2 epochs." in words
    assert "Joined: " in words
    assert "calibrating" in words
    assert {run.training_figure, run.samples} <= set(run.path.iterdir())
    table = run.read_finding_history()
    assert list(table["epoch"]) == [1, 2]
    assert set(run.read_halves()["record_weights"]) == set(table.columns) - {"epoch"}


def test_the_page_of_a_training_links_to_its_evaluations(
    run: RunFolder, tmp_path: Path, drawn: None
) -> None:
    copied = RunFolder(shutil.copytree(run.path, tmp_path / "run"))
    for name in ("val/report.html", "report.html"):
        report = copied.evaluation / name
        report.parent.mkdir(parents=True, exist_ok=True)
        report.touch()
    link_reports(copied)
    elements = Page(copied.training_page.read_text("utf-8")).elements
    addresses = [attributes["href"] for tag, attributes in elements if tag == "a"]
    assert addresses[:2] == ["evaluation/report.html", "evaluation/val/report.html"]
    copied.training_page.unlink()
    link_reports(copied)
    assert not copied.training_page.exists()  # a run of before had none


def test_train_writes_the_model_card_and_evaluate_completes_it(
    run: RunFolder, tmp_path: Path
) -> None:
    copied = shutil.copytree(run.path, tmp_path / "run")
    card = copied / "MODEL_CARD.md"
    assert "Not judged yet" in card.read_text("utf-8")
    evaluate_run(copied, part="val", training_patients="score")
    evaluate_run(copied)
    text = card.read_text("utf-8")
    assert "Not judged yet" not in text
    assert text.index("### evaluation: part test") < text.index(
        "### evaluation/val: part val"
    )
    assert sha256(copied / "model.keras") in text
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    test = read_run(copied).records.query("part == 'test'")
    counted = {
        view: f"{n:,}" for view, n in test["view_position"].value_counts().items()
    }
    for view, count in counted.items():
        assert [f"| view {view}", count] in [row[:2] for row in rows]
    write_model_card(RunFolder(copied))
    assert card.read_text("utf-8") == text


def test_scores_of_another_version_are_left_out_of_the_card(
    run: RunFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copied = RunFolder(shutil.copytree(run.path, tmp_path / "run"))
    (copied.evaluation / "old").mkdir(parents=True)
    for text in ('{"model": {}}', "no JSON"):
        (copied.evaluation / "old" / "metrics.json").write_text(text)
        caplog.clear()
        with caplog.at_level(logging.INFO):
            write_model_card(copied)
        assert "old/metrics.json: not this version's" in caplog.text
        assert "Not judged yet" in copied.model_card.read_text("utf-8")


def test_scores_of_a_phantom_say_so(
    run: RunFolder, tmp_path: Path, drawn: None
) -> None:
    metrics = evaluate_run(run.path, out=tmp_path).evaluation.metrics
    assert list(metrics)[:3] == ["$schema", "caution", "about"]
    assert metrics["about"] == {
        "model": "the fused model, xnet",
        "data": "small",
        "phantom": True,
    }
    assert "Scores on the phantom" in (tmp_path / "report.html").read_text("utf-8")


def test_records_are_read_back_as_they_were_written(run: RunFolder) -> None:
    records = run.read_records()
    assert records["findings"].map(type).eq(tuple).all()
    assert records["follow_up"].dtype == "Int64"
    assert records["view_position"].dropna().isin(["PA", "AP"]).all()


def test_the_same_seed_gives_the_same_weights_and_metrics(
    run: RunFolder, small_phantom: Path, cache: Path, tmp_path: Path
) -> None:
    again = train_run(configure(small_phantom, cache), tmp_path / "again")
    for one, other in zip(weights(run), weights(again), strict=True):
        np.testing.assert_array_equal(one, other)
    first = evaluate_run(run.path, out=tmp_path / "first")
    second = evaluate_run(again.path, out=tmp_path / "second")
    names = ("metrics.json", "predictions.csv")
    for name in names:
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes()


def test_an_evaluation_leaves_scores_predictions_and_figures(
    run: RunFolder, tmp_path: Path, drawn: None
) -> None:
    result = evaluate_run(run.path, out=tmp_path / "evaluation")
    predictions = pd.read_csv(result.folder / "predictions.csv")
    test = run.read_split().query("part == 'test'")
    assert list(predictions["image_id"]) == list(test["image_id"])
    classes = read_run(run.path).vocabulary.class_names
    np.testing.assert_allclose(predictions[list(classes)].sum(axis=1), 1, atol=1e-5)
    metrics = json.loads((result.folder / "metrics.json").read_text())
    assert metrics["verdict"]
    figures = {file.name for file in (result.folder / "figures").iterdir()}
    assert {"roc.png", "confusion.png", "calibration.png"} <= figures
    assert "class prior" in result.evaluation.text()


def test_a_sample_draws_whole_patients(run: RunFolder, tmp_path: Path) -> None:
    result = evaluate_run(run.path, sample=10, out=tmp_path / "sample")
    drawn = result.evaluation.predictions
    assert 0 < len(drawn) <= 10
    records = run.read_records()
    whole = records[records["patient_id"].isin(drawn["patient_id"])]
    assert len(whole) == len(drawn)


def test_an_unknown_part_is_named(run: RunFolder) -> None:
    with pytest.raises(ConfigError, match=r"one of train, val, test.*'tests'"):
        evaluate_run(run.path, part="tests")


def test_patients_of_the_training_part_are_refused(
    run: RunFolder, small_phantom: Path
) -> None:
    with pytest.raises(RecordError, match=r"no patient may be of the run's train"):
        evaluate_run(run.path, data=small_phantom)


def test_a_run_of_another_version_is_refused(run: RunFolder, tmp_path: Path) -> None:
    other = RunFolder(tmp_path / "other")
    shutil.copytree(run.path, other.path)
    values = {**other.read_environment(), "run_format": 99, "dualnet": "9.9.9"}
    (other.path / "environment.json").write_text(json.dumps(values))
    with pytest.raises(
        RunError, match=r"format 1.*run_format=99, written by .*9\.9\.9"
    ):
        evaluate_run(other.path)


def test_an_unfinished_run_is_named(run: RunFolder, tmp_path: Path) -> None:
    shutil.copytree(run.path, tmp_path / "half")
    (tmp_path / "half" / "model.keras").unlink()
    with pytest.raises(RunError, match=r"Received: no model\.keras"):
        evaluate_run(tmp_path / "half")


def test_a_run_folder_in_use_is_kept(
    run: RunFolder, small_phantom: Path, cache: Path
) -> None:
    before = run.model.read_bytes()
    with pytest.raises(RunError, match=r"must be empty.*--overwrite"):
        train_run(configure(small_phantom, cache), run.path)
    assert run.model.read_bytes() == before


def test_overwrite_spares_a_folder_that_holds_no_run(
    small_phantom: Path, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "thesis.txt").write_text("keep me")
    with pytest.raises(RunError, match="it holds no run"):
        train_run(configure(small_phantom, cache), tmp_path, overwrite=True)
    assert (tmp_path / "thesis.txt").read_text() == "keep me"


def test_overwrite_replaces_all_of_a_run_behind_a_link(
    small_phantom: Path, cache: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "scratch"
    (folder / "evaluation").mkdir(parents=True)
    (folder / "config.yaml").touch()
    (tmp_path / "run").symlink_to(folder)
    quick = ("model.modality=metadata", "training.epochs=1")
    config = configure(small_phantom, cache, *quick)
    run = train_run(config, tmp_path / "run", overwrite=True)
    assert run.path.is_symlink()
    assert not run.evaluation.exists()
    assert read_run(folder).config.model.modality == "metadata"


@pytest.mark.parametrize("key", ["path", "pictures", "cache"])
def test_overwrite_spares_a_dataset_and_a_cache_in_the_run_folder(
    key: str, run: RunFolder, small_phantom: Path, cache: Path
) -> None:
    before = run.model.read_bytes()
    config = configure(small_phantom, cache, f"data.{key}={run.path / 'inside'}")
    expected = rf"data\.{key}: must not lie in the run folder.*inside\. Name a folder"
    with pytest.raises(ConfigError, match=expected):
        train_run(config, run.path, overwrite=True)
    assert run.model.read_bytes() == before


def test_an_empty_part_leaves_no_run_folder(
    small_phantom: Path, cache: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(small_phantom, data)
    table = data / "Data_Entry_2017_v2020.csv"
    rows = pd.read_csv(table, dtype=str).to_numpy()
    header = table.read_text().splitlines()[0]
    two = [",".join(row) for row in rows if row[3] in {rows[0][3], rows[-1][3]}]
    table.write_text("\n".join([header, *two]) + "\n")
    with pytest.raises(RecordError, match=r"each part must hold .* with 0 of"):
        train_run(configure(data, tmp_path / "cache"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_unreadable_picture_is_listed_and_said(
    small_phantom: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path / "data"
    shutil.copytree(small_phantom, data)
    picture = sorted((data / "images").iterdir())[3]
    picture.write_bytes(picture.read_bytes()[:200])
    caplog.set_level(logging.INFO, logger="dualnet")
    cache = prepare_data(configure(data, tmp_path / "cache"))
    assert list(cache.rejects["image_id"]) == [picture.name]
    run = train_run(
        configure(data, tmp_path / "cache", "training.epochs=1"), tmp_path / "run"
    )
    assert "1 of 90 pictures refused" in caplog.text
    assert run.read_certificate()["counts"]["pictures_refused"] == 1
    assert picture.name not in set(run.read_split()["image_id"])


def test_pictures_refused_are_those_of_the_rows_not_all_of_the_cache(
    small_phantom: Path, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(small_phantom, tmp_path / "data"))
    picture = sorted((data / "images").iterdir())[3]
    picture.write_bytes(b"no picture")
    config = configure(data, tmp_path / "cache")
    assert read_training_data(config).num_refused == 1
    table = data / "Data_Entry_2017_v2020.csv"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(line for line in lines if picture.name not in line))
    read = read_training_data(config)
    assert (len(read.table), read.num_refused) == (89, 0)
    assert read.cache.rejects["image_id"].tolist() == [picture.name]


@pytest.mark.parametrize("modality", ["image", "metadata"])
def test_each_ablation_goes_the_whole_way(
    modality: str, small_phantom: Path, cache: Path, tmp_path: Path
) -> None:
    config = configure(
        small_phantom, cache, f"model.modality={modality}", "training.epochs=1"
    )
    run = train_run(config, tmp_path / "run")
    result = evaluate_run(run.path)
    assert result.folder == run.evaluation
    assert (visualize_run(run.path) / "index.html").is_file()


def test_visualize_draws_every_stage(run: RunFolder, tmp_path: Path) -> None:
    folder = visualize_run(run.path, out=tmp_path / "activations")
    pictures = {file.name for file in folder.iterdir()}
    assert "index.html" in pictures
    assert any("image_conv_1" in name for name in pictures)
    assert any("image_pool" in name for name in pictures)


def test_visualize_takes_a_file_and_a_record(
    run: RunFolder, small_phantom: Path, tmp_path: Path
) -> None:
    image = sorted((small_phantom / "images").iterdir())[0]
    folder = visualize_run(
        run.path,
        images=[image],
        metadata="age=57,view=AP",
        out=tmp_path / "activations",
    )
    assert "57" in (folder / "index.html").read_text()


def test_visualize_knows_a_file_of_the_run_by_a_link(
    run: RunFolder,
    small_phantom: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="dualnet")
    (tmp_path / "images").symlink_to(small_phantom / "images")
    image = tmp_path / "images" / run.read_records()["image_id"][7]
    draw = partial(visualize_run, run.path, layers=["image_pool"], out=tmp_path / "out")
    draw(images=[image])
    assert "is not of the run" not in caplog.text
    other = Path(shutil.copy(image, tmp_path))  # another file of the same name
    draw(images=[other])
    assert f"{other} is not of the run" in caplog.text


def test_visualize_says_which_fields_the_model_does_not_read(
    run: RunFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="dualnet")
    draw = partial(visualize_run, run.path, layers=["image_pool"], out=tmp_path / "out")
    draw(metadata="age=57")
    assert "does not read" not in caplog.text
    draw(metadata="age=57,sex=F")
    assert "--metadata: the model does not read sex" in caplog.text


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ("age=412", r"--metadata: `age` must be .* 0 to 120.*'412'"),
        ("view=XX", r"--metadata: `view` must be one of PA, AP, LATERAL.*'XX'"),
        ("shoe=3", r"--metadata: fields must be .*'shoe'"),
        ("age", r"--metadata: must be field=value.*'age'"),
        ("follow_up=-1", r"--metadata: `follow_up` must be .*-1"),
        ("follow_up=2.5", r"--metadata: `follow_up` must be a whole number .*'2\.5'"),
        ("age=nan", r"--metadata: `age` must be .* 0 to 120.*'nan'"),
        ("age=5,age=6", r"--metadata: each field must stand once.*'age=6'"),
    ],
)
def test_a_bad_record_is_named(
    run: RunFolder, small_phantom: Path, metadata: str, message: str
) -> None:
    image = sorted((small_phantom / "images").iterdir())[0]
    with pytest.raises(ConfigError, match=message):
        visualize_run(run.path, images=[image], metadata=metadata)


def test_an_unknown_radiograph_is_named(run: RunFolder) -> None:
    with pytest.raises(ConfigError, match=r"--image-id: .*'no\.png'"):
        visualize_run(run.path, image_ids=["no.png"])


@pytest.mark.real_data
def test_the_real_table_is_counted(
    real_data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="dualnet")
    config = read_config(
        overrides=[f"data.path={real_data / 'nih'}", f"data.cache={tmp_path / 'cache'}"]
    )
    cache = prepare_data(config)
    assert (
        "112,120 rows read, 0 set aside, 110,237 without a picture, 1,883 used"
        in caplog.text
    )
    assert len(cache.image_ids) == 1883
    assert cache.rejects.empty
