"""The lungs' outlines and thickness, and the fields that findings draw into."""

from dataclasses import dataclass

import numpy as np

from dualnet.data.phantom.anatomy import Chest
from dualnet.data.phantom.canvas import Canvas, dome, soft_step

EDGE = 0.008  # softness of the outlines: motion and focal spot


@dataclass
class Lung:
    """One half of the chest in mirrored coordinates, x outwards from the midline.

    Args:
        side: 0 is the patient's right, 1 the left.
        x: Distance from the midline, shape (1, columns).
        y: Shape (rows, 1).
        apex: y of the lung's top.
        dome: y of the hemidiaphragm's top.
        half_width: From the midline to the inner chest wall at its widest.
        wall: x of the inner chest wall by row, shape (rows, 1).
        floor: y of the diaphragm by column, shape (1, columns).
        mask: Where lung is seen above the diaphragm, 0 to 1.
        thickness: Thickness of the lung, cm, shape (rows, columns).
        opacity: Share of the air that findings have replaced, 0 to 1.
        tissue: Tissue that findings add, cm; negative takes away.
        vessels: Share of the vessels that are left to be seen.
    """

    side: int
    x: np.ndarray
    y: np.ndarray
    apex: float
    dome: float
    half_width: float
    wall: np.ndarray
    floor: np.ndarray
    mask: np.ndarray
    thickness: np.ndarray
    opacity: np.ndarray
    tissue: np.ndarray
    vessels: np.ndarray

    @property
    def height(self) -> float:
        """From the lung's top to the dome of the diaphragm."""
        return self.dome - self.apex

    def place(self, u: float, v: float) -> tuple[float, float]:
        """Returns x, y of a place in the lung: u outwards, v downwards, 0 to 1."""
        y = self.apex + v * self.height
        row = int(np.searchsorted(self.y[:, 0], y))
        wall = float(self.wall[min(row, len(self.y) - 1), 0])
        return 0.035 + u * (wall - 0.035), y

    def distance(self, x: float, y: float) -> np.ndarray:
        """Returns each pixel's distance from a place."""
        return np.sqrt((self.x - x) ** 2 + (self.y - y) ** 2)

    def add_opacity(self, share: np.ndarray) -> None:
        """Replaces a share (0 to 1) of the air that is left."""
        self.opacity += (1 - self.opacity) * share


def draw_lung(canvas: Canvas, chest: Chest, side: int) -> Lung:
    """Draws the outline and the thickness of one lung.

    Args:
        canvas: Where.
        chest: The chest's shape.
        side: 0 is the patient's right, 1 the left.

    Returns:
        The lung, without findings.
    """
    x, y = canvas.x_half, canvas.y
    level = chest.domes[side]
    wall = _wall(chest, y, max(chest.domes))
    floor = _floor(chest, x, level)
    descent = (y - chest.apex) / (level - chest.apex)
    inner = 0.03 + 0.10 * np.exp(-np.maximum(descent, 0) / 0.06)
    mask = soft_step(wall - x, EDGE) * soft_step(x - inner, EDGE)
    below = soft_step(floor - y, EDGE)
    # Side: the beam grazes the rounded wall. Foot: in front of the dome the lung
    # ends, behind it the lung goes on down.
    side_profile = dome((wall - x) / (0.62 * np.maximum(wall, 0.05)))
    foot = 0.6 + 0.4 * dome((floor - y) / 0.2)
    head = 0.5 + 0.5 * dome((y - chest.apex) / 0.22)
    thickness = chest.lung_depth * mask * side_profile * head
    recess = 0.17 * np.clip(1 - (y - floor) / 0.11, 0, 1) * (1 - below)
    zeros = np.zeros(mask.shape, dtype=np.float32)
    return Lung(
        side=side,
        x=x,
        y=y,
        apex=chest.apex,
        dome=level,
        half_width=chest.half_width,
        wall=wall,
        floor=floor,
        mask=mask * below,
        thickness=(thickness * (foot * below + recess)).astype(np.float32),
        opacity=zeros + np.float32(chest.side_density[side]),
        tissue=zeros.copy(),
        vessels=zeros + 1,
    )


def _wall(chest: Chest, y: np.ndarray, level: float) -> np.ndarray:
    """Returns x of the inner chest wall by row: a bullet's outline."""
    foot = level + chest.lateral_depth
    descent = np.clip((y - chest.apex) / (foot - chest.apex), 0, 1)
    bullet = (1 - (1 - descent) ** 2.7) ** 0.52
    narrowing = 0.05 * np.clip(descent - 0.8, 0, 1)
    return (chest.half_width * bullet - narrowing).astype(np.float32)


def _floor(chest: Chest, x: np.ndarray, level: float) -> np.ndarray:
    """Returns y of the diaphragm by column: a dome, low at its outer end."""
    share = x / chest.half_width
    outer = np.clip((share - 0.4) / 0.6, 0, 1.2) ** 2.3
    inner = np.clip((0.4 - share) / 0.4, 0, 1) ** 2
    return (level + chest.lateral_depth * outer + chest.medial_depth * inner).astype(
        np.float32
    )
