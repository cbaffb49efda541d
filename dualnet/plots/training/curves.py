"""The curves of a training as still figures, drawn fast: it may be going on."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dualnet.plots import style
from dualnet.plots.style import Look, display_name, styled
from dualnet.plots.training.facts import SCORE, TrainingFacts
from dualnet.plots.training.tiles import DPI, make_tiles
from dualnet.wording import format_number

TRAIN = style.METADATA_ONLY
VAL = style.MODEL
KEPT = style.CHANCE
MARKED = 25  # up to so many epochs each has a mark
PANELS: Sequence[tuple[str, Sequence[tuple[str, str, Look]]]] = (
    (
        "Loss",
        (("loss", "training", TRAIN), ("val_loss", "validation", VAL)),
    ),
    ("Validation macro AUROC", ((SCORE, "macro AUROC", VAL),)),
    ("Learning rate", (("learning_rate", "learning rate", VAL),)),
    ("Pictures a second", (("images_per_second", "pictures a second", VAL),)),
)


@styled
def plot_curves(facts: TrainingFacts) -> Figure:
    """Draws loss, macro AUROC, learning rate and speed by epoch.

    Args:
        facts: What the run folder says.

    Returns:
        Four panels; a dotted line stands at the epoch that is kept.
    """
    figure = Figure(figsize=(8.6, 6.2), dpi=DPI)
    panels = figure.subplots(2, 2)
    figure.subplots_adjust(
        left=0.08, right=0.98, top=0.86, bottom=0.08, hspace=0.38, wspace=0.22
    )
    for axes, (title, curves) in zip(panels.flat, PANELS, strict=True):
        axes.set_title(title, size=11, loc="left")
        _draw_panel(axes, facts, curves)
    panels[1, 0].set_xlabel("Epoch", size=11)
    panels[1, 1].set_xlabel("Epoch", size=11)
    figure.suptitle(_headline(facts), x=0.08, ha="left", size=12)
    return figure


@styled
def plot_finding_curves(facts: TrainingFacts) -> Figure:
    """Draws each finding's AUROC by epoch, the mean of the chosen behind it.

    Args:
        facts: What the run folder says; it holds an epoch.

    Returns:
        A tile a finding, with its AUROC at the epoch kept and how many radiographs of
        the validation part have it; an undefined one says so.
    """
    epochs = facts.areas["epoch"].to_numpy(float)
    names = facts.vocabulary.findings
    low = lower_end(facts)
    ends = (1.0, max(2.0, float(epochs.max())))
    tiles = make_tiles(
        len(names),
        f"AUROC on the validation part by epoch, 1 to {int(epochs.max())}\n"
        f"by each name: at epoch {facts.kept}, the one kept; dotted: the macro AUROC",
        x_range=ends,
        y_range=(low, 1.0),
    )
    macro = _macro_at(facts, epochs)
    for tile, name in enumerate(names):
        count = facts.num_positive[name]
        area = format_number(area_at_kept(facts, name))
        title = f"{display_name(name)}\n{area} (n={count:,})"
        tiles.draw_frame(tile, title, ends, (low, 0.5, 1.0))
        if name not in facts.findings:
            tiles.write_inside(tile, "undefined")
            continue
        tiles.draw_line(tile, epochs, macro, style.CHANCE, width=1.2)
        marks = len(epochs) <= MARKED
        tiles.draw_line(tile, epochs, facts.area_of(name), style.MODEL, marks=marks)
    return tiles.figure


def area_at_kept(facts: TrainingFacts, finding: str) -> float | None:
    """Returns a finding's AUROC at the epoch that is kept; None where there is none.

    Args:
        facts: What the run folder says.
        finding: Its name.
    """
    if finding not in facts.areas:
        return None
    rows = facts.areas.loc[facts.areas["epoch"] == facts.kept, finding]
    return None if rows.empty or np.isnan(rows.iloc[0]) else float(rows.iloc[0])


def lower_end(facts: TrainingFacts) -> float:
    """Returns where an axis of AUROCs begins: the least, a tenth below, at most .4.

    Args:
        facts: What the run folder says.
    """
    areas = facts.areas.drop(columns="epoch").to_numpy(float)
    least = float(np.nanmin(areas)) if np.isfinite(areas).any() else 0.4
    return float(np.floor(min(0.4, least) * 10) / 10)


def _macro_at(facts: TrainingFacts, epochs: np.ndarray) -> np.ndarray:
    by_epoch = facts.history.set_index("epoch")[SCORE]
    return by_epoch.reindex(epochs.astype(int)).to_numpy(float)


def _headline(facts: TrainingFacts) -> str:
    if facts.kept is None:
        return f"{facts.name}: no epoch has ended"
    return (
        f"{facts.name}: {facts.num_done} of {facts.num_epochs} epochs, "
        f"{facts.state}\n"
        f"dotted: epoch {facts.kept}, the one kept, "
        f"macro AUROC {format_number(facts.kept_score)}"
    )


def _draw_panel(
    axes: Axes, facts: TrainingFacts, curves: Sequence[tuple[str, str, Look]]
) -> None:
    axes.tick_params(labelsize=10)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    if not facts.num_done:
        return
    epochs = facts.history["epoch"].to_numpy()
    few = len(epochs) <= MARKED
    for column, label, look in curves:
        axes.plot(
            epochs,
            facts.history[column].to_numpy(float),
            color=look.color,
            linestyle=look.linestyle,
            marker=look.marker if few else "",
            markersize=4,
            label=label,
        )
    if facts.kept is not None:
        axes.axvline(facts.kept, color=KEPT.color, linestyle=":", linewidth=1.4)
    if len(curves) > 1:
        axes.legend(fontsize=10, handlelength=2.2)
    if len(epochs) == 1:
        axes.set_xlim(0.5, 1.5)
