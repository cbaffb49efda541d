"""The phantom's pictures: anatomy that persists, findings at their places."""

from dataclasses import replace

import numpy as np
import pytest

from dualnet.data.phantom.film import Exposure, frame_affine, frame_box
from dualnet.data.phantom.radiograph import draw_radiograph
from dualnet.data.phantom.statistics import FINDING_NAMES
from dualnet.data.phantom.table import Finding, Visit

SIZE = 128


def visit(patient: int = 1, **values: object) -> Visit:
    healthy = Visit(
        image_id=f"{patient:08d}_000.png",
        patient=patient,
        follow_up=0,
        age_years=52,
        sex="M",
        view_position="PA",
        findings=(),
    )
    return replace(healthy, **values)


def pixels(shown: Visit, *, seed: int = 0, size: int = SIZE) -> np.ndarray:
    return draw_radiograph(shown, seed=seed, size=size).pixels.astype(float)


def with_finding(shown: Visit, name: str, strength: float) -> Visit:
    finding = Finding(name=name, strength=strength, place_visit=-1)
    return replace(shown, findings=(finding,))


def inside_boxes(boxes: list[tuple[float, float, float, float]]) -> np.ndarray:
    place = (np.arange(SIZE) + 0.5) / SIZE
    inside = np.zeros((SIZE, SIZE), dtype=bool)
    for x, y, width, height in boxes:
        across = (place > x - 0.01) & (place < x + width + 0.01)
        down = (place > y - 0.01) & (place < y + height + 0.01)
        inside |= across[None, :] & down[:, None]
    return inside


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


@pytest.mark.parametrize("size", [32, 64, 200])
def test_picture_has_the_size_asked_for(size: int):
    drawn = draw_radiograph(visit(), seed=0, size=size)
    assert drawn.pixels.shape == (size, size)
    assert drawn.pixels.dtype == np.uint8
    assert drawn.boxes == {}


def test_picture_is_of_a_chest():
    mean = np.mean([pixels(visit(patient)) for patient in range(1, 9)], axis=0)

    def gray(x: float, y: float) -> float:
        row, column = round(y * SIZE), round(x * SIZE)
        return float(mean[row - 3 : row + 4, column - 3 : column + 4].mean())

    right_lung, left_lung = gray(0.30, 0.45), gray(0.71, 0.35)
    heart, liver, corner = gray(0.55, 0.62), gray(0.33, 0.93), gray(0.02, 0.02)
    assert corner < right_lung < 140
    assert left_lung < 140
    assert heart > right_lung + 60
    assert liver > right_lung + 60
    # The heart lies to the patient's left, that is right in the picture.
    assert gray(0.63, 0.66) > gray(0.37, 0.66) + 20


def test_same_visit_is_drawn_alike_and_another_seed_otherwise():
    np.testing.assert_array_equal(pixels(visit()), pixels(visit()))
    assert np.abs(pixels(visit()) - pixels(visit(), seed=1)).mean() > 2


@pytest.mark.parametrize("name", FINDING_NAMES)
def test_finding_changes_the_picture_at_its_place(name: str):
    inner, outer = [], []
    for patient in (1, 2, 3):
        shown = with_finding(visit(patient), name, 0.8)
        drawn = draw_radiograph(shown, seed=0, size=SIZE)
        inside = inside_boxes(drawn.boxes[name])
        change = np.abs(drawn.pixels.astype(float) - pixels(visit(patient)))
        inner.append(change[inside].mean())
        outer.append(change[~inside].mean())
    assert np.mean(inner) > 3
    assert np.mean(inner) > 2.5 * np.mean(outer)


@pytest.mark.parametrize("name", FINDING_NAMES)
def test_stronger_findings_change_more(name: str):
    def change(strength: float) -> float:
        return float(
            np.mean(
                [
                    np.abs(
                        pixels(with_finding(visit(patient), name, strength))
                        - pixels(visit(patient))
                    ).mean()
                    for patient in (1, 2)
                ]
            )
        )

    assert change(0.95) > change(0.2) > 0


@pytest.mark.parametrize("name", FINDING_NAMES)
def test_finding_keeps_its_place_on_the_next_visit(name: str):
    first = with_finding(visit(5), name, 0.7)
    second = replace(first, follow_up=1)
    one = inside_boxes(draw_radiograph(first, seed=0, size=SIZE).boxes[name])
    other = inside_boxes(draw_radiograph(second, seed=0, size=SIZE).boxes[name])
    assert (one & other).sum() > 0.3 * (one | other).sum()


@pytest.mark.parametrize("name", ["Mass", "Nodule", "Consolidation", "Pneumonia"])
def test_finding_at_another_place_when_it_moved(name: str):
    places = set()
    for place_visit in range(6):
        finding = Finding(name=name, strength=0.7, place_visit=place_visit)
        drawn = draw_radiograph(visit(findings=(finding,)), seed=0, size=SIZE)
        places.add(drawn.boxes[name][0])
    assert len(places) == 6


def test_opacities_are_brighter_and_air_is_darker():
    def inside_change(name: str) -> float:
        shown = with_finding(visit(3), name, 0.8)
        drawn = draw_radiograph(shown, seed=0, size=SIZE)
        change = drawn.pixels.astype(float) - pixels(visit(3))
        return float(change[inside_boxes(drawn.boxes[name])].mean())

    for name in ("Consolidation", "Mass", "Effusion", "Edema", "Infiltration"):
        assert inside_change(name) > 5
    for name in ("Emphysema", "Pneumothorax"):
        assert inside_change(name) < -2


def test_large_heart_is_wider_than_half_the_chest():
    drawn = draw_radiograph(
        with_finding(visit(2), "Cardiomegaly", 0.7), seed=0, size=64
    )
    ((_, _, width, _),) = drawn.boxes["Cardiomegaly"]
    assert 0.36 < width < 0.62


def test_visits_of_one_patient_are_more_alike_than_two_patients():
    num_patients = 12
    visits = np.array(
        [
            [pixels(visit(patient, follow_up=number)) for number in range(2)]
            for patient in range(1, num_patients + 1)
        ]
    )
    # What is left when the picture all chests share is taken away.
    own = visits - visits.mean(axis=(0, 1))
    table = np.array(
        [[correlation(one, other) for other in own[:, 1]] for one in own[:, 0]]
    )
    others = table[~np.eye(num_patients, dtype=bool)]
    assert np.diag(table).mean() > 0.25
    assert others.mean() < 0.1


def test_view_and_sex_show():
    portable = np.mean(
        [pixels(visit(patient, view_position="AP")) for patient in range(1, 7)], axis=0
    )
    upright = np.mean([pixels(visit(patient)) for patient in range(1, 7)], axis=0)
    women = np.mean(
        [pixels(visit(patient, sex="F")) for patient in range(1, 7)], axis=0
    )
    lung = slice(round(0.35 * SIZE), round(0.55 * SIZE)), slice(30, 45)
    assert portable[lung].mean() > upright[lung].mean() + 5
    breast = slice(round(0.6 * SIZE), round(0.72 * SIZE)), slice(30, 45)
    assert women[breast].mean() > upright[breast].mean() + 3


def exposure(**values: float) -> Exposure:
    level = Exposure(
        rotation=0.0,
        scale=1.0,
        shift=(0.0, 0.0),
        center=0.0,
        latitude=0.7,
        scatter=0.1,
        quanta=20.0,
        softness=0.0,
        collimation=(-1.0, -1.0, -1.0, -1.0),
        collimator_turn=0.0,
    )
    return replace(level, **values)


def test_box_in_the_frame_is_as_computed_by_hand():
    box = (0.25, 0.5, 0.5, 0.75)
    assert frame_box(exposure(), box) == pytest.approx((0.25, 0.5, 0.25, 0.25))
    larger = frame_box(exposure(scale=2.0), box)
    assert larger == pytest.approx((0.0, 0.5, 0.5, 0.5))
    moved = frame_box(exposure(shift=(0.1, -0.1)), box)
    assert moved == pytest.approx((0.35, 0.4, 0.25, 0.25))
    turned = frame_box(exposure(rotation=np.pi / 2), box)
    assert sorted(turned[2:]) == pytest.approx([0.25, 0.25])


def test_box_outside_the_frame_has_no_area():
    assert frame_box(exposure(shift=(1.0, 0.0)), (0.25, 0.5, 0.5, 0.75))[2] == 0


def test_frame_keeps_the_middle():
    affine = frame_affine(exposure(rotation=0.1, scale=1.1))
    assert affine @ (0.5, 0.5, 1.0) == pytest.approx((0.5, 0.5))
