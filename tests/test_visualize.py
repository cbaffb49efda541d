"""`dualnet visualize` in all that it draws, on a run of seconds that kept its epochs."""

import logging
import shutil
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import run_cases
from page_cases import Page

from dualnet.cli import main
from dualnet.data.images import read_image, read_original
from dualnet.errors import ConfigError, RecordError, RunError
from dualnet.explain.activations import compute_activations
from dualnet.jobs.epoch_models import MAX_EPOCHS, choose_epochs, load_epochs
from dualnet.jobs.finished import read_run
from dualnet.jobs.picture_sample import draw_one_a_patient
from dualnet.jobs.train import train_run
from dualnet.jobs.visualize import make_page, tabulate_channels, visualize_run
from dualnet.jobs.visualize_classes import compare_classes
from dualnet.jobs.visualize_filters import find_filters
from dualnet.jobs.visualize_rows import compare_epochs, compare_pictures
from dualnet.runs import RunFolder
from dualnet.training.checkpoint import ARRAYS, list_checkpoints

NUM_EPOCHS = 3


@pytest.fixture(scope="module")
def run(small_phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    config = run_cases.configure(
        small_phantom,
        tmp_path_factory.mktemp("cache") / "small",
        "split.rare_findings=train",
        f"training.epochs={NUM_EPOCHS}",
        "training.patience=9",
        "training.keep_checkpoints=true",
    )
    with pytest.MonkeyPatch.context() as patched:
        page = "dualnet.jobs.training_page.write_training_page"
        patched.setattr(page, lambda *_, **__: None)
        return train_run(config, tmp_path_factory.mktemp("runs") / "one")


def first_rows(run: RunFolder, count: int) -> list[dict]:
    records = read_run(run.path).records
    return [
        {str(key): value for key, value in row.items()}
        for row in records.head(count).to_dict("records")
    ]


def test_one_page_tells_input_preprocessing_halves_and_channels(
    run: RunFolder, tmp_path: Path
) -> None:
    (row,) = first_rows(run, 1)
    page = make_page(read_run(run.path), row)
    assert page.picture is not None
    np.testing.assert_array_equal(page.picture, read_original(Path(row["path"])))
    assert page.picture.shape == (64, 64)
    given = read_image(Path(row["path"]), image_size=32)
    np.testing.assert_array_equal(page.image, given)
    assert page.prepared is not None
    np.testing.assert_allclose(page.prepared[..., 0], given / 127.5 - 1, atol=1e-6)
    total = sum(page.logit_parts.values())
    np.testing.assert_allclose(total, page.activations["logits"], atol=1e-4)
    table = tabulate_channels(page)
    conv = table[table["layer"] == "image_conv_1"]
    values = page.activations["image_conv_1"]
    np.testing.assert_allclose(conv["mean"], values.mean((0, 1)), atol=1e-6)
    np.testing.assert_allclose(
        conv["share_above_0"], (values > 0).mean((0, 1)), atol=1e-6
    )
    folder = visualize_run(
        run.path, image_ids=[row["image_id"]], out=tmp_path / "one", layers=["image_*1"]
    )
    written = pd.read_csv(folder / "channels.csv")
    assert set(written["layer"]) == {"image_conv_1", "image_pool_1", "image_dense_1"}
    words = Page((folder / "index.html").read_text("utf-8")).words
    assert "What each half adds" not in words  # neither fusion nor logits were asked


def test_several_radiographs_stand_side_by_side(run: RunFolder, tmp_path: Path) -> None:
    rows = first_rows(run, 3)
    page = compare_pictures(read_run(run.path), rows)
    model = keras.saving.load_model(run.model)
    assert list(page.labels) == [row["image_id"] for row in rows]
    for stage in page.stages:
        assert len(stage.activations) == 3
    given = np.stack([read_image(Path(r["path"]), image_size=32) for r in rows])
    np.testing.assert_array_equal(page.images, given)
    inputs = {
        "image": given[..., np.newaxis].astype("float32"),
        "metadata": read_run(run.path).encoder.transform(pd.DataFrame(rows)),
    }
    found = compute_activations(model, inputs)
    (fusion,) = [one for one in page.stages if one.name == "fusion"]
    np.testing.assert_allclose(fusion.activations, found["fusion"], atol=1e-5)
    words = [str(tmp_path / "rows"), "--layers", "image_pool"]
    for row in rows[:2]:
        words += ["--image-id", row["image_id"]]
    assert main(["visualize", str(run.path), "--out", *words]) == 0
    assert (tmp_path / "rows" / "01_image_pool.png").is_file()
    text = (tmp_path / "rows" / "index.html").read_text("utf-8")
    assert rows[1]["image_id"] in Page(text).words


def test_too_many_radiographs_are_refused(run: RunFolder) -> None:
    with pytest.raises(ConfigError, match=r"at most 8 together\. Received: 9"):
        compare_pictures(read_run(run.path), first_rows(run, 9))


def test_the_mean_of_a_class_stands_beside_anothers(
    run: RunFolder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="dualnet")
    finished = read_run(run.path)
    page = compare_classes(
        finished,
        finding="Infiltration",
        part="train",
        sample=3,
        layers=["image_conv_1", "logits"],
    )
    asked, other, difference = page.labels
    assert asked.startswith("Infiltration, mean of ")
    assert other.startswith("No Finding, mean of ")
    assert difference == "difference"
    conv, logits = page.stages
    assert conv.name == "image_conv_1"
    np.testing.assert_allclose(
        conv.activations[2], conv.activations[0] - conv.activations[1]
    )
    assert page.images is not None
    np.testing.assert_allclose(page.images[2], page.images[0] - page.images[1])
    assert logits.unit_names[0] == "Atelectasis"
    assert "of shuffles" in conv.note
    assert "one of each of 3 of 4 patients" in caplog.text


def test_no_patient_is_drawn_twice(run: RunFolder) -> None:
    records = read_run(run.path).records
    drawn = draw_one_a_patient(records, most=10, seed=0)
    assert len(drawn) == 10 == drawn["patient_id"].nunique()
    again = draw_one_a_patient(records, most=10, seed=0)
    pd.testing.assert_frame_equal(drawn, again)
    other = draw_one_a_patient(records, most=10, seed=1)
    assert list(other["image_id"]) != list(drawn["image_id"])
    whole = draw_one_a_patient(records, most=1000, seed=0)
    assert len(whole) == records["patient_id"].nunique()


def test_a_class_that_is_not_there_is_named(run: RunFolder) -> None:
    finished = read_run(run.path)
    with pytest.raises(ConfigError, match=r"--finding: must be one of .*'Efusion'"):
        compare_classes(finished, finding="Efusion")
    absent = set(finished.vocabulary.findings)
    test = finished.records[finished.records["part"] == "test"]
    absent -= {name for names in test["findings"] for name in names}
    with pytest.raises(RecordError, match=r"--part test: must hold .* with 0 of"):
        compare_classes(finished, finding=sorted(absent)[0])
    with pytest.raises(ConfigError, match=r"--part: must be one of .*'tset'"):
        find_filters(finished, part="tset")


def test_every_kept_epoch_has_its_own_activations(
    run: RunFolder, tmp_path: Path
) -> None:
    (row,) = first_rows(run, 1)
    page = compare_epochs(read_run(run.path), row, ["image_conv_*", "logits"])
    assert list(page.labels) == [f"epoch {n}" for n in range(1, NUM_EPOCHS + 1)]
    assert "The image half alone" in page.lead
    conv = page.stages[0].activations
    assert (np.abs(np.diff(conv, axis=0)).max(axis=(1, 2, 3)) > 0).all()
    assert page.images is not None
    assert len(page.images) == 1
    assert page.curves is not None
    assert set(page.curves.dead) == set(page.curves.distances) - {"logits"}
    distances = page.curves.distances["image_conv_1"]
    assert distances[-1] == 0
    expected = np.linalg.norm(conv[0] - conv[-1]) / np.linalg.norm(conv[-1])
    assert distances[0] == pytest.approx(expected, rel=1e-5)
    folder = visualize_run(
        run.path,
        image_ids=[row["image_id"]],
        epochs=True,
        layers=["image_conv_1"],
        out=tmp_path / "epochs",
    )
    assert (folder / "02_curves.png").is_file()


def test_the_kept_epoch_is_the_model_that_training_left(run: RunFolder) -> None:
    finished = read_run(run.path)
    best = int(run.read_history()["val_macro_auroc"].to_numpy().argmax()) + 1
    (path,) = [
        one
        for one in list_checkpoints(run.checkpoints, "image")
        if f"epoch-{best:04d}" in one.name
    ]
    ((epoch, model),) = load_epochs(finished, "image", [path])
    kept = keras.saving.load_model(run.model)
    assert epoch == best
    for name in ("image_conv_1", "image_conv_4", "image_dense_1"):
        for ours, theirs in zip(
            model.get_layer(name).get_weights(),
            kept.get_layer(name).get_weights(),
            strict=True,
        ):
            np.testing.assert_array_equal(ours, theirs)


def test_of_many_epochs_some_are_shown_the_first_and_the_last_too(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / f"image-epoch-{n:04d}-step-000000" for n in range(20, 0, -1)]
    room = "dualnet.jobs.epoch_models.list_checkpoints"
    monkeypatch.setattr(room, lambda *_: paths)
    chosen = choose_epochs(read_run(run.path), "image")
    assert len(chosen) == MAX_EPOCHS
    assert (chosen[0], chosen[-1]) == (paths[-1], paths[0])


def test_a_damaged_checkpoint_is_passed_over_and_none_is_told(
    run: RunFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = RunFolder(shutil.copytree(run.path, tmp_path / "run"))
    (row,) = first_rows(run, 1)
    epochs = list_checkpoints(other.checkpoints, "image")
    for path in epochs[1:]:
        shutil.rmtree(path)
    arrays = epochs[0] / ARRAYS
    arrays.write_bytes(arrays.read_bytes()[:-9])
    with pytest.raises(RunError, match="at least one checkpoint must be as it was"):
        compare_epochs(read_run(other.path), row)
    assert "passed over" in caplog.text
    shutil.rmtree(other.checkpoints)
    with pytest.raises(RunError, match=r"keep_checkpoints=true"):
        compare_epochs(read_run(other.path), row)


def test_patches_are_cut_from_the_pictures_that_excite_a_channel(
    run: RunFolder, tmp_path: Path
) -> None:
    finished = read_run(run.path)
    page = find_filters(
        finished, part="train", sample=6, layers=["image_conv_*", "fusion"]
    )
    names = [stage.name for stage in page.stages]
    assert names == [f"image_conv_{n}" for n in range(1, 5)]
    first = page.stages[0]
    assert (first.size, first.whole, first.num_pictures) == (7, False, 6)
    strongest = first.channels[0]
    kernel, bias = (
        keras.saving.load_model(run.model).get_layer("image_conv_1").get_weights()
    )
    patch = strongest.patches[0]
    if not np.ma.getmaskarray(patch).any():  # what lies in the padding is 0 inside
        read = patch / 127.5 - 1
        channel = strongest.channel
        answer = (read * kernel[..., 0, channel]).sum() + bias[channel]
        assert answer == pytest.approx(strongest.answers[0], rel=0.02)
    assert page.stages[-1].whole
    folder = visualize_run(
        run.path, filters=True, sample=3, layers=["image_conv_1"], out=tmp_path / "out"
    )
    assert {path.name for path in folder.iterdir()} == {
        "01_filters.png",
        "02_image_conv_1.png",
        "index.html",
    }


def test_patches_of_vectors_are_refused(run: RunFolder) -> None:
    with pytest.raises(ConfigError, match=r"--layers: must name a layer that makes"):
        find_filters(read_run(run.path), sample=3, layers=["fusion"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"finding": "Mass", "epochs": True}, r"--finding, --epochs: must be one"),
        (
            {"filters": True, "image_ids": ["a.png"]},
            r"--image-id: .* --filters.*a\.png",
        ),
        ({"finding": "Mass", "metadata": "age=5"}, r"--metadata: .* --finding"),
        ({"sample": 5}, r"--sample: must not stand without --finding or --filters"),
        ({"filters": True, "against": "Mass"}, r"--against: .*'?Mass"),
        ({"epochs": True, "part": "val"}, r"--part: must not stand beside --epochs"),
    ],
)
def test_options_that_do_not_go_together_are_named(
    run: RunFolder, options: dict, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        visualize_run(run.path, **options)


def test_epochs_are_of_one_radiograph(run: RunFolder) -> None:
    names = [row["image_id"] for row in first_rows(run, 2)]
    with pytest.raises(ConfigError, match=r"--epochs: must be of one .*Received: 2"):
        visualize_run(run.path, image_ids=names, epochs=True)


def test_nothing_is_written_where_a_layer_is_not_there(
    run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["visualize", str(run.path), "--layers", "image_conf_1"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 2
    assert "Near it: image_conv_1" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
