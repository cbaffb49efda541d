"""Tubes, lines, electrodes, side markers: what comes with the patient."""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dualnet.data.phantom.anatomy import LEFT, Chest
from dualnet.data.phantom.canvas import Canvas, Stroke, curve, draw_strokes


def draw_devices(
    canvas: Canvas,
    chest: Chest,
    rng: np.random.Generator,
    person: np.random.Generator,
    *,
    view: str,
    drain: int,
) -> np.ndarray | None:
    """Draws lines, tubes and electrodes; many on AP, few on PA.

    Args:
        canvas: Where.
        chest: The chest's shape.
        rng: Draws what this visit has.
        person: Draws what the patient has at every visit.
        view: PA or AP.
        drain: Side with a chest drain: 0 right, 1 left, -1 none.

    Returns:
        Metal and plastic in cm of water, whole canvas; None where there are none.
    """
    likely = 1.0 if view == "AP" else 0.16
    strokes: list[Stroke] = []
    if rng.random() < 0.45 * likely:
        strokes += _central_line(chest, rng)
    if rng.random() < 0.22 * likely:
        strokes += _tracheal_tube(chest, rng)
    if rng.random() < 0.25 * likely:
        strokes += _feeding_tube(chest, rng)
    if rng.random() < 0.6 * likely:
        strokes += _electrodes(rng)
    if person.random() < 0.04:
        strokes += _pacemaker(chest, person)
    if person.random() < 0.05:
        strokes += _sternal_wires(chest, person)
    if drain >= 0:
        strokes += _drain(chest, rng, drain)
    return 8 * draw_strokes(canvas, strokes) if strokes else None


def _path(*points: tuple[float, float]) -> np.ndarray:
    return curve([(0.5 + x, y) for x, y in points], 32)


def _central_line(chest: Chest, rng: np.random.Generator) -> list[Stroke]:
    side = -1 if rng.random() < 0.7 else 1
    tip = chest.apex + rng.uniform(0.24, 0.38)
    if rng.random() < 0.5:
        start = [(side * 0.09, -0.1), (side * 0.08, 0.03)]
    else:
        start = [(side * 0.45, 0.23), (side * 0.28, 0.13), (side * 0.15, 0.16)]
    path = _path(*start, (side * 0.03 - 0.015, chest.apex + 0.09), (-0.038, tip))
    return [Stroke(path, 0.0028, 0.28)]


def _tracheal_tube(chest: Chest, rng: np.random.Generator) -> list[Stroke]:
    tip = chest.apex + rng.uniform(0.1, 0.2)
    lean = 0.01 * rng.normal()
    outer = _path((lean, -0.1), (0.4 * lean, 0.05), (0.0, tip))
    stripe = outer + np.array((0.007, 0.0))
    return [Stroke(outer, 0.009, 0.10), Stroke(stripe, 0.0016, 0.45)]


def _feeding_tube(chest: Chest, rng: np.random.Generator) -> list[Stroke]:
    floor = chest.domes[LEFT]
    path = _path(
        (0.012, -0.1),
        (0.008, chest.apex + 0.1),
        (0.014, 0.45),
        (0.02, floor - 0.02),
        (0.09, floor + 0.08),
        (0.13 + 0.05 * rng.random(), floor + 0.15),
    )
    return [Stroke(path, 0.0036, 0.26)]


def _electrodes(rng: np.random.Generator) -> list[Stroke]:
    strokes = []
    for _ in range(int(rng.integers(2, 5))):
        x = float(rng.choice((-1, 1))) * rng.uniform(0.14, 0.33)
        y = float(rng.choice((rng.uniform(0.15, 0.3), rng.uniform(0.55, 0.8))))
        away = (np.sign(x) * rng.uniform(0.3, 0.6), rng.choice((-0.1, 1.1)))
        bend = (x + rng.normal(0, 0.07), (y + away[1]) / 2)
        strokes.append(Stroke(_path((x, y), bend, away), 0.0017, 0.2))
        angles = np.linspace(0, 2 * np.pi, 16)
        ring = np.stack((0.5 + x + 0.010 * np.cos(angles), y + 0.010 * np.sin(angles)))
        strokes.append(Stroke(ring.T, 0.003, 0.42))
    return strokes


def _pacemaker(chest: Chest, rng: np.random.Generator) -> list[Stroke]:
    y = chest.apex + rng.uniform(0.1, 0.14)
    tip = (0.08, chest.domes[LEFT] - 0.03)
    lead = _path((0.24, y), (0.13, 0.17), (-0.03, 0.27), (-0.055, 0.5), tip)
    angles = np.linspace(0, 2.4 * np.pi, 30)
    rim = np.stack((0.75 + 0.017 * np.cos(angles), y + 0.014 * np.sin(angles)))
    return [Stroke(lead, 0.0028, 0.5), Stroke(rim.T, 0.018, 0.8)]


def _sternal_wires(chest: Chest, rng: np.random.Generator) -> list[Stroke]:
    strokes = []
    for number in range(6):
        y = chest.apex + 0.12 + 0.07 * number
        x = 0.004 * rng.normal()
        angles = np.linspace(0.4, 2 * np.pi, 12)
        loop = np.stack((0.5 + x + 0.017 * np.cos(angles), y + 0.008 * np.sin(angles)))
        strokes.append(Stroke(loop.T, 0.0022, 0.4))
    return strokes


def _drain(chest: Chest, rng: np.random.Generator, side: int) -> list[Stroke]:
    sign = 1 if side == LEFT else -1
    entry = chest.apex + rng.uniform(0.32, 0.5)
    path = _path(
        (sign * 0.55, entry + 0.1),
        (sign * (chest.half_width + 0.01), entry),
        (sign * 0.25, chest.apex + 0.2),
        (sign * 0.15, chest.apex + 0.07),
    )
    return [Stroke(path, 0.0075, 0.13), Stroke(path, 0.0022, 0.4)]


def draw_marker(gray: np.ndarray, rng: np.random.Generator, *, view: str) -> np.ndarray:
    """Draws the side marker, and on many AP views the word PORTABLE.

    Args:
        gray: Gray values, shape (size, size).
        rng: Draws which and where.
        view: PA or AP.

    Returns:
        The gray values with the letters, 0 to 255, float32.
    """
    size = len(gray)
    picture = Image.new("L", (size, size))
    pen = ImageDraw.Draw(picture)
    left = rng.random() < 0.8
    x = rng.uniform(0.87, 0.94) if left else rng.uniform(0.04, 0.10)
    y = rng.uniform(0.02, 0.09) if rng.random() < 0.8 else rng.uniform(0.1, 0.6)
    _write(pen, size, (x, y), "L" if left else "R", 0.055)
    if view == "AP" and rng.random() < 0.45:
        place = (rng.choice((0.03, 0.78)), rng.uniform(0.06, 0.5))
        _write(pen, size, place, "PORTABLE", 0.032)
        if rng.random() < 0.5:
            _write(pen, size, (place[0] + 0.03, place[1] + 0.05), "AP", 0.032)
    ink = np.asarray(picture, dtype=np.float32) / 255
    return np.maximum(gray, ink * np.float32(rng.uniform(190, 250)))


def _write(
    pen: ImageDraw.ImageDraw,
    size: int,
    place: tuple[float, float],
    text: str,
    height: float,
) -> None:
    position = (place[0] * size, place[1] * size)
    pen.text(position, text, fill=255, font=_font(max(6, round(height * size))))


@lru_cache(maxsize=16)
def _font(pixels: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=pixels)
