"""The branching vessels of the lungs, tapering from the hila."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from dualnet.data.phantom.anatomy import RIGHT, Chest
from dualnet.data.phantom.canvas import Canvas, Stroke, draw_strokes
from dualnet.data.phantom.lungs import Lung

# Directions of the first branches, degrees downwards from outwards; gravity gives
# the lower lung more and thicker ones.
UPPER = (-80.0, -62.0, -45.0, -26.0, -8.0)
LOWER = (8.0, 20.0, 32.0, 44.0, 55.0, 66.0, 76.0, 84.0)
NUM_STEPS = 4
NUM_GENERATIONS = 5


@lru_cache(maxsize=64)
def _grow(seed: int) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Grows one lung's vessels, thin ones first.

    Returns:
        For each generation, points of shape (branches, steps + 1, 2), in the units
        of a lung of standard size with its hilum at 0, 0, and radii (branches,).
    """
    rng = np.random.default_rng(seed)
    angle = np.radians(np.array(UPPER + LOWER) + rng.normal(0, 5, 13))
    low = angle > 0
    start = rng.normal(0, 0.016, (13, 2))
    start[:, 1] += np.where(low, 0.03, -0.015)
    radius = np.where(low, 0.0066, 0.0044) * rng.uniform(0.7, 1.15, 13)
    length = rng.uniform(0.10, 0.17, 13)
    generations = []
    for _ in range(NUM_GENERATIONS):
        turns = angle[:, None] + np.cumsum(
            rng.normal(0, 0.13, (len(angle), NUM_STEPS)), axis=1
        )
        steps = np.stack((np.cos(turns), np.sin(turns)), axis=2)
        steps *= (length / NUM_STEPS)[:, None, None]
        points = start[:, None, :] + np.cumsum(steps, axis=1)
        points = np.concatenate((start[:, None, :], points), axis=1)
        generations.append((points, radius))
        spread = rng.uniform(0.2, 0.55, len(angle))
        angle = np.concatenate((turns[:, -1] - spread, turns[:, -1] + 0.7 * spread))
        start = np.concatenate((points[:, -1], points[:, -1]))
        radius = np.concatenate((0.72 * radius, 0.60 * radius))
        length = np.tile(length, 2) * rng.uniform(0.6, 1.0, len(angle))
    return tuple(reversed(generations))


def draw_vessels(canvas: Canvas, chest: Chest, lungs: tuple[Lung, Lung]) -> np.ndarray:
    """Draws the vessels of both lungs: cm of blood, whole canvas."""
    strokes = [
        stroke for lung in lungs for stroke in _side_strokes(canvas, chest, lung)
    ]
    return draw_strokes(canvas, strokes) * np.float32(2.5)


def _side_strokes(canvas: Canvas, chest: Chest, lung: Lung) -> Iterator[Stroke]:
    sign = -1 if lung.side == RIGHT else 1
    level = chest.apex + (0.49 if lung.side == RIGHT else 0.45) * lung.height
    origin = np.array((0.5 + sign * (0.045 + 0.4 * chest.mediastinum), level))
    origin[0] += chest.shift
    scale = np.array((sign * chest.half_width / 0.36, lung.height / 0.58))
    for points, radii in _grow(chest.vessel_seed + lung.side):
        for branch, radius in zip(origin + points * scale, radii, strict=True):
            if radius > 0.3 / canvas.size:
                yield Stroke(branch, float(radius), min(1.0, 0.03 + 105 * radius))
