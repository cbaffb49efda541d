"""Figures of an epoch: what they say, and that pixels are those the model is fed."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from truth_cases import TINY, make_table

from dualnet.evaluation.scores.truth import make_truth
from dualnet.findings import NIH, Vocabulary
from dualnet.plots.style import render_figure
from dualnet.plots.training.epoch_figures import (
    gives_answers,
    plot_epoch_confusion,
    plot_epoch_roc,
)
from dualnet.plots.training.samples import GAP, enlarge, plot_samples

EDEMA, BOTH, NONE = ("Edema",), ("Edema", "Mass"), ("No Finding",)
TWO = Vocabulary(name="two", findings=("Edema",), negative="No Finding", source="test")


def texts_of(figure: Figure) -> list[str]:
    texts = [*figure.texts, *(one for axes in figure.axes for one in axes.texts)]
    return [one.get_text() for one in texts]


def test_roc_says_each_findings_auroc_and_how_many_have_it() -> None:
    truth = make_truth(make_table(EDEMA, NONE, EDEMA, NONE), TINY)
    # of the four pairs, three are in order
    scores = np.array([[0.9, 0, 0.1], [0.5, 0, 0.5], [0.4, 0, 0.6], [0.2, 0, 0.8]])
    texts = texts_of(plot_epoch_roc(truth, scores, epoch=7))
    assert "Edema\n.750 (n=2)" in texts
    assert "Mass\nn/a (n=0)" in texts
    assert texts.count("undefined") == 1
    assert any(
        "after epoch 7, n = 4\nmean AUROC of 1 finding .750" in one for one in texts
    )


def test_roc_curve_goes_through_its_points() -> None:
    truth = make_truth(make_table(EDEMA, NONE, EDEMA, NONE), TINY)
    scores = np.array([[0.9, 0, 0.1], [0.5, 0, 0.5], [0.4, 0, 0.6], [0.2, 0, 0.8]])
    lines = plot_epoch_roc(truth, scores, epoch=1).axes[0].lines
    (curve,) = (line for line in lines if len(line.get_xdata()) == 5)
    x, y = np.asarray(curve.get_xdata()), np.asarray(curve.get_ydata())
    np.testing.assert_allclose((x - x[0]) / np.ptp(x), [0, 0, 0.5, 0.5, 1])
    np.testing.assert_allclose((y - y[0]) / np.ptp(y), [0, 0.5, 0.5, 1, 1])


def test_confusion_counts_the_answers_of_each_first_label() -> None:
    truth = make_truth(make_table(EDEMA, BOTH, NONE, NONE), TINY)
    answers = np.eye(3)[[0, 1, 2, 0]]
    figure = plot_epoch_confusion(truth, answers, epoch=2)
    axes = figure.axes[0]
    cells = {one.get_position(): one.get_text() for one in axes.texts}
    assert cells == {(0, 0): "1", (1, 0): "1", (2, 2): "1", (0, 2): "1"}
    shares = np.asarray(axes.images[0].get_array())
    np.testing.assert_array_equal(shares, [[0.5, 0.5, 0], [0, 0, 0], [0.5, 0, 0.5]])
    assert [one.get_text() for one in axes.get_yticklabels()] == [
        "Edema (2)",
        "Mass (0)",
        "No Finding (2)",
    ]
    assert "Answers after epoch 2: 2 of 4 right" in figure.texts[0].get_text()


def test_two_classes_have_one_curve_and_four_cells() -> None:
    truth = make_truth(make_table(EDEMA, NONE, EDEMA, NONE), TWO)
    answers = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.6, 0.4]])
    assert "Edema\n.750 (n=2)" in texts_of(plot_epoch_roc(truth, answers, epoch=1))
    axes = plot_epoch_confusion(truth, answers, epoch=1).axes[0]
    assert sorted(one.get_position() for one in axes.texts) == [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
    ]


@pytest.mark.parametrize("vocabulary", [NIH, TWO])
def test_texts_stay_within_the_figure(vocabulary: Vocabulary) -> None:
    rows = [(name,) for name in vocabulary.class_names] * 2
    truth = make_truth(make_table(*rows), vocabulary)
    scores = np.random.default_rng(0).dirichlet(
        np.ones(truth.labels.shape[1]), len(rows)
    )
    for plot in (plot_epoch_roc, plot_epoch_confusion):
        figure = plot(truth, scores, epoch=100)
        render_figure(figure)
        renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
        axes = figure.axes[0]
        texts = [*figure.texts, *axes.texts]
        if plot is plot_epoch_confusion:
            texts += [*axes.get_xticklabels(), *axes.get_yticklabels()]
        for text in texts:
            box = text.get_window_extent(renderer)
            assert box.x0 >= 0, text.get_text()
            assert box.y0 >= 0, text.get_text()
            assert box.x1 <= figure.bbox.x1, text.get_text()
            assert box.y1 <= figure.bbox.y1, text.get_text()


def test_answers_are_shares_that_sum_to_one() -> None:
    assert gives_answers(np.array([[0.25, 0.75], [1.0, 0.0]]))
    assert not gives_answers(np.array([[0.25, 0.75], [0.9, 0.9]]))  # sigmoids
    assert not gives_answers(np.array([[0.5, 0.5], [np.nan, 0.5]]))
    assert not gives_answers(np.zeros((0, 2)))


def find_picture(pixels: np.ndarray, side: int, index: int, below: int) -> np.ndarray:
    row, column = divmod(index, 3)
    top, left = GAP + row * (side + below), GAP + column * (side + GAP)
    return pixels[top : top + side, left : left + side, 0]


@pytest.mark.parametrize("side", [32, 128, 256])
def test_samples_are_the_batch_pixel_for_pixel(side: int) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (4, side, side, 1)).astype(np.uint8)
    captions = [("Edema", "57 y, AP")] * 4
    pixels = render_figure(plot_samples(images, captions))
    times = -(-224 // side)
    shown = side * times
    below = (pixels.shape[0] - GAP) // 2 - shown
    for index, image in enumerate(images[..., 0]):
        found = find_picture(pixels, shown, index, below)
        np.testing.assert_array_equal(
            found, image.repeat(times, axis=0).repeat(times, axis=1)
        )


def test_large_samples_are_averaged_over_whole_pixels() -> None:
    image = np.zeros((1, 1024, 1024, 1), np.float32)
    image[0, :4, :4] = np.arange(16).reshape(4, 4, 1)  # mean 7.5
    small = enlarge(image)
    assert small.shape == (1, 256, 256, 1)
    assert small[0, 0, 0, 0] == 8
    assert small.sum() == 8


@pytest.mark.parametrize("side", [32, 256])
def test_captions_stay_below_their_picture(side: int) -> None:
    names = ["Cardiomegaly", "Consolidation", "Emphysema", "Edema", "Mass", "Hernia"]
    pairs = [f"{one}, {two}, Mass" for one in names for two in names if one < two]
    record = "100 y, female, AP, follow-up 183"
    images = np.zeros((len(pairs), side, side, 1))
    figure = plot_samples(images, [(pair, record) for pair in pairs])
    width = side * -(-224 // side)
    render_figure(figure)
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    for text in figure.texts:
        assert text.get_window_extent(renderer).width <= width + GAP, text.get_text()


def test_samples_have_their_labels_and_long_ones_are_broken() -> None:
    names = "Atelectasis, Pleural Thickening, Consolidation, Effusion, Fibrosis, Mass"
    figure = plot_samples(np.zeros((1, 64, 64, 1)), [(names, "57 y, AP")])
    assert [one.get_text() for one in figure.texts] == [
        "Atelectasis,",
        "Pleural Thickening,",
        "Consolidation, Effusion, …",
        "57 y, AP",
    ]
