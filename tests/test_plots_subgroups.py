"""The figure of the subgroups."""

import copy
from typing import Any

import pytest
from breakdown_cases import break_down_all, evaluate_alone
from matplotlib.figure import Figure
from matplotlib.text import Text

from dualnet.plots.evaluation import plot_evaluation
from dualnet.plots.subgroups import plot_subgroups


@pytest.fixture(scope="module")
def metrics() -> dict[str, Any]:
    return break_down_all().metrics


def labels_of(figure: Figure) -> list[str]:
    return [one.get_text() for one in figure.axes[0].get_yticklabels()]


def test_each_group_has_a_row_with_its_n(metrics: dict[str, Any]) -> None:
    figure = plot_subgroups(metrics)
    labels = labels_of(figure)
    groups = [
        f"{one['name']} {group['group']} (n={group['num_images']:,})"
        for one in metrics["subgroups"]["groupings"]
        for group in one["groups"]
    ]
    assert labels == groups
    assert [panel.get_title().split("\n")[0] for panel in figure.axes] == [
        "Macro AUROC",
        "Any finding:",
        "Under-diagnosis:",
    ]


def filled_marks(figure: Figure, panel: int) -> list[float]:
    """The heights of the marks that are filled."""
    lines = figure.axes[panel].get_lines()
    return [
        float(line.get_ydata()[0])
        for line in lines
        if line.get_marker() == "o"
        and len(line.get_ydata()) == 1
        and line.get_markerfacecolor() != "white"
    ]


def test_a_shown_gap_is_a_filled_mark(metrics: dict[str, Any]) -> None:
    shown = copy.deepcopy(metrics)
    for gap in shown["subgroups"]["gaps"]:
        gap["shown"] = gap["group"] == "20-39" and gap["measure"] == "macro_auroc"
    figure = plot_subgroups(shown)
    place = next(
        tick
        for tick, label in zip(
            figure.axes[0].get_yticks(), labels_of(figure), strict=True
        )
        if label.startswith("age 20-39")
    )
    assert filled_marks(figure, 0) == [place]
    assert filled_marks(figure, 1) == []
    two = copy.deepcopy(shown)
    for gap in two["subgroups"]["gaps"]:
        gap["shown"] = gap["grouping"] == "sex"
    assert len(filled_marks(plot_subgroups(two), 0)) == 2


def test_a_score_that_nobody_has_is_no_panel(metrics: dict[str, Any]) -> None:
    none = copy.deepcopy(metrics)
    none["subgroups"]["all"]["predicted_minus_prevalence"]["value"] = None
    assert [
        panel.get_title().split("\n")[0] for panel in plot_subgroups(none).axes
    ] == [
        "Macro AUROC",
        "Under-diagnosis:",
    ]


def test_an_undefined_score_says_so(metrics: dict[str, Any]) -> None:
    none = copy.deepcopy(metrics)
    group = none["subgroups"]["groupings"][0]["groups"][0]
    group["macro_auroc"] = {"value": None, "interval": {"low": None, "high": None}}
    none["subgroups"]["all"]["macro_auroc"] = group["macro_auroc"]
    panel = plot_subgroups(none).axes[0]
    texts = [one.get_text() for one in panel.findobj(Text)]
    assert texts.count("n/a") == 1


def test_the_figure_is_drawn_where_there_are_groups() -> None:
    assert "subgroups" in plot_evaluation(break_down_all())
    assert "subgroups" not in plot_evaluation(evaluate_alone())
