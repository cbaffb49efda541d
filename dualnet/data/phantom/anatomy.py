"""One patient's build, and the shape of the chest on one visit.

Lengths are shares of the picture's width (about 38 cm); thicknesses along the
beam are centimetres of water.
"""

from dataclasses import dataclass, field

import numpy as np

RIGHT, LEFT = 0, 1


@dataclass
class Chest:
    """Everything that decides the shape of one radiograph before it is drawn.

    Findings that change shapes (a large heart, a raised diaphragm) change these
    values before anything is drawn.

    Args:
        half_width: From the midline to the inner chest wall.
        apex: y of the lungs' tops.
        domes: y of the hemidiaphragms' tops, right and left.
        lateral_depth: How far the costophrenic angle lies below the dome.
        medial_depth: How far the cardiophrenic angle lies below the dome.
        lung_depth: Thickness of the lungs, cm.
        lung_density: Share of tissue in the lungs.
        body_depth: Thickness of the trunk, cm.
        wall: Thickness of the chest wall at the side.
        heart_ratio: Width of the heart over that of the chest.
        heart_turn: Share of the heart to the left of the midline.
        mediastinum: Half width of the upper mediastinum.
        shift: Sideways shift of the heart and mediastinum, to the left.
        knob: Radius of the aortic knob.
        vessel_gain: How marked the lung vessels are.
        upper_vessel_gain: How marked they are in the upper half.
        rib_spacing: From rib to rib at the spine.
        rib_drop: How far a rib falls from spine to side.
        rib_phase: y of the first rib below the apex.
        bone: How dense the bones are.
        clavicle: y of the inner and outer end of the collar bones.
        scapula: How far the shoulder blades reach over the lungs.
        shoulder: y of the trapezius' line 0.2 from the midline.
        neck: Half width of the neck.
        arm: x of the upper arm's lower end, from the midline.
        breast: Radius of the breasts' shadows; 0 for none.
        breast_place: x and y of their middle.
        breast_depth: Their thickness, cm.
        spine_bend: Sideways bend of the spine.
        trachea: Half width of the windpipe.
        calcified: How much calcium the aortic knob holds.
        gas: Radius of the stomach bubble; 0 for none.
        vessel_seed: Decides the branching of the vessels.
    """

    half_width: float
    apex: float
    domes: list[float]
    lateral_depth: float
    medial_depth: float
    lung_depth: float
    lung_density: float
    body_depth: float
    wall: float
    heart_ratio: float
    heart_turn: float
    mediastinum: float
    knob: float
    rib_spacing: float
    rib_drop: float
    rib_phase: float
    bone: float
    clavicle: tuple[float, float]
    scapula: float
    shoulder: float
    neck: float
    arm: float
    breast: float
    breast_place: tuple[float, float]
    breast_depth: float
    spine_bend: float
    trachea: float
    calcified: float
    gas: float
    vessel_seed: int
    shift: float = 0.0
    vessel_gain: float = 1.0
    upper_vessel_gain: float = 1.0
    side_density: list[float] = field(default_factory=lambda: [0.0, 0.0])


def draw_chest(seed: list[int], *, sex: str, age_years: int, view: str) -> Chest:
    """Draws a patient's chest as it is at an age and in a view.

    Args:
        seed: Decides the build: the same for all visits of one patient.
        sex: M or F.
        age_years: Whole years.
        view: PA or AP. AP enlarges the heart, raises the diaphragm and leaves the
            shoulder blades over the lungs.

    Returns:
        The chest of a person without a finding, in the middle of the frame.
    """
    rng = np.random.default_rng(seed)
    man, portable = sex == "M", view == "AP"
    old = float(np.clip((age_years - 45) / 40, 0, 1))
    child = float(np.clip((14 - age_years) / 14, 0, 1))
    stout = rng.normal(0, 1)
    deep_breath = rng.normal(0, 1)
    apex = 0.125 + 0.018 * rng.normal() + 0.02 * old + 0.015 * portable
    dome = 0.715 + 0.033 * deep_breath - 0.012 * max(stout, -1)
    dome -= 0.055 * portable + 0.06 * child
    clavicle_inner = apex + 0.075 + 0.012 * rng.normal() - 0.03 * portable
    return Chest(
        half_width=0.352 + 0.012 * man + 0.017 * rng.normal() - 0.03 * child,
        apex=apex,
        domes=[dome, dome + 0.024 + 0.01 * rng.normal()],
        lateral_depth=0.13 + 0.014 * rng.normal() - 0.025 * portable,
        medial_depth=0.04 + 0.012 * abs(rng.normal()),
        lung_depth=15.0 + 0.5 * rng.normal() - 1.0 * portable - 4 * child,
        lung_density=0.235 + 0.02 * rng.normal() + 0.03 * portable,
        body_depth=21.5 + 1.5 * stout + 1.0 * man - 7 * child,
        wall=0.055 + 0.017 * max(stout, -1.5) + 0.008 * rng.random(),
        heart_ratio=0.445
        + 0.026 * rng.normal()
        + 0.012 * old
        + 0.045 * portable
        + 0.03 * child,
        heart_turn=0.69 + 0.025 * rng.normal(),
        mediastinum=0.047 + 0.004 * rng.normal() + 0.008 * portable + 0.006 * old,
        knob=0.026 + 0.003 * rng.normal() + 0.016 * old - 0.01 * child,
        rib_spacing=0.0605 + 0.002 * rng.normal(),
        rib_drop=0.105 + 0.018 * rng.normal() - 0.02 * child - 0.02 * portable,
        rib_phase=0.03 + 0.012 * rng.random(),
        bone=(1.0 + 0.12 * rng.normal() + 0.1 * man) * (1 - 0.3 * old - 0.25 * child),
        clavicle=(clavicle_inner, clavicle_inner - 0.10 - 0.025 * rng.random()),
        scapula=(0.55 + 0.3 * rng.random() if portable else 0.3 * rng.random()),
        shoulder=0.045 + 0.03 * rng.random() - 0.03 * portable,
        neck=0.105 + 0.012 * rng.normal() + 0.01 * man,
        arm=(0.52 if portable else 0.60) + 0.06 * rng.random(),
        breast=0.0 if man or age_years < 13 else 0.145 + 0.02 * rng.normal(),
        breast_place=(0.20 + 0.015 * rng.normal(), 0.625 + 0.035 * rng.normal()),
        breast_depth=2.0 + 1.8 * rng.random() + 0.6 * max(stout, 0),
        spine_bend=0.008 * rng.normal() * (1 + old),
        trachea=0.019 + 0.002 * rng.normal() + 0.003 * man,
        calcified=old * rng.random(),
        gas=0.05 * rng.random() + 0.02 if rng.random() < 0.75 else 0.0,
        vessel_seed=int(rng.integers(2**31)),
    )


def vary_chest(chest: Chest, rng: np.random.Generator) -> None:
    """Changes a chest as it changes from one visit to the next: the breath."""
    breath = 0.009 * rng.normal()
    chest.domes = [level + breath for level in chest.domes]
    chest.heart_ratio -= 0.4 * breath + 0.006 * rng.normal()
    chest.half_width += 0.1 * breath
    chest.lung_density += 0.012 * rng.normal()
    chest.gas *= rng.uniform(0.6, 1.3)
    chest.scapula = float(np.clip(chest.scapula + 0.08 * rng.normal(), 0, 1))
    chest.shift += 0.004 * rng.normal()
