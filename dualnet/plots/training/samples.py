"""Training pictures as the model is fed them, pixel for pixel."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from dualnet.plots.style import styled
from dualnet.plots.training.tiles import DPI

COLUMNS = 3
LEAST_SIDE = 224  # pixels of a picture, so that three lines fit below it
MOST_SIDE = 320
GAP = 8  # pixels
LINE = 24  # pixels
TEXT = 12.0  # points
CHARACTER = 10  # pixels; an m is wider, but no name has only those
MOST_LINES = 3  # of labels


@styled
def plot_samples(images: np.ndarray, captions: Sequence[Sequence[str]]) -> Figure:
    """Draws pictures in a grid, each with lines below it.

    Small pictures are repeated pixel by pixel, large ones averaged over squares of
    whole pixels; between, a pixel of the figure is a pixel of the picture.

    Args:
        images: Gray values 0-255, shape (n, side, side, 1).
        captions: Lines for each.

    Returns:
        The figure; draw it at its own size.
    """
    shown = enlarge(images)
    side, height = shown.shape[2], shown.shape[1]
    lines = [
        [line for text in caption for line in _wrap(text, side // CHARACTER)]
        for caption in captions
    ]
    below = LINE * max((len(one) for one in lines), default=0) + GAP
    columns = min(COLUMNS, max(1, len(shown)))
    num_rows = -(-len(shown) // columns)
    size = columns * (side + GAP) + GAP, num_rows * (height + below) + GAP
    # a hundredth of a pixel: the canvas is cut to whole ones
    figsize = ((size[0] + 0.01) / DPI, (size[1] + 0.01) / DPI)
    figure = Figure(figsize=figsize, dpi=DPI)
    for index, picture in enumerate(shown):
        row, column = divmod(index, columns)
        left = GAP + column * (side + GAP)
        top = size[1] - GAP - row * (height + below)
        figure.figimage(
            np.repeat(picture, 3, axis=2), xo=left, yo=top - height, origin="upper"
        )
        for number, line in enumerate(lines[index]):
            figure.text(
                left / size[0],
                (top - height - LINE * number - 6) / size[1],
                line,
                size=TEXT,
                va="top",
            )
    return figure


def enlarge(images: np.ndarray) -> np.ndarray:
    """Brings pictures to a size at which they are looked at, by whole numbers.

    Args:
        images: Gray values 0-255, shape (n, height, width, 1).

    Returns:
        uint8, the same shape times or divided by a whole number.
    """
    side = images.shape[1]
    values = np.asarray(images, dtype=np.float32).clip(0, 255)
    if side > MOST_SIDE:
        step = -(-side // MOST_SIDE)
        kept = side // step
        cut = values[:, : kept * step, : kept * step]
        values = cut.reshape(len(cut), kept, step, kept, step, 1).mean(axis=(2, 4))
    times = -(-LEAST_SIDE // values.shape[1])
    whole = values.round().astype(np.uint8)
    return whole.repeat(times, axis=1).repeat(times, axis=2)


def _wrap(text: str, longest: int) -> list[str]:
    """Breaks a line after commas; of too many lines the end is left out."""
    lines: list[str] = []
    for part in text.split(", "):
        longer = f"{lines[-1]}, {part}" if lines else part
        if lines and len(longer) < longest:
            lines[-1] = longer
        else:
            lines.append(part)
    shown = lines[:MOST_LINES]
    more = ["" if line is lines[-1] else "," for line in shown]
    if len(lines) > MOST_LINES:
        more[-1] = ", …"
    return [f"{line}{end}" for line, end in zip(shown, more, strict=True)]
