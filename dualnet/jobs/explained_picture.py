"""What an explanation says of the picture: its heat map, and the boxes where known."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dualnet.explain.boxes import SIDES, draw_masks, read_boxes
from dualnet.explain.heat_maps import compute_heat_maps, enlarge_maps
from dualnet.explain.localisation import score_maps
from dualnet.jobs.boxes import find_run_boxes
from dualnet.jobs.chosen import Row
from dualnet.jobs.explanation_scores import FOLDER
from dualnet.jobs.finished import FinishedRun

if TYPE_CHECKING:
    import keras

METHOD = "hires_cam"


def explain_picture(
    run: FinishedRun,
    row: Row,
    model: "keras.Model",
    inputs: Mapping[str, np.ndarray],
    name: str,
    *,
    method: str | None = None,
    layer: str | None = None,
) -> tuple[dict[str, Any], np.ndarray]:
    """Computes the heat map of one radiograph and class.

    Args:
        run: The run.
        row: The radiograph's record.
        model: The run's model.
        inputs: What the model is given, one row.
        name: The class.
        method: One of `heat_maps.METHODS`; none: `METHOD`.
        layer: At which layer; none: the method's own.

    Returns:
        Plain values: `method`, `layer`, `shape`, `lowest` and `highest` of the map as it
        was computed; `boxes`, in shares of the picture; and where one is of this
        class, `inside`: whether the highest point is in it (`pointing`), its share of
        what is above 0 (`energy`) and of the picture (`area`); `verdict`, what scores
        of such maps have shown, or None where there are none. And the map at the
        picture's size, float32, shape (size, size).
    """
    maps = compute_heat_maps(
        model,
        inputs,
        [run.answered.index(name)],
        method=method or METHOD,
        layer=layer,
    )
    values = np.squeeze(maps.values, axis=0)
    enlarged = enlarge_maps(maps.values, run.config.data.image_size)
    boxes = _read_own_boxes(run, row)
    described: dict[str, Any] = {
        "method": maps.method,
        "layer": maps.layer,
        "shape": list(values.shape),
        "lowest": float(values.min()),
        "highest": float(values.max()),
        "boxes": [
            {
                "finding": str(box["finding"]),
                **{side: float(box[side]) for side in SIDES},
            }
            for box in boxes.to_dict("records")
        ],
    }
    described["verdict"] = read_verdict(run, maps.method)
    if name in set(boxes["finding"]):
        described["inside"] = _score(enlarged, boxes, row, name)
    return described, enlarged[0]


def read_verdict(run: FinishedRun, method: str) -> str | None:
    """Reads what scores of a run's heat maps have shown.

    Args:
        run: The run.
        method: How the maps are made.

    Returns:
        The verdict; None where there is none, or it is on another method.
    """
    try:
        text = (run.folder.path / FOLDER / "scores.json").read_text("utf-8")
        scores = json.loads(text)
        first = next(iter(scores["methods"]))  # the verdict is on it
        return str(scores["verdict"][0]) if first == method else None
    except (OSError, ValueError, LookupError, TypeError, StopIteration):
        return None  # not scored yet, or no longer as it was written


def _read_own_boxes(run: FinishedRun, row: Row) -> pd.DataFrame:
    file = find_run_boxes(run)
    if file is None or "part" not in row:  # a file of the user's own, whatever its name
        return pd.DataFrame({"finding": []})
    boxes = read_boxes(file)
    return boxes[boxes["image_id"] == row["image_id"]]


def _score(
    enlarged: np.ndarray, boxes: pd.DataFrame, row: Row, name: str
) -> dict[str, float]:
    pairs = pd.DataFrame({"image_id": [row["image_id"]], "finding": [name]})
    masks = draw_masks(boxes, pairs, enlarged.shape[-1])
    ((pointing, energy, _),) = score_maps(enlarged, masks).scores
    return {
        "pointing": float(pointing),
        "energy": float(energy),
        "area": float(masks.mean()),
    }
