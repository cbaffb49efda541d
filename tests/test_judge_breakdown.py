"""What `judge` says besides: by group, by radiologist, by place of the label."""

from pathlib import Path

import pandas as pd
import pytest
from judge_cases import (
    AUROC,
    AUROC_F,
    AUROC_M,
    SCORES,
    call,
    groups_of,
    judge,
    make_masses,
    make_truth,
    say,
)

from dualnet.data.adjudicated import FILE_NAME

pytestmark = pytest.mark.usefixtures("few_trees")


def test_a_group_is_scored_apart_and_its_gap_told(tmp_path: Path) -> None:
    judged = judge(say(SCORES), make_masses(tmp_path), tmp_path)
    metrics = judged.evaluation.metrics
    women, men = groups_of(metrics, "sex").values()
    assert women["findings"]["Mass"]["auroc"] == AUROC_F
    assert men["findings"]["Mass"]["auroc"] == AUROC_M
    assert metrics["subgroups"]["all"]["findings"]["Mass"]["auroc"] == AUROC
    assert women["gaps"]["findings"]["Mass"]["difference"] == AUROC_F - AUROC_M
    assert women["findings"]["Mass"]["prevalence"] == 1 / 3
    assert women["findings"]["Mass"]["mean_predicted"] == pytest.approx(0.4)
    assert women["findings"]["Edema"]["mean_predicted"] is None
    # each score is alone in its bin: .1, .2, .3, .6, .5 and .1 off
    assert women["expected_calibration_error"]["value"] == pytest.approx(1.8 / 6)
    assert women["expected_calibration_error"]["interval"]["low"] is None
    # two patients have it: fewer than five are in no mean
    assert women["macro_auroc"] == {
        "value": None,
        "interval": {"low": None, "high": None, "undefined_resamples": 20},
        "num_findings": 0,
    }


def test_who_is_missed_is_said_at_the_prevalence_matched_threshold(
    tmp_path: Path,
) -> None:
    """Four have a mass, so the fourth score from the top, .6, is the threshold."""
    judged = judge(say(SCORES), make_masses(tmp_path), tmp_path)
    subgroups = judged.evaluation.metrics["subgroups"]
    assert subgroups["called_negative_by"] == "prevalence_matched"
    women, men = groups_of(judged.evaluation.metrics, "sex").values()
    assert women["under_diagnosis"]["value"] == 0.5
    assert men["under_diagnosis"]["value"] == 0
    assert subgroups["all"]["under_diagnosis"]["value"] == 0.25
    assert women["gaps"]["under_diagnosis"]["difference"] == 0.5
    said = " ".join(judged.evaluation.text().split())
    assert "said to have none, as no finding reaches its prevalence-matched" in said


def test_a_joined_column_parts_the_rows(tmp_path: Path) -> None:
    sites = [f"{n}.png,{'a' if n < 6 else 'b'},{n}" for n in range(1, 14)]
    file = tmp_path / "sites.csv"
    file.write_text("\n".join(["image_id,site,number", *sites]) + "\n")
    truth = make_masses(tmp_path)
    metrics = judge(
        say(SCORES), truth, tmp_path, joins=[f"{file}:site"]
    ).evaluation.metrics
    a, b = groups_of(metrics, "site").values()
    assert (a["num_images"], b["num_images"]) == (5, 6)
    assert a["findings"]["Mass"]["auroc"] == 3 / 4  # without .9, .4 above 3 of 4
    assert b["findings"]["Mass"]["auroc"] == AUROC_M
    assert metrics["subgroups"]["joined"] == [
        {
            "file": "sites.csv",
            "columns": ["site"],
            "left_out": [],
            "num_matched": 11,
            "num_without_row": 1,
            "num_rows_unused": 2,
        }
    ]


def test_radiologists_labels_are_scored_apart(tmp_path: Path) -> None:
    """They see a mass in the first and the third woman, the text in two others."""
    answers = [f"{n}.png,NO,NO,{'YES' if n in {0, 2} else 'NO'}" for n in range(6)]
    header = "Image Index,Pneumothorax,Airspace opacity,Nodule or mass"
    file = tmp_path / "radiologists.csv"
    file.write_text("\n".join([header, *answers, "99.png,NO,NO,NO"]) + "\n")
    truth = make_masses(tmp_path)
    judged = judge(say(SCORES), truth, tmp_path, adjudicated=file)
    found = judged.evaluation.metrics["labels"]["adjudicated"]
    assert (found["file"], found["num_images"]) == ("radiologists.csv", 6)
    mass = found["findings"]["Nodule or mass"]
    assert mass["classes"] == ["Mass"]  # nothing is said of nodules
    assert list(found["findings"]) == ["Nodule or mass"]
    assert mass["adjudicated"]["auroc"] == 1  # .9 and .5 are above all others
    assert mass["text_mined"]["auroc"] == AUROC_F
    assert mass["difference"]["difference"] == 1 - AUROC_F
    assert (mass["sensitivity"], mass["ppv"]) == (0.5, 0.5)


def test_radiologists_are_found_beside_the_truth(tmp_path: Path) -> None:
    header = "Image Index,Pneumothorax,Airspace opacity,Nodule or mass"
    (tmp_path / FILE_NAME).write_text(f"{header}\n0.png,NO,NO,YES\n")
    metrics = judge(say(SCORES), make_masses(tmp_path), tmp_path).evaluation.metrics
    assert metrics["labels"]["adjudicated"]["num_images"] == 1


def test_a_finding_that_is_not_the_first_label_is_scored_too(tmp_path: Path) -> None:
    findings = ["Mass"] * 5 + ["Edema|Mass"] * 5 + ["No Finding"] * 5
    scores = [0.9, 0.8, 0.7, 0.6, 0.2] + [0.9, 0.1, 0.1, 0.1, 0.1] + [0.5] * 5
    truth = make_truth(tmp_path, findings)
    labels = judge(say(scores), truth, tmp_path).evaluation.metrics["labels"]
    assert labels["first_label"]["findings"]["Mass"]["auroc"] == 4 / 5
    assert labels["not_first_label"]["findings"]["Mass"]["auroc"] == 1 / 5
    assert labels["difference"]["difference"] == pytest.approx(-3 / 5)
    # nobody knows by which rule the model was trained
    assert (labels["rule"], labels["parts"]) == (None, {})


def test_what_cannot_be_had_is_said_in_text_and_report(
    tmp_path: Path, drawn: None
) -> None:
    judged = judge(say(SCORES), make_masses(tmp_path), tmp_path)
    metrics, text = judged.evaluation.metrics, judged.evaluation.text()
    assert metrics["calibration"]["fitted_on"] is None
    why = "Not calibrated: no predictions of a validation part are given (--validation)"
    absent = "No subgroups by view, age, visit: the truth does not tell."
    unknown = "whether the model was fitted on these patients"
    page = (judged.folder / "report.html").read_text()
    for said in (why, absent, unknown):
        assert said in " ".join(text.split())
        assert said in " ".join(page.split())
    assert {file.stem for file in (judged.folder / "figures").iterdir()} == {
        *("comparison", "reliability", "roc", "subgroups"),
    }


def test_logits_have_groups_and_points_too(tmp_path: Path) -> None:
    logits = say([10 * score - 5 for score in SCORES])
    truth = make_masses(tmp_path)
    metrics = judge(logits, truth, tmp_path, logits=True).evaluation.metrics
    women = groups_of(metrics, "sex")["F"]
    assert women["findings"]["Mass"]["auroc"] == AUROC_F
    assert women["findings"]["Mass"]["mean_predicted"] is None
    assert women["under_diagnosis"]["value"] == 0.5
    assert list(metrics["operating_points"]) == ["prevalence_matched"]
    why = metrics["calibration"]["reason"]
    assert why == "the scores are no probabilities (--logits)"


def test_a_bad_table_is_exit_2_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = make_masses(tmp_path)
    (tmp_path / "twice.csv").write_text("image_id,site\n1.png,a\n1.png,b\n")
    for words, said in (
        (("--join", "nowhere.csv"), "--join: must name a CSV file. Received: nowhere"),
        (
            ("--join", str(tmp_path / "twice.csv")),
            "twice.csv line 3: a radiograph must",
        ),
        (("--adjudicated", str(tmp_path / "no.csv")), "no.csv: must be readable."),
        (("--validation", str(tmp_path / "no.csv")), "no.csv: must be readable."),
    ):
        assert call(say(SCORES), truth, tmp_path, *words) == 2
        assert said in capsys.readouterr().err.splitlines()[-1]
        assert not (tmp_path / "out").exists()


@pytest.mark.real_data
def test_published_predictions_by_group_and_by_radiologist(
    real_data: Path, tmp_path: Path
) -> None:
    predictions = real_data / "predictions" / "reproduce-chexnet_preds.csv"
    nih = real_data / "nih"
    metrics = judge(
        pd.read_csv(predictions),
        nih,
        tmp_path,
        joins=[f"{nih / 'provenance.csv'}:source"],
        adjudicated=nih / FILE_NAME,
    ).evaluation.metrics
    names = [one["name"] for one in metrics["subgroups"]["groupings"]]
    assert names == ["view", "sex", "age", "visit", "source"]
    sexes = groups_of(metrics, "sex")
    assert {name: one["num_images"] for name, one in sexes.items()} == {
        "F": 9_802,
        "M": 12_631,
    }
    adjudicated = metrics["labels"]["adjudicated"]
    assert adjudicated["num_images"] == 935
    opacity = adjudicated["findings"]["Airspace opacity"]
    assert opacity["difference"]["low"] > 0  # text-mined labels miss most of them
    published = pd.read_csv(real_data / "predictions" / "reproduce-chexnet_aucs.csv")
    for name, area in published.itertuples(index=False):
        assert abs(metrics["model"]["findings"][name]["auroc"] - area) < 5e-4, name
