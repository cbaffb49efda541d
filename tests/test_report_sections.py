"""Sections of an evaluation that was asked for more than scores."""

from typing import Any

import pytest
from report_cases import judge_tiny

from dualnet.plots.report import audit, groups, scores, thresholds, uncalibrated
from dualnet.plots.report.contents import make_sections
from dualnet.plots.report.heading import make_heading

ENDS = {"low": 0.5, "high": 0.75, "undefined_resamples": 0}
NOWHERE = {"low": None, "high": None, "undefined_resamples": 9}


def area(value: float | None) -> dict[str, Any]:
    return {"auroc": value, "auroc_interval": NOWHERE if value is None else ENDS}


def judged_as(value: float) -> dict[str, Any]:
    return {
        "macro": area(value),
        "first_label": {"accuracy": 0.25, "accuracy_interval": ENDS},
    }


@pytest.fixture(scope="module")
def metrics() -> dict[str, Any]:
    return judge_tiny().metrics


@pytest.mark.parametrize(
    "make",
    [
        audit.make_audit,
        thresholds.make_calibration,
        groups.make_subgroups,
        groups.make_labels,
    ],
)
def test_what_was_not_judged_has_no_section(make: Any, metrics: dict[str, Any]) -> None:
    assert make(metrics) is None


def test_audit_sets_the_halves_beside_each_other(metrics: dict[str, Any]) -> None:
    values = {
        "warnings": ["The border gives it away."],
        "modalities": {
            "fused": judged_as(0.7),
            "image_only": {"missing": judged_as(0.6), "permuted": None},
            "metadata_only": {"averaged": judged_as(0.55)},
            "patterns": [
                {"missing": [], **judged_as(0.7)},
                {"missing": ["age", "follow_up"], **judged_as(0.65)},
            ],
        },
        "probes": {"centre_masked": judged_as(0.5), "side": 16},
    }
    section = audit.make_audit({**metrics, "audit": values})
    assert section is not None
    assert section.paragraphs[-1] == "The border gives it away."
    halves, patterns, probes = section.tables
    assert [row[0] for row in halves.rows] == [
        "picture and record",
        "picture alone, record missing",
        "record alone, pictures averaged over",
    ]
    assert halves.rows[1][1:] == [".600 [.500, .750]", ".250 [.500, .750]"]
    assert [row[0] for row in patterns.rows] == ["nothing", "age, follow-up"]
    assert [row[0] for row in probes.rows] == ["this model, centre hidden"]


def test_audit_of_one_half_has_its_probes_alone(metrics: dict[str, Any]) -> None:
    values = {"warnings": [], "modalities": None, "probes": {"border": judged_as(0.5)}}
    section = audit.make_audit({**metrics, "audit": values})
    assert section is not None
    assert [table.caption for table in section.tables] == [
        "Without the lungs, pictures alone"
    ]


def test_audit_lists_how_well_each_source_is_told(metrics: dict[str, Any]) -> None:
    told = judged_as(0.7)["macro"]
    unknown = {"auroc": None, "auroc_interval": {"low": None, "high": None}}
    source = {"values": {"a": {"n": 1200, **told}, "b": {"n": 3, **unknown}}}
    hospital = {**source, **told, "num_images": 1203, "num_scored": 1}
    values = {"warnings": [], "modalities": None, "sources": {"hospital": hospital}}
    section = audit.make_audit({**metrics, "audit": values})
    assert section is not None
    (table,) = section.tables
    assert table.rows == [
        ["a", "1,200", ".700 [.500, .750]"],
        ["b", "3", "n/a"],
        ["mean", "1,203", ".700 [.500, .750]"],
    ]


def test_baselines_are_told_as_they_stand(metrics: dict[str, Any]) -> None:
    few = {**metrics, "baselines": {"class_prior": metrics["baselines"]["class_prior"]}}
    section = scores.make_baselines({**metrics, "baselines": metrics["baselines"]})
    assert section is not None
    assert "; metadata only reads the record" in section.paragraphs[0]
    assert "16 by 16" not in section.paragraphs[0]
    section = scores.make_baselines(few)
    assert section is not None
    assert "answers their commonest class. The model" in section.paragraphs[0]


def test_operating_points_are_listed_with_and_without_intervals(
    metrics: dict[str, Any],
) -> None:
    called = {"sensitivity": 0.5, "specificity": 1.0, "ppv": None, "npv": 1, "f1": 0}
    finding = {"n_positive": 1200, "threshold": 0.25, **called}
    point = {
        "chosen": "by hand",
        "macro": {**called, "sensitivity_interval": ENDS},
        "findings": {"Mass": finding, "No Finding": finding},
    }
    section = thresholds.make_operating_points(
        {**metrics, "operating_points": {"sensitivity_90": point}}
    )
    assert section is not None
    means, each = section.tables
    assert means.rows == [
        ["sensitivity .9", ".500 [.500, .750]", "1.000", "n/a", "1.000", ".000"]
    ]
    assert each.caption == "Each finding at sensitivity .9: by hand"
    assert each.rows == [
        ["Mass", "1,200", ".250", ".500", "1.000", "n/a", "1.000", ".000"]
    ]


def test_calibration_is_told_where_it_was_fitted(metrics: dict[str, Any]) -> None:
    values = {"log_loss": 1.0, "expected_calibration_error": 0.5}
    ends = {"log_loss_interval": ENDS, "expected_calibration_error_interval": ENDS}
    found = {
        "fitted_on": {"part": "val", "num_images": 1880, "num_patients": 9},
        "temperatures": [1.284, 0.9],
        "before": {**values, **ends},
        "after": {**values, **ends},
        "difference": {"log_loss": -0.5, "expected_calibration_error": 0.5, **ends},
    }
    section = thresholds.make_calibration({**metrics, "calibration": found})
    assert section is not None
    assert section.paragraphs[0].startswith(
        "Temperature .90 to 1.28, fitted on 1,880 radiographs of the validation part"
    )
    assert section.tables[0].rows[0][-1] == "-.500 [+.500, +.750]"
    none = {"fitted_on": None, "reason": "too few patients"}
    assert thresholds.make_calibration({**metrics, "calibration": none}) is None
    said = uncalibrated.make_uncalibrated({**metrics, "calibration": none})
    assert said is not None
    assert said.paragraphs == ("Not calibrated: too few patients.",)
    assert uncalibrated.make_uncalibrated({**metrics, "calibration": found}) is None


def group(name: str, macro: float | None, gap: dict[str, Any] | None) -> dict[str, Any]:
    interval = NOWHERE if macro is None else ENDS
    return {
        "group": name,
        "num_images": 1200,
        "macro_auroc": {"value": macro, "interval": interval},
        "prevalence": {"value": 0.25},
        "expected_calibration_error": {"value": 0.125},
        "under_diagnosis": {"value": None},
        "gaps": gap,
    }


def test_subgroups_have_their_gap_and_what_was_left_out(
    metrics: dict[str, Any],
) -> None:
    gap = {"macro_auroc": {"difference": -0.125, **ENDS}}
    found = {
        "all": group("all", 0.7, None),
        "called_negative_by": "prevalence_matched",
        "groupings": [
            {
                "name": "view",
                "num_unknown": 3,
                "groups": [group("PA", 0.7, gap), group("AP", None, None)],
            }
        ],
    }
    section = groups.make_subgroups({**metrics, "subgroups": found})
    assert section is not None
    assert section.paragraphs[1] == (
        "A radiograph is said to have none where no finding reaches its "
        "prevalence-matched threshold."
    )
    table = section.tables[0]
    assert [row[0] for row in table.rows] == ["all", "view PA", "view AP"]
    assert table.rows[1][1:] == [
        "1,200",
        ".250",
        ".700 [.500, .750]",
        "-.125 [+.500, +.750]",
        ".125",
        "n/a",
    ]
    assert table.rows[2][3:5] == ["n/a", ""]
    assert table.note == "Left out: 3 of unknown view."
    without = {"all": group("all", 0.7, None), "groupings": []}
    assert groups.make_subgroups({**metrics, "subgroups": without}) is None


def test_labels_tell_what_was_dropped_and_what_radiologists_say(
    metrics: dict[str, Any],
) -> None:
    found = {
        "rule": "first",
        "parts": {"train": {"num_images": 1200, "present": 2000, "dropped": 800}},
        "first_label": {"macro": {**area(0.7), "num_findings": 1}},
        "not_first_label": {"macro": {**area(None), "num_findings": 1}},
        "difference": {"difference": None, **NOWHERE},
        "adjudicated": {
            "file": "labels.csv",
            "num_images": 2,
            "num_patients": 1,
            "findings": {
                "Mass": {
                    "adjudicated": {"n_positive": 1, **area(0.6)},
                    "text_mined": {"n_positive": 0, **area(None)},
                }
            },
        },
    }
    section = groups.make_labels({**metrics, "labels": found})
    assert section is not None
    dropped, position, adjudicated = section.tables
    assert dropped.rows == [["train", "1,200", "2,000", "800"]]
    assert [row[1] for row in position.rows] == [".700 [.500, .750]", "n/a", "n/a"]
    assert adjudicated.caption == "Labelled by radiologists: 2 radiographs of 1 patient"
    assert adjudicated.rows == [["Mass", "1", ".600 [.500, .750]", "0", "n/a"]]
    little = {
        "parts": {},
        "first_label": {"macro": {**area(None), "num_findings": 0}},
        "adjudicated": None,
    }
    assert groups.make_labels({**metrics, "labels": little}) is None


def test_a_model_without_one_answer_has_no_accuracy(metrics: dict[str, Any]) -> None:
    model = {
        **metrics["model"],
        "first_label": {"confusion_matrix": None, "accuracy": None},
    }
    apart = {**metrics, "model": model}
    keys = [section.key for section in make_sections(apart, [])]
    assert keys == ["baselines", "findings", "operating-points"]
    section = scores.make_baselines(apart)
    assert section is not None
    assert len(section.tables) == 1
    assert len(make_heading(apart).facts) == 2


def test_notes_stand_below_the_verdict(metrics: dict[str, Any]) -> None:
    heading = make_heading({**metrics, "notes": ["12 rows without truth."]})
    assert heading.verdict[-1] == ("12 rows without truth.", [])
