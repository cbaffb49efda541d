from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from PIL import Image
from truth_cases import printed

from dualnet.errors import StorageError
from dualnet.evaluation.evaluate import Evaluation, evaluate
from dualnet.evaluation.scores.baselines import Prediction
from dualnet.findings import NIH, NO_FINDING
from dualnet.plots.evaluation import plot_calibration, plot_evaluation
from dualnet.plots.reliability import plot_reliability
from dualnet.plots.style import display_name, new_figure, save_figure, styled


def judge_random(
    findings: list[tuple[str, ...]], *, rows_each: int = 2, baseline: bool = True
) -> Evaluation:
    generator = np.random.default_rng(0)
    size = len(findings)
    table = pd.DataFrame(
        {
            "image_id": [f"{number}.png" for number in range(size)],
            "patient_id": [f"p{number // rows_each}" for number in range(size)],
            "part": "test",
            "findings": findings,
        }
    )
    model, other = generator.dirichlet(np.full(15, 0.3), size=(2, size))
    return evaluate(
        table,
        model,
        vocabulary=NIH,
        baselines={"metadata_only": Prediction(other)} if baseline else {},
        resamples=40,
        seed=0,
    )


@pytest.fixture(scope="module")
def judged() -> Evaluation:
    """Every finding but Hernia, on 300 radiographs."""
    present = [name for name in NIH.class_names if name != "Hernia"]
    return judge_random([(present[number % 14],) for number in range(300)])


@pytest.fixture(scope="module")
def figures(judged: Evaluation) -> dict[str, Figure]:
    return plot_evaluation(judged)


def texts_of(figure: Figure) -> list[str]:
    return [one.get_text() for one in figure.findobj(Text)]


def text_boxes(figure: Figure) -> dict[str, Bbox]:
    figure.draw_without_rendering()
    renderer = FigureCanvasAgg(figure).get_renderer()
    unseen = unseen_labels(figure)
    return {
        f"{number}: {one.get_text()}": one.get_window_extent(renderer)
        for number, one in enumerate(figure.findobj(Text))
        if one.get_visible() and one.get_text() and one not in unseen
    }


def unseen_labels(figure: Figure) -> set[Text]:
    """Labels of ticks beyond an axis' limits, or of an axis that is off."""
    labels: set[Text] = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks():
                if not (axes.axison and low <= tick.get_loc() <= high):
                    labels |= {tick.label1, tick.label2}
    return labels


@pytest.mark.parametrize(
    "name", ["roc", "confusion", "calibration", "reliability", "comparison"]
)
def test_no_text_is_cut_or_covers_another(
    name: str, figures: dict[str, Figure]
) -> None:
    assert_texts_apart(figures[name])


@pytest.mark.parametrize("name", ["roc", "calibration", "comparison"])
def test_a_run_of_pictures_alone_is_drawn_too(name: str, judged: Evaluation) -> None:
    both = {**judged.baselines, "image_only": judged.baselines["metadata_only"]}
    blocks = judged.metrics["baselines"]
    metrics = {
        **judged.metrics,
        "baselines": {**blocks, "image_only": blocks["metadata_only"]},
    }
    figure = plot_evaluation(replace(judged, baselines=both, metrics=metrics))[name]
    assert any(text.startswith("image only") for text in texts_of(figure))
    assert_texts_apart(figure)


def assert_texts_apart(figure: Figure) -> None:
    """No text is cut, and none covers another."""
    boxes = text_boxes(figure)
    whole = figure.bbox.padded(1)
    cut = [
        text
        for text, box in boxes.items()
        if not (whole.contains(*box.min) and whole.contains(*box.max))
    ]
    assert cut == []
    low, high = (
        np.array([getattr(box.padded(-1), end) for box in boxes.values()])
        for end in ("min", "max")
    )
    apart = (low[:, None] >= high[None]) | (high[:, None] <= low[None])
    first, second = np.nonzero(np.triu(~apart.any(axis=2), k=1))
    texts = list(boxes)
    overlapping = [
        (texts[one], texts[other]) for one, other in zip(first, second, strict=True)
    ]
    assert overlapping == []


@pytest.mark.parametrize(
    "name", ["roc", "confusion", "calibration", "reliability", "comparison"]
)
def test_text_is_large_enough_for_a_phone(
    name: str, figures: dict[str, Figure]
) -> None:
    sizes = [one.get_fontsize() for one in figures[name].findobj(Text)]
    assert min(sizes) >= 9


def test_roc_has_a_panel_a_finding_with_its_score_and_n(
    judged: Evaluation, figures: dict[str, Figure]
) -> None:
    titles = [panel.get_title() for panel in figures["roc"].axes]
    scores = judged.metrics["model"]["findings"]["Pleural_Thickening"]
    assert len([title for title in titles if title]) == 14
    assert (
        f"Pleural Thickening\nAUROC {printed(scores['auroc'])} (n={scores['n_positive']})"
        in titles
    )
    assert "Hernia\nn/a (n=0)" in titles
    assert not any(NO_FINDING in title for title in titles)


def test_undefined_panel_says_so_and_draws_no_curve(
    judged: Evaluation, figures: dict[str, Figure]
) -> None:
    panels = {panel.get_title(): panel for panel in figures["roc"].axes}
    panel = panels["Hernia\nn/a (n=0)"]
    assert [one.get_text() for one in panel.texts] == ["undefined"]
    assert len(panel.lines) == 1  # chance alone
    assert len(panels["Mass\n" + _score(judged, "Mass")].lines) == 3


def _score(judged: Evaluation, name: str) -> str:
    scores = judged.metrics["model"]["findings"][name]
    return f"AUROC {printed(scores['auroc'])} (n={scores['n_positive']})"


def test_roc_line_has_the_area_of_its_title(
    judged: Evaluation, figures: dict[str, Figure]
) -> None:
    panel = next(one for one in figures["roc"].axes if "Mass" in one.get_title())
    false_rate, true_rate = panel.lines[1].get_data()
    area = judged.metrics["model"]["findings"]["Mass"]["auroc"]
    assert np.trapezoid(true_rate, false_rate) == pytest.approx(area, abs=1e-12)


def test_confusion_shows_every_count(
    judged: Evaluation, figures: dict[str, Figure]
) -> None:
    axes = figures["confusion"].axes[0]
    counts = judged.metrics["model"]["first_label"]["confusion_matrix"]
    shown = [one.get_text() for one in axes.texts]
    assert shown == [str(n) if n else "·" for row in counts for n in row]
    shares = axes.images[0].get_array()
    assert shares is not None
    sums = np.asarray(shares).sum(axis=1)
    assert sums == pytest.approx(
        [0 if name == "Hernia" else 1 for name in NIH.class_names]
    )


def test_calibration_shows_error_and_bin_counts(
    judged: Evaluation, figures: dict[str, Figure]
) -> None:
    figure = figures["calibration"]
    scores = judged.metrics["model"]["first_label"]
    title = figure.get_suptitle()
    assert f"error {printed(scores['expected_calibration_error'])}" in title
    assert "300 radiographs of 150 patients" in title
    counts = [one.get_text() for one in figure.axes[1].texts]
    assert sum(int(count) for count in counts) == 300


def test_comparison_ranks_findings_and_marks_the_undefined(
    judged: Evaluation, figures: dict[str, Figure]
) -> None:
    axes = figures["comparison"].axes[0]
    labels = [one.get_text() for one in axes.get_yticklabels()]
    assert labels[-2:] == ["Hernia (n=0)", "Mean of 13"]
    scores = judged.metrics["model"]["findings"]
    areas = [
        scores[label.rsplit(" (", 1)[0].replace(" ", "_")]["auroc"]
        for label in labels[:-2]
    ]
    assert areas == sorted(areas, reverse=True)
    assert [one.get_text() for one in axes.texts] == ["n/a", "n/a"]


def test_model_alone_is_drawn_alone() -> None:
    names = [(name,) for name in NIH.class_names] * 4
    figures = plot_evaluation(judge_random(names, baseline=False))
    assert set(figures) == {
        "roc",
        "confusion",
        "calibration",
        "reliability",
        "comparison",
    }
    for figure in figures.values():
        assert not any("metadata" in text for text in texts_of(figure))


@pytest.mark.parametrize(
    "findings", [[("Mass",)] * 5, [("Mass",)], [("Mass", "Nodule"), ("Edema",)]]
)
def test_undefined_scores_are_drawn_as_such(findings: list[tuple[str, ...]]) -> None:
    figures = plot_evaluation(judge_random(findings))
    assert "n/a (n=0)" in "".join(texts_of(figures["roc"]))
    figures["comparison"].draw_without_rendering()
    figures["calibration"].draw_without_rendering()


def test_same_evaluation_gives_the_same_bytes(
    judged: Evaluation, tmp_path: Path
) -> None:
    for name in ("first.png", "second.png"):
        save_figure(plot_calibration(judged), tmp_path / name)
    first, second = (
        (tmp_path / name).read_bytes() for name in ("first.png", "second.png")
    )
    assert first == second
    with Image.open(tmp_path / "first.png") as picture:
        assert picture.size == (1050, 1050)
        assert picture.info["dpi"] == pytest.approx((150, 150), abs=0.1)


def test_figure_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match=r"file/a\.png: must be writable"):
        save_figure(new_figure(2, 2), tmp_path / "file" / "a.png")


def test_look_ends_with_the_function() -> None:
    before = mpl.rcParams["font.size"]

    @styled
    def font_size() -> float:
        return mpl.rcParams["font.size"]

    assert font_size() == 12
    assert mpl.rcParams["font.size"] == before


def test_names_are_written_with_spaces() -> None:
    assert display_name("Pleural_Thickening") == "Pleural Thickening"


def test_reliability_has_a_curve_a_finding_and_hollow_marks_for_few(
    judged: Evaluation, figures: dict[str, Figure]
) -> None:
    panel = next(
        one for one in figures["reliability"].axes if "Mass" in one.get_title()
    )
    bins = judged.metrics["model"]["findings"]["Mass"]["reliability"]
    many = [one["positive_share"] for one in bins if one["count"] >= 20]
    few = [one["positive_share"] for one in bins if 0 < one["count"] < 20]
    assert few
    assert np.asarray(panel.lines[1].get_ydata()).tolist() == many
    assert np.asarray(panel.lines[2].get_ydata()).tolist() == few
    assert panel.lines[2].get_markerfacecolor() == "white"


def test_finding_without_scores_has_no_reliability(judged: Evaluation) -> None:
    scores = judged.model.scores.copy()
    column = NIH.class_names.index("Mass")
    scores[:, column] = np.nan
    alone = evaluate(
        judged.predictions[["image_id", "patient_id", "part"]].assign(
            findings=[
                tuple(names.split("|")) for names in judged.predictions["findings"]
            ]
        ),
        Prediction(None, scores, unscored=("Mass",), why_no_answer="test"),
        vocabulary=NIH,
        baselines={},
        resamples=20,
        seed=0,
    )
    panels = {one.get_title(): one for one in plot_reliability(alone).axes}
    panel = next(one for title, one in panels.items() if title.startswith("Mass\nn/a"))
    assert [one.get_text() for one in panel.texts] == ["undefined"]
