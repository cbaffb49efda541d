"""`dualnet explain` on small runs: fused, of the picture and of the record alone."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from page_cases import Page
from run_cases import configure

from dualnet.cli import main
from dualnet.data.cache import open_cache
from dualnet.errors import ConfigError, ImageError
from dualnet.explain.boxes import read_boxes
from dualnet.jobs import training_cases
from dualnet.jobs.explain import explain_run, read_judged
from dualnet.jobs.explained_picture import read_verdict
from dualnet.jobs.finished import read_run
from dualnet.jobs.predicting import predict_rows
from dualnet.jobs.train import train_run
from dualnet.models.dual import build_dual_classifier
from dualnet.runs import RunFolder, write_table

SMALL = ("split.rare_findings=train",)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("explanations")


@pytest.fixture(scope="module")
def run(small_phantom: Path, folder: Path) -> Path:
    config = configure(
        small_phantom,
        folder / "cache",
        *SMALL,
        "model.metadata_fields=[age, follow_up, view, sex]",
        "training.halves_first=false",
    )
    with pytest.MonkeyPatch.context() as undrawn:
        page = "dualnet.jobs.training_page.write_training_page"
        undrawn.setattr(page, lambda *_, **__: None)
        train_run(config, folder / "fused")
    write_predictions(folder / "fused", folder / "cache")
    return folder / "fused"


def write_predictions(run: Path, cache: Path) -> None:
    """What an evaluation leaves, without its baselines, which take longer."""
    finished = read_run(run)
    test = finished.records.query("part == 'test'").reset_index(drop=True)
    said = predict_rows(finished, test, open_cache(cache))
    scores = pd.DataFrame(said, columns=list(finished.vocabulary.class_names))
    told = test[["image_id", "patient_id", "part"]]
    write_table(
        run / "evaluation" / "predictions.csv", pd.concat([told, scores], axis=1)
    )


def make_half(run: Path, folder: Path, modality: str) -> Path:
    """The run as if one half of its model had been trained, to its first weights."""
    half = folder / modality
    shutil.copytree(run, half)
    (half / "explanations" / training_cases.FILE).unlink(missing_ok=True)
    config = read_run(run).config
    settings = config.model.model_copy(update={"modality": modality})
    RunFolder(half).write_config(config.model_copy(update={"model": settings}))
    finished = read_run(half)
    built = build_dual_classifier(
        image_size=32,
        num_features=finished.encoder.num_features,
        class_names=finished.answered,
        modality=modality,
    )
    built.save(half / "model.keras")
    return half


@pytest.fixture(autouse=True)
def _undrawn_pages(request: pytest.FixtureRequest, monkeypatch) -> None:
    """Explanations without heat map and page, which cost more than all the rest.

    But for those of fixtures of a module.
    """
    if not {"drawn", "real_data"} & set(request.fixturenames):
        room = "dualnet.jobs.explain"
        monkeypatch.setattr(f"{room}.explain_picture", lambda *_, **__: ({}, None))
        monkeypatch.setattr(f"{room}.write_explanation_page", lambda *_, **__: None)


@pytest.fixture(scope="module")
def boxed(run: Path, small_phantom: Path) -> pd.Series:
    """A radiograph of the test part with the box of a finding."""
    truth = pd.read_csv(small_phantom / "truth.csv").dropna()
    records = read_run(run).records
    test = records.loc[records["part"] == "test", "image_id"]
    return truth[truth["image_id"].isin(test)].iloc[0]


@pytest.fixture(scope="module")
def explained(run: Path, boxed: pd.Series) -> Path:
    return explain_run(run, image_id=boxed["image_id"], finding=boxed["finding"])


def read(folder: Path) -> dict:
    return json.loads((folder / "explanation.json").read_text())


def test_an_explanation_holds_all_its_parts(explained: Path, boxed: pd.Series) -> None:
    values = read(explained)
    assert (values["image_id"], values["finding"]) == tuple(
        boxed[["image_id", "finding"]]
    )
    assert values["part"] == "test"
    players = [one["player"] for one in values["shares"]["log_odds"]["players"]]
    assert players == ["picture", "age", "follow_up", "view", "sex"]
    assert [one["field"] for one in values["curves"]] == players[1:]
    assert len(values["neighbours"]["cases"]) == 5
    own = [box for box in values["picture"]["boxes"] if box["finding"] == boxed.finding]
    assert own[0]["left"] == pytest.approx(boxed["x"] / 1024)
    assert set(values["picture"]["inside"]) == {"pointing", "energy", "area"}
    assert "trained on a phantom" in values["remarks"][0]
    names = {file.name for file in explained.iterdir()}
    assert names == {
        "index.html",
        "explanation.json",
        *(f"{one}.png" for one in ("heat_map", "probabilities", "shares", "curves")),
    }
    assert boxed["image_id"] in Page((explained / "index.html").read_text()).words


@pytest.mark.parametrize("scale", ["log_odds", "logits"])
def test_shares_add_up_on_the_page(explained: Path, scale: str) -> None:
    told = read(explained)["shares"][scale]
    total = sum(one["share"] for one in told["players"])
    assert total == pytest.approx(told["to"] - told["from"], abs=1e-9)
    for one in told["players"]:
        ends = one["share_interval"]
        assert ends["low"] <= one["share"] <= ends["high"]


def test_probabilities_are_the_calibrated_ones_of_the_evaluation(
    explained: Path, run: Path, boxed: pd.Series
) -> None:
    from dualnet.jobs.calibrate import read_calibration

    finished = read_run(run)
    names = finished.vocabulary.class_names
    said = pd.read_csv(run / "evaluation" / "predictions.csv").set_index("image_id")
    row = said.loc[[boxed["image_id"]], list(names)].to_numpy()
    expected = read_calibration(finished).apply(row)[0]
    values = read(explained)
    found = [values["probabilities"][name]["probability"] for name in names]
    # bfloat16 rounds otherwise in a batch of another size
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-5)
    # the curve passes through it
    for curve in values["curves"]:
        here = curve["probabilities"][curve["own"]]
        assert here == pytest.approx(found[names.index(boxed["finding"])], abs=1e-5)


def test_what_was_observed_leaves_the_patient_out(explained: Path, run: Path) -> None:
    judged = read_judged(read_run(run))
    assert judged is not None
    others = judged["patient_id"].nunique() - 1
    for one in read(explained)["probabilities"].values():
        assert one["observed"]["num_patients"] == min(20, others)
        assert one["observed"]["low"] <= one["observed"]["share"]


def test_the_training_cases_are_read_once(
    explained: Path, run: Path, boxed: pd.Series, monkeypatch, tmp_path: Path
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the pictures were read again")

    monkeypatch.setattr(training_cases, "prepare", refuse)
    again = explain_run(
        run, image_id=boxed["image_id"], finding=boxed["finding"], out=tmp_path
    )
    for key in ("shares", "neighbours", "curves", "probabilities"):
        assert read(again)[key] == read(explained)[key]


def test_kept_cases_of_other_weights_are_made_anew(run: Path, tmp_path: Path) -> None:
    copied = tmp_path / "run"
    shutil.copytree(run, copied)
    file = copied / "explanations" / training_cases.FILE
    with np.load(file) as arrays:
        kept = dict(arrays)
    np.savez(file, **{**kept, "model_sha256": "another", "picture_0": [0.0]})
    folder = explain_run(copied, finding="Effusion")
    with np.load(file) as arrays:
        np.testing.assert_array_equal(arrays["picture_0"], kept["picture_0"])
    file.write_bytes(b"damaged")
    assert read(explain_run(copied, finding="Effusion")) == read(folder)


def test_a_file_of_ones_own_has_an_unknown_record(
    run: Path, small_phantom: Path, tmp_path: Path
) -> None:
    own = tmp_path / "mine.png"
    shutil.copy(next((small_phantom / "images").glob("*.png")), own)
    values = read(explain_run(run, image=own, metadata="age=57", out=tmp_path / "a"))
    assert values["record"] == {
        "age": "57",
        "follow_up": "unknown",
        "view": "unknown",
        "sex": "unknown",
    }
    assert values["labels"] is None
    assert any("never taught" in line for line in values["remarks"])
    view = values["curves"][2]
    assert view["values"][view["own"]] is None


def test_a_run_that_is_not_judged_says_so(run: Path, tmp_path: Path) -> None:
    copied = tmp_path / "run"
    shutil.copytree(run, copied)
    shutil.rmtree(copied / "evaluation")
    (copied / "calibration.json").unlink()
    values = read(explain_run(copied))
    assert not values["calibrated"]
    assert all(one["observed"] is None for one in values["probabilities"].values())
    assert any("dualnet evaluate" in line for line in values["remarks"])


def test_without_training_pictures_the_rest_is_explained(
    run: Path, boxed: pd.Series, small_phantom: Path, tmp_path: Path, monkeypatch
) -> None:
    from dualnet.errors import CacheError

    def fail(*_: object) -> None:
        raise CacheError("cache: gone. Received: none. Make it.")

    copied = tmp_path / "run"
    shutil.copytree(run, copied)
    (copied / "explanations" / training_cases.FILE).unlink()
    monkeypatch.setattr(training_cases, "prepare", fail)
    values = read(explain_run(copied, image_id=boxed["image_id"]))
    assert "shares" not in values
    assert "neighbours" not in values
    assert any("cannot be read" in line for line in values["remarks"])


def test_a_model_of_the_record_alone_has_shares_and_no_map(
    run: Path, tmp_path: Path
) -> None:
    run = make_half(run, tmp_path, "metadata")
    values = read(explain_run(run, out=tmp_path / "out"))
    assert "picture" not in values
    players = [one["player"] for one in values["shares"]["log_odds"]["players"]]
    assert players == ["age", "follow_up", "view", "sex"]
    with pytest.raises(ConfigError, match="need a model that sees pictures"):
        explain_run(run, method="grad_cam")


def test_a_model_of_the_picture_alone_has_one_player(run: Path, tmp_path: Path) -> None:
    run = make_half(run, tmp_path, "image")
    values = read(explain_run(run, out=tmp_path / "out"))
    (picture,) = values["shares"]["log_odds"]["players"]
    told = values["shares"]["log_odds"]
    assert picture["share"] == pytest.approx(told["to"] - told["from"], abs=1e-9)
    assert values["curves"] == []
    assert values["record"] == {}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"finding": "Efusion"}, r"'Efusion'\. Near it: Effusion\. Choose from: Atel"),
        ({"method": "cam"}, "method: must be one of grad_cam"),
        ({"layer": "image_conv_99"}, "image_conv_99.*Near it: image_conv"),
        ({"image_id": "none.png"}, "--image-id: must be a radiograph of the run"),
        ({"image": Path("a"), "image_id": "b"}, "must be one of the two"),
        ({"metadata": "age=old"}, "`age` must be a number"),
    ],
)
@pytest.mark.usefixtures("drawn")
def test_what_the_model_lacks_is_one_line(run: Path, options, said: str) -> None:
    before = {file.name for file in (run / "explanations").rglob("*")}
    with pytest.raises(ConfigError, match=said):
        explain_run(run, **options)
    assert {file.name for file in (run / "explanations").rglob("*")} == before


def test_a_file_that_is_no_picture_is_one_line(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "words.png"
    file.write_text("no picture")
    with pytest.raises(ImageError, match=r"words\.png"):
        explain_run(run, image=file)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--score", "--finding", "Mass"], "must stand without --image, --image-id"),
        (["--sample", "5"], "must be there for --sample"),
        (["--method", "grad_cam", "--method", "occlusion"], "--method twice"),
    ],
)
def test_the_two_modes_do_not_mix(run: Path, words, said: str, capsys) -> None:
    assert main(["explain", str(run), *words]) == 2
    assert said in capsys.readouterr().err


def test_scores_are_asked_for_with_what_is_given(
    run: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    asked = {}

    def score(path: Path, **options: object) -> Path:
        asked.update(options, path=path)
        (tmp_path / "scores.txt").write_text("Maps point.\n")
        return tmp_path

    monkeypatch.setattr("dualnet.jobs.explanation_scores.score_explanations", score)
    words = [
        "--score",
        "--method",
        "grad_cam",
        "--method",
        "occlusion",
        "--sample",
        "9",
    ]
    assert main(["explain", str(run), *words]) == 0
    assert asked == {
        "path": run,
        "methods": ["grad_cam", "occlusion"],
        "sample": 9,
        "layer": None,
        "out": None,
    }
    assert capsys.readouterr().out == f"Maps point.\nscores: {tmp_path}\n"


@pytest.mark.parametrize(
    ("method", "verdict"), [("hires_cam", "Maps point."), ("grad_cam", None)]
)
def test_the_verdict_is_that_of_the_method(
    run: Path, tmp_path: Path, method: str, verdict: str | None
) -> None:
    finished = read_run(run)
    scored = replace(finished, folder=RunFolder(tmp_path))
    assert read_verdict(scored, method) is None
    scores = {"methods": {"hires_cam": {}, "grad_cam": {}}, "verdict": ["Maps point."]}
    file = tmp_path / "explanation_scores" / "scores.json"
    file.parent.mkdir()
    file.write_text(json.dumps(scores))
    assert read_verdict(scored, method) == verdict


@pytest.mark.real_data
def test_a_real_radiograph_is_explained_with_its_box(
    real_data: Path, tmp_path: Path
) -> None:
    config = configure(
        real_data / "nih",
        tmp_path / "cache",
        *SMALL,
        "data.sample=300",
        "training.halves_first=false",
    )
    train_run(config, tmp_path / "run")
    boxes = read_boxes(real_data / "nih" / "BBox_List_2017.csv")
    records = read_run(tmp_path / "run").records
    box = boxes[boxes["image_id"].isin(records["image_id"])].iloc[0]
    values = read(
        explain_run(tmp_path / "run", image_id=box["image_id"], finding=box["finding"])
    )
    told = values["shares"]["log_odds"]
    total = sum(one["share"] for one in told["players"])
    assert total == pytest.approx(told["to"] - told["from"], abs=1e-9)
    assert box["finding"] in {one["finding"] for one in values["picture"]["boxes"]}
    assert not values["dataset"]["phantom"]


@pytest.mark.usefixtures("drawn")
def test_the_command_says_where_the_page_lies(
    run: Path, boxed: pd.Series, tmp_path: Path, capsys, monkeypatch
) -> None:
    page = "dualnet.jobs.explain.write_explanation_page"
    monkeypatch.setattr(page, lambda *_, **__: None)
    words = ["--image-id", boxed["image_id"], "--method", "grad_cam"]
    assert main(["explain", str(run), *words, "--out", str(tmp_path)]) == 0
    assert f"explanation: {tmp_path / 'index.html'}" in capsys.readouterr().out
    assert read(tmp_path)["picture"]["method"] == "grad_cam"
