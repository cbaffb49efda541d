"""Interactive figures of several panels, and those of an audit."""

import json
from typing import Any

import pytest
from breakdown_cases import break_down_all

from dualnet.plots import style
from dualnet.plots.report.audit_charts import draw_audit_charts, draw_subgroups
from dualnet.plots.report.chart_parts import draw_intervals, look_of
from dualnet.plots.report.panels import Panel, stack_panels
from dualnet.plots.subgroups import PANELS

NOWHERE = {"low": None, "high": None}


def make_panel(title: str, rows: list[Any], **options: Any) -> Panel:
    labels = [f"row {number}" for number in range(len(rows))]
    trace = draw_intervals(look_of(style.MODEL, title), labels, rows)
    return Panel(title=title, labels=labels, traces=[trace], **options)


def test_panels_stand_under_each_other_and_apart() -> None:
    rows = [(0.5, {"low": 0.4, "high": 0.8})]
    chart = stack_panels([make_panel("one", rows), make_panel("two", rows * 3)])
    layout = chart["layout"]
    upper, lower = layout["yaxis"]["domain"], layout["yaxis2"]["domain"]
    assert 0 <= lower[0] < lower[1] < upper[0] < upper[1] <= 1
    assert [trace["yaxis"] for trace in chart["data"]] == ["y", "y2"]
    assert [one["text"] for one in layout["annotations"]] == [
        "<b>one</b>",
        "<b>two</b>",
    ]
    json.dumps(chart, allow_nan=False)


def test_an_axis_holds_every_bar_and_its_line() -> None:
    rows = [(0.5, {"low": 0.4, "high": 0.8}), (None, NOWHERE)]
    chart = stack_panels([make_panel("one", rows, line_at=0.2)])
    # from .2 to .8, a twentieth more at either end
    assert chart["layout"]["xaxis"]["range"] == pytest.approx([0.17, 0.83])
    assert chart["data"][0]["x"] == [0.5, None]
    assert chart["data"][0]["text"] == [".500 [.400, .800]", "n/a"]


def test_panels_of_one_scale_have_the_same_ends() -> None:
    panels = [
        make_panel("one", [(0.0, {"low": -1.0, "high": 0.0})]),
        make_panel("two", [(1.0, {"low": 0.0, "high": 1.0})]),
    ]
    layout = stack_panels(panels, one_scale=True)["layout"]
    assert layout["xaxis"]["range"] == layout["xaxis2"]["range"]
    assert layout["xaxis"]["range"] == pytest.approx([-1.1, 1.1])


def scored(area: float) -> dict[str, Any]:
    ends = {"low": area - 0.1, "high": area + 0.1}
    one = {"auroc": area, "auroc_interval": ends}
    return {"macro": one, "findings": {"Mass": one, "Edema": one, "No Finding": one}}


def gain(difference: float) -> dict[str, Any]:
    return {
        "difference": difference,
        "low": difference - 0.05,
        "high": difference + 0.05,
    }


AUDIT: dict[str, Any] = {
    "negative": "No Finding",
    "modalities": {
        "fused": scored(0.7),
        "image_only": {
            "averaged": scored(0.6),
            "missing": None,
            "permuted": scored(0.55),
        },
        "metadata_only": {"averaged": scored(0.5), "permuted": None},
        "adds": {
            "record": {
                "findings": {"Mass": gain(0.02), "Edema": gain(0.2)},
                "macro_auroc": gain(0.1),
            }
        },
        "patterns": [
            {"missing": [], **scored(0.7)},
            {"missing": ["age", "view"], **scored(0.65)},
        ],
    },
    "probes": {"model": scored(0.6), "border_only": scored(0.45), "side": 16},
    "counterfactuals": {
        "first_visit": {
            "num_images": 12,
            "answers_changed": 0.25,
            "classes": {
                "Mass": {"logit": {"quantiles": dict(enumerate([-2, -1, 0.5, 1, 3]))}}
            },
        },
        "age_plus_20": {"num_images": 0, "answers_changed": None, "classes": {}},
    },
}


def test_charts_of_an_audit_draw_its_numbers() -> None:
    charts = draw_audit_charts(AUDIT)
    assert set(charts) == {
        *("record_adds", "missing_fields", "counterfactuals", "shortcuts")
    }
    *views, gains = charts["record_adds"]["data"]
    assert [(trace["y"][0], trace["x"][0]) for trace in views] == [
        ("picture and record", 0.7),
        ("picture alone, records averaged over", 0.6),
        ("picture, another patient's record", 0.55),
        ("record alone, pictures averaged over", 0.5),
    ]
    assert gains["y"][:2] == ["Edema", "Mass"]  # the largest first
    assert gains["x"] == [0.2, 0.02, 0.1]
    assert gains["marker"]["symbol"] == ["circle", "circle-open", "circle"]
    rows = [trace["y"][0] for trace in charts["missing_fields"]["data"]]
    assert rows == ["nothing missing", "no age, no view"]
    named = [one["name"] for one in charts["shortcuts"]["data"] if one["showlegend"]]
    assert named == ["this model, whole pictures", "this model, border only"]
    json.dumps(charts, allow_nan=False)


def test_changes_are_drawn_with_the_middle_half_and_the_ends() -> None:
    chart = draw_audit_charts(AUDIT)["counterfactuals"]
    thin, thick = chart["data"]
    assert (thin["x"], thick["x"]) == ([0.5], [0.5])
    assert (thin["error_x"]["arrayminus"], thin["error_x"]["array"]) == ([2.5], [2.5])
    assert (thick["error_x"]["arrayminus"], thick["error_x"]["array"]) == ([1.5], [0.5])
    title = chart["layout"]["annotations"][0]["text"]
    assert title == "<b>at the first visit<br>n=12, other answer: 25 %</b>"


def test_an_audit_of_one_half_has_its_shortcuts_alone() -> None:
    charts = draw_audit_charts({**AUDIT, "modalities": None, "counterfactuals": None})
    assert list(charts) == ["shortcuts"]


def test_subgroups_have_a_panel_a_score_and_a_line_for_all() -> None:
    metrics = break_down_all().metrics
    found = metrics["subgroups"]
    chart = draw_subgroups(metrics)
    first = found["groupings"][0]["groups"][0]
    assert [trace["x"][0] for trace in chart["data"]] == pytest.approx(
        [first[measure]["value"] for measure in PANELS], abs=5e-5
    )
    lines = [shape["x0"] for shape in chart["layout"]["shapes"]]
    assert lines == [found["all"][measure]["value"] for measure in PANELS]
