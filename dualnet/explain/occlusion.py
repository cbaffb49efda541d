"""What hiding a part of the picture takes from a logit."""

from collections.abc import Mapping

import numpy as np

from dualnet.explain.attribution import flatten_pictures
from dualnet.explain.cut_model import PICTURE, CutModel

CELLS = 16  # a side; 16 pixels each of a picture of 256
WINDOW = 2  # cells a side that are hidden at once


def count_cells(size: int) -> int:
    """Returns how many cells a side of a picture has.

    Args:
        size: The side in pixels.
    """
    return min(CELLS, size)


def occlude(
    cut: CutModel, batch: Mapping[str, np.ndarray], columns: np.ndarray
) -> np.ndarray:
    """Hides each window of a picture in turn.

    Windows of `WINDOW` by `WINDOW` cells, which overlap by half, are set to the
    picture's mean gray. A cell's value is the mean of what the windows that hide it
    take from the logit.

    Args:
        cut: A model, cut at the picture.
        batch: Arrays by the names of its inputs.
        columns: The logit of each row.

    Returns:
        float32, shape (batch, cells, cells).

    Reference:
        Zeiler and Fergus, ECCV 2014, section 4.2.
    """
    pictures, rows = batch[PICTURE], np.arange(len(columns))
    flat = flatten_pictures(pictures)
    own = cut.read_logits(pictures, batch)[rows, columns]
    edges = [
        np.linspace(0, side, count_cells(side) + 1).round().astype(int)
        for side in pictures.shape[1:3]
    ]
    tall, wide = (len(one) - 1 for one in edges)
    total = np.zeros((len(rows), tall, wide), np.float32)
    times = np.zeros((tall, wide), np.float32)
    for top in range(max(1, tall - WINDOW + 1)):
        for left in range(max(1, wide - WINDOW + 1)):
            cells = np.s_[top : top + WINDOW, left : left + WINDOW]
            hidden = pictures.copy()
            bottom, right = min(top + WINDOW, tall), min(left + WINDOW, wide)
            place = np.s_[
                :, edges[0][top] : edges[0][bottom], edges[1][left] : edges[1][right]
            ]
            hidden[place] = flat[place]
            fall = own - cut.read_logits(hidden, batch)[rows, columns]
            total[(slice(None), *cells)] += fall[:, np.newaxis, np.newaxis]
            times[cells] += 1
    return total / times
