"""Figures of the patches of pictures that excite the channels of a stage most."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from dualnet.plots.activations import GAP, draw_tile, set_title
from dualnet.plots.style import new_figure, styled
from dualnet.wording import number_of

CHANNEL_LABEL = 1.1  # room at the left of each row, in widths of a patch
ABOVE = 0.2  # room above each patch for its answer, in widths of a patch


@dataclass(frozen=True, kw_only=True)
class ChannelPatches:
    """What excites one channel most.

    Args:
        channel: Its number.
        answers: What it answers, the strongest first, shape (patches,).
        patches: Gray values 0-255, each a square, masked outside the picture.
    """

    channel: int
    answers: np.ndarray
    patches: Sequence[np.ma.MaskedArray]


@dataclass(frozen=True, kw_only=True)
class StagePatches:
    """What excites the channels of one stage most.

    Args:
        name: Name of the stage.
        kind: What it is, in words.
        channels: Those that are shown, the one of the strongest answer first.
        num_channels: How many there are.
        num_dead: How many are above 0 in no picture.
        num_pictures: How many pictures were looked at.
        size: Width of a patch, in pixels of the picture.
        whole: Whether a unit sees as much as the whole picture, or more.
    """

    name: str
    kind: str
    channels: Sequence[ChannelPatches]
    num_channels: int
    num_dead: int
    num_pictures: int
    size: int
    whole: bool

    @property
    def note(self) -> str:
        """What is shown, in one line."""
        seen = "the whole picture or more" if self.whole else f"{self.size} pixels"
        return (
            f"{len(self.channels)} of {self.num_channels} channels, strongest answer "
            f"first; {self.num_dead} dead in all of "
            f"{number_of(self.num_pictures, 'radiograph')}, one a patient; "
            f"a unit sees {seen}; blue lies outside the picture"
        )


@styled
def plot_patches(stage: StagePatches) -> Figure:
    """Draws the patches that excite some channels most, a row a channel.

    Args:
        stage: What to draw.

    Returns:
        The figure: above each patch the channel's answer.
    """
    columns = max((len(one.patches) for one in stage.channels), default=1)
    step, rows = 1 + ABOVE, max(1, len(stage.channels))
    width = CHANNEL_LABEL + columns * (1 + GAP)
    figure = new_figure(12, 11.6 / width * step * rows + 0.9)
    set_title(figure, f"{stage.name}   {stage.kind}   strongest patches", stage.note)
    axes = figure.subplots()
    gray = Normalize(0, 255)
    for row, one in enumerate(stage.channels):
        top = row * step + ABOVE
        text = axes.text(0, top + 0.5, f"channel {one.channel}", va="center")
        text.set_in_layout(False)
        for column, (patch, answer) in enumerate(
            zip(one.patches, one.answers, strict=True)
        ):
            left = CHANNEL_LABEL + column * (1 + GAP)
            draw_tile(axes, patch, (left, top), 1, gray, "gray")
            number = axes.text(left, top - 0.03, f"{answer:.3g}", fontsize=9)
            number.set_in_layout(False)
    axes.set_xlim(0, width - GAP)
    axes.set_ylim(rows * step, 0)
    axes.set_axis_off()
    return figure
