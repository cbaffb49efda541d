"""A run's heat maps scored, from the run folder to figures."""

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from run_cases import configure

from dualnet.errors import ConfigError, RecordError
from dualnet.explain.score_verdict import say_scores
from dualnet.jobs.explanation_scores import score_explanations
from dualnet.jobs.train import train_run

FIGURES = {"localisation", "findings", "faithfulness", "sanity_check", "examples"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scores")


@pytest.fixture(scope="module")
def train(small_phantom: Path, folder: Path) -> Callable[..., Path]:
    def train(name: str, *overrides: str) -> Path:
        rare = "split.rare_findings=train"
        config = configure(small_phantom, folder / "cache", rare, *overrides)
        train_run(config, folder / name)
        return folder / name

    return train


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are looked at once, in `scored`: they take longer than all else."""
    monkeypatch.setattr("dualnet.jobs.explanation_scores.draw_figures", lambda *_: {})


@pytest.fixture(scope="module")
def run(train: Callable[..., Path]) -> Path:
    return train("fused", "training.label_rule=multi_hot")


@pytest.fixture(scope="module")
def scored(run: Path) -> Path:
    return score_explanations(run, methods=("hires_cam", "grad_cam"))


def read(folder: Path) -> dict:
    return json.loads((folder / "scores.json").read_text())


def test_scores_are_those_of_the_rows(scored: Path) -> None:
    values = read(scored)
    rows = pd.read_csv(scored / "localisation.csv")
    assert scored.name == "explanation_scores"
    assert values["phantom"] is True
    assert (
        values["num_images"] <= values["num_boxed"] == (rows["map"] == "chance").sum()
    )
    means = rows.groupby("map")[["pointing", "energy", "iou"]].mean()
    for name, block in values["methods"].items():
        for score, one in block["scores"].items():
            assert one["value"] == pytest.approx(means.loc[name, score])
            assert one["interval"]["low"] <= one["value"] <= one["interval"]["high"]
            less = block["minus"]["centre_prior"][score]["difference"]
            expected = means.loc[name, score] - means.loc["centre_prior", score]
            assert less == pytest.approx(expected)
    chance = rows[rows["map"] == "chance"]
    np.testing.assert_array_equal(chance["pointing"], chance["iou"])
    assert sum(one["n"] for one in values["findings"]) == values["num_boxed"]


def test_the_verdict_stands_first_and_names_the_phantom(scored: Path) -> None:
    lines = (scored / "scores.txt").read_text().splitlines()
    values = read(scored)
    assert lines[: len(values["verdict"])] == values["verdict"]
    assert "of a phantom" in lines[0]
    assert lines[0].startswith(("The maps point", "The maps are not shown to point"))
    assert any("Not a medical device" in line for line in values["verdict"])
    assert any(line.startswith("Pointing game by finding") for line in lines)


def test_each_method_is_asked_in_every_way(scored: Path) -> None:
    blocks = read(scored)["methods"]
    assert list(blocks) == ["hires_cam", "grad_cam"]
    for block in blocks.values():
        assert set(block["minus"]) == {
            *("chance", "centre_prior", "usual_place"),
            *("shuffled_weights", "other_patient"),
        }
        assert block["randomisation"]["stages"][0]["layer"] == "logits"
        assert len(block["randomisation"]["stages"]) > 2
        assert len(block["faithfulness"]["deletion"]["curve"]) == 9
        assert block["layer"].startswith("image_conv_")


def test_every_figure_is_drawn(scored: Path) -> None:
    found = {path.stem for path in (scored / "figures").iterdir()}
    assert found == FIGURES
    for name in FIGURES:
        with Image.open(scored / "figures" / f"{name}.png") as picture:
            assert picture.width == 1200
            assert np.asarray(picture.convert("L")).std() > 10


@pytest.mark.usefixtures("undrawn")
def test_the_same_seed_gives_the_same_bytes(run: Path, folder: Path) -> None:
    first, second = (
        score_explanations(run, methods=["grad_cam"], sample=12, out=folder / name)
        for name in ("first", "second")
    )
    for name in ("scores.json", "localisation.csv", "scores.txt"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    assert read(first)["num_images"] <= 12


@pytest.mark.usefixtures("undrawn")
def test_a_model_of_two_classes_and_pictures_alone_is_scored_on_its_finding(
    train: Callable[..., Path], folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dualnet.jobs.boxed")
    run = train("two", "data.finding=Infiltration", "model.modality=image")
    found = score_explanations(
        run, methods=["grad_cam"], part="train", out=folder / "two-scores"
    )
    values = read(found)
    assert [one["finding"] for one in values["findings"]] == ["Infiltration"]
    assert "left out: the model has no output for Atelectasis" in caplog.text
    assert "of the train part, with" in caplog.text


def test_what_cannot_be_scored_is_refused_in_one_line(
    run: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"--method: .*Received: grad_cam, cam\."):
        score_explanations(run, methods=("grad_cam", "cam"))
    with pytest.raises(ConfigError, match=r"each once\. Received: none"):
        score_explanations(run, methods=())
    with pytest.raises(ConfigError, match=r"--part: .*Received: 'all'"):
        score_explanations(run, part="all")
    empty = tmp_path / "boxes.csv"
    empty.write_text("image_id,finding,strength,x,y,w,h\n")
    with pytest.raises(RecordError, match=r"test part\. Received: 0 of \d+ radiogr"):
        score_explanations(run, boxes=empty, out=tmp_path / "never")
    assert not (tmp_path / "never").exists()
    record = tmp_path / "record"
    shutil.copytree(run, record)
    config = (record / "config.yaml").read_text()
    (record / "config.yaml").write_text(config.replace("fused", "metadata"))
    with pytest.raises(ConfigError, match=r"--score: .*modality=metadata"):
        score_explanations(record)


def test_without_boxes_nothing_is_scored(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dualnet.jobs.boxes.find_boxes", lambda _: None)
    with pytest.raises(ConfigError, match=r"must have boxes.*Received: neither"):
        score_explanations(run)


def test_the_verdict_needs_all_three_comparisons(scored: Path) -> None:
    values = read(scored)
    block = values["methods"]["hires_cam"]
    for one in block["minus"].values():
        one["pointing"] |= {"difference": 0.3, "low": 0.2, "high": 0.4}
    assert say_scores(values)[0].startswith("The maps point where the findings are: ")
    block["minus"]["shuffled_weights"]["pointing"]["low"] = -0.01
    line = say_scores(values)[0]
    assert line.startswith("The maps are not shown to point where the findings are")
    assert "not shown above shuffled weights" in line
    block["minus"]["chance"]["pointing"] |= {"low": -0.4, "high": -0.2}
    assert "below chance (" in say_scores(values)[0]


def test_the_sanity_check_is_failed_by_a_map_that_survives(scored: Path) -> None:
    values = read(scored)
    last = values["methods"]["hires_cam"]["randomisation"]["stages"][-1]
    last |= {"correlation": 0.1, "interval": {"low": 0.0, "high": 0.2}}
    assert any("hires_cam passes the sanity" in line for line in say_scores(values))
    last |= {"correlation": 0.8, "interval": {"low": 0.7, "high": 0.9}}
    assert any("hires_cam fails the sanity" in line for line in say_scores(values))


def test_what_has_no_map_is_counted(scored: Path) -> None:
    values = read(scored)
    block = values["methods"]["hires_cam"]
    block["num_empty"] = block["other_patient"]["num_without"] = 0
    quiet = say_scores(values)
    block["num_empty"], block["other_patient"]["num_without"] = 1, 3
    new = [line for line in say_scores(values) if line not in quiet]
    assert new[0].startswith("1 map of hires_cam with nothing above 0")
    assert new[1].startswith("For 3 boxed findings no other patient's map of hires_cam")


def test_the_verdict_says_whether_the_model_reads_what_is_shown(scored: Path) -> None:
    values = read(scored)
    found = values["methods"]["hires_cam"]["faithfulness"]
    found["deletion"]["minus_noise"] = {"difference": -0.2, "low": -0.3, "high": -0.1}
    found["insertion"]["minus_noise"] = {"difference": 0.2, "low": 0.1, "high": 0.3}
    assert any("hires_cam is faithful" in line for line in say_scores(values))
    found["insertion"]["minus_noise"]["low"] = -0.1
    said = [line for line in say_scores(values) if "not shown to be faithful" in line]
    assert "by -.200 [-.300, -.100] against" in said[0]
