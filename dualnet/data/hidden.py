"""Pictures of which a part cannot be seen, read as a cache is read."""

import numpy as np

from dualnet.data.batches import ImageSource
from dualnet.data.thumbnails import SIDE, border_mask

BORDER = 1 / SIDE  # width of the border, as a share of the side: one row of a thumbnail
CENTRE = 1 / 2  # side of the centre: a quarter of the picture, most of heart and hila


class HiddenPictures:
    """Pictures whose hidden part has the mean gray of what can be seen.

    So nothing is told of what is hidden, not even how bright it was.

    Args:
        source: The pictures.
        visible: What can be seen, bool, shape (side, side), somewhere true.
    """

    def __init__(self, source: ImageSource, visible: np.ndarray) -> None:
        self._source = source
        self._visible = visible

    def read(self, positions: np.ndarray) -> np.ndarray:
        """Reads pictures.

        Args:
            positions: Where they are in the source, shape (n,).

        Returns:
            Gray values, uint8, shape (n, side, side, 1).
        """
        pixels = self._source.read(positions)
        gray = pixels[:, self._visible].mean(axis=(1, 2))
        hidden = np.rint(gray).astype(np.uint8)[:, np.newaxis, np.newaxis]
        pixels[:, ~self._visible] = hidden
        return pixels


def only_border(side: int) -> np.ndarray:
    """Marks the border that is left to be seen.

    Args:
        side: Of the pictures, in pixels.

    Returns:
        Bool, shape (side, side).
    """
    return border_mask(side, max(1, round(BORDER * side)))


def all_but_centre(side: int) -> np.ndarray:
    """Marks all but the centre.

    Args:
        side: Of the pictures, in pixels.

    Returns:
        Bool, shape (side, side).
    """
    return border_mask(side, round((1 - CENTRE) / 2 * side))
