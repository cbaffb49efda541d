"""Radiologists' labels: read, looked up, scored."""

from pathlib import Path

import numpy as np
import pytest
from truth_cases import make_table

from dualnet.data.adjudicated import (
    FILE_NAME,
    FINDINGS,
    align_adjudicated,
    find_adjudicated,
    read_adjudicated,
)
from dualnet.errors import RecordError
from dualnet.evaluation.groups.adjudicated import CLASSES, score_adjudicated
from dualnet.evaluation.intervals.bootstrap import resample_patients
from dualnet.evaluation.scores.truth import make_truth
from dualnet.findings import NIH
from dualnet.scores import auroc

HEADER = "Image Index,Patient ID,Fracture,Pneumothorax,Airspace opacity,Nodule or mass"


def write(folder: Path, *rows: str) -> Path:
    file = folder / FILE_NAME
    file.write_text("\n".join([HEADER, *rows]) + "\n")
    return file


def test_answers_are_read_and_looked_up(tmp_path: Path) -> None:
    file = write(tmp_path, "2.png,7,NO,YES,NO,NO", "0.png,8,YES,NO,YES,YES")
    assert find_adjudicated(tmp_path) == file
    answers = read_adjudicated(file)
    assert list(answers.columns) == list(FINDINGS) == list(CLASSES)
    matched, found = align_adjudicated(answers, ["0.png", "1.png", "2.png"])
    assert matched.tolist() == [True, False, True]
    assert found.tolist() == [[False, True, True], [True, False, False]]


def test_no_table_is_found_where_there_is_none(tmp_path: Path) -> None:
    assert find_adjudicated(tmp_path) is None
    assert find_adjudicated(None) is None


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            ["0.png,7,NO,YES,NO,NO", "0.png,7,NO,NO,NO,NO"],
            r"line 3: a radiograph must stand once\. Received: 0\.png again",
        ),
        (
            ["0.png,7,NO,MAYBE,NO,NO"],
            r"line 2: `Pneumothorax` must be YES or NO\. Received: 'MAYBE'",
        ),
        (["0.png,7,NO,YES,NO"], r"line 2: must have 6 fields.*Received: 5 fields"),
    ],
)
def test_a_bad_table_is_named(tmp_path: Path, rows: list[str], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        read_adjudicated(write(tmp_path, *rows))


def test_a_finding_is_scored_by_the_greatest_of_its_classes() -> None:
    generator = np.random.default_rng(0)
    findings = [("Mass",), ("Nodule",), ("No Finding",), ("Pneumothorax",)] * 15
    truth = make_truth(make_table(*findings, rows_each=1), NIH)
    scores = generator.random((60, 15))
    matched = np.arange(60) >= 20
    answers = generator.random((40, 3)) < 0.5
    draws = resample_patients(truth.patient_ids, num_resamples=100, seed=0)
    found = score_adjudicated(truth, scores, matched, answers, draws)
    assert (found["num_images"], found["num_patients"]) == (40, 40)
    block = found["findings"]["Nodule or mass"]
    mass, nodule = (NIH.class_names.index(name) for name in ("Mass", "Nodule"))
    greatest = np.maximum(scores[20:, mass], scores[20:, nodule])
    assert block["classes"] == ["Nodule", "Mass"]
    assert block["adjudicated"]["auroc"] == auroc(answers[:, 1], greatest)
    assert block["adjudicated"]["n_positive"] == answers[:, 1].sum()
    mined = truth.labels[20:, mass] | truth.labels[20:, nodule]
    assert block["text_mined"]["auroc"] == auroc(mined, greatest)
    assert block["text_mined"]["n_positive"] == 20
    assert block["sensitivity"] == (answers[:, 1] & mined).sum() / answers[:, 1].sum()
    assert block["ppv"] == (answers[:, 1] & mined).sum() / 20
    difference = block["difference"]
    assert difference["low"] < difference["difference"] < difference["high"]


def test_nothing_matched_is_undefined_not_an_error() -> None:
    truth = make_truth(make_table(("Mass",), ("Edema",)), NIH)
    draws = resample_patients(truth.patient_ids, num_resamples=10, seed=0)
    none = np.zeros(2, dtype=bool)
    answers = np.empty((0, 3), dtype=bool)
    found = score_adjudicated(truth, np.ones((2, 15)), none, answers, draws)
    assert found["num_images"] == 0
    block = found["findings"]["Pneumothorax"]
    assert np.isnan(block["adjudicated"]["auroc"])
    assert np.isnan(block["sensitivity"])


def test_a_class_without_scores_is_left_out() -> None:
    truth = make_truth(make_table(("Mass",), ("Edema",)), NIH)
    scores = np.ones((2, 15))
    scores[:, NIH.class_names.index("Mass")] = np.nan
    scores[:, NIH.class_names.index("Pneumothorax")] = np.nan
    draws = resample_patients(truth.patient_ids, num_resamples=10, seed=0)
    answers = np.ones((2, 3), dtype=bool)
    found = score_adjudicated(truth, scores, np.ones(2, bool), answers, draws)
    assert list(found["findings"]) == ["Nodule or mass", "Airspace opacity"]
    assert found["findings"]["Nodule or mass"]["classes"] == ["Nodule"]


@pytest.mark.real_data
def test_the_published_table_is_read(real_data: Path) -> None:
    file = find_adjudicated(real_data / "nih")
    assert file is not None
    answers = read_adjudicated(file)
    assert answers.sum().to_dict() == {
        "Pneumothorax": 238,
        "Nodule or mass": 605,
        "Airspace opacity": 2166,
    }
    assert len(answers) == 4376
