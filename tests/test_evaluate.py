import copy
import json

import numpy as np
import pandas as pd
import pytest
from evaluate_cases import evaluate_tiny
from truth_cases import EDEMA, MASS, NONE, make_table

from dualnet.errors import RecordError
from dualnet.evaluation.evaluate import Evaluation, evaluate, predict_probabilities
from dualnet.evaluation.scores.baselines import Prediction, fit_baselines
from dualnet.evaluation.table import COLUMNS, format_table
from dualnet.evaluation.text.verdict import outcome
from dualnet.files import write_json
from dualnet.findings import NIH, NO_FINDING, Vocabulary


def skilled(table: pd.DataFrame, vocabulary: Vocabulary, skill: float) -> np.ndarray:
    """Softmax probabilities that know `skill` of the labels."""
    generator = np.random.default_rng(1)
    names = vocabulary.class_names
    present = np.array([[name in row for name in names] for row in table["findings"]])
    logits = generator.normal(size=present.shape) + skill * present
    odds = np.exp(logits)
    return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)


def nih_table(num_rows: int = 240) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    some = [
        tuple(sorted(generator.choice(NIH.findings, size=2, replace=False)))
        for _ in range(num_rows // 2)
    ]
    return make_table(*some, *[(NO_FINDING,)] * (num_rows // 2))


@pytest.fixture(scope="module")
def judged() -> Evaluation:
    """A good model on 240 radiographs of 120 patients, metadata that know nothing."""
    table = nih_table()
    generator = np.random.default_rng(2)
    train = nih_table(120)
    labels = np.array(
        [[name in row for name in NIH.class_names] for row in train["findings"]]
    )
    baselines = fit_baselines(
        generator.normal(size=(120, 3)).astype(np.float32),
        first=labels.argmax(axis=1),
        labels=labels,
        seed=0,
    ).predict(generator.normal(size=(240, 3)).astype(np.float32))
    return evaluate(
        table,
        skilled(table, NIH, 2.0),
        vocabulary=NIH,
        baselines=baselines,
        resamples=100,
        seed=0,
    )


def test_scores_and_counts_are_those_of_the_rows(judged: Evaluation) -> None:
    metrics = judged.metrics
    assert (metrics["num_images"], metrics["num_patients"]) == (240, 120)
    assert metrics["part"] == "test"
    assert metrics["model"]["findings"][NO_FINDING]["n_positive"] == 120
    macro = metrics["model"]["macro"]
    areas = [metrics["model"]["findings"][name]["auroc"] for name in NIH.findings]
    assert macro["auroc"] == pytest.approx(np.mean(areas), abs=1e-15)
    assert macro["auroc_interval"]["low"] < macro["auroc"]
    assert macro["auroc"] < macro["auroc_interval"]["high"]


def test_difference_is_paired(judged: Evaluation) -> None:
    difference = judged.metrics["differences"]["class_prior"]["macro_auroc"]
    interval = judged.metrics["model"]["macro"]["auroc_interval"]
    # the prior scores .5 in every resample, so the interval only moves
    assert difference["low"] == pytest.approx(interval["low"] - 0.5, abs=1e-12)
    assert difference["high"] == pytest.approx(interval["high"] - 0.5, abs=1e-12)


def test_model_against_itself_differs_by_nothing() -> None:
    table = nih_table()
    probabilities = skilled(table, NIH, 1.0)
    found = evaluate(
        table,
        probabilities,
        vocabulary=NIH,
        baselines={"twin": Prediction(probabilities)},
        resamples=30,
        seed=0,
    ).metrics
    difference = found["differences"]["twin"]
    undefined = difference["macro_auroc"].pop("undefined_resamples")
    assert difference["macro_auroc"] == {"difference": 0, "low": 0, "high": 0}
    assert undefined == 0
    assert found["verdict"]["outcomes"] == {"twin": "is not shown to beat"}


def test_good_model_beats_every_baseline(judged: Evaluation) -> None:
    assert judged.verdict.splitlines()[0] == (
        "By macro AUROC the model beats class prior, majority and metadata only."
    )
    assert judged.metrics["verdict"]["always_says"] is None


def test_same_seed_gives_the_same_metrics(judged: Evaluation) -> None:
    again = evaluate(
        nih_table(),
        judged.model.probabilities,
        vocabulary=NIH,
        baselines=judged.baselines,
        resamples=100,
        seed=0,
    )
    assert json.dumps(again.metrics) == json.dumps(judged.metrics)


def test_metrics_are_json_without_nan(judged: Evaluation, tmp_path) -> None:
    write_json(tmp_path / "metrics.json", judged.metrics)
    assert json.loads((tmp_path / "metrics.json").read_text()) == judged.metrics


def test_predictions_hold_truth_and_one_column_a_class(judged: Evaluation) -> None:
    table = judged.predictions
    assert list(table.columns) == [
        "image_id",
        "patient_id",
        "part",
        "findings",
        *NIH.class_names,
    ]
    assert table["findings"].iloc[-1] == NO_FINDING
    found = table[list(NIH.class_names)].to_numpy()
    assert np.array_equal(found, judged.model.probabilities)


def test_table_has_a_row_a_finding_the_mean_and_no_finding(judged: Evaluation) -> None:
    header, *rows = judged.table()
    assert header[:4] == ["Finding", "n", "AUROC [95 % interval]", "AP"]
    assert header[4:] == ["class prior", "majority", "metadata only"]
    assert len(rows) == 16
    assert rows[11][0] == "Pleural Thickening"
    assert rows[14][0] == "Mean of 14 of 14"
    assert rows[15][:2] == [NO_FINDING, "120"]
    assert rows[0][4] == ".500"


def test_text_fits_a_terminal(judged: Evaluation) -> None:
    lines = judged.text().splitlines()
    assert max(map(len, lines)) <= COLUMNS
    assert any(line.startswith("Log-loss") for line in lines)


def test_text_fits_a_terminal_with_a_thumbnail_baseline(judged: Evaluation) -> None:
    metrics = copy.deepcopy(judged.metrics)
    metrics["baselines"]["thumbnail"] = metrics["baselines"]["metadata_only"]
    metrics["model"]["findings"]["Mass"]["n_positive"] = 25_596
    lines = format_table(metrics).splitlines()
    assert max(map(len, lines)) <= COLUMNS
    assert any(line.endswith("metadata  thumbnail") for line in lines)


def test_text_says_the_verdict_above_the_tables(judged: Evaluation) -> None:
    verdict, findings, *_, summary = judged.text().split("\n\n")
    assert verdict.splitlines()[0] == judged.verdict.splitlines()[0]
    assert findings.startswith("Finding ")
    assert summary.startswith("By first label")


def test_text_begins_with_what_the_scores_must_not_be_taken_for(
    judged: Evaluation,
) -> None:
    metrics = {**judged.metrics, "caution": "Mind.", "about": {"phantom": True}}
    first, second, third = format_table(metrics).split("\n\n")[:3]
    assert first == "Mind."
    assert second.startswith("Scores on the phantom, whose radiographs are drawn")
    assert third.startswith("By macro AUROC the model")


def test_always_no_finding_is_called_that_in_the_first_line() -> None:
    findings = [("Edema",)] * 10 + [("No Finding",)] * 30
    always = np.tile([0.2, 0.1, 0.7], (40, 1))
    always[:, EDEMA] += np.linspace(0, 0.1, 40)
    always[:, NONE] -= np.linspace(0, 0.1, 40)
    found = evaluate_tiny(findings, always)
    assert found.verdict.splitlines()[0] == (
        'This model always says "No Finding": it is the likeliest class of 40 of 40 '
        "radiographs. Its accuracy, .750, is about that class's share."
    )
    assert found.metrics["verdict"]["always_says"] == "No Finding"
    assert not found.metrics["verdict"]["ignores_its_input"]


def test_model_that_ignores_its_input_is_called_that() -> None:
    findings = [("Edema",)] * 10 + [("No Finding",)] * 30
    found = evaluate_tiny(findings, np.tile([0.2, 0.1, 0.7], (40, 1)))
    assert found.verdict.splitlines()[1] == (
        "It says the same of every radiograph, whatever is in it."
    )
    assert found.metrics["model"]["findings"]["Edema"]["auroc"] == 0.5


def test_one_other_answer_in_two_hundred_is_still_always() -> None:
    findings = [("Edema",)] * 50 + [("No Finding",)] * 150
    answers = np.tile([0.1, 0.1, 0.8], (200, 1))
    answers[0] = [0.8, 0.1, 0.1]
    found = evaluate_tiny(findings, answers).metrics["verdict"]
    assert (found["always_says"], found["always_says_share"]) == ("No Finding", 0.995)


def test_worse_and_unshown_baselines_are_said_so() -> None:
    findings = [("Edema",), ("Mass",), ("No Finding",)] * 20
    perfect = np.tile(np.eye(3), (20, 1))
    weak = np.tile([[0.3, 0.3, 0.4], [0.4, 0.3, 0.3], [0.3, 0.4, 0.3]], (20, 1))
    noise = np.random.default_rng(0).dirichlet([1, 1, 1], size=60)
    found = evaluate_tiny(
        findings,
        noise,
        {
            "oracle": Prediction(perfect),
            "reverse": Prediction(weak),
            "other_noise": Prediction(noise[::-1]),
        },
    )
    assert found.metrics["verdict"]["outcomes"] == {
        "oracle": "is worse than",
        "reverse": "beats",
        "other_noise": "is not shown to beat",
    }
    assert found.verdict.splitlines()[0] == (
        "By macro AUROC the model is worse than oracle, is not shown to beat other "
        "noise and beats reverse."
    )


@pytest.mark.parametrize(
    ("low", "high", "larger_is_better", "expected"),
    [
        (0.01, 0.02, True, "beats"),
        (0.0, 0.02, True, "is not shown to beat"),
        (-0.02, -0.01, True, "is worse than"),
        (-0.02, -0.01, False, "beats"),
        (0.01, 0.02, False, "is worse than"),
        (None, None, True, "cannot be compared with"),
    ],
)
def test_outcome_is_read_off_the_interval(
    low: float | None, high: float | None, larger_is_better: bool, expected: str
) -> None:
    found = outcome({"low": low, "high": high}, larger_is_better=larger_is_better)
    assert found == expected


def test_finding_without_a_positive_is_not_available_everywhere() -> None:
    findings = [("Edema",), ("No Finding",), ("Edema",), ("No Finding",)]
    probabilities = np.random.default_rng(0).dirichlet([1, 1, 1], size=4)
    prior = {"class_prior": Prediction(np.full((4, 3), 1 / 3))}
    found = evaluate_tiny(findings, probabilities, prior)
    scores = found.metrics["model"]["findings"]["Mass"]
    assert (scores["auroc"], scores["average_precision"]) == (None, None)
    assert scores["auroc_interval"]["low"] is None
    assert found.table()[2] == ["Mass", "0", "n/a (n=0)", "n/a", "n/a"]
    assert "over 1 of 2 findings (undefined: Mass)" in found.verdict


def test_rows_of_one_finding_give_no_mean_and_no_crash() -> None:
    probabilities = np.random.default_rng(0).dirichlet([1, 1, 1], size=50)
    prior = {"class_prior": Prediction(np.full((50, 3), 1 / 3))}
    found = evaluate_tiny([("Mass",)] * 50, probabilities, prior)
    assert found.metrics["model"]["macro"]["auroc"] is None
    assert found.table()[2][:3] == ["Mass", "50", "n/a (n=50)"]
    assert found.verdict.splitlines()[0] == (
        "By macro AUROC the model cannot be compared with class prior."
    )
    assert "Macro AUROC n/a [n/a] over 0 of 2 findings" in found.verdict


def test_single_patient_is_scored_without_intervals() -> None:
    findings = [("Edema",), ("Mass",), ("No Finding",)]
    prior = {"class_prior": Prediction(np.full((3, 3), 1 / 3))}
    found = evaluate_tiny(findings, np.eye(3), prior, rows_each=3)
    assert found.metrics["model"]["macro"]["auroc"] == 1.0
    assert found.metrics["intervals"]["resamples"] == 0
    assert found.table()[1][2] == "1.000 [n/a]"
    assert "cannot be compared with class prior" in found.verdict


def test_single_radiograph_is_judged() -> None:
    found = evaluate_tiny([("Mass",)], np.array([[0.1, 0.8, 0.1]]))
    assert found.metrics["model"]["first_label"]["accuracy"] == 1.0
    assert not found.metrics["verdict"]["ignores_its_input"]
    assert found.verdict.splitlines()[0].startswith('This model always says "Mass"')


def test_undefined_scores_are_written_within_the_columns() -> None:
    found = evaluate_tiny([("Mass",)] * 3, np.eye(3))
    lines = format_table(found.metrics).splitlines()
    assert max(map(len, lines)) <= COLUMNS


def test_nan_predictions_name_the_image() -> None:
    probabilities = np.eye(3)
    probabilities[1, MASS] = np.nan
    with pytest.raises(RecordError, match=r"^1\.png: model: .*Mass=nan \(1 of 3"):
        evaluate_tiny([("Mass",)] * 3, probabilities)


def test_nan_scores_of_a_baseline_name_the_baseline() -> None:
    scores = np.full((3, 3), np.nan)
    baseline = {"metadata_only": Prediction(np.eye(3), scores)}
    with pytest.raises(RecordError, match=r"^0\.png: metadata_only: .*Edema=nan"):
        evaluate_tiny([("Mass",)] * 3, np.eye(3), baseline)


class DoublingModel:
    """Answers with twice its batches."""

    def predict(self, x: list[np.ndarray], verbose: int = 1) -> np.ndarray:
        if verbose:
            raise AssertionError("Keras' own bar would be printed")
        return np.concatenate(x) * 2


def test_probabilities_are_float32_in_the_order_of_the_batches() -> None:
    batches = [np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])]
    found = predict_probabilities(DoublingModel(), batches)
    assert found.dtype == np.float32
    assert found.tolist() == [[2, 4], [6, 8]]


def test_no_batch_is_refused() -> None:
    with pytest.raises(RecordError, match=r"^batches: .* Received: 0 batches"):
        predict_probabilities(DoublingModel(), [])


class NumberedPictures:
    """A source whose picture at position p is all p."""

    def read(self, positions: np.ndarray) -> np.ndarray:
        return np.tile(positions.astype(np.uint8)[:, None, None, None], (1, 4, 4, 1))


def test_keras_model_is_fed_every_radiograph_once_and_in_order() -> None:
    import keras

    from dualnet.data.batches import Batches

    image = keras.Input((4, 4, 1), name="image")
    mean = keras.layers.GlobalAveragePooling2D()(image)
    positions = np.array([9, 3, 7, 1, 8, 2, 5])
    batches = Batches(
        NumberedPictures(),
        positions,
        np.zeros((7, 1)),
        None,
        batch_size=3,
        modality="image",
    )
    found = predict_probabilities(keras.Model({"image": image}, mean), batches)
    assert found.dtype == np.float32
    assert found[:, 0].tolist() == positions.tolist()
