"""Findings of the pleura: fluid, thickening, air."""

import numpy as np

from dualnet.data.phantom.canvas import smooth_noise, soft_step
from dualnet.data.phantom.lungs import Lung
from dualnet.data.phantom.sketch import Sketch

Lungs = tuple[Lung, Lung]


def draw_effusion(sketch: Sketch, lungs: Lungs) -> None:
    """Fluid with a meniscus that fills the angle; lying down it veils the lung."""
    for side, strength in sketch.choose_sides(both=0.35):
        lung = lungs[side]
        foot = lung.dome + sketch.chest.lateral_depth
        height = 0.075 + 0.30 * strength
        share = np.clip(lung.x / np.maximum(lung.wall, 0.05), 0, 1)
        level = foot - height * (0.6 + 0.4 * share**4)
        seen = np.clip(lung.thickness / 0.5, 0, 1)
        fluid = soft_step(lung.y - level, 0.02) * seen
        veil = np.clip(1 - (level - lung.y) / 0.3, 0, 1) * lung.mask
        lung.add_opacity(0.96 * fluid)
        lung.add_opacity((0.40 if sketch.portable else 0.10) * strength * veil)
        sketch.mark(lung, fluid)


def draw_pleural_thickening(sketch: Sketch, lungs: Lungs) -> None:
    """A band along the chest wall and a cap on the apex, the angle blunted."""
    rng = sketch.place
    for side, strength in sketch.choose_sides(both=0.35):
        lung = lungs[side]
        depth = (lung.y - lung.apex) / lung.height
        first, last = rng.uniform(0.0, 0.35), rng.uniform(0.75, 1.2)
        uneven = np.clip(1 + 0.35 * smooth_noise(rng, lung.opacity.shape, (9,)), 0.3, 2)
        width = (0.016 + 0.028 * strength) * uneven
        along = soft_step(depth - first, 0.1) * soft_step(last - depth, 0.1)
        band = soft_step(width - (lung.wall - lung.x), 0.008) * along
        cap = soft_step(0.015 + 0.055 * strength * uneven - (lung.y - lung.apex), 0.02)
        blunt = soft_step(lung.y - lung.floor + 0.03 * strength, 0.02) * soft_step(
            lung.x - 0.8 * lung.wall, 0.03
        )
        effect = np.maximum(band, np.maximum(cap, blunt)) * (lung.mask > 0.05)
        lung.add_opacity((0.55 + 0.40 * strength) * effect)
        sketch.mark(lung, effect * lung.mask)


def draw_pneumothorax(sketch: Sketch, lungs: Lungs) -> None:
    """Air without vessels outside a thin line; sometimes a drain."""
    side = sketch.choose_side()
    lung, strength = lungs[side], sketch.strength
    depth = np.clip((lung.y - lung.apex) / lung.height, 0, 1.2)
    sunk = 0.03 + 0.11 * strength
    edge = np.interp(lung.y[:, 0] - sunk, lung.y[:, 0], lung.wall[:, 0])[:, None]
    retreat = (0.02 + 0.10 * strength) * np.clip(1 - 0.75 * depth, 0, 1)
    edge = (edge - retreat).astype(np.float32)
    reach = soft_step(0.45 + 0.8 * strength - depth, 0.3)
    air = soft_step(lung.x - edge, 0.004) * lung.mask * reach
    lung.vessels *= 1 - air
    lung.opacity = lung.opacity * (1 - air) - 0.24 * air
    line = np.exp(-(((lung.x - edge) / 0.0032) ** 2)) * lung.mask * reach
    lung.tissue += 1.5 * line
    lung.add_opacity(0.16 * strength * (1 - air) * lung.mask)
    sketch.mark(lung, air)
    if sketch.moment.random() < 0.3:
        sketch.drain = side
