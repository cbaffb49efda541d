"""Boxes: scaled from 1024 pixels to the model's, and refused by line."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dualnet.data.phantom.radiograph import draw_radiograph
from dualnet.data.phantom.table import draw_visits
from dualnet.errors import RecordError
from dualnet.explain.boxes import (
    draw_masks,
    find_boxes,
    list_boxed,
    pixel_slices,
    read_boxes,
)

HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,"
TRUTH = "image_id,finding,strength,x,y,w,h"


def write(folder: Path, *rows: str, header: str = HEADER) -> Path:
    file = folder / "boxes.csv"
    file.write_text("\n".join((header, *rows)) + "\n")
    return file


def test_nihs_table_has_nine_names_for_six_numbers(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "00013118_008.png,Atelectasis,225.084745762712,547.019216763771,86.78,79.19",
        "a.png,Infiltrate,0,512,1024,256,,,",
    )
    boxes = read_boxes(file)
    assert boxes["image_id"].tolist() == ["00013118_008.png", "a.png"]
    assert boxes["finding"].tolist() == ["Atelectasis", "Infiltration"]
    first, second = boxes[["left", "top", "width", "height"]].to_numpy()
    np.testing.assert_allclose(
        first, [0.21980932, 0.53419845, 0.08474609, 0.07733398], atol=1e-7
    )
    np.testing.assert_array_equal(second, [0, 0.5, 1, 0.25])


def test_a_box_of_1024_pixels_covers_the_same_place_of_256() -> None:
    # x 225.08 to 311.86 is 56.27 to 77.97 of 256: the centres 56.5 to 77.5
    box = np.array([225.084745762712, 547.019216763771, 86.78, 79.19]) / 1024
    assert pixel_slices(box, 256) == (slice(137, 157), slice(56, 78))
    assert pixel_slices(np.array([0.0, 0.0, 1.0, 1.0]), 64) == (
        slice(0, 64),
        slice(0, 64),
    )


def test_a_box_without_a_pixels_centre_has_the_nearest_pixel() -> None:
    assert pixel_slices(np.array([0.26, 0.51, 0.001, 0.001]), 4) == (
        slice(2, 3),
        slice(1, 2),
    )
    edge = np.array([1.0, 1.0, 0.00001, 0.00001])
    assert pixel_slices(edge, 4) == (slice(3, 4), slice(3, 4))


def test_a_phantoms_findings_outside_the_picture_have_no_box(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    file = write(
        tmp_path,
        "a.png,Nodule,0.5000,0.00,0.00,256.00,256.00",
        "a.png,Nodule,0.5000,768.00,768.00,256.00,256.00",
        "a.png,Hernia,0.3000,,,,",
        "b.png,Mass,0.3000,100.00,1024.00,5.00,0.00",
        header=TRUTH,
    )
    boxes = read_boxes(file)
    assert boxes["finding"].tolist() == ["Nodule", "Nodule"]
    assert "boxes.csv: 2 findings without a box" in caplog.text
    pairs = pd.DataFrame({"image_id": ["a.png"], "finding": ["Nodule"]})
    mask = draw_masks(boxes, pairs, 4)[0]
    assert np.argwhere(mask).tolist() == [[0, 0], [3, 3]]


def test_boxed_findings_come_in_the_tables_order(tmp_path: Path) -> None:
    boxes = read_boxes(
        write(
            tmp_path,
            "c.png,Mass,0,0,9,9",
            "a.png,Nodule,0,0,9,9",
            "a.png,Effusion,0,0,9,9",
            "a.png,Nodule,50,50,9,9",
            "z.png,Mass,0,0,9,9",
        )
    )
    table = pd.DataFrame(
        {"image_id": ["a.png", "b.png", "c.png"], "patient_id": ["1", "2", "3"]}
    )
    pairs = list_boxed(boxes, table, ("Effusion", "Mass", "Nodule"))
    assert pairs.to_dict("list") == {
        "image_id": ["a.png", "a.png", "c.png"],
        "patient_id": ["1", "1", "3"],
        "finding": ["Effusion", "Nodule", "Mass"],
        "row": [0, 0, 2],
    }
    assert list_boxed(boxes, table, ("Hernia",)).empty


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.png,Mass,1,2", r"boxes\.csv line 2: .*four numbers\. Received: 4 fields"),
        ("a.png,Mass,1000,0,50,9", r"line 2: .*1024 by 1024.*'1000, 0, 50, 9'"),
        ("a.png,Mass,1,2,nan,9", r"line 2: a box must be.*'1, 2, nan, 9'"),
        ("a.png,Mass,-1,2,3,9", r"line 2: .*'-1, 2, 3, 9'"),
        ("a.png,Mass,left,2,3,9", r"line 2: .*'left, 2, 3, 9'"),
    ],
)
def test_a_bad_box_is_refused_by_its_line(
    tmp_path: Path, row: str, message: str
) -> None:
    with pytest.raises(RecordError, match=message):
        read_boxes(write(tmp_path, row))


def test_another_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"line 1: must be .*Bbox.*another header"):
        read_boxes(write(tmp_path, header="image_id,x,y"))
    (tmp_path / "empty.csv").touch()
    with pytest.raises(RecordError, match="line 1"):
        read_boxes(tmp_path / "empty.csv")
    with pytest.raises(RecordError, match=r"gone\.csv: .*No such file"):
        read_boxes(tmp_path / "gone.csv")


def test_a_phantoms_truth_is_taken_before_its_list(
    small_phantom: Path, tmp_path: Path
) -> None:
    assert find_boxes(small_phantom) == small_phantom / "truth.csv"
    listed = small_phantom / "BBox_List_2017.csv"
    (tmp_path / listed.name).write_bytes(listed.read_bytes())
    assert find_boxes(tmp_path) == tmp_path / listed.name
    assert find_boxes(tmp_path / "nothing") is find_boxes(None) is None
    # both say the same of the eight findings that NIH boxes
    truth, eight = read_boxes(small_phantom / "truth.csv"), read_boxes(listed)
    shared = truth[truth["finding"].isin(eight["finding"])]
    assert len(eight) > 20
    np.testing.assert_array_equal(shared.to_numpy(), eight.to_numpy())


def test_a_phantoms_box_is_where_its_finding_changed_the_picture() -> None:
    visits = draw_visits(num_images=60, num_patients=60, seed=1, dependence=True)
    shown = ("Mass", "Nodule", "Pneumothorax")
    chosen = [
        visit
        for visit in visits
        if len(visit.findings) == 1 and visit.findings[0].name in shown
    ][:3]
    for visit in chosen:
        with_it = draw_radiograph(visit, seed=1, size=64)
        without = draw_radiograph(replace(visit, findings=()), seed=1, size=64)
        change = np.abs(with_it.pixels.astype(float) - without.pixels)
        name = visit.findings[0].name
        columns = ["left", "top", "width", "height"]
        boxes = pd.DataFrame(with_it.boxes[name], columns=columns).assign(
            image_id="a", finding=name
        )
        mask = draw_masks(boxes, boxes[["image_id", "finding"]].head(1), 64)[0]
        inside = change[mask].sum() / change.sum()
        assert inside > 3 * mask.mean()
    assert chosen


@pytest.mark.real_data
def test_nihs_984_boxes_are_read(real_data: Path) -> None:
    file = find_boxes(real_data / "nih")
    assert file is not None
    boxes = read_boxes(file)
    assert (len(boxes), boxes["image_id"].nunique()) == (984, 880)
    assert boxes["finding"].value_counts().to_dict() == {
        "Atelectasis": 180,
        "Effusion": 153,
        "Cardiomegaly": 146,
        "Infiltration": 123,
        "Pneumonia": 120,
        "Pneumothorax": 98,
        "Mass": 85,
        "Nodule": 79,
    }
    images = real_data / "nih-1024" / "images"
    pictures = {path.name for path in images.iterdir()}
    assert len(pictures & set(boxes["image_id"])) == 62
