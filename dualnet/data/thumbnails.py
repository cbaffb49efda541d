"""Pictures of 16 by 16 pixels: what is left when no finding can be seen any more."""

import numpy as np
from PIL import Image

from dualnet.data.cache import Cache

SIDE = 16  # pixels of a thumbnail's side
CHUNK = 256  # pictures in memory at once: 16 MiB at 256 pixels


def shrink(images: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Shrinks pictures by area.

    Args:
        images: Gray values, uint8, shape (n, any side, any side).
        side: To which they are shrunk, in pixels.

    Returns:
        Gray values, uint8, shape (n, side, side).
    """
    shrunk = [
        np.asarray(Image.fromarray(one).resize((side, side), Image.Resampling.BOX))
        for one in images
    ]
    return np.array(shrunk, dtype=np.uint8).reshape(-1, side, side)


def read_thumbnails(cache: Cache, positions: np.ndarray) -> np.ndarray:
    """Reads cached pictures as thumbnails, a few at a time: 256 bytes of each are kept.

    Args:
        cache: The pictures.
        positions: Where they are in it, shape (n,).

    Returns:
        Gray values, uint8, shape (n, 16, 16).
    """
    chunks = [
        shrink(cache.read(positions[start : start + CHUNK])[..., 0])
        for start in range(0, len(positions), CHUNK)
    ]
    return np.concatenate([np.empty((0, SIDE, SIDE), np.uint8), *chunks])


def border_mask(side: int, width: int) -> np.ndarray:
    """Marks the border of a square.

    Args:
        side: Of the square, in pixels.
        width: Of the border, in pixels.

    Returns:
        Bool, shape (side, side), true in the border.
    """
    mask = np.ones((side, side), dtype=bool)
    mask[width : side - width, width : side - width] = False
    return mask
