from typing import Any

import pandas as pd
import pytest
from report_cases import judge_tiny
from truth_cases import TINY, printed

from dualnet.config import Config, parse_config
from dualnet.evaluation.model_card import RunFacts, format_model_card
from dualnet.evaluation.text.markdown import format_markdown_table


def describe_part(radiographs: int, patients: int, sd: float | None) -> dict[str, Any]:
    share = {"count": 3, "share": 0.25}
    return {
        "radiographs": radiographs,
        "patients": patients,
        "findings": {"Edema": share, "No Finding": share},
        "sex": {"F": share, "M": share},
        "view_position": {"PA": share, "AP": share},
        "age_years": {"mean": 50.04, "sd": sd, "missing": 2},
    }


CERTIFICATE = {
    "tables_sha256": {"labels.csv": "aa11"},
    "split_sha256": "bb22",
    "counts": {"read": 1234, "without_picture": 4},
    "shared_patients": 0,
    "parts": {
        "train": describe_part(1200, 400, 12.5),
        "val": describe_part(20, 10, 12.5),
        "test": describe_part(12, 1, None),
    },
    "label_rule_dropped": [{"dropped": 30}, {"dropped": 1}],
}


def make_facts(*, phantom: bool = False, **changes: Any) -> RunFacts:
    values: dict[str, Any] = {
        "name": "one",
        "config": Config(),
        "certificate": CERTIFICATE,
        "vocabulary": TINY,
        "dataset": {"name": "mine", "phantom": phantom},
        "environment": {
            "dualnet": "0.1.0",
            "run_format": 1,
            "device": {"name": "a processor", "kind": "cpu"},
            "precision": {"chosen": "float32"},
            "versions": {"keras": "3.15.1"},
        },
        "history": pd.DataFrame(
            {"seconds": [10.0, 20.6], "images_per_second": [100.0, 300.0]}
        ),
        "model_sha256": "cc33",
        "evaluations": {},
    }
    return RunFacts(**{**values, **changes})


def test_card_says_what_the_model_is_not_before_all_else() -> None:
    card = format_model_card(make_facts())
    assert card.index("Not a medical device") < card.index("## Model")
    assert "phantom" not in card
    assert "Not for diagnosis" in card


def test_card_of_the_phantom_says_so() -> None:
    card = format_model_card(make_facts(phantom=True))
    assert card.index("say nothing about patients") < card.index("## Model")
    assert "mine (drawn: synthetic radiographs)" in card


def test_card_has_the_digests_and_the_split() -> None:
    card = format_model_card(make_facts())
    for line in (
        "- **`labels.csv`, SHA-256**: `aa11`",
        "- **`split.csv`, SHA-256**: `bb22`",
        "- **`model.keras`, SHA-256**: `cc33`",
        "- **Rows**: read 1,234, without picture 4",
        "- **Patients in more than one part**: 0",
        "| train | 1,200 | 400 | 50.0 (SD 12.5, 2 unknown) | 25.0 % | 25.0 % | 25.0 % |",
        "| test | 12 | 1 | unknown | 25.0 % | 25.0 % | 25.0 % |",
        "- The label rule `first` leaves 31 labels out of training (`split.json`).",
    ):
        assert line in card.splitlines()


def test_card_says_what_was_measured_and_what_was_not() -> None:
    lines = format_model_card(make_facts()).splitlines()
    assert "- **Machine**: a processor (cpu)" in lines
    assert "- **Seconds in the image half's epochs**: 31" in lines
    assert "- **Pictures a second, median**: 200" in lines
    assert "- **Seconds in all, by the clock**: not measured" in lines
    assert "- **Energy and carbon**: not measured" in lines
    assert "- **Compilation**: unknown" in lines


def test_card_sums_what_every_stage_took() -> None:
    spent = {
        "preparing": {"seconds": 1000.2, "processor_seconds": 1900.0},
        "fitting": {"seconds": 234.0, "processor_seconds": 100.4},
    }
    environment = {**make_facts().environment, "spent": spent}
    lines = format_model_card(make_facts(environment=environment)).splitlines()
    for line in (
        "- **Seconds in all, by the clock**: 1,234 (preparing 1,000, fitting 234)",
        "- **Seconds of processor**: 2,000 (preparing 1,900, fitting 100)",
    ):
        assert line in lines


def test_card_of_one_half_times_all_its_epochs() -> None:
    config = parse_config({"model": {"modality": "metadata"}}, where="test")
    empty = pd.DataFrame({"seconds": [], "images_per_second": []})
    lines = format_model_card(make_facts(config=config, history=empty)).splitlines()
    assert "- **Seconds in the epochs**: not measured" in lines
    assert "- **Image branch**: none" in lines
    assert any("reads the patient's record alone" in line for line in lines)


def test_card_that_no_evaluation_completed_says_so() -> None:
    assert "Not judged yet" in format_model_card(make_facts())


def test_card_has_the_scores_their_cautions_and_the_baselines() -> None:
    metrics = judge_tiny().metrics
    about = {"model": "one", "data": "mine", "phantom": True}
    evaluations = {"evaluation": {**metrics, "caution": "Mind.", "about": about}}
    card = format_model_card(make_facts(evaluations=evaluations))
    assert "Not judged yet" not in card
    heading = card.index(
        "### evaluation: part test of mine, 40 radiographs of 20 patients"
    )
    for said in ("> **Mind.**", "> **Scores on the phantom", "- By macro AUROC"):
        assert card.index(said) > heading
    macro = metrics["model"]["macro"]
    assert f"| Mean of 2 of 2 |  | {printed(macro['auroc'])} [" in card
    assert "| class prior | metadata only |" in card


def test_bars_in_a_cell_do_not_end_it() -> None:
    table = format_markdown_table([["a", "b"], ["x|y", "1"]])
    assert table.splitlines() == ["| a | b |", "|---|---:|", "| x\\|y | 1 |"]


@pytest.mark.parametrize("key", ["device", "precision", "versions"])
def test_card_of_an_environment_that_says_little(key: str) -> None:
    environment = {**make_facts().environment, key: None}
    assert "unknown" in format_model_card(make_facts(environment=environment))
