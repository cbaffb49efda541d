"""Predictions of patients whom the model was fitted on are caught, if it says so."""

from pathlib import Path

import pytest
from judge_cases import (
    AUROC,
    AUROC_F,
    SCORES,
    SICK,
    assert_follows_the_schema,
    call,
    judge,
    make_truth,
    say,
)

from dualnet.errors import ConfigError, RecordError

pytestmark = pytest.mark.usefixtures("few_trees")


def make_visits(folder: Path) -> Path:
    """The toy table, and a second visit of each of its six men."""
    findings = ["Mass" if sick else "No Finding" for sick in SICK]
    patients = [f"p{number}" for number in range(12)]
    return make_truth(
        folder, findings + findings[6:], patient_id=patients + patients[6:]
    )


def list_radiographs(folder: Path, *names: str) -> Path:
    file = folder / "fitted.txt"
    file.write_text("\n".join(names) + "\n\n")
    return file


def list_men(folder: Path) -> Path:
    """The men's second visits, one radiograph of a folder, and one that is nowhere."""
    return list_radiographs(folder, *(f"{n}.png" for n in range(12, 18)), "x.png")


def test_patients_of_the_training_list_are_refused(tmp_path: Path) -> None:
    truth, fitted = make_visits(tmp_path), list_men(tmp_path)
    said = (
        r"^preds\.csv: no patient may be one whose radiographs --trained-on names\. "
        r"Received: 6 of 12 radiographs, of 6 patients, the first is 6\.png\. Judge the "
        r"others with --training-patients leave-out, or score them all the same"
    )
    with pytest.raises(RecordError, match=said):
        judge(say(SCORES), truth, tmp_path, trained_on=fitted)
    assert not (tmp_path / "out").exists()


def test_they_are_left_out_and_counted(tmp_path: Path) -> None:
    words = ("--trained-on", str(list_men(tmp_path)), "--resamples", "20")
    truth = make_visits(tmp_path)
    leave = ("--training-patients", "leave-out")
    assert call(say(SCORES), truth, tmp_path, *words, *leave) == 0
    metrics = judge(
        say(SCORES),
        truth,
        tmp_path,
        trained_on=list_men(tmp_path),
        training_patients="leave-out",
    ).evaluation.metrics
    assert metrics["num_images"] == 6
    assert metrics["model"]["findings"]["Mass"]["auroc"] == AUROC_F
    assert metrics["judged_rows"]["judged"] == 6
    assert metrics["judged_rows"]["of_training_patients"] == 6
    assert metrics["caution"] is None
    assert (
        "fitted.txt: the model was fitted on 7 radiographs, of which the truth knows 6, "
        "of 6 patients; 6 of 12 predictions are of these patients, left out."
    ) in " ".join(metrics["notes"])
    assert "--trained-on" not in " ".join(metrics["notes"])
    assert_follows_the_schema(metrics)


def test_they_are_scored_and_said_in_the_first_line(tmp_path: Path) -> None:
    judged = judge(
        say(SCORES),
        make_visits(tmp_path),
        tmp_path,
        trained_on=list_men(tmp_path),
        training_patients="score",
    ).evaluation
    assert judged.metrics["model"]["findings"]["Mass"]["auroc"] == AUROC
    assert " ".join(judged.text().split("\n\n")[0].split()) == (
        "Scores of training patients: 6 of 12 radiographs are of patients whom the "
        "model was trained on. They do not tell how it does on others."
    )
    assert_follows_the_schema(judged.metrics)


def test_strangers_need_no_caution(tmp_path: Path) -> None:
    truth = make_visits(tmp_path)
    fitted = list_radiographs(tmp_path, "folder/12.png", "folder/13.png")
    metrics = judge(
        say(SCORES[:6]), truth, tmp_path, trained_on=fitted
    ).evaluation.metrics
    assert metrics["caution"] is None
    assert metrics["judged_rows"]["of_training_patients"] == 0
    assert "the truth knows 2, of 2 patients; 0 of 6 predictions are of these" in (
        " ".join(metrics["notes"])
    )


def test_without_a_list_nobody_knows(tmp_path: Path) -> None:
    notes = judge(say(SCORES), make_visits(tmp_path), tmp_path).evaluation.metrics
    assert any("--trained-on LIST" in note for note in notes["notes"])


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a.png", "b.png"], r"Received: 0 of 2; the first is 'a\.png'\."),
        ([], r"Received: 0 of 0; the first is nothing\."),
    ],
)
def test_a_list_of_other_radiographs_is_refused(
    names: list[str], said: str, tmp_path: Path
) -> None:
    fitted = list_radiographs(tmp_path, *names)
    with pytest.raises(RecordError, match=said):
        judge(say(SCORES), make_visits(tmp_path), tmp_path, trained_on=fitted)


def test_a_list_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fitted.txt").write_bytes(b"\xff\xfe\x00")
    for file, said in (
        ("fitted.txt", "Received: bytes that are no text"),
        ("none.txt", "Received: No such file"),
    ):
        with pytest.raises(RecordError, match=said):
            judge(
                say(SCORES), make_visits(tmp_path), tmp_path, trained_on=tmp_path / file
            )


def test_words_without_a_list_are_refused(tmp_path: Path) -> None:
    truth = make_visits(tmp_path)
    with pytest.raises(
        ConfigError, match=r"--trained-on names no list\. Received: 'sc"
    ):
        judge(say(SCORES), truth, tmp_path, training_patients="score")
    with pytest.raises(ConfigError, match="must be one of refuse, leave-out, score"):
        judge(say(SCORES), truth, tmp_path, training_patients="keep")


def test_nobody_is_left(tmp_path: Path) -> None:
    truth, fitted = make_visits(tmp_path), list_men(tmp_path)
    with pytest.raises(RecordError, match="at least one radiograph must be left"):
        judge(
            say(SCORES[6:], start=6),
            truth,
            tmp_path,
            trained_on=fitted,
            training_patients="leave-out",
        )
    with pytest.raises(RecordError, match="Predict radiographs of other patients, or"):
        judge(say(SCORES[6:], start=6), truth, tmp_path, trained_on=fitted)
