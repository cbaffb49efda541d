"""What a finding is drawn with: its strength, its sources of chance, its box."""

from dataclasses import dataclass, field

import numpy as np

from dualnet.data.phantom.anatomy import LEFT, RIGHT, Chest
from dualnet.data.phantom.canvas import Canvas
from dualnet.data.phantom.lungs import Lung

SEEN = 0.3  # share of a finding's greatest effect that its box encloses


@dataclass
class Sketch:
    """One finding of one radiograph while it is drawn.

    Args:
        canvas: Where.
        chest: The chest's shape.
        portable: Whether it is an AP view.
        strength: From 0 to 1.
        place: Decides side and place: the same for visits that share the place.
        moment: Decides what is this visit's own.
        boxes: Left, top, right, bottom of each part that is seen, in the upright
            patient's coordinates.
        drain: Side with a chest drain, -1 for none.
    """

    canvas: Canvas
    chest: Chest
    portable: bool
    strength: float
    place: np.random.Generator
    moment: np.random.Generator
    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    drain: int = -1

    def choose_side(self) -> int:
        """Draws a side: the right a little likelier."""
        return RIGHT if self.place.random() < 0.55 else LEFT

    def choose_sides(self, both: float) -> list[tuple[int, float]]:
        """Draws one side, or with probability `both` two: side and strength."""
        side = self.choose_side()
        two = self.place.random() < both
        weaker = self.place.uniform(0.5, 1.0)
        if two:
            return [(side, self.strength), (1 - side, weaker * self.strength)]
        return [(side, self.strength)]

    def mark(self, lung: Lung, effect: np.ndarray) -> None:
        """Notes the box in which an effect (rows, half) of a lung is seen."""
        seen = effect > SEEN * max(float(effect.max()), 1e-6)
        rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
        if len(rows) == 0:
            return
        top, foot = float(lung.y[rows[0], 0]), float(lung.y[rows[-1], 0])
        inner, outer = float(lung.x[0, columns[0]]), float(lung.x[0, columns[-1]])
        if lung.side == RIGHT:
            inner, outer = -outer, -inner
        self.boxes.append((0.5 + inner, top, 0.5 + outer, foot))
