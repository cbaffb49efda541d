"""The boxed radiographs of a run, as its model reads them."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dualnet.data.split import PARTS, sample_patients
from dualnet.errors import ConfigError, RecordError
from dualnet.explain.boxes import draw_masks, list_boxed, read_boxes
from dualnet.jobs.boxes import find_run_boxes
from dualnet.jobs.finished import FinishedRun
from dualnet.jobs.sources import keep_cached, prepare
from dualnet.wording import describe_rows, number_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Boxed:
    """Boxed findings, one a row; a picture with two has two rows.

    Args:
        pairs: `image_id`, `patient_id`, `finding` and `row`, the picture's place.
        columns: The model's output for each finding, shape (n,).
        masks: Which pixels are in the box, bool, shape (n, size, size).
        images: The pictures, uint8, shape (pictures, size, size, 1).
        metadata: Their encoded records, shape (pictures, features).
        num_part: How many radiographs the part has, boxed or not.
    """

    pairs: pd.DataFrame
    columns: np.ndarray
    masks: np.ndarray
    images: np.ndarray
    metadata: np.ndarray
    num_part: int

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def findings(self) -> np.ndarray:
        """The finding of each row, shape (n,)."""
        return self.pairs["finding"].to_numpy(dtype=str)

    @property
    def patient_ids(self) -> np.ndarray:
        """The patient of each row, shape (n,)."""
        return self.pairs["patient_id"].to_numpy(dtype=str)

    @property
    def counts(self) -> dict[str, int]:
        """How many radiographs and patients are boxed."""
        return {
            "num_images": int(self.pairs["image_id"].nunique()),
            "num_patients": int(self.pairs["patient_id"].nunique()),
        }

    def inputs(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Returns what a model is given for some rows.

        Args:
            rows: Which, integers, shape (k,).

        Returns:
            `image`, float32, shape (k, size, size, 1), and `metadata`.
        """
        pictures = self.pairs["row"].to_numpy(dtype=np.int64)[rows]
        return {
            "image": self.images[pictures].astype(np.float32),
            "metadata": self.metadata[pictures],
        }


def read_boxed(
    run: FinishedRun,
    *,
    part: str,
    sample: int | None,
    seed: int,
    file: Path | None = None,
) -> Boxed:
    """Reads the boxed radiographs of a part.

    Args:
        run: The run.
        part: `train`, `val` or `test`.
        sample: Draws whole patients until about this many pictures; none: all.
        seed: Decides who is drawn.
        file: The boxes, if not those of the dataset's folder.

    Returns:
        The rows that the model has an output for; how many that leaves is said.

    Raises:
        ConfigError: If there are no boxes, or no such part.
        RecordError: If no radiograph of the part is boxed.
    """
    if part not in PARTS:
        raise ConfigError(
            f"--part: must be one of {', '.join(PARTS)}. Received: {part!r}. "
            "Name a part of the run's split."
        )
    found = file or find_run_boxes(run)
    if found is None:
        raise ConfigError(
            f"{run.folder.path}: its dataset must have boxes, as BBox_List_2017.csv or "
            "a phantom's truth.csv. Received: neither. "
            "Put the boxes into the dataset's folder."
        )
    boxes = read_boxes(found)
    whole = run.records[run.records["part"] == part].reset_index(drop=True)
    table = whole[whole["image_id"].isin(_of_answered(boxes, run)["image_id"])]
    if table.empty:
        raise RecordError(
            f"{found}: must box a finding of the run's classes in a radiograph of its "
            f"{part} part. Received: 0 of {number_of(len(whole), 'radiograph')}. "
            "Name another part, or train with the split of NIH's official lists, whose "
            "test list holds all boxed radiographs."
        )
    table = table.reset_index(drop=True)
    if sample is not None:
        table = sample_patients(table, num_images=sample, seed=seed)
    stored = prepare(table, run.config, run.config.data.path)
    table = keep_cached(table, stored)
    pairs = list_boxed(boxes, table, run.answered)
    boxed = Boxed(
        pairs=pairs,
        columns=np.array([run.answered.index(name) for name in pairs["finding"]]),
        masks=draw_masks(boxes, pairs, stored.image_size),
        images=stored.read(stored.rows(table["image_id"])),
        metadata=run.encoder.transform(table),
        num_part=len(whole),
    )
    logger.info(
        "%s of %s of the %s part, with %s",
        describe_rows(boxed.counts),
        f"{len(whole):,}",
        part,
        number_of(len(boxed), "boxed finding"),
    )
    return boxed


def _of_answered(boxes: pd.DataFrame, run: FinishedRun) -> pd.DataFrame:
    """Leaves out, and says, the boxes of findings that the model has no output for."""
    known = boxes["finding"].isin(run.answered)
    if not known.all():
        logger.info(
            "boxes: %s of %s left out: the model has no output for %s",
            f"{int((~known).sum()):,}",
            number_of(len(boxes), "row"),
            ", ".join(sorted(set(boxes.loc[~known, "finding"]))),
        )
    return boxes[known]
