import json
from typing import Any

import jsonschema
import numpy as np
import pytest
from evaluate_cases import evaluate_tiny
from report_cases import KINDS, judge_tiny

from dualnet.evaluation.schema import SCHEMA, read_metrics_schema


@pytest.fixture(scope="module")
def metrics() -> dict[str, Any]:
    return judge_tiny().metrics


def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(read_metrics_schema())


def complaints(metrics: dict[str, Any]) -> list[str]:
    """Where each complaint is, after a journey through JSON."""
    read = json.loads(json.dumps(metrics, allow_nan=False))
    return [error.json_path for error in validator().iter_errors(read)]


def test_the_schema_is_one_and_names_itself() -> None:
    schema = read_metrics_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == SCHEMA
    assert schema["properties"]["$schema"]["const"] == SCHEMA


def test_every_property_is_described() -> None:
    def undescribed(part: Any, path: str) -> list[str]:
        if not isinstance(part, dict):
            return []
        found = []
        for name, one in part.get("properties", {}).items():
            told = one if "$ref" not in one else {"description": "elsewhere"}
            found += [] if "description" in told else [f"{path}.{name}"]
            found += undescribed(one, f"{path}.{name}")
        for name, one in part.get("$defs", {}).items():
            found += [] if "description" in one else [name]
            found += undescribed(one, name)
        return found

    assert undescribed(read_metrics_schema(), "") == []


@pytest.mark.parametrize(
    ("kinds", "rows", "rows_each"),
    [
        (KINDS, 40, 2),
        ((("No Finding",),), 6, 2),  # one class: every AUROC is undefined
        (KINDS, 8, 8),  # one patient: no interval
        (KINDS, 1, 1),
    ],
)
def test_scores_follow_the_schema(
    kinds: tuple[tuple[str, ...], ...], rows: int, rows_each: int
) -> None:
    found = judge_tiny(kinds, rows=rows, rows_each=rows_each).metrics
    assert complaints(found) == []
    assert found["$schema"] == "urn:dualnet:metrics:1"


def test_scores_without_a_baseline_follow_it() -> None:
    found = evaluate_tiny([("Edema",), ("No Finding",)], np.eye(3)[[0, 2]], rows_each=2)
    assert complaints(found.metrics) == []


def test_more_sections_may_stand_beside(metrics: dict[str, Any]) -> None:
    assert complaints({**metrics, "audit": {"gain": 0.1}}) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"$schema": "urn:dualnet:metrics:2"}, "$['$schema']"),
        ({"num_images": 0}, "$.num_images"),
        ({"verdict": {"lines": []}}, "$.verdict"),
        ({"about": {"model": "a", "data": "b", "phantom": "no"}}, "$.about.phantom"),
    ],
)
def test_what_breaks_the_schema_is_found(
    metrics: dict[str, Any], change: dict[str, Any], expected: str
) -> None:
    assert expected in complaints({**metrics, **change})


def test_a_score_above_one_is_found(metrics: dict[str, Any]) -> None:
    findings = metrics["model"]["findings"]
    wrong = {**findings, "Edema": {**findings["Edema"], "auroc": 1.5}}
    model = {**metrics["model"], "findings": wrong}
    assert complaints({**metrics, "model": model}) == ["$.model.findings.Edema.auroc"]
