"""A shortcut planted on purpose: a square in the border that tells a finding.

So that a probe can be shown to find one. The square says nothing of the chest, as a
ward's marker does not, and a model may learn it instead of the finding.
"""

import numpy as np

from dualnet.data.phantom.table import Visit
from dualnet.errors import ConfigError

NO_SHORTCUT, BORDER = "none", "border"
SHORTCUT_FINDING = "Effusion"
# Of the radiographs with the finding this share has the square, of the others the rest:
# knowing the square alone is then an AUROC of .95.
FIDELITY = 0.95
SIDE = 0.05  # of the square, as a share of the picture's: within the outermost 1/16
GRAY = 255


def check_shortcut(shortcut: str) -> None:
    """Checks the name of a shortcut.

    Args:
        shortcut: `none` or `border`.

    Raises:
        ConfigError: If it is another.
    """
    if shortcut not in (NO_SHORTCUT, BORDER):
        raise ConfigError(
            f"phantom: `shortcut` must be {NO_SHORTCUT} or {BORDER}. "
            f"Received: shortcut={shortcut!r}. Name one of them."
        )


def plant_shortcut(
    pixels: np.ndarray, visit: Visit, *, seed: int, shortcut: str
) -> np.ndarray:
    """Draws the square at the lower right, where no side marker lies.

    Args:
        pixels: Gray values, uint8, shape (size, size).
        visit: Whose radiograph it is.
        seed: The phantom's seed.
        shortcut: `none` leaves the picture as it is.

    Returns:
        The gray values, with the square or without.
    """
    if shortcut == NO_SHORTCUT:
        return pixels
    found = any(finding.name == SHORTCUT_FINDING for finding in visit.findings)
    # a source of its own: the rest of the picture is that of the phantom without it
    chance = np.random.default_rng([seed, 5, visit.patient, visit.follow_up]).random()
    if found != (chance < FIDELITY):
        return pixels
    side = max(1, round(SIDE * len(pixels)))
    marked = pixels.copy()
    marked[-side:, -side:] = GRAY
    return marked
