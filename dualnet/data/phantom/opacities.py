"""Findings that whiten the lung: airspace, interstitium, round opacities."""

import math

import numpy as np

from dualnet.data.phantom.canvas import (
    Stroke,
    curve,
    draw_strokes,
    smooth_noise,
    soft_step,
)
from dualnet.data.phantom.lungs import Lung
from dualnet.data.phantom.sketch import Sketch

CM_PER_WIDTH = 38.0
Lungs = tuple[Lung, Lung]


def _blob(
    rng: np.random.Generator,
    lung: Lung,
    center: tuple[float, float],
    radius: float,
    roughness: float,
) -> np.ndarray:
    """Returns a cloud with an uneven edge: 1 inside, 0 outside."""
    tall = rng.uniform(0.8, 1.3)
    spread = np.sqrt(
        ((lung.x - center[0]) / radius) ** 2
        + ((lung.y - center[1]) / (tall * radius)) ** 2
    )
    noise = smooth_noise(rng, spread.shape, (14, 28))
    return soft_step(0.9 - spread + roughness * noise, 1.1) * lung.mask


def _mottle(rng: np.random.Generator, field: np.ndarray, amount: float) -> np.ndarray:
    """Returns uneven factors about 1: air sacs fill one by one."""
    noise = smooth_noise(rng, (field.shape[0], field.shape[1]), (18, 40))
    return np.clip(1 + amount * noise, 0.3, 1.7)


def draw_atelectasis(sketch: Sketch, lungs: Lungs) -> None:
    """Plates above a raised diaphragm, or a wedge of a lobe that has shrunk."""
    lung = lungs[sketch.choose_side()]
    rng, strength = sketch.place, sketch.strength
    effect = np.zeros_like(lung.opacity)
    if rng.random() < 0.65:
        for _ in range(int(rng.integers(1, 4))):
            effect = np.maximum(effect, _plate(rng, lung, strength))
        haze = np.exp(-np.maximum(lung.floor - lung.y, 0) / 0.045) * lung.mask
        lung.add_opacity(0.5 * strength * haze)
    else:
        effect = _wedge(rng, lung, strength)
    lung.add_opacity(effect)
    sketch.mark(lung, effect)


def _plate(rng: np.random.Generator, lung: Lung, strength: float) -> np.ndarray:
    """Returns a band of collapsed lung near the base."""
    x, y = lung.place(rng.uniform(0.35, 0.7), rng.uniform(0.74, 0.95))
    turn = rng.normal(0.05, 0.3)
    along = (lung.x - x) * math.cos(turn) + (lung.y - y) * math.sin(turn)
    across = (lung.y - y) * math.cos(turn) - (lung.x - x) * math.sin(turn)
    across = across - 0.5 * along * along
    length = rng.uniform(0.06, 0.12)
    thickness = (0.006 + 0.008 * strength) * rng.uniform(0.8, 1.2)
    band = np.exp(-((across / thickness) ** 2)) * soft_step(
        length - np.abs(along), 0.04
    )
    return (0.4 + 0.55 * strength) * band * lung.mask


def _wedge(rng: np.random.Generator, lung: Lung, strength: float) -> np.ndarray:
    """Returns a shrunken upper lobe, or a lower one as a triangle by the heart."""
    root_x, root_y = lung.place(0.15, 0.5)
    if rng.random() < 0.5:
        edge = root_y - rng.uniform(0.10, 0.16) - 0.35 * (lung.x - root_x) - lung.y
    else:
        edge = lung.y - root_y - rng.uniform(1.4, 2.2) * (lung.x - root_x)
    return (0.35 + 0.55 * strength) * soft_step(edge, 0.02) * lung.mask


def draw_consolidation(sketch: Sketch, lungs: Lungs) -> None:
    """A dense part of a lobe with a straight fissure and open bronchi in it."""
    lung = lungs[sketch.choose_side()]
    rng, strength = sketch.place, sketch.strength
    upper = rng.random() < 0.35
    center = lung.place(
        rng.uniform(0.35, 0.65), rng.uniform(0.25, 0.35) + 0.4 * (not upper)
    )
    radius = rng.uniform(0.085, 0.125) * (0.8 + 0.4 * strength)
    cloud = _blob(rng, lung, center, 1.15 * radius, 0.22)
    fissure = center[1] + (0.3 if upper else -0.3) * radius
    tilt = rng.normal(0, 0.15) * (lung.x - center[0])
    side = (fissure - lung.y + tilt) * (1 if upper else -1)
    cloud = cloud * soft_step(side, 0.015)
    effect = (0.4 + 0.55 * strength) * cloud
    lung.add_opacity(effect * (1 - 0.4 * _bronchi(sketch, lung, center)))
    sketch.mark(lung, effect)


def _bronchi(sketch: Sketch, lung: Lung, center: tuple[float, float]) -> np.ndarray:
    """Returns air-filled bronchi from the hilum into a place."""
    start = np.array(lung.place(0.12, 0.48))
    strokes = []
    for _ in range(6):
        end = np.array(center) + sketch.place.normal(0, 0.05, 2)
        bend = (start + end) / 2 + sketch.place.normal(0, 0.02, 2)
        points = np.stack((start, bend, end))
        strokes.append(Stroke(curve(points.tolist(), 8), 0.003, 1.0))
    return draw_strokes(sketch.canvas, strokes, mirrored=True)


def draw_pneumonia(sketch: Sketch, lungs: Lungs) -> None:
    """Patches that run together in the middle and lower part of one lung."""
    lung = lungs[sketch.choose_side()]
    rng, strength = sketch.place, sketch.strength
    u, v = rng.uniform(0.4, 0.65), rng.uniform(0.5, 0.82)
    effect = np.zeros_like(lung.opacity)
    for _ in range(int(rng.integers(3, 6))):
        center = lung.place(u + rng.normal(0, 0.14), v + rng.normal(0, 0.09))
        cloud = _blob(rng, lung, center, rng.uniform(0.055, 0.10), 0.35)
        effect += (1 - effect) * rng.uniform(0.5, 0.9) * cloud
    effect *= (0.36 + 0.50 * strength) * _mottle(rng, effect, 0.22)
    lung.add_opacity(effect)
    sketch.mark(lung, effect)


def draw_infiltration(sketch: Sketch, lungs: Lungs) -> None:
    """Ill-defined haze and streaks, often on both sides."""
    rng = sketch.place
    for side, strength in sketch.choose_sides(both=0.55):
        lung = lungs[side]
        effect = np.zeros_like(lung.opacity)
        for _ in range(int(rng.integers(2, 4))):
            center = lung.place(rng.uniform(0.2, 0.8), rng.uniform(0.35, 0.92))
            radius = rng.uniform(0.07, 0.13)
            effect += np.exp(-((lung.distance(*center) / radius) ** 2))
        effect = np.clip(effect, 0, 1) * _mottle(rng, effect, 0.3) * lung.mask
        effect *= 0.16 + 0.40 * strength
        lung.add_opacity(np.clip(effect, 0, 0.9))
        lung.vessels *= 1 + 3 * effect
        sketch.mark(lung, effect)


def draw_edema(sketch: Sketch, lungs: Lungs) -> None:
    """Haze around both hila like a bat's wings, and septal lines at the sides."""
    for lung in lungs:
        x, y = lung.place(0.35, 0.52)
        spread = np.sqrt(((lung.x - x) / 0.13) ** 2 + ((lung.y - y) / 0.19) ** 2)
        wing = np.exp(-spread * spread) * _mottle(sketch.moment, spread, 0.16)
        wing = wing * lung.mask
        effect = (0.26 + 0.48 * sketch.strength) * wing + 0.08 * sketch.strength
        lung.add_opacity(np.clip(effect * lung.mask, 0, 0.9))
        lung.tissue += 1.3 * sketch.strength * _septal_lines(sketch, lung)
        sketch.mark(lung, wing)


def _septal_lines(sketch: Sketch, lung: Lung) -> np.ndarray:
    """Returns Kerley's B lines: short, level, at the outer edge of the base."""
    strokes = []
    for _ in range(14):
        x, y = lung.place(0.97, sketch.moment.uniform(0.62, 1.05))
        length = sketch.moment.uniform(0.02, 0.035)
        points = np.array(((x - length, y + 0.003), (x, y)))
        strokes.append(Stroke(points, 0.0016, 0.9))
    return draw_strokes(sketch.canvas, strokes, mirrored=True) * lung.mask


def draw_fibrosis(sketch: Sketch, lungs: Lungs) -> None:
    """A net of lines and small rings, at the base and edge or in the apices."""
    rng, strength = sketch.place, sketch.strength
    apical = rng.random() < 0.3
    for lung in lungs:
        strokes = _net(rng, lung, apical=apical)
        net = draw_strokes(sketch.canvas, strokes, mirrored=True) * lung.mask
        depth = (lung.y - lung.apex) / lung.height
        edge = lung.x / np.maximum(lung.wall, 0.05)
        zone = (
            soft_step(0.38 - depth, 0.3)
            if apical
            else soft_step(depth + 0.7 * edge - 0.98, 0.35)
        )
        effect = (0.5 + 0.6 * strength) * zone * lung.mask
        lung.tissue += 3.8 * effect * net
        lung.add_opacity(0.25 * effect)
        sketch.mark(lung, effect)


def _net(rng: np.random.Generator, lung: Lung, *, apical: bool) -> list[Stroke]:
    """Returns the strokes of the net over the half it is in."""
    strokes = []
    angles = np.linspace(0, 2 * np.pi, 9)
    circle = np.stack((np.cos(angles), np.sin(angles)), axis=1)
    top, foot = (0.0, 0.5) if apical else (0.35, 1.12)
    for _ in range(210):
        center = np.array(lung.place(rng.random(), rng.uniform(top, foot)))
        if rng.random() < 0.5:
            points = center + circle * rng.uniform(0.006, 0.013)
        else:
            points = center + np.cumsum(rng.normal(0, 0.012, (4, 2)), axis=0)
        strokes.append(Stroke(points, rng.uniform(0.0013, 0.0026), rng.uniform(0.4, 1)))
    return strokes


def _ball(
    rng: np.random.Generator, lung: Lung, center: tuple[float, float], radius: float
) -> np.ndarray:
    """Returns a slightly lobed ball: the share of its thickest beam."""
    angle = np.arctan2(lung.y - center[1], lung.x - center[0])
    lobes = sum(
        rng.normal(0, 0.05) * np.cos(k * angle + rng.uniform(0, 6.3)) for k in (2, 3, 5)
    )
    share = lung.distance(*center) / (radius * (1 + lobes))
    return np.sqrt(np.clip(1 - share * share, 0, 1)) * soft_step(1 - share, 0.2)


def draw_mass(sketch: Sketch, lungs: Lungs) -> None:
    """One round, lobed opacity, three to seven centimetres wide."""
    lung = lungs[sketch.choose_side()]
    rng = sketch.place
    center = lung.place(rng.uniform(0.3, 0.8), rng.uniform(0.15, 0.82))
    radius = 0.042 + 0.020 * rng.random() + 0.030 * sketch.strength
    ball = _ball(rng, lung, center, radius) * lung.mask
    effect = 2.3 * radius * CM_PER_WIDTH * (0.6 + 0.4 * sketch.strength) * ball
    lung.tissue += effect * (1 - lung.opacity)
    lung.vessels *= 1 - 0.8 * ball
    sketch.mark(lung, effect)


def draw_nodule(sketch: Sketch, lungs: Lungs) -> None:
    """One to four round opacities below three centimetres."""
    rng = sketch.place
    side = sketch.choose_side()
    for number in range(int(rng.choice((1, 1, 2, 3, 4)))):
        lung = lungs[side if number == 0 else int(rng.integers(0, 2))]
        center = lung.place(rng.uniform(0.3, 0.85), rng.uniform(0.12, 0.88))
        radius = (0.016 + 0.017 * sketch.strength) * rng.uniform(0.9, 1.15)
        ball = _ball(rng, lung, center, radius) * lung.mask
        effect = 5.0 * radius * CM_PER_WIDTH * (0.5 + 0.5 * sketch.strength) * ball
        lung.tissue += effect * (1 - lung.opacity)
        sketch.mark(lung, effect)
