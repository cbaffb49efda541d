"""Where findings are: the boxes that radiologists drew, or those that a phantom knows.

The files count pixels of pictures of 1024 by 1024; here a box is kept in shares of the
picture, so that it fits the picture a model reads, whatever its size. NIH's PNG files,
to which its boxes belong, are square already, and are stretched to the model's size.

Reference:
    Wang et al., ChestX-ray8, CVPR 2017, section 4: 984 boxes of eight findings.
"""

import csv
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from dualnet.data.phantom.writer import (
    BOX_HEADER,
    BOX_NAME,
    BOX_PIXELS,
    TRUTH_HEADER,
    TRUTH_NAME,
    is_phantom,
)
from dualnet.data.readers.text_lines import read_lines
from dualnet.errors import RecordError
from dualnet.wording import number_of

SIDES = ("left", "top", "width", "height")
COLUMNS = ("image_id", "finding", *SIDES)
FINDING_NAMES = {"Infiltrate": "Infiltration"}  # NIH's boxes call one by another name
# where each file has name, finding and the four numbers
_FIELDS = {BOX_HEADER: (0, 1, 2, 3, 4, 5), TRUTH_HEADER: (0, 1, 3, 4, 5, 6)}
_ADVICE = "Use NIH's own BBox_List_2017.csv, or a phantom's truth.csv."

logger = logging.getLogger(__name__)


def find_boxes(folder: Path | None) -> Path | None:
    """Finds the boxes where they lie in a dataset's folder.

    Args:
        folder: The dataset's folder.

    Returns:
        A phantom's `truth.csv`, which has boxes of every finding, else
        `BBox_List_2017.csv`; None where there is neither.
    """
    if folder is None:
        return None
    file = folder / (TRUTH_NAME if is_phantom(folder) else BOX_NAME)
    return file if file.is_file() else None


def read_boxes(file: Path) -> pd.DataFrame:
    """Reads boxes.

    Args:
        file: `BBox_List_2017.csv`, whose header names nine columns and whose rows have
            six or nine, or a phantom's `truth.csv`.

    Returns:
        One row a box: `image_id`, `finding`, and `left`, `top`, `width`, `height` in
        shares of the picture. A finding may have several boxes in one picture. A
        phantom's findings that lie outside the picture have none; how many is said.

    Raises:
        RecordError: If the file is no such table, or a box is not inside its picture;
            the line is named.
    """
    lines = read_lines(
        file, where=str(file), expected="a readable table of boxes", advice=_ADVICE
    )
    header = lines[0].strip() if lines else ""
    fields = _FIELDS.get(header)
    if fields is None:
        raise RecordError(
            f"{file.name} line 1: must be {BOX_HEADER!r} or {TRUTH_HEADER!r}. "
            f"Received: another header. {_ADVICE}"
        )
    rows = [
        row
        for number, line in enumerate(csv.reader(lines[1:]), start=2)
        if line and (row := _read_row(line, fields, f"{file.name} line {number}"))
    ]
    unseen = sum(1 for line in lines[1:] if line.strip()) - len(rows)
    if unseen:
        logger.info("%s: %s without a box", file.name, number_of(unseen, "finding"))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def list_boxed(
    boxes: pd.DataFrame, table: pd.DataFrame, findings: Sequence[str]
) -> pd.DataFrame:
    """Lists what is boxed among some radiographs.

    Args:
        boxes: As `read_boxes` reads them.
        table: Records.
        findings: Which findings are asked for.

    Returns:
        One row a radiograph and boxed finding, in the order of `table`, then of
        `findings`: `image_id`, `patient_id`, `finding` and `row`, its place in `table`.
    """
    place = pd.Series(range(len(table)), index=table["image_id"])
    asked = boxes[boxes["finding"].isin(findings) & boxes["image_id"].isin(place.index)]
    pairs = asked[["image_id", "finding"]].drop_duplicates()
    pairs = pairs.assign(
        row=place.loc[pairs["image_id"]].to_numpy(),
        order=[list(findings).index(name) for name in pairs["finding"]],
    )
    pairs = pairs.sort_values(["row", "order"]).reset_index(drop=True)
    patients = table["patient_id"].to_numpy()[pairs["row"].to_numpy(dtype=np.int64)]
    return pairs.assign(patient_id=patients)[
        ["image_id", "patient_id", "finding", "row"]
    ]


def draw_masks(boxes: pd.DataFrame, pairs: pd.DataFrame, size: int) -> np.ndarray:
    """Marks the pixels inside the boxes of each radiograph and finding.

    A pixel is inside if its centre is: pixel 0 of a picture of 256 has its centre at
    .5 / 256 of the side. A box too small to hold a centre has the pixel nearest to its
    own. Of several boxes it is what any of them holds.

    Args:
        boxes: As `read_boxes` reads them.
        pairs: With `image_id` and `finding`, each boxed.
        size: Pixels a side of the picture that the model reads.

    Returns:
        Bool, shape (pairs, size, size), each with a pixel that is true.
    """
    masks = np.zeros((len(pairs), size, size), dtype=bool)
    keys = pd.MultiIndex.from_frame(pairs[["image_id", "finding"]])
    owners = keys.get_indexer(pd.MultiIndex.from_frame(boxes[["image_id", "finding"]]))
    for owner, box in zip(owners, boxes[list(SIDES)].to_numpy(), strict=True):
        if owner >= 0:
            rows, columns = pixel_slices(box, size)
            masks[owner, rows, columns] = True
    return masks


def pixel_slices(box: np.ndarray, size: int) -> tuple[slice, slice]:
    """Returns the rows and columns of pixels whose centre is inside a box.

    Args:
        box: `left`, `top`, `width`, `height`, in shares of the picture.
        size: Pixels a side.

    Example:
        >>> pixel_slices(np.array([0.25, 0.5, 0.5, 0.25]), 8)
        (slice(4, 6, None), slice(2, 6, None))
    """
    left, top, width, height = box
    return _inside(top, height, size), _inside(left, width, size)


def _inside(start: float, length: float, size: int) -> slice:
    first, end = (int(np.ceil(edge * size - 0.5)) for edge in (start, start + length))
    if first >= end:
        first = min(int((start + length / 2) * size), size - 1)
        end = first + 1
    return slice(first, end)


def _read_row(
    line: list[str], fields: tuple[int, ...], where: str
) -> tuple[str | float, ...] | None:
    """Reads one row; None of a finding that lies outside the picture."""
    if len(line) <= fields[-1]:
        raise RecordError(
            f"{where}: must have a name, a finding and four numbers. "
            f"Received: {number_of(len(line), 'field')}. {_ADVICE}"
        )
    image_id, finding, *numbers = (line[field].strip() for field in fields)
    if not any(numbers):
        return None
    box = _parse_box(numbers, where)
    if not (box[2] and box[3]):  # a phantom's, of less than .005 pixels
        return None
    return image_id, FINDING_NAMES.get(finding, finding), *box


def _parse_box(numbers: list[str], where: str) -> tuple[float, float, float, float]:
    """Returns left, top, width and height in shares of the picture."""
    try:
        x, y, width, height = (float(number) for number in numbers)
    except ValueError:
        x = y = width = height = float("nan")
    inside = min(x, y, width, height) >= 0
    # a phantom's boxes are rounded to hundredths of a pixel
    end = BOX_PIXELS + 0.02
    if not (inside and x + width <= end and y + height <= end):
        received = ", ".join(number[:12] for number in numbers)
        raise RecordError(
            f"{where}: a box must be x, y, width, height in pixels, inside "
            f"{BOX_PIXELS} by {BOX_PIXELS}. Received: {received!r}. {_ADVICE}"
        )
    return x / BOX_PIXELS, y / BOX_PIXELS, width / BOX_PIXELS, height / BOX_PIXELS
