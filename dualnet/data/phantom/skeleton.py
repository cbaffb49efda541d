"""Bones: ribs, collar bones, shoulder blades, upper arms, spine."""

from collections.abc import Sequence

import numpy as np

from dualnet.data.phantom.anatomy import Chest
from dualnet.data.phantom.canvas import (
    EXTENT,
    Canvas,
    Stroke,
    curve,
    draw_strokes,
    soft_step,
)
from dualnet.data.phantom.lungs import Lung

NUM_RIBS = 10
MAX_SLOPE = 4.0  # steeper parts of a rib are drawn wider than they are


def draw_ribs(canvas: Canvas, chest: Chest, lung: Lung) -> np.ndarray:
    """Draws the ribs of one side: rear arcs, and fainter front ends.

    Args:
        canvas: Where.
        chest: The chest's shape.
        lung: The side's outline.

    Returns:
        Bone in cm of water, mirrored half, shape (rows, half).
    """
    bone = np.zeros((canvas.num_pixels, canvas.half), dtype=np.float32)
    x = canvas.x_half[0]
    for number in range(NUM_RIBS):
        head = chest.apex + chest.rib_phase + number * chest.rib_spacing
        drop = chest.rib_drop * (0.55 + 0.09 * min(number, 6))
        row = min(canvas.row(head + 0.7 * drop), canvas.num_pixels - 1)
        outer = float(lung.wall[row, 0]) + 0.008
        share = (x - 0.04) / (outer - 0.04)
        inside = (share > 0) & (share < 1)
        columns = np.flatnonzero(inside)
        if len(columns) < 3:
            continue
        window = slice(columns[0], columns[-1] + 1)
        share = share[window]
        arc = head - 0.012 * np.sin(np.pi * np.clip(share / 0.7, 0, 1))
        rear = arc + drop * (1 - (1 - share**2.3) ** 0.55)
        _add_arc(canvas, bone, window, rear, 0.0115 + 0.0004 * number, 1.0)
        rise = 0.115 + 0.012 * number
        front = head + drop * 0.97 + rise * (1 - share) ** 0.85
        fade = 0.48 * soft_step(share - 0.45, 0.25)
        _add_arc(canvas, bone, window, front, 0.0135, fade)
    return bone * np.float32(1.55 * chest.bone)


def _add_arc(
    canvas: Canvas,
    bone: np.ndarray,
    columns: slice,
    middle: np.ndarray,
    radius: float,
    weight: np.ndarray | float,
) -> None:
    """Adds a curved rib: a flattened tube with a dense rind."""
    slope = np.diff(middle, append=middle[-1:]) * (canvas.num_pixels / EXTENT)
    slope = np.clip(slope, -MAX_SLOPE, MAX_SLOPE)
    along = 1 / np.sqrt(1 + slope * slope)
    top = canvas.row(float(middle.min()) - MAX_SLOPE * radius)
    foot = canvas.row(float(middle.max()) + MAX_SLOPE * radius) + 1
    distance = np.abs(canvas.y[top:foot] - middle) * (along / radius)
    inside = np.clip(1 - distance * distance, 0, 1)
    rind = np.clip(1 - ((distance - 0.82) / 0.24) ** 2, 0, 1)
    bone[top:foot, columns] += (0.7 * np.sqrt(inside) + 0.3 * rind) * weight


def draw_shoulder(canvas: Canvas, chest: Chest) -> np.ndarray:
    """Draws collar bone, shoulder blade and upper arm of one side, mirrored half."""
    inner, outer = chest.clavicle
    over = chest.scapula
    tip = (0.395 - 0.10 * over, 0.42 + 0.03 * over)
    top = (0.30 - 0.06 * over, 0.115)
    socket = (0.405, outer + 0.095)
    points = {
        "clavicle": [
            (0.033, inner),
            (0.11, inner - 0.022),
            (0.22, (inner + outer) / 2 - 0.012),
            (0.31, outer + 0.004),
            (0.385, outer),
        ],
        "lateral": [socket, (0.395 - 0.05 * over, 0.29), tip],
        "medial": [top, (0.335 - 0.09 * over, 0.26), tip],
        "spine": [(0.30 - 0.05 * over, 0.175), (0.37, outer + 0.045), (0.42, outer)],
        "coracoid": [(0.36, outer + 0.07), (0.345, outer + 0.045)],
        "upper": [top, (0.35, outer + 0.075), socket],
        "humerus": [
            (0.445, outer + 0.10),
            (0.455, outer + 0.16),
            (0.47 + 0.3 * (chest.arm - 0.5), 0.45),
            (chest.arm, 0.85),
        ],
    }
    paths = {name: curve(path) for name, path in points.items()}
    # Value 1 is 4 cm of water; the marrow inside each tube is drawn over its rind.
    strokes = [
        Stroke(paths["medial"], 0.004, 0.15),
        Stroke(paths["lateral"], 0.008, 0.30),
        Stroke(paths["upper"], 0.005, 0.20),
        Stroke(paths["spine"], 0.010, 0.30),
        Stroke(paths["coracoid"], 0.011, 0.30),
        Stroke(paths["humerus"], 0.021, 0.60),
        Stroke(paths["humerus"], 0.014, 0.42),
        Stroke(paths["clavicle"], 0.0135, 0.55),
        Stroke(paths["clavicle"], 0.0090, 0.40),
    ]
    bone = draw_strokes(canvas, strokes, mirrored=True)
    head = np.sqrt((canvas.x_half - 0.452) ** 2 + (canvas.y - outer - 0.105) ** 2)
    bone = np.maximum(bone, 0.5 * soft_step(0.037 - head, 0.01))
    _add_plate(canvas, bone, (top, socket, tip))
    return np.float32(4 * chest.bone) * bone


def _add_plate(
    canvas: Canvas, bone: np.ndarray, corners: Sequence[tuple[float, float]]
) -> None:
    """Adds a thin triangular plate, in mirrored coordinates."""
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    rows = slice(canvas.row(low[1]), canvas.row(high[1]) + 1)
    columns = slice(
        canvas.column(0.5 + low[0]) - canvas.half,
        canvas.column(0.5 + high[0]) - canvas.half + 1,
    )
    x, y = canvas.x_half[:, columns], canvas.y[rows]
    inside = np.float32(0.11)
    middle = np.mean(corners, axis=0)
    for start, end in zip(corners, (*corners[1:], corners[0]), strict=True):
        normal = np.array((end[1] - start[1], start[0] - end[0]))
        normal = normal / np.hypot(*normal) * np.sign(normal @ (middle - start))
        across, down = normal.tolist()
        inside = inside * soft_step(
            (x - start[0]) * across + (y - start[1]) * down, 0.01
        )
    bone[rows, columns] += inside


def draw_spine(canvas: Canvas, chest: Chest) -> tuple[slice, np.ndarray]:
    """Draws the vertebral bodies: their columns of the canvas, and cm of water."""
    columns, x = canvas.middle_columns(0.11)
    y = canvas.y
    x = x - chest.spine_bend * np.sin(3.5 * (y - 0.1))
    width = 0.029 + 0.009 * np.clip(y, 0, 1)
    height = chest.rib_spacing * (0.82 + 0.3 * np.clip(y, 0, 1))
    phase = (y - chest.apex - chest.rib_phase) / height
    within = np.abs(phase - np.floor(phase) - 0.5)
    body = soft_step(0.41 - within, 0.1) * soft_step(width - np.abs(x), 0.008)
    pedicle = np.sqrt(
        ((np.abs(x) - 0.62 * width) / 0.008) ** 2 + ((within - 0.12) / 0.16) ** 2
    )
    process = np.sqrt((x / 0.006) ** 2 + ((within - 0.45) / 0.2) ** 2)
    ring = soft_step(1 - pedicle, 0.5) + 0.8 * soft_step(1 - process, 0.5)
    flank = soft_step(0.062 - np.abs(x), 0.012) * soft_step(0.25 - within, 0.2)
    bone = 1.2 * body + 0.9 * ring + 0.6 * flank
    return columns, (chest.bone * bone).astype(np.float32)
