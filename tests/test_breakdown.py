"""An evaluation taken further, and how it is told."""

import json

import numpy as np
import pytest
from breakdown_cases import (
    break_down_all,
    calibrate,
    evaluate_alone,
    make_records,
    predict,
)
from truth_cases import NONE, make_table

from dualnet.evaluation.breakdown import Besides, break_down
from dualnet.evaluation.evaluate import Evaluation
from dualnet.evaluation.probabilities.thresholds import RULES, YOUDEN
from dualnet.evaluation.sections import (
    calibration_lines,
    label_lines,
    subgroup_note,
    subgroup_table,
)
from dualnet.evaluation.table import COLUMNS
from dualnet.files import write_json


@pytest.fixture(scope="module")
def broken_down() -> Evaluation:
    return break_down_all()


def test_four_keys_are_added_and_nothing_is_lost(broken_down: Evaluation) -> None:
    before = evaluate_alone().metrics
    added = {"calibration", "operating_points", "subgroups", "labels"}
    assert set(broken_down.metrics) == {*before, *added}
    assert broken_down.metrics["model"] == before["model"]
    lines = broken_down.metrics["verdict"]["lines"]
    assert lines[: len(before["verdict"]["lines"])] == before["verdict"]["lines"]


def test_the_same_input_gives_the_same_bytes(broken_down: Evaluation, tmp_path) -> None:
    again = break_down_all()
    assert json.dumps(again.metrics) == json.dumps(broken_down.metrics)
    write_json(tmp_path / "metrics.json", again.metrics)  # refuses NaN
    assert json.loads((tmp_path / "metrics.json").read_text()) == again.metrics


def test_points_are_scored_on_calibrated_probabilities(broken_down: Evaluation) -> None:
    calibration = calibrate()
    found = broken_down.metrics["operating_points"]
    assert list(found) == ["0.5", "prevalence_matched", *RULES]
    assert found[YOUDEN]["chosen"].endswith("on validation")
    column = calibration.apply(predict(0))[:, 0]
    called = column >= calibration.thresholds(YOUDEN)[0]
    sick = broken_down.truth.labels[:, 0]
    edema = found[YOUDEN]["findings"]["Edema"]
    assert edema["sensitivity"] == pytest.approx(called[sick].mean())
    assert edema["specificity"] == pytest.approx((~called)[~sick].mean())
    assert edema["ppv"] == pytest.approx(sick[called].mean())
    assert (edema["n_positive"], edema["n_negative"]) == (60, 120)
    chosen = broken_down.metrics["calibration"]["chosen_points"][YOUDEN]["Edema"]
    assert chosen["threshold"] == edema["threshold"]
    assert broken_down.metrics["calibration"]["fitted_on"] == {
        "part": "val",
        "num_images": 180,
        "num_patients": 90,
    }


def test_who_is_called_well_is_said_by_the_operating_point(
    broken_down: Evaluation,
) -> None:
    subgroups = broken_down.metrics["subgroups"]
    assert subgroups["called_negative_by"] == "operating_point"
    calibration = calibrate()
    called = calibration.apply(predict(0))[:, NONE]
    called = called >= calibration.thresholds(YOUDEN)[NONE]
    sick = ~broken_down.truth.labels[:, NONE]
    expected = called[sick].mean()
    assert subgroups["all"]["under_diagnosis"]["value"] == pytest.approx(expected)
    alone = break_down(evaluate_alone(), make_records(0), Besides())
    assert alone.metrics["subgroups"]["called_negative_by"] == "likeliest_class"
    expected = (predict(0).argmax(axis=1) == NONE)[sick].mean()
    found = alone.metrics["subgroups"]["all"]["under_diagnosis"]["value"]
    assert found == pytest.approx(expected)


def test_subgroups_are_of_the_record_and_of_joined_columns(
    broken_down: Evaluation,
) -> None:
    groupings = broken_down.metrics["subgroups"]["groupings"]
    names = {
        one["name"]: [group["group"] for group in one["groups"]] for one in groupings
    }
    assert names["site"] == ["north", "south"]
    assert list(names) == ["view", "sex", "age", "visit", "site"]
    assert groupings[-1]["num_unknown"] == 60
    header, everyone, *rows = subgroup_table(broken_down.metrics)
    assert len(rows) == sum(map(len, names.values()))
    assert everyone[:3] == ["all", "180", ".500"]
    assert rows[-1][:2] == ["site south", "60"]
    assert len(header) == len(rows[0])
    assert "60 of unknown site" in subgroup_note(broken_down.metrics)


def test_the_text_fits_a_terminal_and_has_every_section(
    broken_down: Evaluation,
) -> None:
    text = broken_down.text()
    assert max(map(len, text.splitlines())) <= COLUMNS
    for words in (
        "gap to the rest",
        "fitted on 180 radiographs of val: log-loss",
        "Mean over findings, at",
        "specificity 90",
        "Label rule `first` drops 30 of 120 labels of train (most of Mass, 50%), 30 of",
        "Findings that are not the first label: macro AUROC",
        "Labelled by radiologists (some.csv): 90 radiographs of 90 patients",
        "after Holm's correction",
    ):
        assert words in text


def test_what_is_not_known_is_left_out_or_said() -> None:
    table = make_table(*evaluate_alone().predictions["findings"].str.split("|"))
    why = "there are no pictures"
    found = break_down(evaluate_alone(), table, Besides(uncalibrated=why)).metrics
    assert calibration_lines(found) == ["Not calibrated: there are no pictures."]
    assert list(found["operating_points"]) == ["0.5", "prevalence_matched"]
    assert found["subgroups"]["groupings"] == found["subgroups"]["gaps"] == []
    lines = label_lines(found)
    assert len(lines) == 1
    assert lines[0].startswith("Findings that are not the first label")
    assert found["labels"]["adjudicated"] is None


def test_nothing_matched_by_radiologists_is_one_line(broken_down: Evaluation) -> None:
    labels = broken_down.metrics["labels"]
    none = {**labels["adjudicated"], "num_images": 0, "num_patients": 0}
    metrics = {**broken_down.metrics, "labels": {**labels, "adjudicated": none}}
    assert label_lines(metrics)[-1] == (
        "Labelled by radiologists (some.csv): 0 radiographs of 0 patients."
    )


def test_the_temperature_brings_a_too_sure_model_down(broken_down: Evaluation) -> None:
    found = broken_down.metrics["calibration"]
    assert found["temperatures"][0] > 1
    assert found["after"]["log_loss"] < found["before"]["log_loss"]
    log_loss = broken_down.metrics["model"]["first_label"]["log_loss"]
    assert found["before"]["log_loss"] == pytest.approx(log_loss, abs=1e-12)
    assert np.isfinite(found["difference"]["log_loss_interval"]["high"])
