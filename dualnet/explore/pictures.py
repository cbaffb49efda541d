"""What each picture is as a whole: its file, its gray levels, its border, its digest.

Pictures are read from the cache a few at a time; what is kept of each is a few numbers
and 256 floats, about 1.5 KB.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from dualnet.data.cache import Cache
from dualnet.data.images import read_header
from dualnet.data.thumbnails import shrink

CHUNK = 256  # pictures in memory at once: 16 MiB at 256 pixels
BLACK, WHITE = 5, 250  # gray values from there on count as black and as white
BORDER = 0.04  # width of the border, as a share of the side: 10 of 256 pixels
COARSE, FINE = 16, 64  # sides at which pictures are compared
HOOD = 2  # the mean of 5 by 5 small pixels is what a picture is compared without
FILE_FIELDS = ("width", "height", "num_bytes")
GRAY_FIELDS = ("brightness", "contrast", "black_share", "white_share")
BORDER_FIELDS = tuple(
    f"{place}_{kind}"
    for place in ("top", "bottom", "left", "right")
    for kind in ("mean", "sd")
)


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """What was measured of some pictures.

    Args:
        table: One row a picture: `image_id`; `width` and `height` of the file in
            pixels, `num_bytes`, `mode` (Pillow's name, such as `L`); `brightness` and
            `contrast`, the mean and standard deviation of the cached gray values;
            `black_share` and `white_share` of the cached pixels; mean and standard
            deviation of the border's four sides.
        digests: SHA-256 of each one's cached pixels.
        patterns: `describe_pattern` of each at the coarse side, float32, shape
            (pictures, 256).
    """

    table: pd.DataFrame
    digests: list[bytes]
    patterns: np.ndarray


def measure_pictures(
    table: pd.DataFrame,
    cache: Cache,
    progress: Callable[[int, int], None] | None = None,
) -> Pictures:
    """Measures every picture of a table.

    Args:
        table: Records whose picture the cache holds.
        cache: The cache.
        progress: Called with how many pictures are done, and how many there are.

    Returns:
        The measures, in the table's order.
    """
    positions = cache.rows(table["image_id"])
    paths = table["path"].tolist()
    blocks: list[pd.DataFrame] = []
    digests: list[bytes] = []
    patterns = np.empty((len(table), COARSE * COARSE), dtype=np.float32)
    for start in range(0, len(positions), CHUNK):
        pixels = cache.read(positions[start : start + CHUNK])[..., 0]
        files = map(Path, paths[start : start + CHUNK])
        rows = [
            {**_measure_file(file), **measure_gray(picture)}
            for file, picture in zip(files, pixels, strict=True)
        ]
        blocks.append(pd.DataFrame(rows))  # an eighth of the memory of the rows
        digests += [hashlib.sha256(one.tobytes()).digest() for one in pixels]
        patterns[start : start + CHUNK] = describe_pattern(pixels, COARSE)
        if progress:
            progress(start + len(pixels), len(table))
    measures = pd.concat(blocks, ignore_index=True)
    measures.insert(0, "image_id", table["image_id"].to_numpy())
    return Pictures(table=measures, digests=digests, patterns=patterns)


def measure_gray(picture: np.ndarray) -> dict[str, float]:
    """Measures the gray levels of a picture and of its border.

    Args:
        picture: Gray values, uint8, shape (side, side).

    Returns:
        `GRAY_FIELDS` and `BORDER_FIELDS`.
    """
    counts = np.array(Image.fromarray(picture).histogram(), dtype="float64")
    shares = counts / picture.size
    values = np.arange(256)
    mean = float(shares @ values)
    width = max(1, round(BORDER * len(picture)))
    sides = {
        "top": picture[:width],
        "bottom": picture[-width:],
        "left": picture[:, :width],
        "right": picture[:, -width:],
    }
    border = {}
    for place, pixels in sides.items():
        border[f"{place}_mean"] = float(pixels.mean())
        border[f"{place}_sd"] = float(pixels.std())
    return {
        "brightness": mean,
        "contrast": float(np.sqrt(shares @ (values - mean) ** 2)),
        "black_share": float(shares[: BLACK + 1].sum()),
        "white_share": float(shares[WHITE:].sum()),
        **border,
    }


def describe_pattern(pictures: np.ndarray, side: int) -> np.ndarray:
    """Reduces pictures to what tells one from another, whatever their gray levels.

    Each is shrunk by area, its mean over 5 by 5 pixels is taken off, since broad light
    and shade are those of every chest, and it is brought to mean 0 and length 1. The
    product of two patterns is then their normalised correlation.

    Args:
        pictures: Gray values, uint8, shape (n, any side, any side).
        side: To which they are shrunk.

    Returns:
        float32, shape (n, side * side); zeros for a picture without pattern.

    Reference:
        Lewis, Fast Normalized Cross-Correlation, Vision Interface, 1995, equation 2.
    """
    small = shrink(pictures, side).astype(np.float32)
    detail = small - _blur(small)
    flat = detail.reshape(len(detail), side * side)
    flat = flat - flat.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(flat, axis=1, keepdims=True)
    # a picture that varies by less than rounding has no pattern to be compared
    return np.where(lengths > 0.5 * side, flat / np.maximum(lengths, 1e-6), 0)


def _blur(small: np.ndarray) -> np.ndarray:
    """Returns means over squares of 2 * HOOD + 1 pixels, edges repeated."""
    width = 2 * HOOD + 1
    padded = np.pad(small, ((0, 0), (HOOD, HOOD), (HOOD, HOOD)), mode="edge")
    rows, columns = small.shape[1:]
    shifts = range(width)
    across = np.sum([padded[:, :, shift : shift + columns] for shift in shifts], axis=0)
    return np.sum([across[:, shift : shift + rows] for shift in shifts], axis=0) / (
        width**2
    )


def _measure_file(path: Path) -> dict[str, object]:
    width, height, mode = read_header(path)
    size = path.stat().st_size
    return {"width": width, "height": height, "num_bytes": size, "mode": mode}
