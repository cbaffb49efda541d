"""One radiograph: chest, findings, exposure, in that order."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from dualnet.data.phantom import film, lesions, skeleton, trunk
from dualnet.data.phantom.anatomy import LEFT, RIGHT, Chest, draw_chest, vary_chest
from dualnet.data.phantom.canvas import (
    Canvas,
    dome,
    join_halves,
    smooth_noise,
    soft_step,
    split_halves,
)
from dualnet.data.phantom.devices import draw_devices, draw_marker
from dualnet.data.phantom.lungs import Lung, draw_lung
from dualnet.data.phantom.table import Visit
from dualnet.data.phantom.vessels import draw_vessels

MIN_DRAWN_SIZE = 128  # smaller pictures are drawn so large, then reduced by area

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Radiograph:
    """A drawn radiograph and where its findings are.

    Args:
        pixels: Gray values, uint8, shape (size, size).
        boxes: x, y, width, height of the parts of each finding that lie in the
            picture, in shares of it.
    """

    pixels: np.ndarray
    boxes: dict[str, list[Box]]


def draw_radiograph(visit: Visit, *, seed: int, size: int) -> Radiograph:
    """Draws one radiograph.

    Each part has its own random source, so that the same visit without a finding
    is the same picture but for that finding.

    Args:
        visit: Who, when, how, and what it shows.
        seed: The phantom's seed.
        size: Pixels a side.

    Returns:
        The picture and the boxes of its findings.
    """
    person = [seed, 1, visit.patient]
    moment = [seed, 2, visit.patient, visit.follow_up]
    chest = draw_chest(
        person, sex=visit.sex, age_years=visit.age_years, view=visit.view_position
    )
    vary_chest(chest, np.random.default_rng([*moment, 0]))
    exposure = film.draw_exposure(
        np.random.default_rng([*moment, 1]),
        np.random.default_rng([*person, 1]),
        view=visit.view_position,
    )
    canvas = Canvas(max(size, MIN_DRAWN_SIZE))
    drawing = lesions.Drawing(canvas=canvas, chest=chest, seed=seed, visit=visit)
    thickness = _draw_thickness(drawing, np.random.default_rng([*moment, 2]))
    framed = film.into_frame(canvas, thickness, exposure)
    rng = np.random.default_rng([*moment, 3])
    gray = film.expose(framed, exposure, body_depth=chest.body_depth, rng=rng)
    gray = draw_marker(film.collimate(gray, exposure), rng, view=visit.view_position)
    boxes = {
        name: [film.frame_box(exposure, box) for box in found]
        for name, found in drawing.boxes.items()
    }
    return Radiograph(_to_bytes(gray, size), boxes)


def _draw_thickness(drawing: lesions.Drawing, rng: np.random.Generator) -> np.ndarray:
    """Returns the water along each beam, cm, on the whole canvas."""
    canvas, chest = drawing.canvas, drawing.chest
    lesions.reshape(drawing)
    lungs = (draw_lung(canvas, chest, RIGHT), draw_lung(canvas, chest, LEFT))
    hearts = [trunk.draw_mediastinum(canvas, chest, side) for side in (RIGHT, LEFT)]
    lesions.draw(drawing, lungs)
    vessels = split_halves(draw_vessels(canvas, chest, lungs))
    grain = split_halves(smooth_noise(rng, canvas.shape, (24, 48, 96)))
    body = trunk.draw_body(canvas, chest)
    soft = body + trunk.draw_breast(canvas, chest)
    shoulder = skeleton.draw_shoulder(canvas, chest)
    gas = trunk.draw_abdomen(canvas, chest, rng)
    halves = []
    for side, lung in enumerate(lungs):
        lung.vessels *= 1 + 0.22 * grain[side]
        half = soft - _air(chest, lung, hearts[side], vessels[side], grain[side])
        half += skeleton.draw_ribs(canvas, chest, lung) + shoulder + lung.tissue
        halves.append(half - gas if side == LEFT else half)
    whole = join_halves(halves[RIGHT], halves[LEFT])
    columns, bone = skeleton.draw_spine(canvas, chest)
    whole[:, columns] += bone
    columns, air = trunk.draw_airways(canvas, chest)
    whole[:, columns] -= air
    devices = draw_devices(
        canvas,
        chest,
        rng,
        np.random.default_rng([drawing.seed, 1, drawing.visit.patient, 2]),
        view=drawing.visit.view_position,
        drain=drawing.drain,
    )
    inside = soft_step(body, 0.5)
    whole *= join_halves(inside, inside)
    return whole if devices is None else whole + devices


def _air(
    chest: Chest,
    lung: Lung,
    mediastinum: tuple[np.ndarray, np.ndarray],
    vessels: np.ndarray,
    grain: np.ndarray,
) -> np.ndarray:
    """Returns the air in front of each pixel: cm of water that is not there."""
    heart, border = mediastinum
    # Fat and vessels thin out along the mediastinum.
    beside = 0.6 + 0.4 * dome((lung.x - border) / 0.13)
    depth = np.maximum(lung.thickness * beside - heart, 0)
    descent = np.clip((lung.y - lung.apex) / lung.height, 0, 1)
    gain = (
        chest.upper_vessel_gain
        + (chest.vessel_gain - chest.upper_vessel_gain) * descent
    )
    density = chest.lung_density * (1 + 0.05 * grain) + 0.05 * (descent - 0.5)
    density = density + (1 - density) * lung.opacity
    air = depth * (1 - density)
    # Vessels inside what is already dense are not seen.
    share = np.clip(depth / 5, 0, 1) * (1 - 0.75 * lung.opacity) * lung.vessels * gain
    return air - np.minimum(vessels * share, 0.8 * air)


def _to_bytes(gray: np.ndarray, size: int) -> np.ndarray:
    """Returns gray values as uint8 at the size asked for."""
    if len(gray) != size:
        picture = Image.fromarray(gray.astype(np.float32))
        gray = np.asarray(picture.resize((size, size), Image.Resampling.BOX))
    return np.clip(np.rint(gray), 0, 255).astype(np.uint8)
