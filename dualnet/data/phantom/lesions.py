"""The 14 findings: what they do to the chest's shape, and what they draw.

Each finding first changes the chest (`reshape`), then draws into the lungs
(`draw`). Side and place come from a random source of the patient's own, so that a
lasting finding stays where it was; the strength is the visit's.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from dualnet.data.phantom import opacities, pleura
from dualnet.data.phantom.anatomy import LEFT, Chest
from dualnet.data.phantom.canvas import Canvas, dome, soft_step
from dualnet.data.phantom.lungs import Lung
from dualnet.data.phantom.sketch import Sketch
from dualnet.data.phantom.statistics import FINDING_NAMES
from dualnet.data.phantom.table import Finding, Visit

Lungs = tuple[Lung, Lung]


@dataclass
class Drawing:
    """One radiograph while it is drawn.

    Args:
        canvas: Where.
        chest: The chest's shape; findings change it.
        seed: The phantom's seed.
        visit: Who, when, how, and what it shows.
        boxes: Where the parts of each finding are: left, top, right, bottom, in
            the upright patient's coordinates.
        drain: Side with a chest drain, -1 for none.
    """

    canvas: Canvas
    chest: Chest
    seed: int
    visit: Visit
    boxes: dict[str, list[tuple[float, float, float, float]]] = field(
        default_factory=dict
    )
    drain: int = -1

    def sketch(self, finding: Finding) -> Sketch:
        """Returns what a finding is drawn with, its random sources fresh."""
        number = FINDING_NAMES.index(finding.name)
        source = [self.seed, 3, self.visit.patient, number]
        return Sketch(
            canvas=self.canvas,
            chest=self.chest,
            portable=self.visit.view_position == "AP",
            strength=finding.strength,
            place=np.random.default_rng([*source, finding.place_visit + 1]),
            moment=np.random.default_rng([*source, 0, self.visit.follow_up]),
        )


def reshape(drawing: Drawing) -> None:
    """Changes the chest as the visit's findings do."""
    for finding in drawing.visit.findings:
        change = RESHAPES.get(finding.name)
        if change is not None:
            change(drawing.sketch(finding))


def draw(drawing: Drawing, lungs: Lungs) -> None:
    """Draws the visit's findings into the lungs and notes their boxes."""
    for finding in drawing.visit.findings:
        sketch = drawing.sketch(finding)
        DRAWINGS[finding.name](sketch, lungs)
        drawing.drain = max(drawing.drain, sketch.drain)
        drawing.boxes[finding.name] = sketch.boxes


def _reshape_atelectasis(sketch: Sketch) -> None:
    """The diaphragm rises and the heart moves to the side that has shrunk."""
    side = sketch.choose_side()
    sketch.chest.domes[side] -= 0.012 + 0.05 * sketch.strength
    sketch.chest.shift += (0.018 if side == LEFT else -0.018) * sketch.strength


def _reshape_cardiomegaly(sketch: Sketch) -> None:
    """The heart is wider than half the chest."""
    ratio = 0.545 + 0.15 * sketch.strength + (0.02 if sketch.portable else 0)
    sketch.chest.heart_ratio = max(sketch.chest.heart_ratio + 0.05, ratio)


def _reshape_edema(sketch: Sketch) -> None:
    """Vessels swell, those of the upper lung most, and the heart a little."""
    sketch.chest.vessel_gain *= 1 + 0.4 * sketch.strength
    sketch.chest.upper_vessel_gain *= 1 + 0.9 * sketch.strength
    sketch.chest.heart_ratio += 0.02 * sketch.strength


def _reshape_emphysema(sketch: Sketch) -> None:
    """Large, dark, flat-floored lungs with few vessels beside a narrow heart."""
    chest, strength = sketch.chest, sketch.strength
    chest.half_width *= 1 + 0.04 * strength
    chest.domes = [min(y + 0.02 + 0.075 * strength, 0.86) for y in chest.domes]
    chest.lateral_depth *= 1 - 0.60 * strength
    chest.medial_depth *= 1 - 0.6 * strength
    chest.heart_ratio *= 0.97 - 0.20 * strength
    chest.lung_density *= 0.85 - 0.35 * strength
    chest.lung_depth += 1.5 * strength
    chest.vessel_gain *= 1 - 0.45 * strength
    chest.upper_vessel_gain *= 1 - 0.6 * strength
    chest.rib_drop *= 1 - 0.3 * strength


def _reshape_fibrosis(sketch: Sketch) -> None:
    """The lungs shrink."""
    sketch.chest.domes = [y - 0.035 * sketch.strength for y in sketch.chest.domes]


def _draw_cardiomegaly(sketch: Sketch, lungs: Lungs) -> None:
    """The heart is drawn by the chest's shape; this notes its box."""
    chest = sketch.chest
    width = 2 * chest.half_width * chest.heart_ratio
    left = 0.5 - width * (1 - chest.heart_turn) + chest.shift
    right = 0.5 + width * chest.heart_turn + chest.shift
    lung = lungs[LEFT]
    sketch.boxes.append((left, lung.apex + 0.45 * lung.height, right, lung.dome + 0.03))


def _draw_emphysema(sketch: Sketch, lungs: Lungs) -> None:
    """Drawn by the chest's shape; this adds the holes in the upper lung."""
    rng = sketch.place
    for lung in lungs:
        for _ in range(3):
            center = lung.place(rng.uniform(0.3, 0.85), rng.uniform(0.08, 0.4))
            radius = rng.uniform(0.03, 0.06)
            share = lung.distance(*center) / radius
            hole = soft_step(1 - share, 0.15) * lung.mask
            lung.vessels *= 1 - 0.8 * sketch.strength * hole
            lung.opacity -= 0.10 * sketch.strength * hole
            rind = np.exp(-(((share - 1) / 0.06) ** 2)) * lung.mask
            lung.tissue += 0.35 * sketch.strength * rind
        sketch.mark(lung, lung.mask)


def _draw_hernia(sketch: Sketch, lungs: Lungs) -> None:
    """The stomach behind the heart: a round shadow with an air-fluid level."""
    middle = sketch.place.uniform(-0.01, 0.05)
    radius = 0.05 + 0.015 * sketch.place.random() + 0.035 * sketch.strength
    y = lungs[LEFT].dome - 0.45 * radius
    fluid = y - radius * sketch.place.uniform(-0.1, 0.3)
    for lung in lungs:
        x = lung.x - middle if lung.side == LEFT else lung.x + middle
        share = np.sqrt((x / (1.15 * radius)) ** 2 + ((lung.y - y) / radius) ** 2)
        ball = dome(1.4 * (1 - share))
        inside = dome(1.6 * (0.86 - share)) * soft_step(fluid - lung.y, 0.006)
        lung.tissue += (2.5 + 2.5 * sketch.strength) * ball
        lung.tissue -= (6.0 + 3.0 * sketch.strength) * inside
    left, right = 0.5 + middle - 1.15 * radius, 0.5 + middle + 1.15 * radius
    sketch.boxes.append((left, y - radius, right, y + radius))


RESHAPES: dict[str, Callable[[Sketch], None]] = {
    "Atelectasis": _reshape_atelectasis,
    "Cardiomegaly": _reshape_cardiomegaly,
    "Edema": _reshape_edema,
    "Emphysema": _reshape_emphysema,
    "Fibrosis": _reshape_fibrosis,
}
DRAWINGS: dict[str, Callable[[Sketch, Lungs], None]] = {
    "Atelectasis": opacities.draw_atelectasis,
    "Cardiomegaly": _draw_cardiomegaly,
    "Consolidation": opacities.draw_consolidation,
    "Edema": opacities.draw_edema,
    "Effusion": pleura.draw_effusion,
    "Emphysema": _draw_emphysema,
    "Fibrosis": opacities.draw_fibrosis,
    "Hernia": _draw_hernia,
    "Infiltration": opacities.draw_infiltration,
    "Mass": opacities.draw_mass,
    "Nodule": opacities.draw_nodule,
    "Pleural_Thickening": pleura.draw_pleural_thickening,
    "Pneumonia": opacities.draw_pneumonia,
    "Pneumothorax": pleura.draw_pneumothorax,
}
