"""Temperature and operating points of predictions of other patients."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from judge_cases import (
    AUROC_F,
    SCORES,
    SICK,
    assert_follows_the_schema,
    call,
    groups_of,
    judge,
    make_masses,
    say,
)

from dualnet.errors import ConfigError, RecordError
from dualnet.findings import NIH

pytestmark = pytest.mark.usefixtures("few_trees")


# five patients with a mass, five without; at .58 four of the five are called and no
# other, and no threshold does better; a tie at .5 is not taken, being lower
VALIDATION = [0.9, 0.8, 0.7, 0.58, 0.5, 0.55, 0.42, 0.3, 0.2, 0.1]


def fit(folder: Path, validation: pd.DataFrame, **options: Any) -> dict[str, Any]:
    file = folder / "val.csv"
    validation.to_csv(file, index=False)
    truth = make_masses(folder)
    judged = judge(say(SCORES), truth, folder, validation=file, **options)
    assert max(map(len, judged.evaluation.text().splitlines())) <= 100
    return judged.evaluation.metrics


def test_thresholds_of_validation_are_scored_on_the_rows_judged(tmp_path: Path) -> None:
    metrics = fit(tmp_path, say(VALIDATION, start=12))
    fitted = {"part": "val", "num_images": 10, "num_patients": 10}
    assert metrics["calibration"]["fitted_on"] == fitted
    assert metrics["calibration"]["activation"] == "sigmoid"
    chosen = metrics["calibration"]["chosen_points"]["youden"]
    assert chosen["Mass"]["sensitivity"] == 0.8
    assert chosen["Mass"]["specificity"] == 1
    assert chosen["Edema"]["reason"] == "no score is given"
    # at .58 are called .9, .6 and .6 of four; and .6 and .7 of eight
    point = metrics["operating_points"]["youden"]["findings"]["Mass"]
    assert (point["sensitivity"], point["specificity"]) == (0.75, 0.75)
    assert point["threshold"] == chosen["Mass"]["threshold"]
    assert metrics["operating_points"]["youden"]["findings"]["Edema"]["ppv"] is None
    assert metrics["validation_rows"] == {
        "predictions": 10,
        "without_truth": 0,
        "fitted": 10,
    }
    assert set(metrics["judged_files"]) == {"preds.csv", "truth.csv", "val.csv"}


def test_a_temperature_changes_probabilities_and_no_auroc(tmp_path: Path) -> None:
    metrics = fit(tmp_path, say(VALIDATION, start=12))
    place = NIH.class_names.index("Mass")
    temperature = metrics["calibration"]["temperatures"][place]
    odds = np.log(np.array(SCORES) / (1 - np.array(SCORES))) / temperature
    after = 1 / (1 + np.exp(-odds))
    loss = -np.log(np.where(SICK, after, 1 - after)).mean()
    assert metrics["calibration"]["after"]["log_loss"] == pytest.approx(loss)
    before = metrics["model"]["macro"]["log_loss"]
    assert metrics["calibration"]["before"]["log_loss"] == before
    change = metrics["calibration"]["difference"]
    assert change["log_loss"] == pytest.approx(loss - before)
    assert change["log_loss_interval"]["low"] < change["log_loss_interval"]["high"]
    women = groups_of(metrics, "sex")["F"]["findings"]["Mass"]
    assert women["mean_predicted"] == pytest.approx(after[:6].mean())
    assert women["auroc"] == AUROC_F
    assert [one == 1 for one in metrics["calibration"]["temperatures"]].count(
        False
    ) == 1


def test_a_softmax_is_calibrated_as_a_run_is(tmp_path: Path) -> None:
    def softmax(scores: Sequence[float], start: int = 0) -> pd.DataFrame:
        rest = dict.fromkeys(NIH.class_names, 0.0)
        table = say(scores, start=start).assign(**rest)
        return table.assign(**{"Mass": scores, "No Finding": 1 - np.array(scores)})

    file = tmp_path / "val.csv"
    softmax(VALIDATION, 12).to_csv(file, index=False)
    truth = make_masses(tmp_path)
    metrics = judge(
        softmax(SCORES), truth, tmp_path, validation=file
    ).evaluation.metrics
    assert metrics["calibration"]["activation"] == "softmax"
    assert len(metrics["calibration"]["temperatures"]) == 1
    first = metrics["model"]["first_label"]["log_loss"]
    assert metrics["calibration"]["before"]["log_loss"] == pytest.approx(first)
    # No Finding is called where it has 1 - .42 or more, its Youden threshold of
    # validation: so of the two sick women the one with .4
    assert metrics["subgroups"]["called_negative_by"] == "operating_point"
    women = groups_of(metrics, "sex")["F"]
    assert women["under_diagnosis"]["value"] == 0.5


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        (
            say(VALIDATION, start=11),
            r"^val\.csv: no patient may be judged too\. Received: 1 of 10 radiographs, "
            r"the first is 11\.png\. ",
        ),
        (
            say(VALIDATION, start=12).assign(Edema=0.5),
            r"^val\.csv: must have the classes of preds\.csv\. Received: Edema in one",
        ),
        (
            say(VALIDATION, start=12).drop(columns="Mass"),
            r"^val\.csv: must have a column of probabilities a finding",
        ),
        (
            say(VALIDATION, start=100),
            r"^val\.csv: at least one radiograph must be in .* Received: 0 of 10; ",
        ),
    ],
)
def test_validation_that_is_none_is_refused(
    validation: pd.DataFrame, message: str, tmp_path: Path
) -> None:
    with pytest.raises(RecordError, match=message):
        fit(tmp_path, validation)
    assert not (tmp_path / "out").exists()


def test_a_softmax_is_not_calibrated_on_sigmoids(tmp_path: Path) -> None:
    names = dict.fromkeys(NIH.class_names, 0.5)
    file = tmp_path / "val.csv"
    say(VALIDATION, start=12).assign(**names).to_csv(file, index=False)
    softmax = say(SCORES).assign(**dict.fromkeys(NIH.class_names, 1 / 15))
    message = r"^val\.csv: rows must sum to 1 if those of preds\.csv do, .*no row of"
    with pytest.raises(RecordError, match=message):
        judge(softmax, make_masses(tmp_path), tmp_path, validation=file)


def test_logits_are_not_calibrated(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^--validation: must be left out where the"):
        fit(tmp_path, say(VALIDATION, start=12), logits=True)


def test_a_file_that_is_not_there_is_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--validation", str(tmp_path / "no.csv"))
    assert call(say(SCORES), make_masses(tmp_path), tmp_path, *words) == 2
    assert "no.csv: must be readable." in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_two_files_of_one_name_are_both_told(tmp_path: Path) -> None:
    (tmp_path / "val").mkdir()
    file = tmp_path / "val" / "preds.csv"
    say(VALIDATION, start=12).to_csv(file, index=False)
    truth = make_masses(tmp_path)
    told = judge(say(SCORES), truth, tmp_path, validation=file).evaluation.metrics
    assert set(told["judged_files"]) == {"preds.csv", "truth.csv", str(file)}


def test_judged_scores_follow_the_schema(tmp_path: Path) -> None:
    assert_follows_the_schema(fit(tmp_path, say(VALIDATION, start=12)))
