"""`dualnet judge`: predictions and a truth table in, a judged folder out."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from judge_cases import call, judge, predict

from dualnet.data.readers import read_records
from dualnet.errors import ConfigError, RecordError
from dualnet.findings import NIH
from dualnet.jobs import table_baselines
from dualnet.jobs.judge import judge_predictions
from dualnet.jobs.table_baselines import fit_table_baselines

pytestmark = pytest.mark.usefixtures("few_trees")
TABLE = "Data_Entry_2017_v2020.csv"


@pytest.fixture(scope="module")
def truth(small_phantom: Path) -> pd.DataFrame:
    return read_records(small_phantom).table


def test_folder_holds_what_an_evaluation_leaves(
    small_phantom: Path, truth: pd.DataFrame, tmp_path: Path, drawn: None
) -> None:
    judged = judge(predict(truth), small_phantom, tmp_path)
    names = {str(p.relative_to(judged.folder)) for p in judged.folder.rglob("*.*")}
    assert names == {
        "metrics.json",
        "predictions.csv",
        "report.html",
        "report.pdf",
        "figures/roc.png",
        "figures/reliability.png",
        "figures/comparison.png",
        "figures/subgroups.png",
    }
    metrics = json.loads((judged.folder / "metrics.json").read_text())
    assert metrics["num_images"] == 90
    assert list(metrics["baselines"]) == ["class_prior", "majority", "metadata_only"]
    assert metrics["model"]["first_label"]["undefined_because"] == (
        "the model gives no probability of No Finding"
    )


def test_softmax_is_judged_by_first_label_too(
    small_phantom: Path, truth: pd.DataFrame, tmp_path: Path, drawn: None
) -> None:
    predictions = predict(truth, softmax=True)
    judged = judge(predictions, small_phantom / TABLE, tmp_path)
    assert (judged.folder / "figures/confusion.png").exists()
    first = judged.evaluation.metrics["model"]["first_label"]
    answers = predictions.filter(like="prob_").to_numpy().argmax(axis=1)
    firsts = [NIH.class_names.index(row[0]) for row in truth["findings"]]
    assert first["accuracy"] == np.mean(answers == firsts)
    metadata = judged.evaluation.metrics["baselines"]["metadata_only"]["first_label"]
    assert metadata["accuracy"] is not None
    # the same folder, judged again without one answer a radiograph
    judge(predict(truth), small_phantom, tmp_path)
    assert not (judged.folder / "figures/confusion.png").exists()


def test_fifteen_sigmoids_are_no_softmax(
    small_phantom: Path, truth: pd.DataFrame, tmp_path: Path
) -> None:
    predictions = predict(truth)
    predictions["prob_No Finding"] = 0.5
    metrics = judge(predictions, small_phantom, tmp_path).evaluation.metrics
    why = metrics["model"]["first_label"]["undefined_because"]
    assert why.startswith("the model gives one probability a class, which sum to ")
    assert metrics["model"]["findings"]["No Finding"]["auroc"] == 0.5


def test_always_no_finding_is_said_in_the_first_line(
    small_phantom: Path, truth: pd.DataFrame, tmp_path: Path
) -> None:
    predictions = predict(truth)
    predictions.iloc[:, 1:] = 0.001
    verdict = judge(predictions, small_phantom, tmp_path).evaluation.verdict
    assert verdict.startswith('This model always says "No Finding"')


def test_rows_that_do_not_meet_are_counted_and_said(
    small_phantom: Path, truth: pd.DataFrame, tmp_path: Path
) -> None:
    predictions = predict(truth).iloc[:50]
    predictions.loc[0, "Image Index"] = "elsewhere.png"
    judged = judge(predictions, small_phantom, tmp_path)
    assert judged.evaluation.metrics["judged_rows"] == {
        "predictions": 50,
        "without_truth": 1,
        "truth": 90,
        "without_prediction": 41,
        "judged": 49,
    }
    said = " ".join(judged.evaluation.text().split())
    assert (
        "49 of 50 predictions judged, 1 without truth; 41 of 90 rows of the truth "
        "without a prediction." in said
    )


def test_scores_do_not_depend_on_the_order_of_the_rows(
    small_phantom: Path, truth: pd.DataFrame, tmp_path: Path
) -> None:
    (tmp_path / "again").mkdir()
    predictions = predict(truth)
    first = judge(predictions, small_phantom, tmp_path).evaluation
    again = judge(predictions.iloc[::-1], small_phantom, tmp_path / "again").evaluation
    for name in NIH.findings:
        one, other = (
            found.metrics["model"]["findings"][name]["auroc"]
            for found in (first, again)
        )
        assert one == other
    assert again.predictions["image_id"].tolist()[::-1] == truth["image_id"].tolist()


def test_same_seed_gives_the_same_bytes(
    small_phantom: Path, truth: pd.DataFrame, tmp_path: Path
) -> None:
    (tmp_path / "again").mkdir()
    first, again = (
        judge(predict(truth), small_phantom, folder).folder / "metrics.json"
        for folder in (tmp_path, tmp_path / "again")
    )
    assert first.read_bytes() == again.read_bytes()


def test_paths_are_matched_by_file_name(
    small_phantom: Path, truth: pd.DataFrame, tmp_path: Path
) -> None:
    predictions = predict(truth)
    predictions["Image Index"] = "images_001/images/" + predictions["Image Index"]
    judged = judge(predictions, small_phantom, tmp_path)
    assert judged.evaluation.metrics["judged_rows"]["judged"] == 90
    assert "matched by file name" in judged.evaluation.metrics["notes"][1]
    predictions.loc[1, "Image Index"] = "b/" + str(truth["image_id"].iloc[0])
    with pytest.raises(RecordError, match=r"^preds\.csv: .*once\. Received: 1 of the"):
        judge(predictions, small_phantom, tmp_path)


def test_other_radiographs_are_refused_and_nothing_is_written(
    small_phantom: Path, truth: pd.DataFrame, tmp_path: Path
) -> None:
    predictions = predict(truth)
    predictions["Image Index"] = [f"other-{n}.png" for n in range(90)]
    message = r"^preds\.csv: at least one .* Received: 0 of 90; .*'other-0\.png'"
    with pytest.raises(RecordError, match=message):
        judge(predictions, small_phantom, tmp_path)
    assert not (tmp_path / "out").exists()


def test_file_in_the_way_is_refused(
    small_phantom: Path, truth: pd.DataFrame, tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(ConfigError, match=r"^--out: must be a folder\."):
        judge(predict(truth), small_phantom, tmp_path)


def test_single_patient_is_judged_without_metadata(
    small_phantom: Path, truth: pd.DataFrame, tmp_path: Path
) -> None:
    rows = truth["patient_id"] == truth["patient_id"].value_counts().index[0]
    lines = (small_phantom / TABLE).read_text().splitlines()
    names = set(truth.loc[rows, "image_id"])
    kept = [line for line in lines if line.split(",")[0] in names]
    (tmp_path / "one.csv").write_text("\n".join([lines[0], *kept]))
    judged = judge(predict(truth)[rows], tmp_path / "one.csv", tmp_path)
    metrics = judged.evaluation.metrics
    assert metrics["num_patients"] == 1
    assert list(metrics["baselines"]) == ["class_prior", "majority"]
    assert metrics["notes"][2].endswith(
        "No metadata-only baseline: too few patients to fit on."
    )
    assert metrics["model"]["macro"]["auroc_interval"]["low"] is None


def test_logits_are_ranked_and_said_so(
    small_phantom: Path, truth: pd.DataFrame, tmp_path: Path
) -> None:
    predictions = predict(truth)
    predictions.iloc[:, 1:] = predictions.iloc[:, 1:] * 20 - 10
    judged = judge(predictions, small_phantom, tmp_path, logits=True)
    assert judged.evaluation.verdict.endswith(
        "By first label nothing is scored: the scores are no probabilities; only their "
        "order is judged."
    )
    assert judged.evaluation.metrics["model"]["macro"].get("brier") is None


def test_command_prints_the_verdict(
    small_phantom: Path,
    truth: pd.DataFrame,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    few = ("--resamples", "20")
    assert call(predict(truth), small_phantom / TABLE, tmp_path, *few) == 0
    said = capsys.readouterr().out
    assert "Macro AUROC" in said
    assert said.endswith(f"evaluation: {tmp_path / 'out'}\n")


def test_bad_prediction_is_one_line_and_status_2(
    small_phantom: Path,
    truth: pd.DataFrame,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    predictions = predict(truth)
    predictions.loc[3, "prob_Mass"] = np.nan
    assert call(predictions, small_phantom, tmp_path) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "preds.csv line 5: `prob_Mass` must be a finite number. Received: 'nan' (1 of 90 "
        "rows). Give every radiograph a score, or leave its row out."
    )
    assert not (tmp_path / "out").exists()


def test_dataset_without_metadata_has_no_such_baseline(tmp_path: Path) -> None:
    text = "image_id,patient_id,findings\n" + "".join(
        f"{n},p{n // 2},{'Pneumonia' if n % 3 else 'Normal'}\n" for n in range(60)
    )
    (tmp_path / "truth.csv").write_text(text)
    scores = np.random.default_rng(0).random(60)
    predictions = pd.DataFrame({"id": range(60), "Pneumonia": scores})
    judged = judge(predictions, tmp_path / "truth.csv", tmp_path)
    assert list(judged.evaluation.metrics["baselines"]) == ["class_prior", "majority"]
    notes = judged.evaluation.metrics["notes"]
    assert "the truth table tells none" in notes[2]
    assert notes[3] == "No subgroups by view, sex, age, visit: the truth does not tell."
    assert judged.evaluation.metrics["subgroups"]["groupings"] == []


def hospital(num_patients: int, *, start: int = 0) -> pd.DataFrame:
    """Effusion where the patient is old, and in no other."""
    numbers = np.arange(start, start + num_patients)
    ages = np.random.default_rng(start).uniform(20, 90, num_patients)
    return pd.DataFrame(
        {
            "image_id": [f"{n}.png" for n in numbers],
            "patient_id": [f"p{n}" for n in numbers],
            "age_years": ages,
            "sex": None,
            "view_position": "PA",
            "follow_up": pd.array([0] * num_patients, dtype="Int64"),
            "findings": [("Effusion",) if a > 60 else ("No Finding",) for a in ages],
        }
    )


def test_baselines_are_fitted_on_patients_who_are_not_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judged, others = hospital(60), hospital(200, start=100)
    others = pd.concat([others, judged.assign(image_id=judged["image_id"] + "2")])
    fitted: list[int] = []
    fit = table_baselines.fit_baselines

    def spy(metadata: np.ndarray, **options: np.ndarray) -> object:
        fitted.append(len(metadata))
        return fit(metadata, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(table_baselines, "fit_baselines", spy)
    found = fit_table_baselines(judged, others, NIH, answers=True, seed=0)
    assert fitted == [200]  # second radiographs of judged patients are left out
    assert found.fitted_on == {
        "images": 200,
        "patients": 200,
        "cross_fitted": False,
        "fields": ["age", "follow_up", "view"],
    }
    assert "200 radiographs of 200 patients of the truth table, none" in found.note


def test_with_few_others_patients_are_predicted_by_the_other_folds() -> None:
    judged, others = hospital(200), hospital(20, start=500)
    found = fit_table_baselines(judged, others, NIH, answers=False, seed=0)
    assert found.fitted_on["cross_fitted"] is True
    assert "in 5 folds, on the judged patients of the other folds" in found.note
    scores = found.predictions["metadata_only"].scores
    present = np.array(["Effusion" in row for row in judged["findings"]])
    column = scores[:, NIH.class_names.index("Effusion")]
    assert column[present].min() > np.median(column[~present])


def test_cross_fitted_baseline_learns_nothing_from_the_patient_it_predicts() -> None:
    """Labels that are noise cannot be known: a leak would score above chance."""
    from dualnet.scores import auroc

    judged = hospital(400)
    coin = np.random.default_rng(1).random(400) < 0.5
    judged["findings"] = [("Effusion",) if one else ("No Finding",) for one in coin]
    found = fit_table_baselines(judged, judged.iloc[:0], NIH, answers=False, seed=0)
    column = NIH.class_names.index("Effusion")
    score = auroc(coin, found.predictions["metadata_only"].scores[:, column])
    assert abs(score - 0.5) < 0.08
    assert "as the truth table has no others" in found.note
    prior = found.predictions["class_prior"].scores[:, column]
    assert prior.tolist() == [(coin.sum() + 1) / 402] * 400


@pytest.mark.real_data
def test_published_predictions_get_their_published_scores(
    real_data: Path, tmp_path: Path
) -> None:
    folder = real_data / "predictions"
    judged = judge_predictions(
        folder / "reproduce-chexnet_preds.csv", real_data / "nih", tmp_path / "out"
    )
    metrics = judged.evaluation.metrics
    published = pd.read_csv(folder / "reproduce-chexnet_aucs.csv")
    for name, area in published.itertuples(index=False):
        assert abs(metrics["model"]["findings"][name]["auroc"] - area) < 5e-4, name
    assert metrics["judged_rows"]["judged"] == 22_433
    assert metrics["verdict"]["lines"][0] == (
        "By macro AUROC the model beats class prior, majority and metadata only."
    )


def test_phantom_without_its_pictures_is_truth_enough(
    small_phantom: Path, truth: pd.DataFrame, tmp_path: Path
) -> None:
    (tmp_path / "table").mkdir()
    shutil.copy(small_phantom / TABLE, tmp_path / "table" / TABLE)
    judged = judge(predict(truth), tmp_path / "table", tmp_path)
    assert judged.evaluation.metrics["num_images"] == 90
