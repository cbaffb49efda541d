"""The drawing surface: grids, soft edges, smooth fields, strokes.

Coordinates are those of the upright patient: x from 0 (the patient's right, left
in the picture) to 1, y from 0 (top) to 1, with a margin of `MARGIN` around, so
that a turned or shifted view still finds tissue. The midline is x = .5. Each half
of the chest is drawn in mirrored coordinates, `x` counted outwards from the
midline, so that one code draws both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image, ImageDraw

MARGIN = 0.1
EXTENT = 1 + 2 * MARGIN
OVERSAMPLING = 2  # strokes are drawn so much larger, then averaged


@dataclass(frozen=True)
class Canvas:
    """Grids of one drawing resolution.

    Args:
        size: Pixels over the frame's width, 0 to 1.
    """

    size: int

    @property
    def half(self) -> int:
        """Columns of one half of the canvas."""
        return round(EXTENT * self.size / 2)

    @property
    def num_pixels(self) -> int:
        """Rows and columns of the whole canvas, margins included."""
        return 2 * self.half

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the whole canvas."""
        return self.num_pixels, self.num_pixels

    @cached_property
    def y(self) -> np.ndarray:
        """Row coordinates, float32, shape (rows, 1)."""
        rows = (np.arange(self.num_pixels) + 0.5) / self.num_pixels * EXTENT - MARGIN
        return rows.astype(np.float32)[:, None]

    @cached_property
    def x_half(self) -> np.ndarray:
        """Distance from the midline, float32, shape (1, half)."""
        columns = (np.arange(self.half) + 0.5) / self.num_pixels * EXTENT
        return columns.astype(np.float32)[None, :]

    def middle_columns(self, reach: float) -> tuple[slice, np.ndarray]:
        """Returns the columns within `reach` of the midline, and their x from it."""
        count = round(reach / EXTENT * self.num_pixels)
        outwards = self.x_half[:, :count]
        columns = slice(self.half - count, self.half + count)
        return columns, np.concatenate((-outwards[:, ::-1], outwards), axis=1)

    def row(self, y: float) -> int:
        """Returns the row of a y coordinate, within the canvas."""
        return self._clip((y + MARGIN) / EXTENT)

    def column(self, x: float) -> int:
        """Returns the column of an x coordinate, within the canvas."""
        return self._clip((x + MARGIN) / EXTENT)

    def _clip(self, share: float) -> int:
        return int(min(max(share, 0.0), 1.0) * self.num_pixels)


def join_halves(right: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Returns the whole canvas from its two mirrored halves."""
    return np.concatenate((right[:, ::-1], left), axis=1)


def split_halves(whole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the patient's right half (mirrored) and left half of a canvas."""
    half = whole.shape[1] // 2
    return whole[:, :half][:, ::-1], whole[:, half:]


def soft_step(distance: np.ndarray, width: float) -> np.ndarray:
    """Returns 0 below and 1 above zero distance, smooth over `width`."""
    share = distance * np.float32(1 / width)
    share += np.float32(0.5)
    np.clip(share, 0, 1, out=share)
    smooth = np.float32(3) - 2 * share
    smooth *= share
    smooth *= share
    return smooth


def dome(share: np.ndarray) -> np.ndarray:
    """Returns a quarter circle: 0 at 0, rising steeply, 1 from 1 on."""
    clipped = np.clip(share, 0, 1)
    return np.sqrt(clipped * (2 - clipped))


def resize(field: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Returns a float32 field at another shape, bicubic."""
    picture = Image.fromarray(np.ascontiguousarray(field, dtype=np.float32))
    rows, columns = shape
    resized = picture.resize((columns, rows), Image.Resampling.BICUBIC)
    return np.asarray(resized)


def blur(field: np.ndarray, *, factor: int) -> np.ndarray:
    """Returns a field smoothed over about `factor` pixels: shrunk, then enlarged."""
    rows, columns = field.shape
    picture = Image.fromarray(np.ascontiguousarray(field, dtype=np.float32))
    small = picture.resize(
        (max(columns // factor, 2), max(rows // factor, 2)), Image.Resampling.BILINEAR
    )
    return resize(np.asarray(small), (rows, columns))


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, int], cells: Sequence[int]
) -> np.ndarray:
    """Returns a cloud-like field, mean about 0, deviation about 1.

    Args:
        rng: The random source.
        shape: Rows and columns.
        cells: Cells over the rows of each octave; each counts alike.
    """
    field = np.zeros(shape, dtype=np.float32)
    for count in cells:
        columns = max(2, round(count * shape[1] / shape[0]))
        grid = rng.standard_normal((count, columns), dtype=np.float32)
        field += resize(grid, shape)
    return field * np.float32(1.2 / np.sqrt(len(cells)))


@dataclass(frozen=True)
class Stroke:
    """A line to draw.

    Args:
        points: Coordinates, shape (points, 2), x and y.
        radius: Half its width.
        value: How dense it is, from 0 to 1.
    """

    points: np.ndarray
    radius: float
    value: float


def draw_strokes(
    canvas: Canvas, strokes: Sequence[Stroke], *, mirrored: bool = False
) -> np.ndarray:
    """Draws lines, the later over the earlier, antialiased.

    Args:
        canvas: Where.
        strokes: What. One thinner than a pixel is drawn fainter instead.
        mirrored: Whether x counts outwards from the midline; then only that half
            is drawn.

    Returns:
        Densities in 0 to 1, float32, shape (rows, columns) or (rows, half).
    """
    pixels = canvas.num_pixels * OVERSAMPLING
    picture = Image.new("L", (pixels // 2 if mirrored else pixels, pixels))
    origin = np.array((0.0 if mirrored else MARGIN, MARGIN))
    pen = ImageDraw.Draw(picture)
    for stroke in strokes:
        points = (stroke.points + origin) * (pixels / EXTENT)
        width = 2 * stroke.radius * pixels / EXTENT
        whole = max(1, round(width))
        shade = round(255 * stroke.value * min(1.0, width / whole))
        joint = "curve" if whole > 6 else None
        pen.line(points.ravel().tolist(), fill=shade, width=whole, joint=joint)
    reduced = picture.reduce(OVERSAMPLING)
    return np.asarray(reduced, dtype=np.float32) / 255


def curve(points: Sequence[tuple[float, float]], num_points: int = 24) -> np.ndarray:
    """Returns a smooth curve through a few points, shape (num_points, 2).

    Catmull-Rom spline, uniform parameter.
    """
    knots = np.asarray(points, dtype=float)
    padded = np.vstack((2 * knots[0] - knots[1], knots, 2 * knots[-1] - knots[-2]))
    place = np.linspace(0, len(knots) - 1 - 1e-9, num_points)
    first = place.astype(int)
    t = (place - first)[:, None]
    a, b, c, d = (padded[first + offset] for offset in range(4))
    return 0.5 * (
        2 * b
        + (c - a) * t
        + (2 * a - 5 * b + 4 * c - d) * t**2
        + (3 * b - a - 3 * c + d) * t**3
    )
