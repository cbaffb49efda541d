"""From thickness to gray: attenuation, scatter, quantum noise, film curve, frame."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from dualnet.data.phantom.canvas import EXTENT, MARGIN, Canvas, blur, smooth_noise

ATTENUATION_PER_CM = 0.19  # water, about 60 keV, as seen behind a grid


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """How one radiograph was taken.

    Args:
        rotation: Turn of the patient in the frame, radians.
        scale: Enlargement.
        shift: Shift of the patient in the frame, x and y.
        center: Shift of the film curve, in logarithms of dose.
        latitude: Width of the film curve: large is flat.
        scatter: Share of scattered rays.
        quanta: Quanta a pixel in air, in thousands.
        softness: Blur, 0 to 1, of a moving patient and a large focus.
        collimation: Width of the black border left, top, right, bottom; may be
            negative (outside the frame).
        collimator_turn: Turn of the black border, radians.
    """

    rotation: float
    scale: float
    shift: tuple[float, float]
    center: float
    latitude: float
    scatter: float
    quanta: float
    softness: float
    collimation: tuple[float, float, float, float]
    collimator_turn: float


def draw_exposure(
    rng: np.random.Generator, person: np.random.Generator, *, view: str
) -> Exposure:
    """Draws how a radiograph is taken; portable ones (AP) are worse in all.

    Args:
        rng: Draws what is this visit's own.
        person: Draws what is the patient's own: size and posture.
        view: PA or AP.

    Returns:
        The exposure.
    """
    size, lean = 1 + 0.04 * person.normal(), 0.012 * person.normal()
    portable = view == "AP"
    spread = 1.7 if portable else 1.0
    border = np.full(4, -1.0)
    if rng.random() < (0.45 if portable else 0.25):
        sides = rng.random(4) < 0.45
        border[sides] = rng.uniform(0.0, 0.045, int(sides.sum()))
    return Exposure(
        rotation=float(np.clip(rng.normal(lean, 0.012 * spread), -0.14, 0.14)),
        scale=float(np.clip(rng.normal(size, 0.015 * spread), 0.9, 1.12)),
        shift=(0.008 * spread * rng.normal(), 0.008 * spread * rng.normal()),
        center=rng.normal(0.05 if portable else 0.0, 0.13 * spread),
        latitude=float(np.clip(rng.normal(0.84 if portable else 0.72, 0.07), 0.55, 1)),
        scatter=rng.uniform(0.12, 0.24) if portable else rng.uniform(0.06, 0.13),
        quanta=rng.uniform(6, 20) if portable else rng.uniform(15, 45),
        softness=rng.uniform(0.1, 0.9) if portable else rng.uniform(0.0, 0.5),
        collimation=tuple(border.tolist()),
        collimator_turn=0.03 * rng.normal(),
    )


def frame_affine(exposure: Exposure) -> np.ndarray:
    """Returns the matrix (2, 3) from frame coordinates to the upright patient's."""
    cosine, sine = np.cos(exposure.rotation), np.sin(exposure.rotation)
    matrix = np.array(((cosine, sine), (-sine, cosine))) / exposure.scale
    middle = np.array((0.5, 0.5))
    offset = middle - matrix @ (middle + np.array(exposure.shift))
    return np.column_stack((matrix, offset))


def frame_box(
    exposure: Exposure, box: tuple[float, float, float, float]
) -> tuple[float, float, float, float]:
    """Returns where a box of the upright patient lies in the frame: x, y, w, h."""
    left, top, right, bottom = box
    corners = np.array(((left, top), (right, top), (left, bottom), (right, bottom)))
    affine = frame_affine(exposure)
    turned = (corners - affine[:, 2]) @ np.linalg.inv(affine[:, :2]).T
    low = np.clip(turned.min(axis=0), 0, 1)
    high = np.clip(turned.max(axis=0), 0, 1)
    width, height = high - low
    return float(low[0]), float(low[1]), float(width), float(height)


def into_frame(canvas: Canvas, thickness: np.ndarray, exposure: Exposure) -> np.ndarray:
    """Returns the canvas as it lies in the frame, shape (size, size)."""
    affine = frame_affine(exposure)
    step = canvas.num_pixels / EXTENT
    matrix = affine[:, :2] * (step / canvas.size)
    offset = (affine[:, 2] + MARGIN) * step
    data = (*matrix[0], offset[0], *matrix[1], offset[1])
    picture = Image.fromarray(np.ascontiguousarray(thickness, dtype=np.float32))
    framed = picture.transform(
        (canvas.size, canvas.size),
        Image.Transform.AFFINE,
        data,
        resample=Image.Resampling.BICUBIC,
    )
    return np.asarray(framed)


def expose(
    thickness: np.ndarray,
    exposure: Exposure,
    *,
    body_depth: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Exposes and develops: centimetres of water to gray.

    Args:
        thickness: Water along the beam, cm, shape (size, size).
        exposure: How it is taken.
        body_depth: Thickness of the trunk, which the automatic exposure meets.
        rng: Draws the quantum noise.

    Returns:
        Gray values in 0 to 255, float32, shape (size, size).
    """
    size = len(thickness)
    # Heel effect and uneven detectors: a slow drift over the picture.
    drift = 0.05 * smooth_noise(rng, thickness.shape, (3,))
    dose = np.exp(-ATTENUATION_PER_CM * np.maximum(thickness, 0) + drift)
    dose = _soften(dose, exposure.softness * size / 256)
    # Air would swamp the body's edge: scatter arises in tissue.
    source = np.minimum(dose, 0.35)
    dose = dose + exposure.scatter * blur(source, factor=max(size // 14, 2))
    grain = rng.standard_normal(thickness.shape, dtype=np.float32)
    dose += grain * np.sqrt(dose / (1000 * exposure.quanta)) * np.float32(0.55)
    density = -np.log(np.maximum(dose, 1e-4))
    middle = ATTENUATION_PER_CM * 0.66 * body_depth + exposure.center
    darkest = 1 / (1 + np.exp((middle + 0.1) / exposure.latitude))
    gray = 1 / (1 + np.exp((middle - density) / exposure.latitude))
    return 252 * np.clip((gray - darkest) / (1 - darkest), 0, 1)


def _soften(field: np.ndarray, amount: float) -> np.ndarray:
    """Returns a field averaged with its neighbours, 0 to 1."""
    weight = np.float32(min(amount, 1.0) * 0.3)
    if weight <= 0:
        return field
    padded = np.pad(field, 1, mode="edge")
    rows = (1 - 2 * weight) * padded[1:-1] + weight * (padded[:-2] + padded[2:])
    return (1 - 2 * weight) * rows[:, 1:-1] + weight * (rows[:, :-2] + rows[:, 2:])


def collimate(gray: np.ndarray, exposure: Exposure) -> np.ndarray:
    """Blackens what the collimator has covered."""
    if max(exposure.collimation) < 0:
        return gray
    size = len(gray)
    place = ((np.arange(size) + 0.5) / size).astype(np.float32)
    x, y = place[None, :], place[:, None]
    turn = exposure.collimator_turn
    left, top, right, bottom = exposure.collimation
    across, down = x + turn * (y - 0.5), y - turn * (x - 0.5)
    depth = np.minimum(
        np.minimum(across - left, 1 - right - across),
        np.minimum(down - top, 1 - bottom - down),
    )
    return gray * np.clip(depth * size + 0.5, 0, 1)
