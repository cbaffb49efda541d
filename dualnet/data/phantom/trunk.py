"""Soft tissue: trunk, neck, arms, breasts, mediastinum, heart, windpipe, stomach."""

import numpy as np

from dualnet.data.phantom.anatomy import LEFT, Chest
from dualnet.data.phantom.canvas import Canvas, dome, soft_step

BODY_EDGE = 0.012


def draw_body(canvas: Canvas, chest: Chest) -> np.ndarray:
    """Draws one half of the trunk with neck, shoulder and arm.

    Args:
        canvas: Where.
        chest: The chest's shape.

    Returns:
        Thickness in cm, mirrored half, shape (rows, half).
    """
    x, y = canvas.x_half, canvas.y
    side = chest.half_width + chest.wall
    outline = np.interp(
        y[:, 0],
        (0.0, 0.22, 0.33, 0.6, 0.85, 1.1),
        (0.62, 0.47 + chest.wall, side + 0.03, side + 0.01, side, side + 0.01),
    ).astype(np.float32)[:, None]
    depth = np.interp(
        y[:, 0], (-0.1, 0.02, 0.2, 0.45, 0.75, 1.1), (0.52, 0.56, 0.78, 0.97, 1.03, 1.1)
    ).astype(np.float32)[:, None]
    share = np.clip(x / outline, 0, 1)
    share = share * share
    trunk = depth * np.sqrt(1 - share * share) * soft_step(outline - x, BODY_EDGE)
    # The trapezius falls from the neck to the shoulder's tip, then steeply; the
    # neck rises out of it in a short curve.
    reach = x - chest.neck
    slope = chest.shoulder - 0.05 + 0.32 * reach + 1.6 * np.maximum(x - 0.43, 0) ** 1.5
    slope -= 40 * np.maximum(0.045 - reach, 0) ** 2
    shoulders = dome((y - slope) / 0.13)
    arm = _arm(chest, x, y) * dome((y - slope) / 0.1)
    return chest.body_depth * np.maximum(trunk * shoulders, arm)


def _arm(chest: Chest, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns the upper arm's thickness as a share of the trunk's."""
    top_x, top_y = 0.455, 0.17
    along = np.clip((y - top_y) / 0.7, 0, 1.3)
    middle = top_x + (chest.arm - top_x) * along
    radius = 0.095 - 0.015 * along
    return 0.45 * dome(1 - np.abs(x - middle) / radius) * soft_step(y - 0.1, 0.1)


def draw_breast(canvas: Canvas, chest: Chest) -> np.ndarray:
    """Draws one breast (or a man's pectoral muscle): cm, mirrored half."""
    x, y = canvas.x_half, canvas.y
    if chest.breast <= 0:
        fold = y - (0.43 - 0.5 * np.abs(x - 0.2))
        return 1.1 * soft_step(-fold, 0.06) * soft_step(y - 0.2, 0.1) * dome(x / 0.2)
    middle_x, middle_y = chest.breast_place
    wide = np.abs(x - middle_x) / (1.12 * chest.breast)
    tall = np.where(y > middle_y, 1.0, 0.62) * (y - middle_y) / chest.breast
    share = 1 - np.sqrt(wide**2 + tall**2)
    lower = 0.55 + 0.45 * np.clip((y - middle_y) / chest.breast, -0.6, 1)
    return chest.breast_depth * lower * dome(1.3 * share)


def draw_mediastinum(
    canvas: Canvas, chest: Chest, side: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draws heart, aorta and great vessels of one side.

    Args:
        canvas: Where.
        chest: The chest's shape.
        side: 0 is the patient's right, 1 the left.

    Returns:
        Thickness in cm (rows, half), and the border's x by row (rows, 1).
    """
    x, y = canvas.x_half, canvas.y
    border = _border(canvas, chest, side)
    share = np.clip(x / border, 0, 1)
    share *= share
    profile = np.sqrt(1 - share * share)
    depth = np.interp(
        y[:, 0], (0.0, chest.apex, 0.35, 0.55, 1.0), (9.0, 8.0, 10.0, 13.5, 13.5)
    ).astype(np.float32)[:, None]
    thickness = depth * profile * soft_step(border - x, 0.009)
    hilum = chest.apex + (0.45 if side == LEFT else 0.49) * (
        chest.domes[side] - chest.apex
    )
    spread = ((x - border - 0.012) / 0.022) ** 2 + ((y - hilum) / 0.05) ** 2
    thickness += 2.6 * chest.vessel_gain * np.exp(-spread)
    if side == LEFT:
        thickness += _aorta(chest, x, y)
    return thickness, border


def knob_level(chest: Chest) -> float:
    """Returns y of the aortic knob's middle."""
    return chest.apex + 0.27 * (chest.domes[LEFT] - chest.apex)


def _border(canvas: Canvas, chest: Chest, side: int) -> np.ndarray:
    """Returns x of the mediastinum's border by row, shape (rows, 1)."""
    top, foot = chest.apex, chest.domes[LEFT] + 0.02
    width = 2 * chest.half_width * chest.heart_ratio
    upper = chest.mediastinum
    if side == LEFT:
        outer = width * chest.heart_turn
        shares = (-0.4, 0.1, 0.30, 0.40, 0.48, 0.62, 0.76, 0.88, 0.97, 1.05, 1.3)
        widths = (
            0.9 * upper,
            0.9 * upper,
            1.1 * upper,
            1.4 * upper,
            0.055 + 0.16 * outer,
            0.70 * outer + 0.008,
            0.91 * outer + 0.002,
            outer,
            0.97 * outer,
            0.86 * outer,
            0.5 * outer,
        )
    else:
        outer = max(width * (1 - chest.heart_turn), upper + 0.01)
        shares = (-0.4, 0.1, 0.35, 0.47, 0.6, 0.75, 0.88, 1.0, 1.3)
        widths = (
            upper,
            upper,
            1.1 * upper,
            1.15 * upper,
            0.85 * outer + 0.002,
            outer,
            0.97 * outer,
            0.8 * outer,
            0.5 * outer,
        )
    shift = chest.shift if side == LEFT else -chest.shift
    levels = top + np.array(shares) * (foot - top)
    border = np.interp(canvas.y[:, 0], levels, widths) + shift
    if side == LEFT:
        height = (canvas.y[:, 0] - knob_level(chest)) / chest.knob
        bulge = chest.knob * np.sqrt(np.clip(1 - height * height, 0, 1))
        border = np.where(bulge > 0, np.maximum(border, 0.042 + shift + bulge), border)
    window = max(3, round(0.022 * canvas.size) | 1)
    padded = np.pad(border, window // 2, mode="edge")
    smooth = np.convolve(padded, np.ones(window) / window, mode="valid")
    return np.maximum(smooth, 0.02).astype(np.float32)[:, None]


def _aorta(chest: Chest, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns the descending aorta and the calcium of the arch, cm."""
    level, middle = knob_level(chest), 0.042 + chest.shift
    share = np.sqrt((x - middle) ** 2 + (y - level) ** 2) / chest.knob
    rind = np.exp(-(((share - 0.9) / 0.07) ** 2)) * (x > middle)
    aorta = dome(1 - np.abs(x - 0.02 - chest.knob) / 0.02) * soft_step(y - level, 0.05)
    return 2.5 * chest.calcified * rind + 1.0 * aorta


def draw_airways(canvas: Canvas, chest: Chest) -> tuple[slice, np.ndarray]:
    """Draws windpipe and main bronchi: their columns, and cm of air."""
    columns, x = canvas.middle_columns(0.13)
    y = canvas.y
    carina = chest.apex + 0.43 * (chest.domes[LEFT] - chest.apex)
    middle = -0.006 * soft_step(y - 0.15, 0.2) + 0.5 * chest.shift
    tube = dome(1 - np.abs(x - middle) / chest.trachea) * soft_step(carina - y, 0.02)
    air = 2.4 * tube
    for slope, reach in ((-0.62, 0.075), (1.15, 0.085)):
        along = np.abs(x - middle)
        height = carina - 0.012 + np.abs((x - middle) / slope)
        bronchus = dome(1 - np.abs(y - height) / (0.55 * chest.trachea / 0.8))
        here = (np.sign(x) == np.sign(slope)) * soft_step(reach - along, 0.03)
        air = np.maximum(air, 1.3 * bronchus * here)
    return columns, air


def draw_abdomen(canvas: Canvas, chest: Chest, rng: np.random.Generator) -> np.ndarray:
    """Draws stomach bubble and bowel gas on the left half: cm of air."""
    x, y = canvas.x_half, canvas.y
    air = np.zeros((canvas.num_pixels, canvas.half), dtype=np.float32)
    if chest.gas <= 0:
        return air
    level = chest.domes[LEFT] + 0.028 + 0.6 * chest.gas
    spread = np.sqrt(((x - 0.15) / 1.5) ** 2 + (y - level) ** 2)
    fluid = soft_step(level + 0.25 * chest.gas - y, 0.01)
    air += 4.0 * dome(1.6 * (1 - spread / chest.gas)) * (0.15 + 0.85 * fluid)
    for _ in range(int(rng.integers(0, 5))):
        place = rng.uniform((0.02, level + 0.1), (0.3, 1.05)).tolist()
        radius = rng.uniform(0.015, 0.035)
        spread = np.sqrt((x - place[0]) ** 2 + (y - place[1]) ** 2)
        air += 2.0 * dome(1 - spread / radius)
    return air
