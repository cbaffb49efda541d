"""The sections on probabilities that are fitted anew and on operating points."""

from collections.abc import Mapping
from typing import Any

from dualnet.evaluation.text.verdict import display_baseline, format_number
from dualnet.plots.report.captions import show
from dualnet.plots.report.cells import format_measure
from dualnet.plots.report.sections import Section, Table
from dualnet.wording import number_of

MEASURES = {
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "ppv": "PPV",
    "npv": "NPV",
    "f1": "F1",
}
POINTS = {
    "0.5": "probability .5",
    "youden": "Youden's index",
    "sensitivity_90": "sensitivity .9",
    "specificity_90": "specificity .9",
}
PARTS = {"train": "training", "val": "validation"}
CALIBRATED = {
    "log_loss": "log-loss",
    "expected_calibration_error": "calibration error",
}


def make_operating_points(metrics: Mapping[str, Any]) -> Section | None:
    """Lists what calling a finding above a threshold comes to."""
    points = metrics.get("operating_points")
    if not points:
        return None
    means = Table(
        caption="Means over the findings",
        header=["at", *MEASURES.values()],
        rows=[
            [_name_point(name), *_values(point["macro"])]
            for name, point in points.items()
        ],
    )
    return Section(
        key="operating-points",
        title="Calls at stated thresholds",
        paragraphs=(
            "A radiograph whose score reaches a finding's threshold is called. "
            "Sensitivity is the share of those with the finding that is called, "
            "specificity the share of those without that is not; PPV is how often a "
            "call is right, NPV how often none is, and both change with how common a "
            "finding is. n/a: nothing was called, or nothing could be.",
        ),
        tables=(
            means,
            *(_point_table(metrics, name, point) for name, point in points.items()),
        ),
    )


def make_calibration(metrics: Mapping[str, Any]) -> Section | None:
    """Says what temperatures that were fitted on validation change here."""
    found = metrics.get("calibration")
    if not found or not found.get("fitted_on"):
        return None
    fitted, before, after = found["fitted_on"], found["before"], found["after"]
    ends = sorted({min(found["temperatures"]), max(found["temperatures"])})
    temperatures = " to ".join(format_number(end, digits=2) for end in ends)
    return Section(
        key="calibration",
        title="Probabilities after temperature scaling",
        paragraphs=(
            f"Temperature {temperatures}, fitted on "
            f"{number_of(fitted['num_images'], 'radiograph')} of the "
            f"{PARTS.get(fitted['part'], fitted['part'])} "
            "part; above 1 it makes the model less sure. It leaves AUROCs as they are "
            "where there is one for all classes.",
        ),
        tables=(
            Table(
                caption="Before and after, less is better",
                header=["", "before [95 %]", "after [95 %]", "change [95 %]"],
                rows=[
                    [
                        title,
                        format_measure(before, key),
                        format_measure(after, key),
                        format_measure(found["difference"], key, sign=True),
                    ]
                    for key, title in CALIBRATED.items()
                ],
            ),
        ),
        pictures=show("reliability"),
    )


def _point_table(
    metrics: Mapping[str, Any], name: str, point: Mapping[str, Any]
) -> Table:
    chosen = f": {point['chosen']}" if point.get("chosen") else ""
    return Table(
        caption=f"Each finding at {_name_point(name)}{chosen}",
        header=["finding", "n", "threshold", *MEASURES.values()],
        rows=[
            [
                display_baseline(finding),
                f"{one['n_positive']:,}",
                format_number(one["threshold"]),
                *_values(one),
            ]
            for finding, one in point["findings"].items()
            if finding != metrics["negative"]
        ],
    )


def _name_point(name: str) -> str:
    return POINTS.get(name, display_baseline(name))


def _values(scores: Mapping[str, Any]) -> list[str]:
    return [
        format_measure(scores, key)
        if key in ("sensitivity", "specificity")
        else format_number(scores[key])
        for key in MEASURES
    ]
