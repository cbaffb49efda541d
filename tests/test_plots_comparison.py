"""Figures of a comparison: every text whole and apart, markers that say what is shown."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from test_comparison import make_rows, make_run
from test_plots_evaluation import text_boxes
from truth_cases import printed

from dualnet.evaluation.comparing.comparison import Comparison, compare
from dualnet.plots.comparison import plot_comparison, plot_macro
from dualnet.plots.style import save_figure

NAMES = ("nih-image", "nih-residual-fused", "nih-metadata")


@pytest.fixture(scope="module")
def compared() -> Comparison:
    rows = make_rows(with_hernia=False)
    skills = zip(NAMES, (0.5, 1.0, 0.4), strict=True)
    return compare(rows, [make_run(rows, *one, modality="fused") for one in skills])


@pytest.fixture(scope="module")
def figures(compared: Comparison) -> dict[str, Figure]:
    return plot_comparison(compared.metrics)


def tick_labels(figure: Figure) -> list[str]:
    return [one.get_text() for one in figure.axes[0].get_yticklabels()]


@pytest.mark.parametrize("name", ["differences", "macro"])
def test_text_is_whole_and_large_enough(name: str, figures: dict[str, Figure]) -> None:
    whole = figures[name].bbox.padded(1)
    for text, box in text_boxes(figures[name]).items():
        assert whole.contains(*box.min), text
        assert whole.contains(*box.max), text
    texts = figures[name].findobj(Text)
    assert min(one.get_fontsize() for one in texts) >= 9


def test_findings_are_ranked_and_the_undefined_is_marked(
    compared: Comparison, figures: dict[str, Figure]
) -> None:
    labels = tick_labels(figures["differences"])
    assert labels[-2:] == ["Hernia (n=0)", "Mean of the findings"]
    findings = compared.metrics["differences"]["nih-residual-fused"]["findings"]
    gains = [
        findings[label.rsplit(" (", 1)[0].replace(" ", "_")]["auroc"]["difference"]
        for label in labels[:-2]
    ]
    assert gains == sorted(gains, reverse=True)
    shown = [one.get_text() for one in figures["differences"].axes[0].texts]
    assert shown == ["n/a", "n/a"]


def test_only_what_is_shown_after_correction_is_filled(
    compared: Comparison, figures: dict[str, Figure]
) -> None:
    findings = compared.metrics["differences"]["nih-residual-fused"]["findings"]
    beaten = sum(one.get("outcome") == "beats" for one in findings.values())
    filled = [
        line
        for line in figures["differences"].axes[0].lines
        if line.get_marker() == "o"
        and len(np.atleast_1d(line.get_xdata())) == 1
        and line.get_markerfacecolor() == line.get_color()
    ]
    assert 0 < beaten < 13
    assert len(filled) == beaten + 1  # the mean too


def test_mean_of_each_run_is_drawn_with_its_number(
    compared: Comparison, figures: dict[str, Figure]
) -> None:
    assert tick_labels(figures["macro"]) == [f"{name} (fused)" for name in NAMES]
    shown = [one.get_text() for one in figures["macro"].axes[0].texts]
    runs = compared.metrics["runs"]
    assert shown == [printed(runs[name]["macro"]["auroc"]) for name in NAMES]


def test_undefined_mean_is_drawn_as_such() -> None:
    rows = make_rows(40)
    rows.labels[:] = False
    found = compare(rows, [make_run(rows, name, 1) for name in ("one", "other")])
    axes = plot_macro(found.metrics).axes[0]
    assert [one.get_text() for one in axes.texts] == ["n/a", "n/a"]
    figures = plot_comparison(found.metrics)
    assert len(figures["differences"].axes[0].texts) == 15


def test_eight_runs_are_drawn_and_saved(tmp_path: Path) -> None:
    rows = make_rows(60)
    found = compare(rows, [make_run(rows, "x" * number, 1) for number in range(1, 9)])
    figure = plot_comparison(found.metrics)["differences"]
    save_figure(figure, tmp_path / "figure.png")
    with Image.open(tmp_path / "figure.png") as picture:
        assert picture.width == 1200
