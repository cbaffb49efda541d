"""What a model says of the validation part after an epoch: ROC curves, answers.

Drawn while a model is fitted, so made to be drawn fast.
"""

import numpy as np
from matplotlib.figure import Figure

from dualnet.evaluation.scores.metrics import confusion_matrix, roc_points
from dualnet.evaluation.scores.truth import Truth
from dualnet.plots import style
from dualnet.plots.style import display_name, styled
from dualnet.plots.training.tiles import DPI, make_tiles
from dualnet.scores import auroc
from dualnet.wording import format_number, number_of

ROC_POINTS = 100  # a tile is 135 pixels wide
DARK = 0.5  # from this share on, a cell is dark and its text white
SUM_TOLERANCE = 1e-3


@styled
def plot_epoch_roc(truth: Truth, scores: np.ndarray, *, epoch: int) -> Figure:
    """Draws one small ROC curve a finding.

    Args:
        truth: What the validation part is.
        scores: What the model says of it, shape (n, num_classes).
        epoch: From 1.

    Returns:
        A tile a finding, with its AUROC and how many have it; one whose AUROC is
        undefined has its tile, which says so.
    """
    columns = np.flatnonzero(truth.is_finding)
    areas = [auroc(truth.labels[:, one], scores[:, one]) for one in columns]
    defined = [area for area in areas if not np.isnan(area)]
    mean = format_number(float(np.mean(defined)) if defined else None)
    tiles = make_tiles(
        len(columns),
        f"ROC on the validation part after epoch {epoch}, "
        f"n = {truth.num_images:,}\n"
        f"mean AUROC of {number_of(len(defined), 'finding')} {mean}; "
        "right: false positive rate, up: true",
        x_range=(0, 1),
        y_range=(0, 1),
    )
    for tile, (column, area) in enumerate(zip(columns, areas, strict=True)):
        present = truth.labels[:, column]
        name = display_name(truth.class_names[column])
        title = f"{name}\n{format_number(area)} (n={int(present.sum()):,})"
        tiles.draw_frame(tile, title, (0, 1), (0, 1))
        if np.isnan(area):
            tiles.write_inside(tile, "undefined")
            continue
        tiles.draw_line(tile, (0, 1), (0, 1), style.CHANCE, width=1)
        points = roc_points(present, scores[:, column], max_points=ROC_POINTS)
        tiles.draw_line(tile, *points, style.MODEL)
    return tiles.figure


@styled
def plot_epoch_confusion(
    truth: Truth, probabilities: np.ndarray, *, epoch: int
) -> Figure:
    """Draws how often each first label got each answer, the likeliest class.

    Args:
        truth: What the validation part is.
        probabilities: What the model says of it, shape (n, num_classes).
        epoch: From 1.

    Returns:
        A matrix, a row a first label, a column an answer; shades are shares of a row,
        numbers are radiographs.
    """
    counts = confusion_matrix(truth, probabilities)
    totals = counts.sum(axis=1)
    shares = counts / np.maximum(totals, 1)[:, np.newaxis]
    names = [display_name(name) for name in truth.class_names]
    longest = max(len(name) for name in names)
    label = 0.085 * longest + 0.2  # inches of a name
    inner = max(1.6, 0.36 * len(names))
    width, height = label + 0.55 + inner + 0.3, label + inner + 0.9
    figure = Figure(figsize=(max(width, 5.0), height), dpi=DPI)
    left, bottom = (label + 0.55) / figure.get_figwidth(), (label + 0.1) / height
    axes = figure.add_axes(
        (left, bottom, inner / figure.get_figwidth(), inner / height)
    )
    axes.grid(visible=False)
    axes.imshow(shares, cmap=style.SEQUENTIAL, vmin=0, vmax=1)
    for row, column in np.argwhere(counts):
        color = "white" if shares[row, column] > DARK else style.TEXT
        text = f"{counts[row, column]:,}"
        axes.text(column, row, text, ha="center", va="center", color=color, size=8)
    rows = [f"{name} ({n:,})" for name, n in zip(names, totals.tolist(), strict=True)]
    axes.set_xticks(range(len(names)), names, rotation=90, size=9)
    axes.set_yticks(range(len(names)), rows, size=9)
    right = int(counts.trace())
    figure.text(
        0.1 / figure.get_figwidth(),
        1 - 0.1 / height,
        f"Answers after epoch {epoch}: {right:,} of {truth.num_images:,} right\n"
        "rows: first label (n), columns: answer; shades: share of the row",
        va="top",
        size=10,
    )
    return figure


def gives_answers(probabilities: np.ndarray) -> bool:
    """Returns whether each row is one answer: shares of all classes, that sum to 1.

    Args:
        probabilities: Shape (n, num_classes).
    """
    sums = probabilities.sum(axis=1, dtype=np.float64)
    return bool(len(sums)) and bool((np.abs(sums - 1) <= SUM_TOLERANCE).all())
